//! [`Facts`]: what the settings say of a schema, as the one value that the suites' SQL is given.

use serde_json::{Value, json};

use crate::check::crossing_rows;
use crate::model::{Allow, Catalog, Class, NullMeans, Table, Tenancy};

/// A migration that must have been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// As the database remembers it.
    pub name: String,
    /// Of its text.
    pub checksum: String,
}

/// What the suites are told; one JSON value, so that nothing else of it is in their SQL.
#[derive(Clone, Debug)]
pub struct Facts(Value);

impl Facts {
    /// Of a schema and what was said of it. `roles`: whose rights the application has; `strict`: notes fail, too.
    #[must_use]
    pub fn of(
        catalog: &Catalog,
        tenancy: &Tenancy,
        roles: &[String],
        migrations: Option<&[Expected]>,
        allow: &[Allow],
        strict: bool,
    ) -> Self {
        let tables = catalog.roots().filter_map(|table| {
            let class = tenancy.classes.get(&table.name)?;
            Some(entry(catalog, tenancy, table, class))
        });
        let keys = catalog.roots().flat_map(|table| {
            let keys = table.foreign_keys.iter();
            keys.filter_map(move |key| {
                let sql = crossing_rows(catalog, tenancy, &table.name, key)?;
                Some(json!({
                    "schema": table.name.schema, "table": table.name.name, "name": key.name, "sql": sql,
                }))
            })
        });
        let migrations = migrations.map(|list| {
            let list = list.iter();
            list.map(|one| json!({ "name": one.name, "checksum": one.checksum }))
                .collect::<Vec<_>>()
        });
        let allow = allow
            .iter()
            .map(|one| json!({ "check": regular(&one.check), "object": regular(&one.object) }));
        Self(json!({
            "tables": tables.collect::<Vec<_>>(),
            "keys": keys.collect::<Vec<_>>(),
            "null_is_shared": tenancy.null_means == NullMeans::Shared,
            "roles": roles,
            "migrations": migrations,
            "allow": allow.collect::<Vec<_>>(),
            "strict": strict,
        }))
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

fn entry(catalog: &Catalog, tenancy: &Tenancy, table: &Table, class: &Class) -> Value {
    let tenant = tenancy.tenant_column(&table.name);
    let carriers: Vec<&str> = match class {
        Class::Derived { foreign_key } => table
            .foreign_key(foreign_key)
            .map(|key| key.columns.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        _ => tenant.into_iter().collect(),
    };
    let mut entry = json!({
        "schema": table.name.schema,
        "name": table.name.name,
        "class": class.word(),
        "tenant": tenant,
        "carriers": carriers,
    });
    match class {
        Class::Derived { foreign_key } => entry["defining"] = json!(foreign_key),
        Class::Linked { through, column } => {
            let through = catalog.tables.get(through).map(|table| &table.name);
            entry["through"] = json!(through.map(ToString::to_string));
            entry["link"] = json!(column);
        }
        Class::Unclassified { advice } => entry["advice"] = json!(advice),
        _ => {}
    }
    entry
}

/// A glob as a regular expression of Postgres'.
fn regular(glob: &str) -> String {
    let mut text = String::from("^");
    for letter in glob.chars() {
        match letter {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            letter if letter.is_alphanumeric() || letter == '_' => text.push(letter),
            letter => text.extend(['\\', letter]),
        }
    }
    text.push('$');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_become_expressions_that_mean_the_same() {
        assert_eq!(regular("*.people_?"), "^.*\\.people_.$");
        assert_eq!(regular("crm.\"a b\".é"), "^crm\\.\\\"a\\ b\\\"\\.é$");
    }
}
