//! Catalog → sheets: everything that is the same for all rows of a table is found once.

use std::collections::{BTreeMap, BTreeSet};

use super::sheet::{Check, Drawn, Field, Reference, Sheet, Source};
use super::{Amount, Bulk, distinct};
use crate::generate::dice::hash;
use crate::generate::plan::{CheckPlan, KeyPlan, Plan, TablePlan};
use crate::generate::value::{Absence, Maker, Profile};
use crate::generate::{Genes, Ground, tenant};
use crate::model::{Catalog, Cell, Class, Column, Datum, Kind, RelationName};

pub(super) fn bulk(ground: Ground<'_>, amount: Amount) -> Bulk {
    let plan = Plan::new(ground.catalog, ground.tenancy);
    let genes = Genes::new(amount.seed, amount.organisations, 1);
    let kind = kind_of(ground.catalog, ground.tenancy.type_oid);
    let tenants = tenant::ids(ground, &plan, &genes)
        .into_iter()
        .take(amount.organisations.max(1))
        .map(|id| read(kind, id))
        .collect();
    let mut bulk = Bulk {
        amount,
        tenants,
        sheets: Vec::new(),
        index: BTreeMap::new(),
    };
    let wanted = referred(ground, &plan);
    for name in &plan.order {
        let table = &plan.tables[name];
        if table.columns.is_empty() {
            continue;
        }
        let preparing = Preparing {
            ground,
            plan: &plan,
            bulk: &bulk,
            wanted: wanted.get(*name).cloned().unwrap_or_default(),
        };
        let sheet = preparing.sheet(table);
        bulk.index.insert((*name).clone(), bulk.sheets.len());
        bulk.sheets.push(sheet);
    }
    settle_formats(&mut bulk);
    bulk
}

/// The columns of each table that keys refer to, and the SIRENs that SIRETs begin with.
fn referred<'p>(
    ground: Ground<'_>,
    plan: &'p Plan<'_>,
) -> BTreeMap<&'p RelationName, BTreeSet<&'p str>> {
    let mut found: BTreeMap<&RelationName, BTreeSet<&str>> = BTreeMap::new();
    for table in plan.tables.values() {
        for key in &table.keys {
            let target = &key.key.target;
            let columns = key.key.target_columns.iter().map(String::as_str);
            let found = found.entry(target).or_default();
            found.extend(columns);
            if table.siret.is_none() {
                continue;
            }
            let siren = plan.tables.get(target).and_then(|target| {
                let name = target.columns[target.siren?].0.name.as_str();
                let tried = ground.pools.of(&target.table.name);
                let is_tried = tried.is_some_and(|pool| pool.columns.iter().any(|c| c == name));
                (!is_tried).then_some(name)
            });
            found.extend(siren);
        }
    }
    found
}

/// The kind of a type, domains taken off; the labels of an enum are texts.
fn kind_of(catalog: &Catalog, oid: u32) -> Option<Kind> {
    let of = catalog.types.get(&catalog.base_type(oid))?;
    match of.kind {
        crate::model::TypeKind::Enum(_) => Some(Kind::Text),
        crate::model::TypeKind::Base => Kind::of(&of.name),
        _ => None,
    }
}

/// A text as a value of its kind, where it can be read.
fn read(kind: Option<Kind>, text: String) -> Datum {
    kind.and_then(|kind| kind.read(&text))
        .unwrap_or(Datum::Literal(text))
}

/// What goes as text where a key's values come from a table whose values have no other form.
fn settle_formats(bulk: &mut Bulk) {
    let as_text = |datum: &Datum| matches!(datum, Datum::Literal(_));
    let tenants_as_text = bulk.tenants.iter().any(as_text);
    for number in 0..bulk.sheets.len() {
        let sheet = &bulk.sheets[number];
        let own = sheet.fields.iter().all(|field| match field.source {
            Source::Tenant => !tenants_as_text,
            Source::Key => field.kind.is_some(),
            Source::Free => field.always_null || field.makers.iter().all(Maker::is_binary),
        });
        let parents = sheet.keys.iter().all(|key| {
            bulk.sheet(&key.target).is_none_or(|parent| {
                key.pairs.iter().all(|(_, column)| {
                    let there = parent.existing.iter().filter_map(|row| row.get(*column));
                    !there.into_iter().any(as_text)
                        && parent.fields.get(*column).is_none_or(|f| f.kind.is_some())
                })
            })
        });
        let mut drawn = sheet
            .pool
            .iter()
            .flat_map(|pool| pool.tuples.iter().flatten());
        let pooled = !drawn.any(as_text);
        bulk.sheets[number].binary = !bulk.amount.as_text && own && parents && pooled;
    }
}

