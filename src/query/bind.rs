//! Which sets of values a query is tried with: the organisation's own, the others', and ones that reach far.

use std::collections::BTreeMap;

use super::binder::{Binder, Foreign};
use super::infer::{Inferred, Source};
use crate::model::{Catalog, Cell, Query, QueryTenant, RelationName, Tenancy, WorldKind, Worlds};

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

/// How the label of a binding begins that asks for others' rows by their keys, or writes these.
pub const FOREIGN: [&str; 2] = [
    "another organisation's row of ",
    "a key of another organisation's row of ",
];

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
                Source::Column {
                    table, column, by, ..
                } => matches!(by, '=' | ':') && tenancy.tenant_column(table) == Some(column),
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
    let mut binder = Binder {
        catalog,
        tenancy,
        worlds,
        query,
        inferred,
        tenant: tenant_parameter(query, inferred, tenancy),
        order: BTreeMap::new(),
    };
    binder.order = binder.meeting();
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
    for (label, values) in own_rows(&binder) {
        add(label, values, false);
    }
    // A condition that is left out where nothing is given gives everything.
    let without = |numbers: &[usize]| {
        let mut values = binder.values(0, true, None);
        for number in numbers {
            if let Some(value) = values.get_mut(number - 1) {
                *value = None;
            }
        }
        values
    };
    if let Some(tenant) = binder.tenant {
        add("no organisation".to_owned(), without(&[tenant]), false);
    }
    let mut optional: Vec<usize> = inferred.optional.iter().copied().collect();
    optional.retain(|number| Some(*number) != binder.tenant);
    if optional.len() > 1 {
        add("no conditions".to_owned(), without(&optional), false);
    }
    for number in optional {
        let name = query.parameters.get(number - 1).cloned().flatten();
        let label = name.map_or_else(|| format!("no ${number}"), |name| format!("no {name}"));
        add(label, without(&[number]), false);
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
                let label = format!("{}{group}", FOREIGN[0]);
                let foreign = Foreign {
                    rows: theirs,
                    table: group,
                    written: false,
                };
                let values = binder.values(rank, false, Some(foreign));
                // Where several name rows of one table, each by itself, beside the organisation's own.
                let several = binder.of_group(group);
                for number in several.iter().filter(|_| several.len() > 1) {
                    let mut mixed = binder.values(rank, false, None);
                    mixed[number - 1].clone_from(&values[number - 1]);
                    add(format!("{label} as ${number}"), mixed, false);
                }
                add(label, values, false);
            }
        }
        for group in &seized {
            let label = format!("{}{group}", FOREIGN[1]);
            let foreign = Foreign {
                rows: theirs,
                table: group,
                written: true,
            };
            add(label, binder.values(0, false, Some(foreign)), true);
        }
    }
    found
}

/// The values of a few of the organisation's rows, and the same with ranges opened wide.
fn own_rows(binder: &Binder<'_>) -> Vec<(String, Vec<Cell>)> {
    let own = |label: &str, row: usize, wide: bool| {
        let label = format!("{label} {}", row + 1);
        (label, binder.values(row, wide, None))
    };
    let mut found: Vec<_> = (0..binder.rows())
        .flat_map(|row| {
            [
                own("own row", row, false),
                own("own row, wide ranges", row, true),
            ]
        })
        .collect();
    // What others refer to can't be deleted.
    let loose = binder.loose().filter(|row| *row >= binder.rows());
    found.extend(loose.map(|row| own("own row", row, false)));
    found
}
