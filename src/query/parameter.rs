//! A query's parameters, in whatever way its file writes them, as `$1`, `$2`, … without gaps.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::{Token, TokenKind, Tokens};

/// A text whose parameters are numbered.
pub(super) struct Positional {
    pub(super) sql: String,
    /// The parameters' names, where they have any.
    pub(super) names: Vec<Option<String>>,
    /// The numbers that they had; 0 for a named one.
    pub(super) numbers: Vec<usize>,
}

/// Numbers the parameters: `$1`, `:name` (also `:'name'` of psql and `:name!` of `PgTyped`), `@name`, and sqlc's
/// `sqlc.arg(name)`, `sqlc.narg(name)` and `sqlc.slice(name)`. A list behind `IN` gets the parentheses that its driver
/// would write.
pub(super) fn positional(text: &str) -> Positional {
    let tokens: Vec<Token<'_>> = Tokens::new(text).filter_map(Result::ok).collect();
    let mut numbers: Vec<usize> = tokens.iter().filter_map(number_of).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut names: Vec<Option<String>> = vec![None; numbers.len()];
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut sql = String::with_capacity(text.len());
    let (mut copied, mut index) = (0, 0);
    while let Some(token) = tokens.get(index) {
        let at = index;
        index += 1;
        let (put, last) = if let Some(number) = number_of(token) {
            let position = numbers.iter().position(|n| *n == number);
            (format!("${}", position.unwrap_or(0) + 1), at)
        } else if let Some(named) = Named::at(text, &tokens, at) {
            let position = *known.entry(named.name.clone()).or_insert_with(|| {
                names.push(Some(named.name));
                numbers.push(0);
                names.len() - 1
            });
            let behind_in = at > 0 && tokens[at - 1].is("in");
            let mut put = String::new();
            let _ = if behind_in {
                write!(put, "(${})", position + 1)
            } else {
                write!(put, "${}", position + 1)
            };
            (put, named.last)
        } else if let Some((table, last)) = embedded(&tokens, at) {
            (format!("{table}.*"), last)
        } else {
            continue;
        };
        sql.push_str(&text[copied..token.offset]);
        sql.push_str(&put);
        copied = tokens[last].offset + tokens[last].text.len();
        index = last + 1;
    }
    sql.push_str(&text[copied..]);
    Positional {
        sql,
        names,
        numbers,
    }
}

/// The greatest `$n` of a text whose parameters are numbered already: so many has it.
pub(super) fn greatest_number(text: &str) -> usize {
    /// The protocol has no more.
    const MOST: usize = 65535;
    let tokens = Tokens::new(text).filter_map(Result::ok);
    let numbers = tokens.filter_map(|token| number_of(&token));
    numbers.filter(|number| *number <= MOST).max().unwrap_or(0)
}

fn number_of(token: &Token<'_>) -> Option<usize> {
    (token.kind == TokenKind::Parameter)
        .then(|| token.text.trim_start_matches('$').parse().ok())
        .flatten()
}

/// A parameter that is written by name.
struct Named {
    name: String,
    /// The last of its tokens.
    last: usize,
}