struct Preparing<'p> {
    ground: Ground<'p>,
    plan: &'p Plan<'p>,
    /// The tables before this one.
    bulk: &'p Bulk,
    /// The columns that keys refer to.
    wanted: BTreeSet<&'p str>,
}

impl Preparing<'_> {
    fn sheet(&self, table: &TablePlan<'_>) -> Sheet {
        let name = table.table.name.clone();
        let amount = &self.bulk.amount;
        let shared = table.is_shared();
        let (mut each, mut fewer) = if shared && table.table.existing_rows > 0 {
            let why = "its rows are those that the migrations left";
            (0, Some(why.to_owned()))
        } else if matches!(table.class, Class::Root { .. }) || table.one_a_tenant() {
            (1, None)
        } else {
            (amount.rows, None)
        };
        let asked = each;
        let mut fields = match self.fields(table) {
            Ok(fields) => fields,
            Err(why) => {
                (each, fewer) = (0, Some(why));
                Vec::new()
            }
        };
        let columns: Vec<String> = table.columns.iter().map(|(c, _)| c.name.clone()).collect();
        let keys = self.keys(table, &columns);
        let settled = fields.iter().zip(&columns).any(|(field, column)| {
            field.source == Source::Key && self.wanted.contains(column.as_str())
        });
        for (siret, _) in keys.iter().filter_map(|key| key.siret) {
            if let Some(field) = fields.get_mut(siret) {
                field.settled = true;
            }
        }
        let late = keys.iter().filter(|key| key.late);
        let late: BTreeSet<usize> = late.flat_map(|key| key.nullable.iter().copied()).collect();
        let tenants = if shared {
            1
        } else {
            self.bulk.tenants.len() as u64
        };
        let mut sheet = Sheet {
            primary_key: table
                .table
                .primary_key()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            late: late.into_iter().map(|at| columns[at].clone()).collect(),
            binary: false,
            fewer,
            each,
            asked: asked * tenants,
            tenants,
            seed: self.seed(&name, ""),
            checks: table
                .checks
                .iter()
                .map(|check| of_check(check, &columns, &fields))
                .collect(),
            ascending: ascending(table, &columns),
            distinct: Vec::new(),
            partitions: table.bounds.len().max(1) as u64,
            existing: self.existing(table, &columns, &fields),
            settled,
            pool: self.pool(&name, &columns, &fields),
            name,
            columns,
            fields,
            keys,
        };
        if sheet.each > 0 {
            distinct::plan(&mut sheet, table, self.bulk);
        }
        sheet
    }

    /// The seed of a table, or of something on it.
    fn seed(&self, name: &RelationName, what: &str) -> u64 {
        let seed = self.bulk.amount.seed.number;
        hash(seed, &["bulk", &name.schema, &name.name, what])
    }

    fn fields(&self, table: &TablePlan<'_>) -> Result<Vec<Field>, String> {
        let of = |(column, profile): &(&Column, Profile)| {
            let source = if table.tenant_column() == Some(column.name.as_str()) {
                Source::Tenant
            } else if table
                .keys
                .iter()
                .any(|key| key.key.columns.contains(&column.name))
            {
                Source::Key
            } else {
                Source::Free
            };
            let nullable = !column.not_null && !profile.hints.not_null;
            let makers = match source {
                Source::Free if !profile.hints.null => self.makers(table, column, profile),
                _ => Ok(Vec::new()),
            };
            Ok(Field {
                source,
                seed: self.seed(&table.table.name, &column.name),
                makers: makers.map_err(|why| {
                    format!("column {}: {why}", table.table.name.object(&column.name))
                })?,
                carries: None,
                absence: nullable.then(|| Absence::of(self.ground.catalog, profile)),
                always_null: source == Source::Free && profile.hints.null,
                settled: self.wanted.contains(column.name.as_str()),
                kind: kind_of(self.ground.catalog, column.type_oid),
            })
        };
        table.columns.iter().map(of).collect()
    }

    /// A maker for each partition whose bounds narrow the column; else one.
    fn makers(
        &self,
        table: &TablePlan<'_>,
        column: &Column,
        profile: &Profile,
    ) -> Result<Vec<Maker>, String> {
        let catalog = self.ground.catalog;
        if !table
            .bounds
            .iter()
            .any(|bound| bound.contains_key(&column.name))
        {
            return Ok(vec![Maker::new(catalog, profile)?]);
        }
        let narrowed = |bound: &BTreeMap<String, crate::generate::hints::Hints>| {
            let mut narrowed = profile.clone();
            if let Some(hints) = bound.get(&column.name) {
                narrowed.hints.narrow(hints);
            }
            Maker::new(catalog, &narrowed)
        };
        table.bounds.iter().map(narrowed).collect()
    }

    fn pool(&self, name: &RelationName, columns: &[String], fields: &[Field]) -> Option<Drawn> {
        let pool = self.ground.pools.of(name)?;
        let known = pool
            .columns
            .iter()
            .map(|name| columns.iter().position(|own| own == name));
        let positions: Vec<usize> = known.collect::<Option<_>>()?;
        let of = |tuple: &Vec<Cell>| {
            let cell = |(at, cell): (&usize, &Cell)| match cell {
                Some(text) => read(fields[*at].kind, text.clone()),
                None => Datum::Null,
            };
            positions.iter().zip(tuple).map(cell).collect()
        };
        Some(Drawn {
            tuples: pool.tuples.iter().map(of).collect(),
            columns: positions,
        })
    }

    fn keys(&self, table: &TablePlan<'_>, columns: &[String]) -> Vec<Reference> {
        let at = |columns: &[String], name: &str| columns.iter().position(|c| c == name);
        let of = |key: &KeyPlan<'_>| {
            let target = self.plan.tables.get(&key.key.target)?;
            let there: Vec<String> = target.columns.iter().map(|(c, _)| c.name.clone()).collect();
            let pairs: Option<Vec<(usize, usize)>> = key
                .key
                .pairs()
                .map(|(own, theirs)| Some((at(columns, own)?, at(&there, theirs)?)))
                .collect();
            let waits = key.late && !key.key.deferrable;
            let own = key.key.target == table.table.name;
            Some(Reference {
                name: key.key.name.clone(),
                target: key.key.target.clone(),
                pairs: pairs?,
                nullable: key
                    .nullable
                    .iter()
                    .filter_map(|name| at(columns, name))
                    .collect(),
                seed: self.seed(&table.table.name, &key.key.name),
                carries: None,
                own,
                siret: self.siret(table, key),
                deferred: key.late && key.key.deferrable && !own,
                late: waits && !key.nullable.is_empty(),
            })
        };
        table.keys.iter().filter_map(of).collect()
    }

    /// Where the table's SIRET and the SIREN stand that it begins with: the company's that the key refers to.
    fn siret(&self, table: &TablePlan<'_>, key: &KeyPlan<'_>) -> Option<(usize, usize)> {
        let own = table.siret?;
        let target = self.bulk.sheet(&key.key.target)?;
        let theirs = self.plan.tables.get(&key.key.target)?.siren?;
        let refers_by_tenant_alone = |column: &String| table.tenant_column() == Some(column);
        let is_fixed = self.wanted.contains(table.columns[own].0.name.as_str())
            || key.key.columns.iter().all(refers_by_tenant_alone);
        (!is_fixed && target.fields.get(theirs)?.settled).then_some((own, theirs))
    }

    fn existing(
        &self,
        table: &TablePlan<'_>,
        columns: &[String],
        fields: &[Field],
    ) -> Vec<Vec<Datum>> {
        let rows = self.ground.existing.get(&table.table.name);
        let of = |row: &BTreeMap<String, Option<String>>| {
            let cell = |(column, field): (&String, &Field)| match row.get(column) {
                Some(Some(text)) => read(field.kind, text.clone()),
                _ => Datum::Null,
            };
            columns.iter().zip(fields).map(cell).collect()
        };
        rows.into_iter().flatten().map(of).collect()
    }
}

/// A CHECK with the columns that may be chosen again for it.
pub(super) fn of_check(check: &CheckPlan, columns: &[String], fields: &[Field]) -> Check {
    let is_free = |at: &usize| {
        fields
            .get(*at)
            .is_some_and(|field| field.source == Source::Free && !field.settled)
    };
    Check {
        name: check.name.clone(),
        expr: check.expr.clone(),
        free: check
            .columns
            .iter()
            .filter_map(|name| columns.iter().position(|column| column == name))
            .filter(is_free)
            .collect(),
    }
}

fn ascending(table: &TablePlan<'_>, columns: &[String]) -> Vec<(usize, usize)> {
    let at = |name: &String| columns.iter().position(|column| column == name);
    table
        .ascending
        .iter()
        .filter_map(|(low, high)| Some((at(low)?, at(high)?)))
        .collect()
}
