//! What the generator knows before it makes a row: the order of tables, what each column wants, what must differ.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::Expr;

use super::hints::{self, Hints, Reading};
use super::truth;
use super::unique::{self, Unique};
use super::value::Profile;
use crate::model::{
    Catalog, CheckConstraint, Class, Column, ForeignKey, Generated, RelationName, Table, Tenancy,
    Token, Tokens, TypeKind,
};

/// The plan of all tables.
pub(super) struct Plan<'a> {
    /// Parents first.
    pub(super) order: Vec<&'a RelationName>,
    /// By table.
    pub(super) tables: BTreeMap<&'a RelationName, TablePlan<'a>>,
    /// Keys whose columns are set in a second pass, by table.
    pub(super) late: BTreeMap<RelationName, Vec<String>>,
    /// Tables that need each other's rows at once, each time next to each other in the order.
    pub(super) circles: Vec<Vec<RelationName>>,
}

/// The plan of one table.
pub(super) struct TablePlan<'a> {
    /// The table's number among all tables, by name.
    pub(super) number: usize,
    pub(super) table: &'a Table,
    pub(super) class: &'a Class,
    /// Writable columns with what is known of them.
    pub(super) columns: Vec<(&'a Column, Profile)>,
    /// Foreign keys in the order in which they choose a parent.
    pub(super) keys: Vec<KeyPlan<'a>>,
    /// Sets of columns that must differ from row to row.
    pub(super) uniques: Vec<Unique<'a>>,
    /// Pairs of columns of which the first must be below the second.
    pub(super) ascending: Vec<(String, String)>,
    /// CHECKs that can be parsed.
    pub(super) checks: Vec<CheckPlan>,
    /// The position of the column with a company's number in the French register.
    pub(super) siren: Option<usize>,
    /// The position of the column with an establishment's number, which begins with its company's: where that is not in
    /// the same row.
    pub(super) siret: Option<usize>,
    /// How many rows it takes that each value of a small set is met.
    pub(super) states: usize,
    /// What each partition wants of its rows, by column; empty where the table is not partitioned.
    pub(super) bounds: Vec<BTreeMap<String, Hints>>,
}

/// A CHECK that can be parsed.
pub(super) struct CheckPlan {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// The table's columns in it.
    pub(super) columns: Vec<String>,
}

/// A foreign key and how it is filled.
pub(super) struct KeyPlan<'a> {
    pub(super) key: &'a ForeignKey,
    /// The columns that are set to NULL for "no reference"; empty where there must be one.
    pub(super) nullable: Vec<&'a str>,
    /// Set after all tables have rows, since it closes a circle.
    pub(super) late: bool,
    /// Where the columns referred to stand among the target's writable ones.
    pub(super) targets: Vec<Option<usize>>,
    /// Keys before this one that refer to the same table, where each pair of parents is there once: a row joins the two, as
    /// in a list of parts or of members. Its parent stands after theirs, so that none is above itself: what walks along
    /// would never end.
    pub(super) beyond: Vec<usize>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(catalog: &'a Catalog, tenancy: &'a Tenancy) -> Self {
        let mut plan = Self {
            order: Vec::new(),
            tables: BTreeMap::new(),
            late: BTreeMap::new(),
            circles: Vec::new(),
        };
        for table in catalog.roots() {
            if let Some(class) = tenancy.classes.get(&table.name)
                && *class != Class::History
            {
                let number = plan.tables.len();
                plan.tables
                    .insert(&table.name, TablePlan::new(catalog, table, class, number));
            }
        }
        plan.sort();
        plan
    }
}

impl<'a> TablePlan<'a> {
    fn new(catalog: &'a Catalog, table: &'a Table, class: &'a Class, number: usize) -> Self {
        let mut reading = Reading::default();
        for check in &table.checks {
            hints::read(&check.expression, &mut reading);
        }
        reading.spread();
        let uniques = unique::uniques(catalog, table, class);
        let distinct: BTreeSet<&str> = uniques
            .iter()
            .flat_map(|unique| unique.columns.iter().copied())
            .collect();
        let columns: Vec<_> = table
            .writable_columns()
            .map(|column| {
                let known = reading
                    .columns
                    .get(&column.name)
                    .cloned()
                    .unwrap_or_default();
                let mut profile = Profile {
                    name: column.name.to_lowercase(),
                    type_oid: column.type_oid,
                    modifier: column.modifier,
                    dimensions: column.dimensions,
                    hints: known,
                    distinct: distinct.contains(column.name.as_str()),
                };
                profile.look_through_domains(catalog);
                profile.prefer(&column.samples);
                (column, profile)
            })
            .collect();
        let named = |word: &str| {
            let mut names = columns.iter().map(|(column, _)| column.name.to_lowercase());
            names.position(|name| name.contains(word))
        };
        let company = named("siren");
        Self {
            number,
            siren: company,
            siret: named("siret").filter(|_| company.is_none()),
            states: states(catalog, &columns),
            table,
            class,
            columns,
            keys: key_plans(catalog, table, class, &uniques),
            uniques,
            ascending: reading.ascending,
            checks: checks(table),
            bounds: table.bounds.iter().map(|bound| bounds(bound)).collect(),
        }
    }

