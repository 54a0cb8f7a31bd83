//! Unique keys without the tenant, and indexes that do not begin with it.

use super::{Mutant, Original, Part, Rows};
use crate::model::{Class, Focus, Index, IndexKey, Table, quoted_list};

/// What is wrong with each index that the tenant is part of.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (table, class) in original.owned() {
        for index in &table.indexes {
            let part = Part::Index(table.name.clone(), index.name.clone());
            let object = table.name.object(&index.name);
            let touches = Focus::On(table.name.clone());
            if index.unique || index.exclusion {
                let sql = without_tenant(original, table, index);
                found.extend(sql.map(|sql| {
                    Mutant::new("unique-without-tenant", object, part, touches)
                        .made_by(sql, Rows::Anew)
                }));
            } else if matches!(class, Class::Scoped { .. }) {
                let sql = reordered(original, table, index);
                found.extend(sql.map(|sql| {
                    Mutant::new("index-reordered", object, part, touches).made_by(sql, Rows::Same)
                }));
            }
        }
    }
    found
}

/// The positions of the keys that are columns saying whose the row is.
fn carrying(original: Original<'_>, table: &Table, index: &Index) -> Vec<usize> {
    let Some(tenant) = original.tenancy.tenant_column(&table.name) else {
        return Vec::new();
    };
    let keys = index.keys.iter().enumerate();
    keys.filter(|(_, key)| matches!(key, IndexKey::Column(name) if name == tenant))
        .map(|(at, _)| at)
        .collect()
}

fn without_tenant(original: Original<'_>, table: &Table, index: &Index) -> Option<String> {
    let gone = carrying(original, table, index);
    let written = index.written_keys();
    let kept = written.iter().enumerate();
    let kept: Vec<&str> = kept
        .filter(|(at, _)| !gone.contains(at))
        .map(|(_, key)| *key)
        .collect();
    if gone.is_empty() || kept.is_empty() || written.len() != index.keys.len() {
        return None;
    }
    // Foreign keys rest on it: the pair stays unique beside it.
    let rests = index.resting(original.catalog, table).next().is_some();
    let beside = rests.then(|| format!("UNIQUE ({})", quoted_list(index.plain_columns())));
    let definition = index.over(&kept)?;
    Some(index.replaced(original.catalog, table, &definition, beside.as_deref()))
}

fn reordered(original: Original<'_>, table: &Table, index: &Index) -> Option<String> {
    let mut written = index.written_keys();
    let first = carrying(original, table, index).first() == Some(&0);
    if !first || written.len() < 2 {
        return None;
    }
    written.rotate_left(1);
    let definition = index.over(&written)?;
    Some(index.replaced(original.catalog, table, &definition, None))
}
