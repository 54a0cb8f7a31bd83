//! Values written into a statement → its parameters: what one call says of somebody, the next says of somebody else.

use std::fmt::Write as _;

use super::entry::value_of;
use crate::model::{Cell, Token, TokenKind, Tokens};

/// A statement whose values are parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parametrized {
    /// Without comments.
    pub(super) sql: String,
    /// By position: the value, and how it was written where it stood in the text.
    pub(super) values: Vec<(Cell, Option<String>)>,
}

/// Puts parameters in the place of literals that a driver may have put there: what is compared or written, lists,
/// limits, ids. What shapes the statement stays: types' names, units, positions, what functions are told.
pub(super) fn parametrized(text: &str, given: Vec<Cell>) -> Parametrized {
    let tokens: Vec<Token<'_>> = Tokens::new(text)
        .filter_map(Result::ok)
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let places = Places::of(&tokens);
    let mut values: Vec<(Cell, Option<String>)> =
        given.into_iter().map(|value| (value, None)).collect();
    let greatest = super::super::parameter::greatest_number(text);
    values.resize(greatest, (None, None));
    let mut sql = String::with_capacity(text.len());
    let mut copied = tokens.first().map_or(0, |token| token.offset);
    let mut end = copied;
    for (index, token) in tokens.iter().enumerate() {
        // A comment between two words is a space.
        if text[end..token.offset].contains(['-', '/']) {
            sql.push_str(&text[copied..end]);
            sql.push(' ');
            copied = token.offset;
        }
        end = token.offset + token.text.len();
        if !places.is_value(&tokens, index) {
            continue;
        }
        let Some(value) = value_of(token) else {
            continue;
        };
        values.push((Some(value), Some(token.text.to_owned())));
        sql.push_str(&text[copied..token.offset]);
        let _ = write!(sql, "${}", values.len());
        copied = end;
    }
    sql.push_str(&text[copied..end]);
    Parametrized { sql, values }
}

/// The text as it is compared with others: words, and a mark for every value. Lists behind `IN` and rows of `VALUES`
/// count once, however many they are.
pub(super) fn shape(sql: &str) -> String {
    let tokens = Tokens::new(sql).filter_map(Result::ok);
    let mut words: Vec<String> = Vec::new();
    for token in tokens.filter(|token| token.kind != TokenKind::Comment) {
        words.push(match token.kind {
            TokenKind::Parameter => "?".to_owned(),
            TokenKind::Word => token.text.to_lowercase(),
            _ => token.text.to_owned(),
        });
        let last = words.len().saturating_sub(5);
        if words[last..] == ["in", "(", "?", ",", "?"] {
            words.truncate(last + 3);
        } else if words.last().is_some_and(|word| word == ")") {
            fold_rows(&mut words);
        }
    }
    words.join(" ")
}

/// `values ( … ) , ( … )`, both the same: takes the second away.
fn fold_rows(words: &mut Vec<String>) {
    let Some(open) = words.iter().rposition(|word| word == "(") else {
        return;
    };
    let length = words.len() - open;
    let Some(before) = open.checked_sub(length + 1) else {
        return;
    };
    let again = words[before..open - 1] == words[open..];
    let lists = before > 0 && words[before - 1] == "values" && words[open - 1] == ",";
    if again && lists {
        words.truncate(open - 1);
    }
}

/// What opened each parenthesis or bracket around a token.
struct Places {
    /// By token: the innermost group that it stands in directly.
    groups: Vec<Group>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// A list of values: behind `IN`, `ANY`, `ARRAY`, a comparison, or a row of `VALUES`.
    Values,
    /// The words that a text search is given.
    Words,
    Other,
}

