//! What is known of a session while its statements are read: whether it acts as one tenant.

use crate::model::{Cell, Token, TokenKind, Tokens, quoted};

use super::entry::value_of;
use super::literal::shape;

/// One session of the recorded program.
#[derive(Debug, Default)]
pub(super) struct Session {
    in_transaction: bool,
    context: Option<Lasts>,
    /// Its `search_path`, and what it is until the transaction ends, where that is said.
    path: Option<String>,
    path_now: Option<String>,
    /// The shapes of what it sent last: one message may have several.
    pub(super) last: Vec<String>,
}

/// How long a context lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    Transaction,
    Session,
}

/// How the tenant is set: what `[access]` says of it.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The settings that it sets.
    settings: Vec<String>,
    /// Its statements, as others are compared with them.
    shapes: Vec<String>,
}

impl Context {
    pub(super) fn new(settings: Vec<String>, statements: &[String]) -> Self {
        Self {
            settings,
            shapes: statements.iter().map(|sql| general(sql)).collect(),
        }
    }
}

/// The setting that says where names without a schema are looked for.
const SEARCH_PATH: &str = "search_path";

/// The list that begins with this token: what is written in quotes of a text is a name, too.
fn listed(sql: &str, first: &Token<'_>) -> Option<String> {
    if first.is("default") {
        return None;
    }
    let rest = Tokens::new(sql.get(first.offset..)?).filter_map(Result::ok);
    let names = rest.filter_map(|token| match token.kind {
        TokenKind::Literal => value_of(&token).map(|name| quoted(&name)),
        _ => token.name().map(|name| quoted(&name)),
    });
    let names: Vec<String> = names.collect();
    Some(names.join(", "))
}

/// The shape with every value left out, also those that shape a statement.
fn general(sql: &str) -> String {
    let mut text = String::new();
    for token in Tokens::new(sql).filter_map(Result::ok) {
        let value = matches!(
            token.kind,
            TokenKind::Literal | TokenKind::Number | TokenKind::Parameter
        );
        text.push_str(if value { "$1" } else { token.text });
        text.push(' ');
    }
    shape(&text)
}

impl Session {
    /// Whether it acts as one tenant now.
    pub(super) fn in_context(&self) -> bool {
        self.context.is_some()
    }

    /// Its `search_path`, where it has set one.
    pub(super) fn search_path(&self) -> Option<&String> {
        self.path_now.as_ref().or(self.path.as_ref())
    }

    /// A message has ended: outside of a transaction, what was set for one ends with it.
    pub(super) fn message_ends(&mut self) {
        if self.in_transaction {
            return;
        }
        self.path_now = None;
        if self.context == Some(Lasts::Transaction) {
            self.context = None;
        }
    }

    fn look_in(&mut self, path: Option<String>, local: bool) {
        if local {
            self.path_now = path;
        } else {
            (self.path, self.path_now) = (path, None);
        }
    }

    /// Takes a statement for what it says of the transaction and the context.
    pub(super) fn take(&mut self, sql: &str, given: &[Cell], context: &Context) {
        let tokens: Vec<Token<'_>> = Tokens::new(sql)
            .filter_map(Result::ok)
            .filter(|token| token.kind != TokenKind::Comment)
            .collect();
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
        match tokens
            .first()
            .map(|token| token.text.to_lowercase())
            .as_deref()
        {
            Some("begin") => self.in_transaction = true,
            Some("start") if is(1, "transaction") => self.in_transaction = true,
            Some("rollback" | "abort") if tokens.iter().any(|token| token.is("to")) => {}
            Some("commit" | "end" | "rollback" | "abort") => {
                self.in_transaction = false;
                self.message_ends();
            }
            Some("discard") if is(1, "all") => {
                self.context = None;
                self.look_in(None, false);
            }
            Some("reset") => {
                let name: String = tokens[1..].iter().map(|token| token.text).collect();
                let all = name.eq_ignore_ascii_case("all");
                if all || context.settings.contains(&name) {
                    self.context = None;
                }
                if all || name.eq_ignore_ascii_case(SEARCH_PATH) {
                    self.look_in(None, false);
                }
            }
            Some("set") => self.set(sql, &tokens, context),
            Some("select") => self.call(sql, &tokens, given, context),
            _ => {}
        }
    }

