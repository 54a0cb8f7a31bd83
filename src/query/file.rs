//! A file of queries → queries.

use super::annotation::{self, Annotation};
use super::parameter::positional;
use crate::model::{Query, Statement, Token, split};

/// What can be prepared, and so be tested.
pub(super) const QUERIES: [&str; 8] = [
    "select", "with", "insert", "update", "delete", "merge", "values", "table",
];

/// Reads a file's queries; `path` is how they are named.
///
/// # Errors
/// A sentence with the line: SQL that is never closed, what only psql understands, two queries of one name.
pub fn read(path: &str, text: &str) -> Result<Vec<Query>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let statements = split(text).map_err(|error| error.to_string())?;
    let mut queries: Vec<Query> = Vec::new();
    let mut end = 0;
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".sql");
    for (number, statement) in statements.iter().enumerate() {
        let before = Annotation::read(text.get(end..statement.offset).unwrap_or_default());
        end = statement.offset + statement.text.len();
        let name = before.name.unwrap_or_else(|| {
            if statements.len() == 1 {
                stem.to_owned()
            } else {
                (number + 1).to_string()
            }
        });
        let object = format!("{path}:{name}");
        if let Some(other) = queries.iter().find(|query| query.object == object) {
            return Err(format!(
                "line {}: the name {name} is taken by the query at line {}",
                statement.line, other.line
            ));
        }
        let within = Annotation::read(&statement.text);
        let tenant = before.tenant.or(within.tenant);
        let found = positional(&statement.text);
        queries.push(Query {
            object,
            file: path.to_owned(),
            line: statement.line,
            tenant: annotation::tenant(
                tenant.as_deref().unwrap_or_default(),
                &found.names,
                &found.numbers,
            ),
            problem: no_query(statement),
            sql: found.sql,
            parameters: found.names,
            returns: before.returns,
            ..Query::default()
        });
    }
    Ok(queries)
}

/// Why a statement can't be tested, where it is none of a kind that can.
pub(super) fn no_query(statement: &Statement) -> Option<String> {
    let opens = |token: &Token<'_>| token.is_symbol('(');
    let first = statement.tokens().find(|token| !opens(token))?;
    let is_query = QUERIES.iter().any(|word| first.is(word));
    (!is_query).then(|| {
        format!(
            "it begins with {}, and only SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES can be tested",
            first.text.to_uppercase()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{QueryTenant, Returns};

    #[test]
    fn headers_name_queries_and_their_tenant() {
        let text = "\u{feff}-- name: a :one\r\nSELECT 1;\n-- name: b :exec\n-- tenant: $2\nDELETE FROM t WHERE x = $1 AND o = $2;\n\
                    -- name: c\nSELECT 2 -- tenant: system worker\n;";
        let queries = read("f.sql", text).unwrap();
        assert_eq!(queries[0].object, "f.sql:a");
        assert_eq!(queries[0].returns, Returns::One);
        assert_eq!(queries[1].tenant, QueryTenant::Parameter(2));
        assert_eq!(queries[1].line, 5);
        assert_eq!(queries[2].tenant, QueryTenant::System("worker".to_owned()));
    }

    #[test]
    fn queries_without_a_name_are_numbered() {
        let objects = |text| -> Vec<String> {
            let queries = read("a/people.sql", text).unwrap();
            queries.into_iter().map(|query| query.object).collect()
        };
        assert_eq!(objects("SELECT 1;"), ["a/people.sql:people"]);
        assert_eq!(
            objects("SELECT 1;\nSELECT 2"),
            ["a/people.sql:1", "a/people.sql:2"]
        );
    }

    #[test]
    fn two_queries_of_one_name_are_refused() {
        let error = read("f.sql", "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;").unwrap_err();
        assert!(
            error.contains("line 4") && error.contains("line 2"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_query_says_so() {
        let queries = read(
            "f.sql",
            "CREATE TABLE t (); (SELECT 1); with a as (select 1) select 2; BEGIN",
        )
        .unwrap();
        let problems: Vec<bool> = queries
            .iter()
            .map(|query| query.problem.is_some())
            .collect();
        assert_eq!(problems, [true, false, false, true]);
        assert!(
            queries[0]
                .problem
                .as_ref()
                .unwrap()
                .contains("begins with CREATE")
        );
    }
}
