//! The head of a definition, and its parts: as much of `CREATE` and `ALTER` as it takes to find objects.

use crate::model::{Statement, Token};

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
    /// What follows.
    rest: Vec<Token<'a>>,
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
        let tokens: Vec<Token<'_>> = statement.tokens().collect();
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
            rest: rest.to_vec(),
        })
    }

    /// The parts between the commas: of the first parentheses of `CREATE TABLE`, of the rest of `ALTER TABLE`.
    pub(super) fn parts(&self) -> Vec<&[Token<'a>]> {
        let inside = if self.creates {
            let open = self.rest.iter().position(|token| token.is_symbol('('));
            open.map_or(&[][..], |open| &self.rest[open + 1..])
        } else {
            &self.rest
        };
        let mut depth = 0_i32;
        let mut end = inside.len();
        let mut commas = Vec::new();
        for (index, token) in inside.iter().enumerate() {
            if token.is_symbol('(') {
                depth += 1;
            } else if token.is_symbol(')') {
                depth -= 1;
                if depth < 0 {
                    end = index;
                    break;
                }
            } else if depth == 0 && token.is_symbol(',') {
                commas.push(index);
            }
        }
        commas.push(end);
        let mut start = 0;
        let mut parts = Vec::new();
        for comma in commas {
            parts.push(&inside[start..comma]);
            start = comma + 1;
        }
        parts.retain(|item| !item.is_empty());
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
