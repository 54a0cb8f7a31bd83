//! A file of the folder `.sqlx`, which `cargo sqlx prepare` writes for every `query!` → a query.

use serde_json::Value;

use super::annotation::{self, Annotation};
use super::file::no_query;
use super::parameter::greatest_number;
use crate::model::{Query, split};

/// What a file holds.
#[derive(Clone, Debug)]
pub enum Offline {
    /// A query for Postgres.
    Query(Box<Query>),
    /// One for another database, as `cargo sqlx prepare` calls it.
    Other(String),
}

/// How much of a hash names a query: as much as a person can read, and enough for it to be the only one.
const SHORT: usize = 12;

/// Reads a file; `path` is where it lies.
///
/// # Errors
/// A sentence: no JSON, or not what `cargo sqlx prepare` writes.
pub fn offline(path: &str, text: &str) -> Result<Offline, String> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON: {error}; `cargo sqlx prepare` writes it again"))?;
    let part = |key: &str| {
        let missing = || {
            format!(
                "it has no `{key}`, as the files of `cargo sqlx prepare` (sqlx 0.7 and newer) have"
            )
        };
        file[key].as_str().ok_or_else(missing)
    };
    let database = part("db_name")?;
    let (query, hash) = (part("query")?, part("hash")?);
    if database != "PostgreSQL" {
        return Ok(Offline::Other(database.to_owned()));
    }
    let statements = split(query).map_err(|error| format!("its query can't be read: {error}"))?;
    let [statement] = statements.as_slice() else {
        return Err(format!("its query has {} statements", statements.len()));
    };
    let parameters = vec![None; greatest_number(&statement.text)];
    let numbers: Vec<usize> = (1..=parameters.len()).collect();
    let tenant = Annotation::read(query).tenant.unwrap_or_default();
    let line = text
        .lines()
        .position(|line| line.trim_start().starts_with("\"query\":"));
    Ok(Offline::Query(Box::new(Query {
        object: format!(".sqlx/{}", hash.get(..SHORT).unwrap_or(hash)),
        shown: Some(query.to_owned()),
        file: path.to_owned(),
        line: line.map_or(1, |line| line + 1),
        tenant: annotation::tenant(&tenant, &parameters, &numbers),
        problem: no_query(statement),
        sql: statement.text.clone(),
        parameters,
        ..Query::default()
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::QueryTenant;

    fn file(database: &str, query: &str) -> String {
        let value = serde_json::json!({
            "db_name": database,
            "query": query,
            "describe": { "columns": [], "parameters": { "Left": ["Uuid"] }, "nullable": [] },
            "hash": "3f2a91c0d4e5b6a7988990123456789012345678901234567890123456789012",
        });
        format!("{value:#}")
    }

    #[test]
    fn a_query_is_named_by_the_beginning_of_its_hash() {
        let text = "\n  -- tenant: $2\n  SELECT a AS \"a!\", @ b FROM t WHERE x = $1 AND o = $2;\n";
        let Offline::Query(query) = offline("x/.sqlx/q.json", &file("PostgreSQL", text)).unwrap()
        else {
            panic!();
        };
        assert_eq!(query.object, ".sqlx/3f2a91c0d4e5");
        assert_eq!(
            query.sql,
            "SELECT a AS \"a!\", @ b FROM t WHERE x = $1 AND o = $2"
        );
        assert_eq!(query.parameters.len(), 2);
        assert_eq!(query.tenant, QueryTenant::Parameter(2));
        assert_eq!(query.line, 3);
        assert_eq!(query.shown.as_deref(), Some(text));
    }

    #[test]
    fn what_is_no_such_file_says_why() {
        for (text, words) in [
            ("{", "no JSON"),
            ("{}", "no `db_name`"),
            ("[]", "no `db_name`"),
            (&file("PostgreSQL", ""), "0 statements"),
            (&file("PostgreSQL", "SELECT '"), "never closed"),
        ] {
            let error = offline("q.json", text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let other = offline("q.json", &file("SQLite", "SELECT ?")).unwrap();
        assert!(matches!(other, Offline::Other(name) if name == "SQLite"));
    }
}