impl Named {
    /// The one whose first token is this.
    fn at(text: &str, tokens: &[Token<'_>], index: usize) -> Option<Self> {
        let token = tokens[index];
        if token.is_symbol(':') || token.is_symbol('@') {
            return Self::marked(text, tokens, index);
        }
        let of_tool = token.is("sqlc") || token.is("pggen");
        let (word, inside, last) = call(tokens, index).filter(|_| of_tool)?;
        let argument = ["arg", "narg", "slice"].iter().any(|name| word.is(name));
        argument.then(|| Self {
            name: inside.text.trim_matches(['\'', '"']).to_owned(),
            last,
        })
    }

    /// `:name` or `@name`: they touch, and nothing before makes a cast (`::text`), a slice (`a[1:n]`) or an operator
    /// (`<@`) of it.
    fn marked(text: &str, tokens: &[Token<'_>], index: usize) -> Option<Self> {
        let token = tokens[index];
        let next = tokens.get(index + 1)?;
        let before = text[..token.offset].chars().next_back();
        let name = match next.kind {
            _ if next.offset != token.offset + 1 => return None,
            TokenKind::Word => next.text,
            TokenKind::Literal | TokenKind::Quoted if token.is_symbol(':') => {
                next.text.trim_matches(['\'', '"'])
            }
            _ => return None,
        };
        let slices = before == Some('[') && !(index > 1 && tokens[index - 2].is("array"));
        let other = match before {
            Some(before) if token.is_symbol(':') => {
                before == ':' || slices || before.is_alphanumeric()
            }
            Some(before) => !(before.is_whitespace() || matches!(before, '(' | ',' | '=' | '[')),
            None => false,
        };
        let follows = |number: usize, symbol| {
            let token = tokens.get(index + number);
            token.is_some_and(|token| token.is_symbol(symbol))
        };
        let required = follows(2, '!')
            && !follows(3, '=')
            && tokens[index + 2].offset == next.offset + next.text.len();
        (!other).then(|| Self {
            name: name.to_owned(),
            last: index + 1 + usize::from(required),
        })
    }
}

/// `sqlc.embed(table)`: all of its columns.
fn embedded<'a>(tokens: &[Token<'a>], index: usize) -> Option<(&'a str, usize)> {
    let (word, inside, last) = call(tokens, index).filter(|_| tokens[index].is("sqlc"))?;
    word.is("embed").then_some((inside.text, last))
}

/// `tool.word(inside)`: the word, what is inside, and the number of the last token.
fn call<'a>(tokens: &[Token<'a>], index: usize) -> Option<(Token<'a>, Token<'a>, usize)> {
    let [_, dot, word, open, inside, close] = tokens.get(index..index + 6)? else {
        return None;
    };
    let is_call = dot.is_symbol('.') && open.is_symbol('(') && close.is_symbol(')');
    is_call.then_some((*word, *inside, index + 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str) -> (String, Vec<String>) {
        let found = positional(text);
        let names = found.names.into_iter().map(Option::unwrap_or_default);
        (found.sql, names.collect())
    }

    #[test]
    fn numbers_have_no_gaps() {
        let (sql, names) = numbered("SELECT $3::text, ':x', a::uuid FROM t WHERE b = $1 -- $2");
        assert_eq!(
            sql,
            "SELECT $2::text, ':x', a::uuid FROM t WHERE b = $1 -- $2"
        );
        assert_eq!(names, ["", ""]);
    }

    #[test]
    fn names_are_numbered_as_they_come() {
        for text in [
            "SELECT :who::uuid WHERE x=:who AND y = :other",
            "SELECT @who::uuid WHERE x=@who AND y = @other",
            "SELECT :'who'::uuid WHERE x=:who AND y = :other",
            "SELECT :who!::uuid WHERE x=:who! AND y = :other",
            "SELECT sqlc.arg(who)::uuid WHERE x=sqlc.arg('who') AND y = sqlc.narg(other)",
            "SELECT pggen.arg('who')::uuid WHERE x=pggen.arg('who') AND y = pggen.arg('other')",
        ] {
            let (sql, names) = numbered(text);
            assert_eq!(sql, "SELECT $1::uuid WHERE x=$1 AND y = $2", "{text}");
            assert_eq!(names, ["who", "other"]);
        }
    }

    #[test]
    fn lists_get_their_parentheses() {
        for text in [
            "a IN :ids",
            "a IN (:ids)",
            "a IN (sqlc.slice('ids'))",
            "a IN (@ids)",
        ] {
            assert_eq!(numbered(text).0, "a IN ($1)", "{text}");
        }
        assert_eq!(
            numbered("a = ANY(ARRAY[:x, :y])").0,
            "a = ANY(ARRAY[$1, $2])"
        );
    }

    #[test]
    fn what_only_looks_like_a_parameter_stays() {
        for text in [
            "SELECT a::uuid, b[1:n], c[:n], f(x := y), '12:30' :: time",
            "SELECT a <@b, a @> b, a @@ b, @ c, a<@b, 'x@y', \"a:b\"",
            "SELECT a - b, $$ :x @y $$ /* :x */ -- @y",
            "SELECT sqlc.other(x), sqlc.id",
        ] {
            assert_eq!(numbered(text).0, text);
        }
        assert_eq!(numbered("SELECT :a!=b").0, "SELECT $1!=b");
        assert_eq!(
            numbered("SELECT sqlc.embed(people) FROM people").0,
            "SELECT people.* FROM people"
        );
    }
}
