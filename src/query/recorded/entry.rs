//! A line of the server's log, in Postgres' JSON form.

use serde::Deserialize;

use crate::model::{Cell, Token, TokenKind, Tokens};

/// What the server wrote of one statement or error. What else stands in a line is of no interest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(rename = "session_id")]
    pub(super) session: String,
    #[serde(rename = "application_name")]
    pub(super) application: String,
    #[serde(rename = "dbname")]
    pub(super) database: String,
    #[serde(rename = "error_severity")]
    severity: String,
    #[serde(rename = "state_code")]
    code: String,
    message: String,
    detail: String,
}

/// What an entry is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// A text of one or several statements with the values written in it.
    Simple(&'a str, Prepared<'a>),
    /// A statement with the values of its parameters.
    Extended(&'a str, Vec<Cell>),
    /// The session's last statement was refused with this code.
    Refusal(&'a str),
    /// Something else.
    Other,
}

/// The text of the `PREPARE` behind an `EXECUTE`, where the statement is one.
pub(super) type Prepared<'a> = Option<&'a str>;

/// The most of a value that the log is told to hold, in bytes; a longer one is cut off.
pub(super) const LONGEST: usize = 1000;

impl Entry {
    /// Reads a line; `None` for what is no entry.
    pub(super) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    pub(super) fn about(&self) -> About<'_> {
        if self.severity == "ERROR" {
            return About::Refusal(&self.code);
        }
        if self.severity != "LOG" {
            return About::Other;
        }
        if let Some(text) = self.message.strip_prefix("statement: ") {
            return About::Simple(text, self.detail_of("prepare: "));
        }
        // `execute NAME: …`, `execute fetch from NAME/PORTAL: …`
        let named = self.message.strip_prefix("execute ");
        match named.and_then(|rest| rest.split_once(": ")) {
            Some((_, text)) => {
                let values = self.detail_of("parameters: ").unwrap_or_default();
                About::Extended(text, read_values(values))
            }
            None => About::Other,
        }
    }

    /// The detail behind its label, which newer versions begin with a capital letter.
    fn detail_of(&self, label: &str) -> Option<&str> {
        let start = self.detail.get(..label.len())?;
        start
            .eq_ignore_ascii_case(label)
            .then(|| &self.detail[label.len()..])
    }
}

/// `$1 = 'a', $2 = NULL`
fn read_values(text: &str) -> Vec<Cell> {
    let tokens: Vec<Token<'_>> = Tokens::new(text).filter_map(Result::ok).collect();
    let values = tokens
        .iter()
        .filter(|token| token.kind == TokenKind::Literal || token.is("null"));
    values
        .map(|token| value_of(token).filter(|value| !is_cut_off(value)))
        .collect()
}

/// The text of a value that the log holds only the beginning of ends so.
fn is_cut_off(value: &str) -> bool {
    value.len() >= LONGEST && value.ends_with("...")
}

/// The value of a literal or a number as text; `None` for NULL and for what only the server can read.
pub(super) fn value_of(token: &Token<'_>) -> Cell {
    if token.kind == TokenKind::Number {
        return Some(token.text.to_owned());
    }
    if let Some(rest) = token.text.strip_prefix('\'') {
        return Some(rest.strip_suffix('\'')?.replace("''", "'"));
    }
    if token.text.starts_with('$') {
        let tag = token.text.match_indices('$').nth(1)?.0 + 1;
        return token
            .text
            .get(tag..token.text.len() - tag)
            .map(str::to_owned);
    }
    let inside = token.text.strip_prefix(['E', 'e'])?.strip_prefix('\'')?;
    let inside = inside.strip_suffix('\'')?;
    // What only quotes and backslashes were escaped for; other escapes are rare, and left to the server.
    let plain = inside
        .replace("\\\\", "\u{0}")
        .replace("\\'", "'")
        .replace("''", "'");
    (!plain.contains('\\')).then(|| plain.replace('\u{0}', "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str, detail: &str) -> Entry {
        let line = serde_json::json!({
            "timestamp": "2026-01-01 00:00:00.000 UTC", "pid": 7, "session_id": "a.7",
            "error_severity": "LOG", "message": message, "detail": detail, "application_name": "psql",
        });
        Entry::read(&line.to_string()).unwrap()
    }

    fn some(texts: &[&str]) -> Vec<Cell> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn statements_and_their_values_are_read() {
        let simple = entry("statement: SELECT 1;\nSELECT 2", "");
        assert_eq!(simple.about(), About::Simple("SELECT 1;\nSELECT 2", None));
        for label in ["parameters", "Parameters"] {
            let detail = format!("{label}: $1 = 'it''s, $2 = \\', $2 = NULL, $3 = 'x'");
            let extended = entry("execute sqlx_s_1: SELECT $1: x", &detail);
            let mut values = some(&["it's, $2 = \\", "", "x"]);
            values[1] = None;
            assert_eq!(extended.about(), About::Extended("SELECT $1: x", values));
        }
        let fetched = entry("execute fetch from a/b: SELECT 1", "");
        assert_eq!(fetched.about(), About::Extended("SELECT 1", Vec::new()));
        let executed = entry("statement: EXECUTE q(1)", "prepare: PREPARE q AS SELECT $1");
        assert_eq!(
            executed.about(),
            About::Simple("EXECUTE q(1)", Some("PREPARE q AS SELECT $1"))
        );
        assert_eq!(entry("connection received", "").about(), About::Other);
        assert!(Entry::read("no json").is_none());
    }

    #[test]
    fn values_are_taken_out_of_their_quotes() {
        let value = |text| value_of(&Tokens::new(text).next().unwrap().unwrap());
        assert_eq!(value("'it''s'").as_deref(), Some("it's"));
        assert_eq!(value("E'it\\'s \\\\'").as_deref(), Some("it's \\"));
        assert_eq!(value("E'\\n'"), None);
        assert_eq!(value("$a$it's$a$").as_deref(), Some("it's"));
        assert_eq!(value("12.5").as_deref(), Some("12.5"));
        let long = format!("$1 = '{}...'", "x".repeat(LONGEST));
        assert_eq!(read_values(&long), [None]);
    }
}
