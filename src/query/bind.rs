//! Values for a query's parameters: the organisation's own, the others', and ones that reach far.

use std::collections::{BTreeMap, BTreeSet};

use super::infer::{Inferred, Source};
use super::plain::{by_type, category, greatest, least};
use crate::model::{
    Catalog, Cell, Dataset, Query, QueryTenant, RelationName, Tenancy, TypeKind, WorldKind, Worlds,
};

/// One set of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it stands for, in a few words.
    pub label: String,
    /// By position; `None` is NULL.
    pub values: Vec<Cell>,
    /// It writes a key that another organisation has. That it is refused is the key's doing and not the query's: what
    /// counts is whether the other's row is changed.
    pub seizes: bool,
}

/// The parameter that names the tenant, from 1: as annotated, else the one that is compared with a tenant column.
#[must_use]
pub fn tenant_parameter(query: &Query, inferred: &Inferred, tenancy: &Tenancy) -> Option<usize> {
    if let QueryTenant::Parameter(position) = query.tenant {
        return Some(position);
    }
    inferred
        .sources
        .iter()
        .find(|(_, sources)| {
            sources.iter().any(|source| match source {
                Source::Column { table, column, by } => {
                    matches!(by, '=' | ':') && tenancy.tenant_column(table) == Some(column)
                }
                _ => false,
            })
        })
        .map(|(number, _)| *number)
}

/// The sets of values to try: a few of the organisation's own rows, the same with ranges opened wide, no organisation
/// at all, and others' rows, which must behave as if they were not there. Also the parameters that nothing is known of.
#[must_use]
pub fn bindings(
    catalog: &Catalog,
    tenancy: &Tenancy,
    worlds: &Worlds,
    query: &Query,
    inferred: &Inferred,
) -> Vec<Binding> {
    let binder = Binder {
        catalog,
        tenancy,
        worlds,
        query,
        inferred,
        tenant: tenant_parameter(query, inferred, tenancy),
    };
    let mut found: Vec<Binding> = Vec::new();
    let mut add = |label: String, values: Vec<Cell>, seizes: bool| {
        if !found.iter().any(|other| other.values == values) {
            found.push(Binding {
                label,
                values,
                seizes,
            });
        }
    };
    for row in 0..4 {
        for wide in [false, true] {
            let label = if wide {
                "own row, wide ranges"
            } else {
                "own row"
            };
            add(
                format!("{label} {}", row + 1),
                binder.values(row, wide, None),
                false,
            );
        }
    }
    if let Some(tenant) = binder.tenant {
        // A condition that is left out where nothing is given gives everything.
        let mut values = binder.values(0, true, None);
        if let Some(value) = values.get_mut(tenant - 1) {
            *value = None;
        }
        add("no organisation".to_owned(), values, false);
    }
    let groups: Vec<&RelationName> = binder.groups();
    let seized = binder.seized();
    for kind in [WorldKind::Different, WorldKind::Twins] {
        // Those whose rows are in the seeded database too: the second tenant's twins, the last one's others.
        let theirs = worlds.others.get(&kind).and_then(|all| match kind {
            WorldKind::Twins => all.first(),
            _ => all.last(),
        });
        let Some(theirs) = theirs else {
            continue;
        };
        for group in &groups {
            // The second is in another state; twins are in the organisation's own.
            let ranks = if kind == WorldKind::Different { 2 } else { 1 };
            for rank in 0..ranks {
                let label = format!("another organisation's row of {group}");
                let values = binder.values(rank, false, Some((theirs, group)));
                add(label, values, false);
            }
        }
        for group in &seized {
            let label = format!("a key of another organisation's row of {group}");
            add(label, binder.values(0, false, Some((theirs, group))), true);
        }
    }
    found
}

struct Binder<'a> {
    catalog: &'a Catalog,
    tenancy: &'a Tenancy,
    worlds: &'a Worlds,
    query: &'a Query,
    inferred: &'a Inferred,
    tenant: Option<usize>,
}

