//! Foreign keys, unique keys and indexes as they should be: the SQL that mends them.

use super::Scene;
use crate::model::{
    Action, Catalog, Class, ForeignKey, Index, IndexKey, Table, printed, quoted, quoted_list,
};

/// The key with the tenant on both sides, all else as it was, and the unique key that it needs.
pub(super) fn key(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    let (Some(own), Some(theirs)) = (
        scene.tenancy.tenant_column(&table.name),
        scene.tenancy.tenant_column(&key.target),
    ) else {
        // A line for each table: other keys of it want the same.
        let mut lacking = vec![&table.name, &key.target];
        lacking.dedup();
        lacking.retain(|name| scene.tenancy.tenant_column(name).is_none());
        let mut lines: Vec<String> = lacking
            .into_iter()
            .map(|name| format!("Give {name} the tenant column"))
            .collect();
        lines.push(format!("Carry it in {}", printed(&key.name)));
        return lines.join("\n");
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
    let mended = ForeignKey {
        columns: pairs.iter().map(|(child, _)| (*child).to_owned()).collect(),
        target_columns: targets.iter().map(|&column| column.to_owned()).collect(),
        ..lawful(table, key, own)
    };
    format!("{unique}{}", mended.replaced(table))
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

/// The key's options as they are now; but never so that the tenant column were set to NULL with the reference, or had to
/// be NULL with it.
fn lawful(table: &Table, key: &ForeignKey, own: &str) -> ForeignKey {
    let reference = || key.columns.iter().filter(|column| *column != own);
    let optional = |column: &String| table.column(column).is_some_and(|column| !column.not_null);
    let clears = |action| matches!(action, Action::SetNull | Action::SetDefault);
    let cleared: Vec<String> = if !clears(key.on_delete) {
        Vec::new()
    } else if key.on_delete_columns.is_empty() {
        reference().cloned().collect()
    } else {
        let named = key.on_delete_columns.iter();
        named.filter(|column| *column != own).cloned().collect()
    };
    ForeignKey {
        match_full: key.match_full && !reference().any(optional),
        on_delete_columns: cleared,
        // It can't name columns, and would take the tenant column along.
        on_update: if clears(key.on_update) {
            Action::NoAction
        } else {
            key.on_update
        },
        validated: true,
        enforced: true,
        ..key.clone()
    }
}

/// A unique key, or an exclusion, with the tenant as its first column. `None` where the table has no tenant column, or
/// foreign keys rest on what it is now.
pub(super) fn unique(scene: Scene<'_>, table: &Table, index: &Index) -> Option<String> {
    let Some(Class::Scoped { column }) = scene.tenancy.classes.get(&table.name) else {
        return None;
    };
    let advice = || format!("Make it unique by tenant: {} first", quoted(column));
    if index.resting(scene.catalog, table).next().is_some() {
        return Some(format!(
            "{}, and in the foreign keys that refer to it",
            advice()
        ));
    }
    let own = quoted(column);
    let first = if index.exclusion {
        format!("{own} WITH =")
    } else {
        own
    };
    let mut keys = index.written_keys();
    keys.insert(0, &first);
    let Some(definition) = index.over(&keys) else {
        return Some(advice());
    };
    // GiST compares plain values by this extension alone.
    let extension = if index.exclusion && index.definition.contains("USING gist") {
        "CREATE EXTENSION IF NOT EXISTS btree_gist;\n"
    } else {
        ""
    };
    let mended = index.replaced(scene.catalog, table, &definition, None);
    Some(format!("{extension}{mended}"))
}

/// An index with the tenant as its first column.
pub(super) fn index(scene: Scene<'_>, table: &Table, index: &Index) -> String {
    let tenant = scene.tenancy.tenant_column(&table.name).unwrap_or_default();
    let own = quoted(tenant);
    let mut keys = index.written_keys();
    let is_tenant = |key: &IndexKey| matches!(key, IndexKey::Column(name) if name == tenant);
    let plain = index.definition.contains(" USING btree ");
    match index.keys.iter().position(is_tenant) {
        Some(at) if at < keys.len() => keys[..=at].rotate_right(1),
        // Other methods may know no operators for it.
        _ if plain => keys.insert(0, &own),
        _ => keys.clear(),
    }
    let definition = index.over(&keys).filter(|_| !keys.is_empty());
    definition.map_or_else(
        || format!("Put {own} first in the index"),
        |definition| index.replaced(scene.catalog, table, &definition, None),
    )
}