    /// `SET [LOCAL] name TO value`
    fn set(&mut self, sql: &str, tokens: &[Token<'_>], context: &Context) {
        let local = tokens.get(1).is_some_and(|token| token.is("local"));
        let rest = tokens[1..].iter();
        let mut rest = rest.skip_while(|token| token.is("local") || token.is("session"));
        let name: Vec<&str> = rest
            .by_ref()
            .take_while(|token| !token.is("to") && !token.is_symbol('='))
            .map(|token| token.text)
            .collect();
        let (name, value) = (name.concat(), rest.next());
        if name.eq_ignore_ascii_case(SEARCH_PATH) {
            self.look_in(value.and_then(|value| listed(sql, value)), local);
        } else if context.settings.contains(&name) {
            let empty = value.is_some_and(|token| token.text == "''" || token.is("default"));
            self.enter(local, empty);
        }
    }

    /// `SELECT set_config('name', value, local)`, or a function of the application's own that `[access]` calls.
    fn call(&mut self, sql: &str, tokens: &[Token<'_>], given: &[Cell], context: &Context) {
        if tokens.iter().any(|token| token.is("set_config")) {
            let value = |token: &Token<'_>| match token.kind {
                TokenKind::Parameter => {
                    let number: usize = token.text.trim_start_matches('$').parse().ok()?;
                    given.get(number.checked_sub(1)?)?.clone()
                }
                TokenKind::Literal => value_of(token),
                TokenKind::Word => Some(token.text.to_lowercase()),
                _ => None,
            };
            let values: Vec<String> = tokens.iter().filter_map(value).collect();
            let local =
                |values: &[String]| values.iter().any(|value| value == "true" || value == "t");
            if let Some(at) = values.iter().position(|value| value == SEARCH_PATH) {
                self.look_in(values.get(at + 1).cloned(), local(&values[at..]));
            }
            let named = values
                .iter()
                .position(|value| context.settings.contains(value));
            if let Some(at) = named {
                let empty = values.get(at + 1).is_some_and(String::is_empty);
                self.enter(local(&values[at..]), empty);
            }
        } else if context.shapes.contains(&general(sql)) {
            self.enter(self.in_transaction, false);
        }
    }

    fn enter(&mut self, local: bool, empty: bool) {
        self.context = match (empty, local) {
            (true, _) => None,
            (false, true) => Some(Lasts::Transaction),
            (false, false) => Some(Lasts::Session),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts(statements: &[&str]) -> Vec<bool> {
        let context = Context::new(
            vec!["app.tenant".to_owned()],
            &[
                "SELECT set_config('app.tenant', $1, true)".to_owned(),
                "SELECT app.login($1)".to_owned(),
            ],
        );
        let mut session = Session::default();
        statements
            .iter()
            .map(|sql| {
                session.take(
                    sql,
                    &[Some("app.tenant".to_owned()), Some("7".to_owned())],
                    &context,
                );
                let now = session.in_context();
                session.message_ends();
                now
            })
            .collect()
    }

    #[test]
    fn a_search_path_lasts_as_long_as_it_was_set_for() {
        let mut session = Session::default();
        let mut seen = Vec::new();
        for sql in [
            "SELECT 1",
            "SET search_path TO Crm, 'Other One', \"$user\"",
            "BEGIN",
            "SET LOCAL search_path = iam",
            "SELECT 1",
            "COMMIT",
            "SELECT set_config('search_path', 'a, b', false)",
            "SET SESSION search_path TO DEFAULT",
        ] {
            session.take(sql, &[], &Context::default());
            seen.push(session.search_path().cloned().unwrap_or_default());
            session.message_ends();
        }
        let crm = r#""crm", "Other One", "$user""#;
        let iam = r#""iam""#;
        assert_eq!(seen, ["", crm, crm, iam, iam, crm, "a, b", ""]);
    }

    #[test]
    fn a_context_lasts_as_long_as_it_was_set_for() {
        assert_eq!(
            contexts(&[
                "BEGIN",
                "SELECT set_config('app.tenant', '7', true)",
                "SELECT 1",
                "ROLLBACK TO a",
                "COMMIT"
            ]),
            [false, true, true, true, false]
        );
        assert_eq!(
            contexts(&[
                "SET app.tenant = '7'",
                "BEGIN",
                "COMMIT",
                "RESET app.tenant"
            ]),
            [true, true, true, false]
        );
        assert_eq!(
            contexts(&[
                "SET SESSION app.tenant TO '7'",
                "SET app.tenant TO ''",
                "SET LOCAL app.tenant = '7'",
                "SELECT 1"
            ]),
            [true, false, true, false]
        );
        assert_eq!(
            contexts(&[
                "SELECT set_config($1, $2, false)",
                "SELECT 1",
                "DISCARD ALL"
            ]),
            [true, true, false]
        );
        assert_eq!(
            contexts(&["SET search_path = app", "SELECT app.other('7')"]),
            [false, false]
        );
        assert_eq!(
            contexts(&[
                "start transaction",
                "select app.login('7')",
                "SELECT 1",
                "end"
            ]),
            [false, true, true, false]
        );
    }
}