impl<'a> Binder<'a> {
    /// The tables whose rows the parameters name.
    fn groups(&self) -> Vec<&'a RelationName> {
        let mut tables: Vec<&RelationName> = self
            .inferred
            .sources
            .iter()
            .filter(|(number, _)| Some(**number) != self.tenant)
            .flat_map(|(_, sources)| sources)
            .filter_map(|source| match source {
                Source::Column { table, by: '=', .. } => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// The tables to which a parameter writes a part of a unique key.
    fn seized(&self) -> Vec<&'a RelationName> {
        let written = self.inferred.sources.values().flatten();
        let mut tables: Vec<&RelationName> = written
            .filter_map(|source| match source {
                Source::Column {
                    table,
                    column,
                    by: ':',
                } if self.is_key(table, column) => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Part of a unique key, and not the tenant.
    fn is_key(&self, table: &RelationName, column: &str) -> bool {
        self.tenancy.tenant_column(table) != Some(column)
            && self.catalog.tables.get(table).is_some_and(|table| {
                let mut unique = table.indexes.iter().filter(|index| index.unique);
                unique.any(|index| index.plain_columns().contains(&column))
            })
    }

    /// One value for each parameter.
    fn values(
        &self,
        row: usize,
        wide: bool,
        foreign: Option<(&Dataset, &RelationName)>,
    ) -> Vec<Cell> {
        (1..=self.query.parameters.len())
            .map(|number| {
                if Some(number) == self.tenant {
                    return Some(self.worlds.acting_tenant().to_owned());
                }
                self.value(number, row, wide, foreign)
            })
            .collect()
    }

    fn value(
        &self,
        number: usize,
        row: usize,
        wide: bool,
        foreign: Option<(&Dataset, &RelationName)>,
    ) -> Cell {
        let none = Vec::new();
        let sources = self.inferred.sources.get(&number).unwrap_or(&none);
        let kind = self.query.types.get(number - 1).map_or("", String::as_str);
        if sources.contains(&Source::Limit) {
            return Some("50".to_owned());
        }
        if sources.contains(&Source::Offset) {
            return Some("0".to_owned());
        }
        if sources.contains(&Source::Words)
            && let Some(word) = self.word(row)
        {
            return Some(word);
        }
        let by = |wanted: char| {
            sources
                .iter()
                .any(|source| matches!(source, Source::Column { by, .. } if *by == wanted))
        };
        // A pattern that matches all, and one that most texts match.
        if by('~') {
            return Some(if wide { String::new() } else { "e".to_owned() });
        }
        if by('%') {
            return Some(if wide { "%" } else { "%e%" }.to_owned());
        }
        // What is looked for must be there; what is written as well can be anything.
        let (looked_for, others): (Vec<&Source>, Vec<&Source>) = sources
            .iter()
            .partition(|source| matches!(source, Source::Column { by: '=', .. }));
        for source in looked_for.into_iter().chain(others) {
            let Source::Column { table, column, .. } = source else {
                continue;
            };
            if !self.fits(kind, table, column) {
                continue;
            }
            let range = !by('=') && !by(':');
            let (dataset, is_theirs) = match foreign {
                Some((theirs, group)) if group == table => (theirs, true),
                _ => (self.dataset(table), false),
            };
            let mut values = column_values(dataset, table, column);
            if kind.ends_with("[]") && values.iter().any(|value| value != "{}") {
                values.retain(|value| value != "{}");
            }
            let chosen = if range && (wide || foreign.is_some()) {
                if by('<') {
                    greatest(&values)
                } else {
                    least(&values)
                }
            } else if by(':') && !by('=') && !(is_theirs && self.is_key(table, column)) {
                // What is written is a value of the kind, not one that must be there.
                self.written(table, column, row)
                    .or_else(|| values.get(row % values.len().max(1)).cloned())
            } else if is_theirs {
                let row = self.stranger(dataset, table, row);
                let rows = dataset.get(table);
                rows.and_then(|rows| rows.cell(row, column)?.clone())
                    .or_else(|| values.last().cloned())
            } else {
                values.get(row % values.len().max(1)).cloned()
            };
            if let Some(value) = chosen {
                return Some(if kind.ends_with("[]") && !value.starts_with('{') {
                    format!(
                        "{{\"{}\"}}",
                        value.replace('\\', "\\\\").replace('"', "\\\"")
                    )
                } else {
                    value
                });
            }
        }
        self.by_name(number, row)
            .or_else(|| self.by_time(number, kind))
            .or_else(|| by_type(kind))
    }

    /// A column's values are of the kind that the parameter wants: `created_at > now() - $1` wants no time.
    fn fits(&self, kind: &str, table: &RelationName, column: &str) -> bool {
        let of = |oid: u32| {
            let base = self.catalog.types.get(&self.catalog.base_type(oid))?;
            match base.kind {
                TypeKind::Array(element) => category(&self.catalog.types.get(&element)?.printed),
                _ => category(&base.printed),
            }
        };
        let held = self
            .catalog
            .tables
            .get(table)
            .and_then(|table| of(table.column(column)?.type_oid));
        match (category(kind.trim_end_matches("[]")), held) {
            (Some("text") | None, _) => true,
            (wanted, held) => wanted == held,
        }
    }

    /// A word of one of the query's texts: of the first text column first, then of the next.
    fn word(&self, row: usize) -> Option<String> {
        let tables = self.inferred.tables.iter();
        let texts: Vec<(&RelationName, &str)> = tables
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("text"))
            .map(|(table, column)| (&table.name, column.name.as_str()))
            .filter(|(table, column)| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let (table, column) = texts.get(row % texts.len().max(1))?;
        let values = column_values(self.dataset(table), table, column);
        // The longest says most.
        let words = values
            .get(row / texts.len())?
            .split(|c: char| !c.is_alphabetic());
        let longest = words.max_by_key(|word| word.chars().count());
        longest.filter(|word| !word.is_empty()).map(str::to_owned)
    }

    /// A time that is compared with nothing, as in `generate_series($1, $2)`: from the earliest that the query's
    /// tables know to the latest.
    fn by_time(&self, number: usize, kind: &str) -> Option<String> {
        if category(kind) != Some("time") {
            return None;
        }
        let values: Vec<String> = self
            .inferred
            .tables
            .iter()
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("time"))
            .flat_map(|(table, column)| {
                column_values(self.dataset(&table.name), &table.name, &column.name)
            })
            .collect();
        let open = |other: &usize| {
            let known = self.inferred.sources.get(other);
            known.is_none_or(Vec::is_empty)
                && self.query.types.get(other - 1).is_some_and(|k| k == kind)
        };
        let before = (1..number).filter(open).count();
        let after = (number + 1..=self.query.types.len()).any(|other| open(&other));
        if before % 2 == 0 && after {
            values.into_iter().min()
        } else {
            values.into_iter().max()
        }
    }

    /// The row of somebody else's that shows most, or of that rank: the acting tenant lacks what the query looks for in
    /// it, and has the rows, by their ids, that it refers to.
    fn stranger(&self, theirs: &Dataset, table: &RelationName, rank: usize) -> usize {
        let sources = self.inferred.sources.values().flatten();
        let looked_for: BTreeSet<&str> = sources
            .filter_map(|source| match source {
                Source::Column {
                    table: of,
                    column,
                    by: '=' | ':',
                } if of == table => Some(column.as_str()),
                _ => None,
            })
            .collect();
        let keys = self.catalog.tables.get(table).into_iter();
        let referring: BTreeSet<&str> = keys
            .flat_map(|table| table.foreign_keys.iter())
            .flat_map(|key| key.columns.iter().map(String::as_str))
            .filter(|column| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let own = |column: &&str| {
            let values = column_values(self.dataset(table), table, column);
            values.into_iter().collect::<BTreeSet<String>>()
        };
        let owned: BTreeMap<&str, BTreeSet<String>> = looked_for
            .union(&referring)
            .map(|column| (*column, own(column)))
            .collect();
        let Some(rows) = theirs.get(table) else {
            return 0;
        };
        let has = |row: usize, column: &str| -> Option<bool> {
            let value = rows.cell(row, column)?.as_ref()?;
            Some(owned.get(column)?.contains(value))
        };
        let count = |row: usize, columns: &BTreeSet<&str>, wanted: bool| {
            let all = columns.iter();
            all.filter(|column| has(row, column) == Some(wanted))
                .count()
        };
        let mut order: Vec<usize> = (0..rows.rows.len()).rev().collect();
        order.sort_by_key(|row| {
            std::cmp::Reverse((
                count(*row, &looked_for, false),
                count(*row, &referring, true),
            ))
        });
        order.get(rank % order.len().max(1)).copied().unwrap_or(0)
    }

    /// The acting tenant's rows, or the shared ones.
    fn dataset(&self, table: &RelationName) -> &'a Dataset {
        if self.worlds.acting.contains_key(table) {
            &self.worlds.acting
        } else {
            &self.worlds.shared
        }
    }

    /// A spare row's value: one that is valid and not there yet.
    fn written(&self, table: &RelationName, column: &str, row: usize) -> Option<String> {
        let spares = column_values(self.worlds.spares.first()?, table, column);
        // Every other time a value that is there: an upsert has two ways to go.
        if row % 2 == 1 {
            None
        } else {
            spares.first().cloned()
        }
    }

    /// A column of the query's tables that is called like the parameter.
    fn by_name(&self, number: usize, row: usize) -> Option<String> {
        let name = self.query.parameters.get(number - 1)?.as_ref()?;
        self.inferred.tables.iter().find_map(|table| {
            self.catalog.tables.get(table)?.column(name)?;
            let values = column_values(self.dataset(table), table, name);
            values.get(row % values.len().max(1)).cloned()
        })
    }
}

fn column_values(dataset: &Dataset, table: &RelationName, column: &str) -> Vec<String> {
    dataset.get(table).map_or_else(Vec::new, |rows| {
        (0..rows.rows.len())
            .filter_map(|row| rows.cell(row, column)?.clone())
            .collect()
    })
}
