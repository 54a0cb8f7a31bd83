//! What reached one database, statement by statement.

use super::entry::{About, Entry};
use super::literal::parametrized;
use super::statements;
use crate::model::{Cell, TokenKind, Tokens};

/// A statement as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its [text](same_text); where the values stood in it, with parameters in their place.
    pub text: String,
    /// With a parameter for every value.
    pub sql: String,
    /// The values of its parameters.
    pub values: Vec<Cell>,
}

/// The statements that a line of the server's log says were sent to a database.
#[must_use]
pub fn sent(line: &str, database: &str) -> Vec<Sent> {
    let Some(entry) = Entry::read(line).filter(|entry| entry.database == database) else {
        return Vec::new();
    };
    let with = |text: &str, values: Vec<Cell>, verbatim: bool| {
        let found = parametrized(text, values);
        Sent {
            text: same_text(if verbatim { text } else { &found.sql }),
            values: found.values.into_iter().map(|(value, _)| value).collect(),
            sql: found.sql,
        }
    };
    match entry.about() {
        About::Simple(text, _) => statements(text)
            .iter()
            .map(|sql| with(sql, Vec::new(), false))
            .collect(),
        About::Extended(text, values) => vec![with(text, values, true)],
        About::Refusal(_) | About::Other => Vec::new(),
    }
}

/// The text that two statements share which differ in comments, space and the case of their words alone.
#[must_use]
pub fn same_text(sql: &str) -> String {
    let tokens = Tokens::new(sql).filter_map(Result::ok);
    let words = tokens.filter(|token| token.kind != TokenKind::Comment);
    let words: Vec<String> = words
        .map(|token| match token.kind {
            TokenKind::Word => token.text.to_lowercase(),
            _ => token.text.to_owned(),
        })
        .collect();
    let end = words.iter().rposition(|word| word != ";");
    words[..end.map_or(0, |end| end + 1)].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, detail: &str) -> String {
        serde_json::json!({
            "session_id": "a.7", "error_severity": "LOG", "message": message, "detail": detail, "dbname": "one",
        })
        .to_string()
    }

    #[test]
    fn what_reached_another_database_is_left_out() {
        let text = "execute sqlx_s_1: SELECT a  FROM t -- by id\nWHERE id = $1 AND kind = 'x';";
        let line = line(text, "parameters: $1 = '7'");
        assert_eq!(sent(&line, "two"), []);
        let [one] = sent(&line, "one").try_into().unwrap();
        assert_eq!(one.text, "select a from t where id = $1 and kind = 'x'");
        assert_eq!(one.values, [Some("7".to_owned()), Some("x".to_owned())]);
    }

    #[test]
    fn values_in_a_text_are_parameters() {
        let found = sent(
            &line("statement: BEGIN; SELECT a FROM t WHERE id = 7", ""),
            "one",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].text, "select a from t where id = $1");
        assert_eq!(found[1].values, [Some("7".to_owned())]);
    }
}
