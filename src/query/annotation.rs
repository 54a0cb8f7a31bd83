//! What the comments of a query say: its name, what it returns, how it knows its tenant.

use crate::model::{Query, QueryTenant, Returns, TokenKind, Tokens};

/// What comments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotation {
    pub(super) name: Option<String>,
    pub(super) returns: Returns,
    pub(super) tenant: Option<String>,
}

impl Annotation {
    /// Reads the comments of a text: `-- name: x :one` as sqlc, aiosql (`x^`, `x!`) and yesql write it, `-- :name x` of
    /// `HugSQL`, `/* @name x */` of `PgTyped`, and `-- tenant: …`.
    pub(super) fn read(text: &str) -> Self {
        let mut found = Self::default();
        let comments = Tokens::new(text).filter_map(Result::ok);
        for comment in comments.filter(|token| token.kind == TokenKind::Comment) {
            let inside = comment.text.trim_start_matches(['-', '/', '*']);
            for line in inside.trim_end_matches("*/").lines() {
                let line = line.trim().trim_start_matches('*').trim_start();
                if let Some(rest) = ["name:", ":name ", "@name "]
                    .iter()
                    .find_map(|head| line.strip_prefix(head))
                {
                    found.read_name(rest.trim());
                } else if let Some(rest) = line.strip_prefix("tenant:") {
                    found.tenant = Some(rest.trim().to_owned());
                }
            }
        }
        found
    }

    /// `get_person :one`, `get_person^`, `get_person(id)^`. A word that no tool has is no mistake of the query's.
    fn read_name(&mut self, text: &str) {
        let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let end = text.find(|c| !in_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return;
        }
        self.name = Some(name.to_owned());
        let behind = rest.rsplit(')').next().unwrap_or(rest);
        let suffix = behind.split_whitespace().next().unwrap_or_default();
        self.returns = match suffix {
            ":one" | ":1" | "^" | "$" => Returns::One,
            "!" | "*!" | "#" | ":!" | ":n" | ":copyfrom" => Returns::Nothing,
            word if word.starts_with(":exec") || word.starts_with(":batchexec") => Returns::Nothing,
            _ => Returns::Many,
        };
    }
}

/// How a query knows its tenant, as a comment or `[queries]` has it; `names` and `numbers` are those of its parameters.
/// A parameter that the query does not use leaves it to inference: the query has no tenant then, and is judged so.
pub(super) fn tenant(text: &str, names: &[Option<String>], numbers: &[usize]) -> QueryTenant {
    let word = |word: &str| {
        let rest = text.strip_prefix(word)?;
        let ends = rest.is_empty() || rest.starts_with([' ', ':', '\t', ',']);
        ends.then(|| rest.trim_start_matches([' ', ':', '\t', ',']))
    };
    if word("context").is_some() {
        return QueryTenant::Context;
    }
    if let Some(reason) = word("system") {
        return QueryTenant::System(reason.trim().to_owned());
    }
    let position = if let Some(number) = text.strip_prefix('$') {
        let number: Option<usize> = number.parse().ok();
        number.and_then(|number| numbers.iter().position(|n| *n == number))
    } else {
        let name = text.trim_start_matches([':', '@']);
        names
            .iter()
            .position(|parameter| parameter.as_deref() == Some(name))
    };
    position.map_or(QueryTenant::Inferred, |position| {
        QueryTenant::Parameter(position + 1)
    })
}

/// Says of a query what `[queries]` says of it: it counts more than its own comment.
pub fn annotate(query: &mut Query, text: &str) {
    let numbers: Vec<usize> = (1..=query.parameters.len()).collect();
    query.tenant = tenant(text, &query.parameters, &numbers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_many_tools_are_read() {
        for (text, name, returns) in [
            ("-- name: GetPerson :one", "GetPerson", Returns::One),
            ("--name: a :many", "a", Returns::Many),
            ("-- name: a :batchexec", "a", Returns::Nothing),
            ("-- name: a :copyfrom", "a", Returns::Nothing),
            ("/* name: a :execrows */", "a", Returns::Nothing),
            ("-- name: get-person^", "get-person", Returns::One),
            (
                "-- name: get_person(id, other)^",
                "get_person",
                Returns::One,
            ),
            ("-- name: add<!", "add", Returns::Many),
            ("-- name: remove!", "remove", Returns::Nothing),
            (
                "-- :name people-by-age :? :*",
                "people-by-age",
                Returns::Many,
            ),
            (
                "/*\n * @name GetAll\n * @param ids -> (...)\n */",
                "GetAll",
                Returns::Many,
            ),
            ("-- name: a\r\n-- what it is for\r\n", "a", Returns::Many),
        ] {
            let found = Annotation::read(text);
            assert_eq!(found.name.as_deref(), Some(name), "{text}");
            assert_eq!(found.returns, returns, "{text}");
        }
        assert_eq!(Annotation::read("-- its name: none\n-- name:\n").name, None);
    }

    #[test]
    fn a_tenant_is_a_parameter_the_context_or_nobody() {
        let names = [None, Some("org".to_owned())];
        let tenant = |text| tenant(text, &names, &[7, 0]);
        assert_eq!(tenant("$7"), QueryTenant::Parameter(1));
        assert_eq!(tenant(":org"), QueryTenant::Parameter(2));
        assert_eq!(tenant("@org"), QueryTenant::Parameter(2));
        assert_eq!(tenant("$1"), QueryTenant::Inferred);
        assert_eq!(tenant("context"), QueryTenant::Context);
        assert_eq!(tenant("contextual"), QueryTenant::Inferred);
        for text in ["system login", "system: login"] {
            assert_eq!(tenant(text), QueryTenant::System("login".to_owned()));
        }
    }
}
