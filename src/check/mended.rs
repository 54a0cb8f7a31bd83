//! A foreign key as it should be: the SQL that mends it.

use std::fmt::Write as _;

use super::Scene;
use crate::model::{Action, Catalog, ForeignKey, Index, Table, printed, quoted, quoted_list};

/// The key with the tenant on both sides, all else as it was, and the unique key that it needs.
pub(super) fn key(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    let (Some(own), Some(theirs)) = (
        scene.tenancy.tenant_column(&table.name),
        scene.tenancy.tenant_column(&key.target),
    ) else {
        return format!(
            "Give both {} and {} the tenant column, and carry it in {}",
            table.name,
            key.target,
            printed(&key.name)
        );
    };
    let nullable = table.column(own).is_some_and(|column| !column.not_null);
    if key.enforced && key.pairs().any(|pair| pair == (own, theirs)) {
        return if nullable {
            // A key of which one column is NULL is not checked at all.
            format!(
                "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;",
                table.name.quoted(),
                quoted(own)
            )
        } else {
            format!(
                "Look for what lets the row pass {}: triggers that are off (ALTER TABLE … ENABLE TRIGGER ALL), a trigger that \
                 writes, or rows of {} that are not their tenant's",
                printed(&key.name),
                key.target
            )
        };
    }
    rebuilt(scene, table, key, (own, theirs))
}

/// The key anew, with the tenant columns first, and with actions and match type that leave the tenant alone.
pub(super) fn rebuilt(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    (own, theirs): (&str, &str),
) -> String {
    let pairs: Vec<(&str, &str)> = std::iter::once((own, theirs))
        .chain(
            key.pairs()
                .filter(|(child, parent)| *child != own && *parent != theirs),
        )
        .collect();
    let targets: Vec<&str> = pairs.iter().map(|(_, parent)| *parent).collect();
    let unique = if has_unique(scene.catalog, key, &targets) {
        String::new()
    } else {
        format!(
            "ALTER TABLE {} ADD UNIQUE ({}{});\n",
            key.target.quoted(),
            quoted_list(targets.iter().copied()),
            if key.period { " WITHOUT OVERLAPS" } else { "" }
        )
    };
    format!(
        "{unique}ALTER TABLE {} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {} ({}){};",
        table.name.quoted(),
        columns(
            key,
            &pairs.iter().map(|(child, _)| *child).collect::<Vec<_>>()
        ),
        key.target.quoted(),
        columns(key, &targets),
        options(table, key, own),
        name = quoted(&key.name),
    )
}

/// One side of the key.
fn columns(key: &ForeignKey, names: &[&str]) -> String {
    match names {
        [first @ .., time] if key.period => {
            format!(
                "{}, PERIOD {}",
                quoted_list(first.iter().copied()),
                quoted(time)
            )
        }
        _ => quoted_list(names.iter().copied()),
    }
}

/// A key whose tenant column stands opposite another column: that column changes places with the tenant column.
pub(super) fn swapped(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    let (Some(own), Some(theirs)) = (
        scene.tenancy.tenant_column(&table.name),
        scene.tenancy.tenant_column(&key.target),
    ) else {
        return String::new();
    };
    let opposite = key.pairs().find(|(child, _)| *child == own);
    let Some((_, opposite)) = opposite else {
        return String::new();
    };
    let mut right = key.clone();
    for column in &mut right.target_columns {
        if column == theirs {
            opposite.clone_into(column);
        } else if column == opposite {
            theirs.clone_into(column);
        }
    }
    rebuilt(scene, table, &right, (own, theirs))
}

/// The table referred to has a unique key of these columns.
fn has_unique(catalog: &Catalog, key: &ForeignKey, columns: &[&str]) -> bool {
    let mut wanted = columns.to_vec();
    wanted.sort_unstable();
    let is_it = |index: &Index| {
        let mut columns = index.plain_columns();
        columns.sort_unstable();
        index.unique && index.predicate.is_none() && columns == wanted
    };
    let target = catalog.tables.get(&key.target);
    target.is_some_and(|target| target.indexes.iter().any(is_it))
}

/// What follows the columns, as the key has it now; but never so that the tenant column were set to NULL with the
/// reference, or had to be NULL with it.
fn options(table: &Table, key: &ForeignKey, own: &str) -> String {
    let reference: Vec<&str> = key
        .columns
        .iter()
        .map(String::as_str)
        .filter(|column| *column != own)
        .collect();
    let optional = |column: &&str| table.column(column).is_some_and(|column| !column.not_null);
    let mut text = String::new();
    if key.match_full && !reference.iter().any(optional) {
        text.push_str(" MATCH FULL");
    }
    for (event, action) in [(" ON DELETE", key.on_delete), (" ON UPDATE", key.on_update)] {
        let word = match action {
            Action::NoAction => continue,
            // It can't name columns, and would take the tenant column along.
            Action::SetNull | Action::SetDefault if event == " ON UPDATE" => continue,
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        };
        text.push_str(event);
        text.push(' ');
        text.push_str(word);
        if matches!(action, Action::SetNull | Action::SetDefault) {
            let named = key.on_delete_columns.iter().map(String::as_str);
            let columns: Vec<&str> = if key.on_delete_columns.is_empty() {
                reference.clone()
            } else {
                named.filter(|column| *column != own).collect()
            };
            let _ = write!(text, " ({})", quoted_list(columns));
        }
    }
    if key.deferrable {
        text.push_str(" DEFERRABLE");
        if key.initially_deferred {
            text.push_str(" INITIALLY DEFERRED");
        }
    }
    text
}
