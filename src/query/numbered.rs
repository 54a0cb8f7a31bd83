//! Places in a query's syntax, numbered in its order, of which one is changed.

use sqlparser::ast::{Statement, VisitMut as _, VisitorMut};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::infer::readable;
use crate::model::Query;

/// The longest text of a place that is shown.
const SHOWN: usize = 60;

/// A place, and the query with it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What kind of place.
    pub(super) kind: &'static str,
    /// What stands there: `OR t.state = 'locked'`.
    pub(super) text: String,
    /// The line in the query's file, from 1.
    pub(super) line: usize,
    /// The query with that place changed.
    pub(super) sql: String,
}

/// Numbers places in the order of the syntax.
#[derive(Clone, Default)]
pub(super) struct Numbered {
    wanted: Option<usize>,
    /// What each is, what stands there, and its line in the query.
    found: Vec<(&'static str, String, usize)>,
}

impl Numbered {
    /// Notes a place. Returns whether it is to be changed.
    pub(super) fn meet(&mut self, kind: &'static str, text: &str, line: u64) -> bool {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        let line = usize::try_from(line).unwrap_or(0);
        self.found.push((kind, shown, line));
        self.wanted == Some(self.found.len() - 1)
    }
}

/// Something that visits places and changes the one that it is told to.
pub(super) trait Changes: VisitorMut<Break = ()> + Clone {
    /// Where it keeps count.
    fn numbered(&mut self) -> &mut Numbered;
}

/// Every place that a visitor meets, with the query in which it changed that place. None where the parser does not
/// understand the query as it stands.
pub(super) fn places<V: Changes>(query: &Query, visitor: &V) -> Vec<Place> {
    let Some(whole) = parsed(query) else {
        return Vec::new();
    };
    let visit = |wanted: Option<usize>| {
        let mut visitor = visitor.clone();
        visitor.numbered().wanted = wanted;
        let mut statements = whole.clone();
        for statement in &mut statements {
            let _ = statement.visit(&mut visitor);
        }
        (visitor, statements)
    };
    let (mut first, _) = visit(None);
    let found = std::mem::take(&mut first.numbered().found);
    let numbered = found.into_iter().enumerate();
    numbered
        .map(|(number, (kind, text, line))| {
            let (_, statements) = visit(Some(number));
            let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
            Place {
                kind,
                text,
                line: query.line + line.saturating_sub(1),
                sql: texts.join("; "),
            }
        })
        .collect()
}

/// The query's syntax, where the parser understands all of it as it stands.
pub(super) fn parsed(query: &Query) -> Option<Vec<Statement>> {
    if readable(&query.sql) != query.sql {
        return None;
    }
    Parser::parse_sql(&PostgreSqlDialect {}, &query.sql).ok()
}
