//! Foreign keys with a defect.

use super::{Mutant, Original, Part, Rows};
use crate::model::{Action, Class, Focus, ForeignKey, Table, quoted, quoted_list};

/// What is wrong with each key that carries the tenant.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (table, _) in original.owned() {
        for key in &table.foreign_keys {
            if !carries(original, table, key) {
                continue;
            }
            let mutant = |operator| {
                let part = Part::Constraint(table.name.clone(), key.name.clone());
                let touches = Focus::On(table.name.clone());
                Mutant::new(operator, table.name.object(&key.name), part, touches)
            };
            found.extend(without_tenant(original, table, key).map(|(sql, rows)| {
                let mut mutant = mutant("key-without-tenant").made_by(sql, rows);
                mutant.beside = Some(key.target.object(UNIQUE));
                mutant
            }));
            found.push(without_key(original, table, key, mutant("key-dropped")));
            let changed = changed(original, table, key).into_iter();
            found.extend(changed.map(|(operator, changed)| {
                let rows = if operator == "key-match-full" {
                    Rows::Anew
                } else {
                    Rows::Same
                };
                mutant(operator).made_by(changed.replaced(table), rows)
            }));
        }
    }
    found
}

/// The key ties a row to a row of the same tenant: both have the tenant, and it is among the pairs. A key that says
/// whose the row is, is none.
fn carries(original: Original<'_>, table: &Table, key: &ForeignKey) -> bool {
    let owned = matches!(
        original.tenancy.classes.get(&key.target),
        Some(Class::Scoped { .. } | Class::Derived { .. })
    );
    owned && key.enforced && tenant_pair(original, table, key).is_some() && key.columns.len() > 1
}

/// The pair of tenant columns.
fn tenant_pair<'k>(
    original: Original<'_>,
    table: &Table,
    key: &'k ForeignKey,
) -> Option<(&'k str, &'k str)> {
    let own = original.tenancy.tenant_column(&table.name)?;
    let theirs = original.tenancy.tenant_column(&key.target)?;
    key.pairs().find(|pair| *pair == (own, theirs))
}

/// The key is gone: what is left to name are its columns.
fn without_key(
    original: Original<'_>,
    table: &Table,
    key: &ForeignKey,
    mut mutant: Mutant,
) -> Mutant {
    let tenant = original.tenancy.tenant_column(&table.name);
    let columns = key.columns.iter();
    let rest = columns.filter(|column| Some(column.as_str()) != tenant);
    for (number, column) in rest.enumerate() {
        mutant.named.push(table.name.object(column));
        if number == 0 {
            mutant.part = Part::Column(table.name.clone(), column.clone());
        }
    }
    let sql = format!(
        "ALTER TABLE {} DROP CONSTRAINT {};",
        table.name.quoted(),
        quoted(&key.name)
    );
    mutant.made_by(sql, Rows::Same)
}

/// The key without the pair of tenant columns, and the unique key that it then needs.
fn without_tenant(
    original: Original<'_>,
    table: &Table,
    key: &ForeignKey,
) -> Option<(String, Rows)> {
    let (own, theirs) = tenant_pair(original, table, key)?;
    let keep = |columns: &[String], not: &str| -> Vec<String> {
        let kept = columns.iter().filter(|column| *column != not);
        kept.cloned().collect()
    };
    let changed = ForeignKey {
        columns: keep(&key.columns, own),
        target_columns: keep(&key.target_columns, theirs),
        on_delete_columns: keep(&key.on_delete_columns, own),
        ..key.clone()
    };
    let sql = changed.replaced(table);
    if has_unique(original, key, &changed.target_columns)? {
        return Some((sql, Rows::Same));
    }
    Some((
        format!(
            "{} {sql}",
            unique(key, &changed.target_columns, Some(UNIQUE))
        ),
        Rows::UniqueTargets,
    ))
}

/// The unique key that a mutant adds is called so: it is part of the one defect.
const UNIQUE: &str = "watertight_mutant";

fn unique(key: &ForeignKey, columns: &[String], name: Option<&str>) -> String {
    let name = name.map_or_else(String::new, |name| format!("CONSTRAINT {name} "));
    format!(
        "ALTER TABLE {} ADD {name}UNIQUE ({});",
        key.target.quoted(),
        quoted_list(columns.iter().map(String::as_str))
    )
}

/// Whether the table referred to has a unique key of these columns; `None` where it can't have one, as a partitioned
/// table's keys hold the columns that it is partitioned by.
fn has_unique(original: Original<'_>, key: &ForeignKey, columns: &[String]) -> Option<bool> {
    let target = original.catalog.tables.get(&key.target)?;
    let mut wanted: Vec<&str> = columns.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    let there = target.indexes.iter().any(|index| {
        let mut columns = index.plain_columns();
        columns.sort_unstable();
        index.unique && index.predicate.is_none() && columns == wanted
    });
    (there || !target.partitioned).then_some(there)
}

/// The unique keys that [`without_tenant`] needs, of all keys together.
pub(super) fn unique_targets(original: Original<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (table, _) in original.owned() {
        for key in &table.foreign_keys {
            let Some((_, theirs)) = tenant_pair(original, table, key) else {
                continue;
            };
            let rest = key.target_columns.iter().filter(|column| *column != theirs);
            let rest: Vec<String> = rest.cloned().collect();
            if carries(original, table, key) && has_unique(original, key, &rest) == Some(false) {
                found.push(unique(key, &rest, None));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The key with another option.
fn changed(
    original: Original<'_>,
    table: &Table,
    key: &ForeignKey,
) -> Vec<(&'static str, ForeignKey)> {
    let mut found = Vec::new();
    let tenant = original.tenancy.tenant_column(&table.name);
    let optional = key.columns.iter().any(|name| {
        let column = table.column(name);
        Some(name.as_str()) != tenant && column.is_some_and(|column| !column.not_null)
    });
    if key.validated && !table.partitioned {
        let changed = ForeignKey {
            validated: false,
            ..key.clone()
        };
        found.push(("key-not-valid", changed));
    }
    if original.version >= 18 {
        let changed = ForeignKey {
            enforced: false,
            ..key.clone()
        };
        found.push(("key-not-enforced", changed));
    }
    if optional && !key.match_full {
        let changed = ForeignKey {
            match_full: true,
            ..key.clone()
        };
        found.push(("key-match-full", changed));
    }
    if key.on_delete == Action::SetNull && !key.on_delete_columns.is_empty() {
        let changed = ForeignKey {
            on_delete_columns: Vec::new(),
            ..key.clone()
        };
        found.push(("key-clears-tenant", changed));
    }
    if key.on_update == Action::NoAction {
        let changed = ForeignKey {
            on_update: Action::Cascade,
            ..key.clone()
        };
        found.push(("key-follows-parent", changed));
    }
    found
}