    /// Its rows are everybody's.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.class, Class::Shared | Class::Unclassified { .. })
    }

    /// A writable column and what is known of it.
    pub(super) fn known(&self, name: &str) -> Option<&(&'a Column, Profile)> {
        self.columns.iter().find(|(column, _)| column.name == name)
    }

    /// The value can be chosen freely: it is neither the tenant nor a reference.
    pub(super) fn is_free(&self, column: &str) -> bool {
        self.tenant_column() != Some(column)
            && self.columns.iter().any(|(known, _)| known.name == column)
            && !self
                .table
                .foreign_keys
                .iter()
                .any(|key| key.columns.iter().any(|name| name == column))
    }

    /// The number of the key that refers to nothing where this column is NULL, and shares what it sets then with none.
    pub(super) fn optional_key(&self, column: &str) -> Option<usize> {
        let of = |key: &KeyPlan<'_>| key.nullable.contains(&column);
        let number = self.keys.iter().position(|key| !key.late && of(key))?;
        let others = || self.keys.iter().enumerate().filter(|(at, _)| *at != number);
        let shares =
            |name: &&str| others().any(|(_, key)| key.key.columns.iter().any(|own| own == name));
        (!self.keys[number].nullable.iter().any(shares)).then_some(number)
    }

    /// Keys that say who the tenant is; the others choose a parent.
    pub(super) fn tenant_keys(&self) -> impl Iterator<Item = &'a ForeignKey> + '_ {
        let tenant = self.tenant_column();
        self.table.foreign_keys.iter().filter(move |key| {
            key.columns
                .iter()
                .all(|column| Some(column.as_str()) == tenant)
        })
    }

    /// The column waits for a parent that is made later: of a key that may be NULL those columns that may be.
    pub(super) fn is_late(&self, column: &str) -> bool {
        self.keys.iter().filter(|key| key.late).any(|key| {
            if key.nullable.is_empty() {
                key.key.columns.iter().any(|name| name == column)
            } else {
                key.nullable.contains(&column)
            }
        })
    }

    /// The column whose value is the tenant.
    pub(super) fn tenant_column(&self) -> Option<&'a str> {
        match self.class {
            Class::Root { column } | Class::Scoped { column } => Some(column),
            _ => None,
        }
    }

    /// The tables of which each row has at most one row of this one: a unique key is one reference and no more.
    pub(super) fn bounding_parents(&self) -> impl Iterator<Item = &'a RelationName> + '_ {
        self.keys
            .iter()
            .filter(|key| {
                !key.late
                    && self
                        .uniques
                        .iter()
                        .filter(|unique| unique.is_total())
                        .any(|unique| {
                            unique.columns.iter().all(|column| {
                                self.tenant_column() == Some(column)
                                    || key.key.columns.iter().any(|name| name == column)
                            })
                        })
            })
            .map(|key| &key.key.target)
    }

    /// A tenant has at most one row of it.
    pub(super) fn one_a_tenant(&self) -> bool {
        self.uniques.iter().any(|unique| {
            unique.is_total()
                && !unique.global
                && unique
                    .columns
                    .iter()
                    .all(|column| self.tenant_column() == Some(column))
        })
    }
}

/// Sets of more values than this are not met whole: a list of countries is no state.
const MOST_STATES: usize = 16;

/// The size of the largest small set among the columns' values.
fn states(catalog: &Catalog, columns: &[(&Column, Profile)]) -> usize {
    let of =
        |profile: &Profile| match (&profile.hints.choices, catalog.types.get(&profile.type_oid)) {
            (Some(choices), _) => choices.len(),
            (None, Some(of)) => match &of.kind {
                TypeKind::Enum(labels) => labels.len(),
                // Two rows of each: see `value::base`.
                TypeKind::Base if of.name == "bool" => 4,
                _ => 0,
            },
            (None, None) => 0,
        };
    let sizes = columns.iter().map(|(_, profile)| of(profile));
    sizes.filter(|size| *size <= MOST_STATES).max().unwrap_or(0)
}

fn checks(table: &Table) -> Vec<CheckPlan> {
    let of = |check: &CheckConstraint| {
        let expr = truth::parse(&check.expression)?;
        let columns: Vec<_> = table
            .columns
            .iter()
            .filter(|column| mentions(&check.expression, &column.name))
            .map(|column| column.name.clone())
            .collect();
        Some(CheckPlan {
            name: check.name.clone(),
            expr,
            columns,
        })
    };
    table.checks.iter().filter_map(of).collect()
}

