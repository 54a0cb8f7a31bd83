//! What a program sent, as the server's log has it → queries: one for each shape of statement.

mod entry;
mod literal;
mod queries;
mod sent;
mod session;

use std::collections::BTreeMap;

use self::entry::{About, Entry, value_of};
use self::literal::{Parametrized, parametrized, shape};
pub use self::queries::{Recorded, RecordedQuery, Schema, recorded};
pub use self::sent::{Sent, same_text, sent};
use self::session::{Context, Session};
use super::annotation::Annotation;
use super::file::QUERIES;
use crate::model::{Access, Cell, Statement, Token, TokenKind, Tokens, split};

/// The most of a value that the log must hold, in bytes.
pub const LONGEST_VALUE: usize = entry::LONGEST;

/// So many different values are remembered of a parameter.
const MOST_VALUES: usize = 8;

/// Words that statements of transactions and sessions begin with: every driver sends them.
const OF_SESSIONS: [&str; 24] = [
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "set",
    "reset",
    "show",
    "discard",
    "listen",
    "unlisten",
    "notify",
    "deallocate",
    "close",
    "fetch",
    "move",
    "prepare",
    "checkpoint",
    "load",
    "lock",
    "explain",
];

/// Reads the log line by line; what it holds does not grow with the number of executions.
#[derive(Debug, Default)]
pub struct Recorder {
    context: Context,
    /// The application's name of sessions that are not the program's.
    ours: String,
    sessions: BTreeMap<String, Session>,
    groups: BTreeMap<String, Group>,
    executions: usize,
    of_sessions: usize,
    /// By their first word, statements that can't be tested.
    others: BTreeMap<String, usize>,
}

/// Statements of one shape.
#[derive(Debug)]
struct Group {
    found: Parametrized,
    /// By position: values that were seen; a literal is among them with its first one.
    values: Vec<Vec<String>>,
    /// As it was sent first, values and all.
    original: String,
    tenant: Option<String>,
    search_path: Option<String>,
    executions: usize,
    in_context: usize,
    refused: usize,
}

impl Recorder {
    /// A recorder that leaves out sessions with this application name; `access` says how a session becomes a tenant's.
    #[must_use]
    pub fn new(ours: &str, access: Option<&Access>) -> Self {
        Self {
            ours: ours.to_owned(),
            context: access.map_or_else(Context::default, |access| {
                Context::new(access.settings(), &access.context)
            }),
            ..Self::default()
        }
    }

    /// Takes a line of the log.
    pub fn take(&mut self, line: &str) {
        let Some(entry) = Entry::read(line).filter(|entry| entry.application != self.ours) else {
            return;
        };
        let mut session = self.sessions.remove(&entry.session).unwrap_or_default();
        match entry.about() {
            About::Simple(text, prepared) => {
                session.last.clear();
                for sql in statements(text) {
                    session.take(&sql, &[], &self.context);
                    self.take_statement(&mut session, &sql, prepared, Vec::new());
                }
                session.message_ends();
            }
            About::Extended(text, values) => {
                session.last.clear();
                session.take(text, &values, &self.context);
                self.take_statement(&mut session, text, None, values);
                session.message_ends();
            }
            About::Refusal(code) => self.refuse(&session, code),
            About::Other => {}
        }
        self.sessions.insert(entry.session, session);
    }

    fn take_statement(
        &mut self,
        session: &mut Session,
        sql: &str,
        prepared: Option<&str>,
        values: Vec<Cell>,
    ) {
        let (sql, values) = match unwrapped(sql, prepared, values) {
            Ok(query) => query,
            Err(first) if OF_SESSIONS.contains(&first.as_str()) => {
                self.of_sessions += 1;
                return;
            }
            Err(first) => {
                *self.others.entry(first.to_uppercase()).or_default() += 1;
                return;
            }
        };
        self.executions += 1;
        let found = parametrized(&sql, values);
        let mut shape = shape(&found.sql);
        let search_path = session.search_path().cloned();
        if let Some(path) = &search_path {
            // The same words mean other tables.
            shape = format!("{shape} /* search_path {path} */");
        }
        let group = self.groups.entry(shape.clone()).or_insert_with(|| Group {
            values: vec![Vec::new(); found.values.len()],
            found: found.clone(),
            tenant: Annotation::read(&sql).tenant,
            search_path,
            original: sql,
            executions: 0,
            in_context: 0,
            refused: 0,
        });
        group.take(found, session.in_context());
        session.last.push(shape);
    }