impl Places {
    fn of(tokens: &[Token<'_>]) -> Self {
        let mut open: Vec<Group> = Vec::new();
        let mut rows = false;
        let mut groups = Vec::with_capacity(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            if token.is_symbol('(') || token.is_symbol('[') {
                let before = index.checked_sub(1).map(|before| tokens[before]);
                let outer = open.last().copied();
                let next = tokens.get(index + 1);
                let queries = next.is_some_and(|next| next.is("select") || next.is("with"));
                let group = match before {
                    _ if queries => Group::Other,
                    _ if compares(tokens, index) => Group::Values,
                    Some(word)
                        if ["in", "any", "all", "some", "array", "values"]
                            .iter()
                            .any(|w| word.is(w)) =>
                    {
                        rows = word.is("values");
                        Group::Values
                    }
                    Some(comma) if rows && comma.is_symbol(',') && outer != Some(Group::Values) => {
                        Group::Values
                    }
                    Some(word)
                        if word.kind == TokenKind::Word
                            && word.text.to_lowercase().ends_with("to_tsquery") =>
                    {
                        Group::Words
                    }
                    _ => Group::Other,
                };
                open.push(group);
            } else if token.is_symbol(')') || token.is_symbol(']') {
                open.pop();
            } else if token.kind == TokenKind::Word && open.is_empty() && !token.is("values") {
                rows = false;
            }
            groups.push(open.last().copied().unwrap_or(Group::Other));
        }
        Self { groups }
    }

    /// Whether this token is a value that another call may have another one for.
    fn is_value(&self, tokens: &[Token<'_>], index: usize) -> bool {
        let token = tokens[index];
        let literal = token.kind == TokenKind::Literal
            && !token
                .text
                .starts_with(['B', 'b', 'X', 'x', 'U', 'u', 'N', 'n']);
        if !(literal || token.kind == TokenKind::Number) {
            return false;
        }
        let Some(before) = index.checked_sub(1).map(|before| tokens[before]) else {
            return false;
        };
        // What is reckoned with is no value by itself: `price = 2 * x`, `'a' || b`; a cast is.
        let next = tokens.get(index + 1);
        let casts = next.is_some_and(|next| next.is_symbol(':'));
        let ends = next.is_none_or(|next| {
            next.kind == TokenKind::Word || [')', ',', ';', ']'].iter().any(|c| next.is_symbol(*c))
        });
        if !(casts || ends) {
            return false;
        }
        let listed = before.is_symbol('(') || before.is_symbol('[') || before.is_symbol(',');
        let introduced = ["like", "ilike", "between", "limit", "offset"]
            .iter()
            .any(|word| before.is(word))
            || (before.is("to") && index > 1 && tokens[index - 2].is("similar"))
            || (before.is("and") && is_between(tokens, index - 1));
        introduced
            || compares(tokens, index)
            || (listed && self.groups[index] == Group::Values)
            || (listed
                && self.groups[index] == Group::Words
                && next.is_some_and(|next| next.is_symbol(')')))
            || (literal && is_id(token.text) && (listed || before.kind != TokenKind::Word))
    }
}

/// Whether an operator that compares, or assigns, ends before this token.
fn compares(tokens: &[Token<'_>], index: usize) -> bool {
    const OPERATORS: [&str; 18] = [
        "=", "<>", "!=", "<", "<=", ">", ">=", "~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "@>",
        "<@", "&&", "@@",
    ];
    let mut operator = String::new();
    let mut start = tokens.get(index).map_or(0, |token| token.offset);
    for token in tokens[..index].iter().rev() {
        let end = token.offset + token.text.len();
        let touches = operator.is_empty() || end == start;
        let symbol = token.kind == TokenKind::Symbol && "=<>!~@&-+*/|#%^?".contains(token.text);
        if !(touches && symbol) {
            break;
        }
        operator.insert_str(0, token.text);
        start = token.offset;
    }
    OPERATORS.contains(&operator.as_str())
}

/// Whether this AND is that of `BETWEEN a AND b`.
fn is_between(tokens: &[Token<'_>], and: usize) -> bool {
    let mut before = tokens[..and].iter().rev().take(8);
    before
        .find(|token| token.is("between") || token.is("and") || token.is("where"))
        .is_some_and(|token| token.is("between"))
}

/// The text of a uuid, in its quotes.
fn is_id(text: &str) -> bool {
    let inside = text.trim_matches('\'');
    inside.len() == 36
        && inside.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "'2d3f4d94-ab2c-4c2a-b3f9-10d8c3d504a2'";

    fn sql(text: &str) -> String {
        parametrized(text, Vec::new()).sql
    }

    #[test]
    fn values_become_parameters() {
        for (text, expected) in [
            (
                "SELECT a FROM t WHERE o = 'x' AND n >= 5 LIMIT 10",
                "SELECT a FROM t WHERE o = $1 AND n >= $2 LIMIT $3",
            ),
            (
                "SELECT a FROM t WHERE o='x'::text AND b LIKE '%y%'",
                "SELECT a FROM t WHERE o=$1::text AND b LIKE $2",
            ),
            (
                "SELECT a FROM t WHERE o IN ('x', 'y')",
                "SELECT a FROM t WHERE o IN ($1, $2)",
            ),
            (
                "SELECT a FROM t WHERE o = ANY(ARRAY['x', 'y'])",
                "SELECT a FROM t WHERE o = ANY(ARRAY[$1, $2])",
            ),
            (
                "SELECT a FROM t WHERE o = ANY('{x}')",
                "SELECT a FROM t WHERE o = ANY($1)",
            ),
            (
                "SELECT a FROM t WHERE (c, d) < ('x', 5)",
                "SELECT a FROM t WHERE (c, d) < ($1, $2)",
            ),
            (
                "SELECT a FROM t WHERE n BETWEEN 1 AND 5 AND b",
                "SELECT a FROM t WHERE n BETWEEN $1 AND $2 AND b",
            ),
            (
                "INSERT INTO t (a, b) VALUES ('x', 1), ('y', NULL)",
                "INSERT INTO t (a, b) VALUES ($1, $2), ($3, NULL)",
            ),
            (
                "UPDATE t SET a = 'x', b = b + 1 WHERE c = 2",
                "UPDATE t SET a = $1, b = b + 1 WHERE c = $2",
            ),
            (
                "SELECT * FROM f('2d3f4d94-ab2c-4c2a-b3f9-10d8c3d504a2', 'x')",
                "SELECT * FROM f($1, 'x')",
            ),
            (
                "SELECT 1 WHERE v @@ websearch_to_tsquery('english', 'jo')",
                "SELECT 1 WHERE v @@ websearch_to_tsquery('english', $1)",
            ),
            (
                "SELECT a /* b */ FROM t -- c\nWHERE o = 'x' -- d",
                "SELECT a   FROM t  WHERE o = $1",
            ),
        ] {
            assert_eq!(
                sql(text).split_whitespace().collect::<Vec<_>>(),
                expected.split_whitespace().collect::<Vec<_>>(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_shapes_a_statement_stays() {
        for text in [
            "SELECT 1, 'a', count(*) FROM t GROUP BY 1 ORDER BY 2",
            "SELECT a FROM t WHERE (b, c) IN (SELECT d, 1 FROM u) AND e = (SELECT f, 2)",
            "SELECT a->>'k', b -> 0, c #>> '{a}' FROM t",
            "SELECT now() - interval '1 day', date '2026-01-01', round(x, 2), x::numeric(10, 2)",
            "SELECT date_trunc('day', a), to_char(a, 'YYYY'), extract(epoch from a), b[1]",
            "SELECT 'a' || b, coalesce(c, 0), x = 2 * y, uuid '2d3f4d94-ab2c-4c2a-b3f9-10d8c3d504a2'",
        ] {
            assert_eq!(sql(text), text);
        }
        assert_eq!(
            sql(&format!("SELECT {ID}::uuid")),
            format!("SELECT {ID}::uuid")
        );
    }

    #[test]
    fn parameters_keep_their_numbers_and_values() {
        let found = parametrized(
            "SELECT a FROM t WHERE o = $1 AND b = 'it''s'",
            vec![Some("x".to_owned())],
        );
        assert_eq!(found.sql, "SELECT a FROM t WHERE o = $1 AND b = $2");
        assert_eq!(found.values[0], (Some("x".to_owned()), None));
        assert_eq!(
            found.values[1],
            (Some("it's".to_owned()), Some("'it''s'".to_owned()))
        );
    }

    #[test]
    fn lists_and_rows_of_any_length_have_one_shape() {
        assert_eq!(
            shape("SELECT a FROM t WHERE b IN ($1)"),
            shape("select A from t\nwhere b in ($1,$2, $3)")
        );
        assert_eq!(
            shape("INSERT INTO t VALUES ($1, $2)"),
            shape("INSERT INTO t VALUES ($1, $2), ($3, $4),($5,$6)")
        );
        assert_ne!(shape("SELECT f($1)"), shape("SELECT f($1, $2)"));
    }
}
