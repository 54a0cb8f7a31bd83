//! Many rows of others, made on the server out of those that are there, within a transaction that is rolled back.

use std::collections::BTreeSet;

use super::Scene;
use crate::model::{Catalog, Class, Column, Index, Table, quoted, quoted_list};

/// So many rows are added to a table: a hundred times what an organisation has of it, and enough for tens of pages.
const MANY: usize = 5_000;

/// What must be done to a table before: it gets a new file that holds the rows which are there and nothing of what was
/// rolled back, which goes with the transaction; and what refuses made-up rows is off.
pub(super) fn emptied(table: &Table) -> Vec<String> {
    let name = table.name.quoted();
    // A default that differs by row has the server write every row anew.
    let mut statements = vec![
        format!("ALTER TABLE {name} ADD COLUMN watertight_anew float8 DEFAULT random()"),
        format!("ALTER TABLE {name} DROP COLUMN watertight_anew"),
        format!("ALTER TABLE {name} DISABLE TRIGGER USER"),
    ];
    let keys = table.foreign_keys.iter().map(|key| &key.name);
    let constraints = keys.chain(table.checks.iter().map(|check| &check.name));
    let dropped: Vec<String> = constraints
        .map(|name| format!("DROP CONSTRAINT {}", quoted(name)))
        .collect();
    if !dropped.is_empty() {
        statements.push(format!("ALTER TABLE {name} {}", dropped.join(", ")));
    }
    statements
}

/// The INSERT of many rows like those that are there, none of which is anybody's that is there. `None` where nobody can
/// tell how to make them another's.
pub(super) fn crowd(scene: Scene<'_>, table: &Table) -> Option<String> {
    let others = others(scene, table)?;
    let name = table.name.quoted();
    let given: Vec<&Column> = table.writable_columns().collect();
    let cells: Vec<String> = given
        .iter()
        .map(|column| {
            let own = format!("x.{}", quoted(&column.name));
            let fresh = others.contains(column.name.as_str());
            let fresh = fresh.then(|| another(scene.catalog, &name, column, &own));
            fresh.flatten().unwrap_or(own)
        })
        .collect();
    let tenant = scene.tenancy.tenant_column(&table.name);
    let owned = tenant.map_or_else(String::new, |tenant| {
        format!(" WHERE x.{} IS NOT NULL", quoted(tenant))
    });
    Some(format!(
        "INSERT INTO {name} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {name} x, \
         generate_series(1, (SELECT {MANY} / greatest(count(*), 1) FROM {name})) k{owned}",
        quoted_list(given.iter().map(|column| column.name.as_str())),
        cells.join(", "),
    ))
}

/// The columns that get other values: what says whose a row is and, where nothing of it is among these yet, what refers
/// to somebody's row, and what is unique.
fn others<'a>(scene: Scene<'a>, table: &'a Table) -> Option<BTreeSet<&'a str>> {
    let can = |name: &str| {
        let column = table.column(name);
        column.is_some_and(|column| another(scene.catalog, "", column, "").is_some())
    };
    let mut found = BTreeSet::new();
    if let Some(tenant) = scene.tenancy.tenant_column(&table.name) {
        found.insert(Some(tenant).filter(|tenant| can(tenant))?);
    }
    for key in &table.foreign_keys {
        let class = scene.tenancy.class(scene.catalog, &key.target);
        let somebodys = matches!(class, Some(Class::Scoped { .. } | Class::Derived { .. }));
        let columns = || key.columns.iter().map(String::as_str);
        if somebodys && !columns().any(|column| found.contains(column)) {
            found.extend(columns().filter(|column| can(column)));
            columns().find(|column| found.contains(column))?;
        }
    }
    let unique = |index: &&Index| index.unique || index.exclusion;
    for index in table.indexes.iter().filter(unique) {
        let columns = index.plain_columns();
        if !columns.iter().any(|column| found.contains(column)) {
            found.extend(columns.into_iter().filter(|column| can(column)));
        }
    }
    Some(found)
}

/// A value that follows from a column's own and the number of the copy, `k`. NULL stays NULL.
fn another(catalog: &Catalog, table: &str, column: &Column, own: &str) -> Option<String> {
    let text = format!("(k || ':' || {own}::text)");
    // Above all that there are, each copy's own stretch, and in it each value's own number.
    let number = |kind: &str| {
        format!(
            "CASE WHEN {own} IS NOT NULL THEN ((SELECT max({column}) FROM {table})::int8 \
             + (k - 1) * (SELECT count(*) FROM {table}) + dense_rank() OVER (ORDER BY {own}))::{kind} END",
            column = quoted(&column.name)
        )
    };
    let base = catalog.types.get(&catalog.base_type(column.type_oid))?;
    match base.name.as_str() {
        "uuid" => Some(format!("md5({text})::uuid")),
        kind @ ("int2" | "int4" | "int8") => Some(number(kind)),
        "text" | "varchar" | "bpchar" | "citext" => {
            Some(format!("md5({text})::{}", column.type_name))
        }
        _ => None,
    }
}