/// What a partition's bound says of single columns.
fn bounds(expression: &str) -> BTreeMap<String, Hints> {
    let mut reading = Reading::default();
    hints::read(expression, &mut reading);
    reading.columns
}

fn targets(catalog: &Catalog, key: &ForeignKey) -> Vec<Option<usize>> {
    let target = catalog.tables.get(&key.target);
    let position = |name: &String| {
        target?
            .writable_columns()
            .position(|column| column.name == *name)
    };
    key.target_columns.iter().map(position).collect()
}

fn key_plans<'a>(
    catalog: &Catalog,
    table: &'a Table,
    class: &'a Class,
    uniques: &[Unique<'_>],
) -> Vec<KeyPlan<'a>> {
    let tenant = match class {
        Class::Root { column } | Class::Scoped { column } => Some(column.as_str()),
        _ => None,
    };
    let mut keys: Vec<KeyPlan<'a>> = table
        .foreign_keys
        .iter()
        .filter(|key| {
            // The key of the tenant column alone says who the tenant is; the tenant's number gives its value.
            key.columns
                .iter()
                .any(|column| Some(column.as_str()) != tenant)
        })
        .map(|key| {
            let nullable = nullable(table, key, tenant);
            KeyPlan {
                key,
                late: nullable.is_empty() && is_never_itself(table, key),
                nullable,
                targets: targets(catalog, key),
                beyond: Vec::new(),
            }
        })
        .collect();
    // The one that defines the tenancy first, then those that must be there, then the widest.
    let defines = |key: &KeyPlan<'_>| matches!(class, Class::Derived { foreign_key } if *foreign_key == key.key.name);
    keys.sort_by_key(|key| {
        (
            !defines(key),
            !key.nullable.is_empty(),
            std::cmp::Reverse(key.key.columns.len()),
        )
    });
    for number in 1..keys.len() {
        let joined = |before: &usize| joins(&keys[*before], &keys[number], tenant, uniques);
        keys[number].beyond = (0..number).filter(joined).collect();
    }
    keys
}

/// The columns that are set to NULL for "no reference". MATCH FULL takes all NULLs or none.
fn nullable<'a>(table: &Table, key: &'a ForeignKey, tenant: Option<&str>) -> Vec<&'a str> {
    let may_be = |column: &&str| {
        let column = table.column(column);
        column.is_some_and(|column| !column.not_null && column.generated == Generated::No)
    };
    let columns = key.columns.iter().map(String::as_str);
    let found: Vec<&str> = columns
        .filter(|column| Some(*column) != tenant && may_be(column))
        .collect();
    if key.match_full && found.len() < key.columns.len() {
        return Vec::new();
    }
    found
}

/// A key that refers to the own table, of which a CHECK says that the two are not one: no row can be the first, and the rows
/// refer to each other in a ring, which is made when all are there.
fn is_never_itself(table: &Table, key: &ForeignKey) -> bool {
    let parts = |check: &CheckConstraint, own: &str, target: &str| {
        let tokens: Vec<Token<'_>> = Tokens::new(&check.expression).flatten().collect();
        let names = |name: &str| {
            let mut tokens = tokens.iter();
            tokens.any(|one| one.name().as_deref() == Some(name))
        };
        let differ = check.expression.contains("<>") || tokens.iter().any(|one| one.is("distinct"));
        differ && names(own) && names(target)
    };
    key.target == table.name
        && key
            .pairs()
            .filter(|(own, target)| own != target)
            .any(|(own, target)| table.checks.iter().any(|check| parts(check, own, target)))
}

/// The two keys join rows of one table, each pair once.
fn joins(
    one: &KeyPlan<'_>,
    other: &KeyPlan<'_>,
    tenant: Option<&str>,
    uniques: &[Unique<'_>],
) -> bool {
    let of = |key: &KeyPlan<'_>, column: &str| key.key.columns.iter().any(|own| own == column);
    let within = |unique: &Unique<'_>, key: &KeyPlan<'_>| {
        let mut own = key.key.columns.iter().map(String::as_str);
        own.all(|column| Some(column) == tenant || unique.columns.contains(&column))
    };
    // Two keys over one column name one row.
    let mut own = one.key.columns.iter().map(String::as_str);
    let apart = own.all(|column| Some(column) == tenant || !of(other, column));
    one.key.target == other.key.target
        && apart
        && uniques.iter().any(|unique| {
            let mut columns = unique.columns.iter();
            within(unique, one)
                && within(unique, other)
                && columns.all(|c| Some(*c) == tenant || of(one, c) || of(other, c))
        })
}

/// Whether an expression mentions a column, as a word of its own.
pub(super) fn mentions(text: &str, column: &str) -> bool {
    // Most do not, and to see that a plain search is far faster than to take a text apart.
    if !text.contains(column) {
        return column.contains('"') && text.contains(&crate::model::quoted(column));
    }
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .any(|word| word == column)
        || text.contains(&crate::model::quoted(column))
}
