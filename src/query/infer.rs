//! What a query's parameters are compared with, read off its text by a parser.
//!
//! `sqlparser` is pure Rust and understands what applications send; `pg_query` would be Postgres' own grammar, but
//! needs libclang and a C compiler on every machine that builds. What it can't parse is not lost: it is
//! read word by word, other parameters are bound by their type, and the query is judged all the same.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::Visit as _;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::reader::Reader;
use super::scan::scan;
use crate::model::{Catalog, JsonPaths, Query, RelationName, Token, Tokens};

/// How a parameter is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Compared with, or written to, this column.
    Column {
        /// The table.
        table: RelationName,
        /// The column.
        column: String,
        /// How: `=`, `<`, `>`, `~` (a regular expression), `%` (a LIKE pattern), `:` (written).
        by: char,
        /// Where the parameter is JSON: what of it.
        field: Option<Field>,
    },
    /// Compared with what is inside of a column's JSON, or one of its keys.
    Json {
        /// The table.
        table: RelationName,
        /// The column.
        column: String,
        /// Where in it.
        path: Vec<String>,
        /// How: as of a column, or `?` for a key of what is there.
        by: char,
    },
    /// Compared with an expression over the columns of one table, as SQL.
    Computed {
        /// The table.
        table: RelationName,
        /// How the expression calls it.
        alias: String,
        /// The expression.
        sql: String,
        /// How, as of a column.
        by: char,
    },
    /// The number of rows asked for.
    Limit,
    /// The number of rows passed over.
    Offset,
    /// Words that a text search looks for.
    Words,
    /// A time zone's name.
    Zone,
    /// What a time is cut to: `day`.
    Unit,
    /// Text that is cast to this type.
    Cast(String),
}

impl Source {
    /// It says which values find a row, or are accepted, and not only of which type they are.
    #[must_use]
    pub fn binds(&self) -> bool {
        !matches!(self, Self::Cast(_))
    }
}

/// What of a JSON parameter is compared with, or written to, a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Its key; `None` where the elements are plain values.
    pub name: Option<String>,
    /// The parameter is an array.
    pub list: bool,
}

/// What could be read off a query.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// By the parameter's number from 1.
    pub sources: BTreeMap<usize, Vec<Source>>,
    /// Parameters that the query asks whether they are NULL: conditions that may be left out.
    pub optional: BTreeSet<usize>,
    /// Columns of tables that it compares with each other and that no foreign key holds together.
    pub equal: BTreeSet<[(RelationName, String); 2]>,
    /// What it looks at inside of JSON, by table and column.
    pub json: BTreeMap<(RelationName, String), JsonPaths>,
    /// The tables that it mentions.
    pub tables: Vec<RelationName>,
    /// The tables that it inserts into with no ON CONFLICT: a key that is there is refused.
    pub inserted: BTreeSet<RelationName>,
    /// The tables that it deletes from.
    pub deleted: BTreeSet<RelationName>,
    /// The materialized views that hold what it reads, to be refreshed in this order.
    pub refreshed: Vec<RelationName>,
    /// It may write.
    pub writes: bool,
    /// The parser's complaint, where it had one.
    pub unparsed: Option<String>,
}

/// Reads a query.
#[must_use]
pub fn infer(catalog: &Catalog, query: &Query) -> Inferred {
    infer_at(catalog, query, 0)
}

/// Reads a query that so many functions stand around.
pub(super) fn infer_at(catalog: &Catalog, query: &Query, depth: usize) -> Inferred {
    let writes = Tokens::new(&query.sql).filter_map(Result::ok).any(|token| {
        ["insert", "update", "delete", "merge"]
            .iter()
            .any(|word| token.is(word))
    });
    let mut inferred = Inferred {
        writes,
        ..Inferred::default()
    };
    match Parser::parse_sql(&PostgreSqlDialect {}, &readable(&query.sql)) {
        Ok(statements) => {
            let mut reader = Reader::new(catalog, query.schemas(), depth, &mut inferred);
            for statement in &statements {
                let _ = statement.visit(&mut reader);
            }
            reader.resolve();
        }
        Err(error) => {
            inferred.unparsed = Some(error.to_string());
            let mut reader = Reader::new(catalog, query.schemas(), depth, &mut inferred);
            scan(&mut reader, &query.sql);
            reader.resolve();
        }
    }
    inferred
}

/// What some queries look at inside of JSON, by table and column.
#[must_use]
pub fn json_paths(
    catalog: &Catalog,
    queries: &[Query],
) -> BTreeMap<(RelationName, String), JsonPaths> {
    let mut found: BTreeMap<_, JsonPaths> = BTreeMap::new();
    for query in queries.iter().filter(|query| query.problem.is_none()) {
        for (column, paths) in infer(catalog, query).json {
            let known = found.entry(column).or_default();
            for (path, of) in paths {
                let known = known.entry(path).or_default();
                if known.kind.is_empty() {
                    known.kind = of.kind;
                }
                known.values.extend(of.values);
            }
        }
    }
    found
}

/// The text without what the parser can't read and parameters are rarely in: the predicate of the partial index in
/// `ON CONFLICT (…) WHERE … DO`, and `OVERRIDING … VALUE`. After a SELECT without a FROM, ON would be its column's name: there
/// a condition stands before it.
pub(super) fn readable(sql: &str) -> String {
    let tokens: Vec<Token<'_>> = Tokens::new(sql).filter_map(Result::ok).collect();
    let are = |start: usize, words: &[&str]| {
        let rest = tokens.iter().skip(start);
        rest.zip(words)
            .filter(|(token, word)| token.is(word))
            .count()
            == words.len()
    };
    let mut text = sql.to_owned();
    for start in (0..tokens.len()).rev() {
        let rest = || tokens.iter().skip(start + 2);
        let place = |word: &str| {
            rest()
                .find(|token| token.is(word))
                .map(|token| token.offset)
        };
        let (from, end) = if are(start, &["on", "conflict"]) {
            (place("where"), place("do"))
        } else if ["system", "user"]
            .iter()
            .any(|whose| are(start, &["overriding", whose, "value"]))
        {
            let value = place("value").map(|offset| offset + "value".len());
            (Some(tokens[start].offset), value)
        } else {
            continue;
        };
        if let (Some(from), Some(end)) = (from, end)
            && from < end
        {
            text.replace_range(from..end, "");
        }
        if are(start, &["on", "conflict"]) && selects_from_nowhere(&tokens[..start]) {
            text.insert_str(tokens[start].offset, "WHERE true ");
        }
    }
    text
}

/// What ends here is a SELECT that has neither FROM nor WHERE, parentheses aside.
fn selects_from_nowhere(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_i32;
    for token in tokens.iter().rev() {
        depth += i32::from(token.is_symbol(')')) - i32::from(token.is_symbol('('));
        if depth == 0
            && ["from", "where", "values"]
                .iter()
                .any(|word| token.is(word))
        {
            return false;
        }
        if depth == 0 && token.is("select") {
            return true;
        }
    }
    false
}
