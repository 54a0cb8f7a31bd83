//! Doors around the policies that are opened: views, functions, partitions, TRUNCATE.

use super::{Mutant, Original, Part, Rows};
use crate::model::{Definer, Focus, RelationName, quoted};

/// What opens a door for the application's role.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let Some(access) = original.access() else {
        return Vec::new();
    };
    let role = quoted(&access.role);
    let mut found = tables(original, &role);
    found.extend(views(original, &role));
    found.extend(functions(original, &role));
    found
}

fn tables(original: Original<'_>, role: &str) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (table, _) in original.owned() {
        let object = table.name.to_string();
        let one = |operator, sql| {
            let part = Part::Table(table.name.clone());
            let touches = Focus::Objects(vec![object.clone()]);
            Mutant::new(operator, object.clone(), part, touches).made_by(sql, Rows::Same)
        };
        if table.row_security && !original.may(&table.privileges, "TRUNCATE") {
            let sql = format!("GRANT TRUNCATE ON {} TO {role};", table.name.quoted());
            found.push(one("truncate-granted", sql));
        }
        let open = original.catalog.tables.values().find(|partition| {
            partition.partition_of.as_ref() == Some(&table.name)
                && !partition.partitioned
                && !partition.row_security
                && !original.may(&partition.privileges, "SELECT")
        });
        if let Some(open) = open.filter(|_| table.row_security) {
            let sql = format!("GRANT SELECT ON {} TO {role};", open.name.quoted());
            found.push(one("partition-granted", sql));
        }
    }
    found
}

/// Whether row-level security holds on one of these tables, and rows of it belong to somebody.
fn guards(original: Original<'_>, tables: &[RelationName]) -> bool {
    tables.iter().any(|name| {
        let table = original.catalog.tables.get(name);
        table.is_some_and(|table| table.row_security)
    })
}

fn views(original: Original<'_>, role: &str) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (name, view) in &original.catalog.views {
        let may = original.may(&view.privileges, "SELECT");
        if !guards(original, &view.reads) {
            continue;
        }
        let one = |operator, sql| {
            let touches = Focus::Objects(vec![name.to_string()]);
            let part = Part::View(name.clone());
            Mutant::new(operator, name.to_string(), part, touches).made_by(sql, Rows::Same)
        };
        if view.invoker && may {
            let sql = format!(
                "ALTER VIEW {} SET (security_invoker = false);",
                name.quoted()
            );
            found.push(one("view-with-owners-rights", sql));
        }
        if view.materialized && !may {
            let sql = format!("GRANT SELECT ON {} TO {role};", name.quoted());
            found.push(one("view-granted", sql));
        }
    }
    found
}

fn functions(original: Original<'_>, role: &str) -> Vec<Mutant> {
    let roles = original
        .access()
        .map_or_else(Vec::new, |access| original.catalog.rights_of(&access.role));
    let may = |function: &Definer| {
        let mut callers = function.callers.iter();
        callers.any(|caller| roles.contains(&caller.as_str()))
    };
    let one = |operator, function: &Definer, change: String| {
        let touches = Focus::Objects(vec![function.object()]);
        let part = Part::Function(function.relation());
        Mutant::new(operator, function.object(), part, touches).made_by(change, Rows::Same)
    };
    let mut found = Vec::new();
    for function in &original.catalog.definers {
        let name = function.quoted();
        if may(function) && function.fixes_search_path {
            let sql = format!("ALTER FUNCTION {name} RESET search_path;");
            found.push(one("function-search-path", function, sql));
        }
        if !may(function) && guards(original, &mentioned(original, function)) {
            let sql = format!("GRANT EXECUTE ON FUNCTION {name} TO {role};");
            found.push(one("function-granted", function, sql));
        }
    }
    for function in &original.catalog.invokers {
        if may(function) && guards(original, &mentioned(original, function)) {
            let sql = format!("ALTER FUNCTION {} SECURITY DEFINER;", function.quoted());
            found.push(one("function-with-owners-rights", function, sql));
        }
    }
    found
}

/// The tables that a function's text names.
fn mentioned(original: Original<'_>, function: &Definer) -> Vec<RelationName> {
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    let words: Vec<&str> = function.definition.split(word).collect();
    let tables = original.catalog.tables.keys();
    tables
        .filter(|table| words.contains(&table.name.as_str()))
        .cloned()
        .collect()
}
