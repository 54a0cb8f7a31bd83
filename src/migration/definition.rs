//! The head of a definition, and its parts: as much of `CREATE` and `ALTER` as it takes to find objects.

use crate::model::{Statement, Token};

/// The most tokens that a head has, so that of a long statement of another table no more is cut.
const LONGEST: usize = 128;

/// The first part of a definition: `CREATE INDEX name ON table`, and what follows it.
pub(super) struct Head<'a> {
    /// CREATE, else ALTER.
    pub(super) creates: bool,
    /// What is defined: `table`, `index` …
    pub(super) kind: String,
    /// The parts of its name.
    pub(super) name: Vec<String>,
    /// The parts of the name of the table that it is on, for an index, policy or trigger.
    pub(super) table: Vec<String>,
    statement: &'a Statement,
    /// How many tokens stand before what follows.
    length: usize,
}

impl<'a> Head<'a> {
    /// The head of a statement that creates or alters something.
    pub(super) fn read(statement: &'a Statement) -> Option<Self> {
        const BEFORE: &str = " or replace global local temporary temp unlogged unique recursive constraint \
                              materialized foreign ";
        const AFTER: &str = " concurrently if not exists only ";
        let creates = statement.begins_with(&["CREATE"]);
        if !creates && !statement.begins_with(&["ALTER"]) {
            return None;
        }
        let tokens: Vec<Token<'_>> = statement.tokens().take(LONGEST).collect();
        let mut rest = skip(&tokens[1..], BEFORE);
        let kind = rest.first()?.name()?;
        rest = skip(&rest[1..], AFTER);
        let (name, mut rest) = dotted(rest);
        let mut table = Vec::new();
        if matches!(kind.as_str(), "index" | "policy" | "trigger") {
            let on = rest.iter().position(|token| token.is("on"));
            (table, rest) = dotted(skip(&rest[on? + 1..], AFTER));
        }
        Some(Self {
            creates,
            kind,
            name,
            table,
            statement,
            length: tokens.len() - rest.len(),
        })
    }

    /// The parts between the commas: of the first parentheses of `CREATE TABLE`, of the rest of `ALTER TABLE`.
    pub(super) fn parts(&self) -> Vec<Vec<Token<'a>>> {
        let mut inside = self.statement.tokens().skip(self.length);
        if self.creates {
            inside.find(|token| token.is_symbol('('));
        }
        let mut depth = 0_i32;
        let mut parts = vec![Vec::new()];
        for token in inside {
            if token.is_symbol('(') {
                depth += 1;
            } else if token.is_symbol(')') {
                depth -= 1;
            }
            if depth < 0 {
                break;
            } else if depth == 0 && token.is_symbol(',') {
                parts.push(Vec::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(token);
            }
        }
        parts.retain(|part| !part.is_empty());
        parts
    }
}

/// Leaves out the leading words of a list; at least one token stays.
pub(super) fn skip<'a, 't>(tokens: &'t [Token<'a>], words: &str) -> &'t [Token<'a>] {
    let listed = |token: &Token<'_>| words.contains(&format!(" {} ", token.text.to_lowercase()));
    let mut rest = tokens;
    while rest.len() > 1 && listed(&rest[0]) {
        rest = &rest[1..];
    }
    rest
}

/// A dotted name, and what follows it.
fn dotted<'a, 't>(tokens: &'t [Token<'a>]) -> (Vec<String>, &'t [Token<'a>]) {
    let mut parts = Vec::new();
    let mut rest = tokens;
    while let Some(part) = rest.first().and_then(Token::name) {
        parts.push(part);
        rest = &rest[1..];
        if !rest.first().is_some_and(|token| token.is_symbol('.')) {
            break;
        }
        rest = &rest[1..];
    }
    (parts, rest)
}
