//! A file of queries → queries.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::{Query, QueryTenant, Returns, Token, TokenKind, Tokens, split};

/// Reads a file's queries; `path` is how they are named.
///
/// # Errors
/// A sentence with the line: SQL that is never closed, a header or annotation that can't be read, two queries of
/// one name.
pub fn read(path: &str, text: &str) -> Result<Vec<Query>, String> {
    let statements = split(text).map_err(|error| format!("{path}: {error}"))?;
    let mut queries: Vec<Query> = Vec::new();
    let mut end = 0;
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".sql");
    for (number, statement) in statements.iter().enumerate() {
        let header = Header::read(text.get(end..statement.offset).unwrap_or_default())
            .map_err(|message| format!("{path}:{}: {message}", statement.line))?;
        end = statement.offset + statement.text.len();
        let name = header.name.clone().unwrap_or_else(|| {
            if statements.len() == 1 {
                stem.to_owned()
            } else {
                (number + 1).to_string()
            }
        });
        let object = format!("{path}:{name}");
        if let Some(other) = queries.iter().find(|query| query.object == object) {
            return Err(format!(
                "{path}:{}: the name {name} is taken by the query at line {}",
                statement.line, other.line
            ));
        }
        let (sql, parameters, numbers) = positional(&statement.text);
        queries.push(Query {
            object,
            file: path.to_owned(),
            line: statement.line,
            tenant: header.tenant(&parameters, &numbers),
            sql,
            parameters,
            types: Vec::new(),
            problem: None,
            returns: header.returns,
        });
    }
    Ok(queries)
}

/// What the comments before a statement say.
struct Header {
    name: Option<String>,
    returns: Returns,
    tenant: Option<String>,
}

impl Header {
    fn read(text: &str) -> Result<Self, String> {
        let mut header = Self {
            name: None,
            returns: Returns::Many,
            tenant: None,
        };
        for line in text.lines() {
            let Some(comment) = line.trim().strip_prefix("--") else {
                continue;
            };
            if let Some(rest) = comment.trim().strip_prefix("name:") {
                let mut words = rest.split_whitespace();
                header.name = words.next().map(str::to_owned);
                header.returns = match words.next() {
                    Some(":one") => Returns::One,
                    Some(":exec" | ":execrows" | ":execresult") => Returns::Nothing,
                    Some(":many") | None => Returns::Many,
                    Some(other) => {
                        return Err(format!("`{other}` is not :one, :many or :exec"));
                    }
                };
            } else if let Some(rest) = comment.trim().strip_prefix("tenant:") {
                header.tenant = Some(rest.trim().to_owned());
            }
        }
        Ok(header)
    }

    /// An annotation that names a parameter which the query does not use leaves it to inference: the query has no
    /// tenant then, and is judged so.
    fn tenant(&self, parameters: &[Option<String>], numbers: &[usize]) -> QueryTenant {
        let Some(text) = self.tenant.as_deref() else {
            return QueryTenant::Inferred;
        };
        if text == "context" {
            return QueryTenant::Context;
        }
        if let Some(reason) = text.strip_prefix("system") {
            return QueryTenant::System(reason.trim().to_owned());
        }
        let position = if let Some(number) = text.strip_prefix('$') {
            let number: Option<usize> = number.parse().ok();
            number.and_then(|number| numbers.iter().position(|n| *n == number))
        } else {
            let name = text.trim_start_matches([':', '@']);
            parameters
                .iter()
                .position(|parameter| parameter.as_deref() == Some(name))
        };
        position.map_or(QueryTenant::Inferred, |position| {
            QueryTenant::Parameter(position + 1)
        })
    }
}

/// The text with its parameters as `$1`, `$2`, … without gaps; their names, and the numbers that they had.
fn positional(text: &str) -> (String, Vec<Option<String>>, Vec<usize>) {
    let tokens: Vec<Token<'_>> = Tokens::new(text).filter_map(Result::ok).collect();
    let mut numbers: Vec<usize> = tokens.iter().filter_map(number_of).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut names: Vec<Option<String>> = vec![None; numbers.len()];
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut sql = String::with_capacity(text.len());
    let mut copied = 0;
    for (index, token) in tokens.iter().enumerate() {
        let (position, until) = if let Some(number) = number_of(token) {
            let Some(position) = numbers.iter().position(|n| *n == number) else {
                continue;
            };
            (position, token.offset + token.text.len())
        } else if let Some(name) = named(text, &tokens, index) {
            let position = *known.entry(name.text.to_owned()).or_insert_with(|| {
                names.push(Some(name.text.to_owned()));
                numbers.push(0);
                names.len() - 1
            });
            (position, name.offset + name.text.len())
        } else {
            continue;
        };
        sql.push_str(&text[copied..token.offset]);
        let _ = write!(sql, "${}", position + 1);
        copied = until;
    }
    sql.push_str(&text[copied..]);
    (sql, names, numbers)
}

fn number_of(token: &Token<'_>) -> Option<usize> {
    (token.kind == TokenKind::Parameter)
        .then(|| token.text.trim_start_matches('$').parse().ok())
        .flatten()
}

/// `:name`: a colon and a word that touch, and no colon, word or bracket before (`::text`, `a[1:n]`).
fn named<'a>(text: &str, tokens: &[Token<'a>], index: usize) -> Option<Token<'a>> {
    let token = tokens[index];
    let next = *tokens.get(index + 1)?;
    let before = text[..token.offset].chars().next_back();
    let touches = next.offset == token.offset + 1;
    (token.is_symbol(':')
        && touches
        && next.kind == TokenKind::Word
        && !before.is_some_and(|c| c == ':' || c == '[' || c.is_alphanumeric()))
    .then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_without_gaps() {
        let (sql, names, _) =
            positional("SELECT $3::text, ':x', a::uuid FROM t WHERE b = $1 -- $2");
        assert_eq!(
            sql,
            "SELECT $2::text, ':x', a::uuid FROM t WHERE b = $1 -- $2"
        );
        assert_eq!(names, [None, None]);
        let (sql, names, _) = positional("SELECT :who::uuid WHERE x=:who AND y = :other");
        assert_eq!(sql, "SELECT $1::uuid WHERE x=$1 AND y = $2");
        assert_eq!(names, [Some("who".to_owned()), Some("other".to_owned())]);
    }

    #[test]
    fn headers_name_queries_and_their_tenant() {
        let text = "-- name: a :one\nSELECT 1;\n-- name: b :exec\n-- tenant: $2\nDELETE FROM t WHERE x = $1 AND o = $2;\n\
                    -- name: c\n-- tenant: system worker\nSELECT 2;";
        let queries = read("f.sql", text).unwrap();
        assert_eq!(queries[0].object, "f.sql:a");
        assert_eq!(queries[0].returns, Returns::One);
        assert_eq!(queries[1].tenant, QueryTenant::Parameter(2));
        assert_eq!(queries[1].line, 5);
        assert_eq!(queries[2].tenant, QueryTenant::System("worker".to_owned()));
    }

    #[test]
    fn two_queries_of_one_name_are_refused() {
        let error = read("f.sql", "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;").unwrap_err();
        assert!(
            error.contains("f.sql:4") && error.contains("line 2"),
            "{error}"
        );
    }
}