    /// The last message was refused: a statement that the server could make nothing of is no query.
    fn refuse(&mut self, session: &Session, code: &str) {
        // 42: names and syntax; 42501 is a missing privilege.
        if !code.starts_with("42") || code == "42501" {
            return;
        }
        for shape in &session.last {
            if let Some(group) = self.groups.get_mut(shape) {
                group.refused += 1;
            }
        }
    }
}

impl Group {
    fn take(&mut self, found: Parametrized, in_context: bool) {
        self.executions += 1;
        self.in_context += usize::from(in_context);
        // Of lists that differ in length the shortest is tested.
        if found.sql.len() < self.found.sql.len() && found.values.len() < self.found.values.len() {
            self.values = vec![Vec::new(); found.values.len()];
            self.found = found.clone();
        }
        if found.values.len() != self.found.values.len() {
            return;
        }
        for (seen, (value, _)) in self.values.iter_mut().zip(found.values) {
            if let Some(value) = value
                && seen.len() < MOST_VALUES
                && !seen.contains(&value)
            {
                seen.push(value);
            }
        }
    }
}

/// The statements of a message; a text that can't be taken apart is one.
fn statements(text: &str) -> Vec<String> {
    let texts = |statements: Vec<Statement>| statements.into_iter().map(|one| one.text).collect();
    split(text).map_or_else(|_| vec![text.to_owned()], texts)
}

/// The query that a statement runs, and its values: itself, or what `EXECUTE`, `DECLARE … CURSOR FOR` and `COPY ( … )`
/// have inside. Else its first word.
fn unwrapped(
    sql: &str,
    prepared: Option<&str>,
    values: Vec<Cell>,
) -> Result<(String, Vec<Cell>), String> {
    let tokens: Vec<Token<'_>> = Tokens::new(sql)
        .filter_map(Result::ok)
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let opened = tokens.iter().find(|token| !token.is_symbol('('));
    let first = opened
        .map(|token| token.text.to_lowercase())
        .unwrap_or_default();
    let behind = |tokens: &[Token<'_>], text: &str, word: &str| {
        let at = tokens.iter().find(|token| token.is(word))?;
        let query = text.get(at.offset + at.text.len()..)?;
        Some(query.trim().trim_end_matches(';').to_owned())
    };
    let inner = match first.as_str() {
        word if QUERIES.contains(&word) => {
            Some((sql.trim_end_matches([';', ' ', '\n']).to_owned(), values))
        }
        "declare" => behind(&tokens, sql, "for").map(|query| (query, values)),
        "copy" => copied(sql, &tokens).map(|query| (query, values)),
        "execute" => prepared.and_then(|prepare| {
            let tokens: Vec<Token<'_>> = Tokens::new(prepare).filter_map(Result::ok).collect();
            Some((behind(&tokens, prepare, "as")?, arguments(sql)))
        }),
        _ => None,
    };
    inner.ok_or(first)
}

/// The query of `COPY (query) TO …`.
fn copied(sql: &str, tokens: &[Token<'_>]) -> Option<String> {
    let open = tokens.get(1).filter(|token| token.is_symbol('('))?;
    let mut depth = 0;
    let close = tokens.iter().find(|token| {
        depth += i32::from(token.is_symbol('(')) - i32::from(token.is_symbol(')'));
        depth == 0 && token.is_symbol(')')
    })?;
    sql.get(open.offset + 1..close.offset).map(str::to_owned)
}

/// The values of `EXECUTE name(…)`, where they are plain.
fn arguments(sql: &str) -> Vec<Cell> {
    let tokens = Tokens::new(sql).filter_map(Result::ok);
    let mut depth = 0;
    let mut values: Vec<Vec<Token<'_>>> = Vec::new();
    for token in tokens {
        depth -= i32::from(token.is_symbol(')'));
        if depth == 1 && token.is_symbol(',') || depth == 0 && token.is_symbol('(') {
            values.push(Vec::new());
        } else if let Some(value) = values.last_mut().filter(|_| depth > 0) {
            value.push(token);
        }
        depth += i32::from(token.is_symbol('('));
    }
    let plain = |value: Vec<Token<'_>>| match value.as_slice() {
        [one] => value_of(one),
        _ => None,
    };
    values.into_iter().map(plain).collect()
}

#[cfg(test)]
mod tests;
