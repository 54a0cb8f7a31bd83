//! What to say of a statement that the server refused: file, line, the statement, the server's words.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::hint::hint;
use crate::error::{Error, MigrationError};
use crate::model::{ScriptError, Statement, TokenKind};

/// The most lines, and the most characters of each, that are shown of a statement.
const LINES: usize = 20;
const CHARACTERS: usize = 160;

/// The way out for a statement that only takes its time.
pub(super) const LONGER: &str =
    "a longer time for each statement of the migrations: --migrate-timeout SECONDS";

/// The error of a statement of a migration; another one where the server didn't refuse it but was gone.
pub(super) fn refused(file: &Path, statement: &Statement, error: sqlx::Error) -> Error {
    let Some(refusal) = error
        .as_database_error()
        .and_then(|e| e.try_downcast_ref::<PgDatabaseError>())
    else {
        return Error::Database {
            doing: format!("run {}:{}", file.display(), statement.line),
            source: error,
        };
    };
    if let Some(line) = data_line(statement, refusal) {
        let message = refusal.message().to_owned();
        return in_data(file, statement, line, message, refusal.code());
    }
    let place = place(statement, refusal);
    let mut message = refusal.message().to_owned();
    for (label, part) in [
        ("detail", refusal.detail()),
        ("hint", refusal.hint()),
        ("context", refusal.r#where()),
    ] {
        if let Some(part) = part {
            let part = part.replace('\n', "\n    ");
            let _ = write!(message, "\n  {label}: {part}");
        }
    }
    if let Some(hint) = hint(refusal, &statement.text) {
        let _ = write!(message, "\n  {hint}");
    }
    MigrationError {
        file: file.to_owned(),
        line: place.map_or(statement.line, |place| statement.line_at(place)),
        statement: excerpt(&statement.text, statement.line, place),
        message,
        sqlstate: Some(refusal.code().to_owned()),
    }
    .into()
}

/// The line of the data of COPY that the server's context names, from 1.
fn data_line(statement: &Statement, refusal: &PgDatabaseError) -> Option<usize> {
    statement.data.as_ref()?;
    let (_, after) = refusal
        .r#where()?
        .strip_prefix("COPY ")?
        .split_once(", line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The error of a line of the data of COPY.
fn in_data(file: &Path, statement: &Statement, line: usize, message: String, code: &str) -> Error {
    let data = statement.data.as_deref().unwrap_or_default();
    let text = data.lines().nth(line - 1).unwrap_or_default();
    let line = statement.line_at(statement.text.len()) + line;
    MigrationError {
        file: file.to_owned(),
        line,
        statement: excerpt(text, line, None),
        message,
        sqlstate: Some(code.to_owned()),
    }
    .into()
}

/// The error of a statement that went on although the server was to end it.
pub(super) fn endless(file: &Path, statement: &Statement, limit: Duration) -> Error {
    let message = format!("it did not end within {} s; {LONGER}", limit.as_secs());
    wrong(file, statement, &message)
}

/// The error of something in a statement that is wrong without the server's say.
pub(super) fn wrong(file: &Path, statement: &Statement, message: &str) -> Error {
    MigrationError {
        file: file.to_owned(),
        line: statement.line,
        statement: excerpt(&statement.text, statement.line, None),
        message: message.to_owned(),
        sqlstate: None,
    }
    .into()
}

/// The error of a file that can't be split into statements.
pub(super) fn unreadable(file: &Path, text: &str, error: &ScriptError) -> Error {
    let line = text.lines().nth(error.line - 1).unwrap_or_default();
    MigrationError {
        file: file.to_owned(),
        line: error.line,
        statement: excerpt(line, error.line, None),
        message: error.message.clone(),
        sqlstate: None,
    }
    .into()
}

impl From<MigrationError> for Error {
    fn from(error: MigrationError) -> Self {
        Self::Migration(Box::new(error))
    }
}

/// Where in the statement's text, in bytes, the server's error points.
fn place(statement: &Statement, error: &PgDatabaseError) -> Option<usize> {
    match error.position() {
        Some(PgErrorPosition::Original(position)) => Some(bytes(&statement.text, position)),
        Some(PgErrorPosition::Internal { position, query }) => {
            // The query of a DO block or of a function that stands in this very statement.
            let start = statement.text.find(query)?;
            Some(start + bytes(query, position))
        }
        None => block_line(statement, error.r#where()?),
    }
}

/// The place of a character, counted from 1, in bytes.
fn bytes(text: &str, position: usize) -> usize {
    text.char_indices()
        .nth(position.saturating_sub(1))
        .map_or(text.len(), |(offset, _)| offset)
}

/// The line of a DO block that its context names.
fn block_line(statement: &Statement, context: &str) -> Option<usize> {
    let (_, after) = context.rsplit_once("inline_code_block line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    let body = statement
        .tokens()
        .find(|token| token.kind == TokenKind::Literal)?;
    let mut start = body.offset;
    for _ in 1..digits.parse::<usize>().ok()? {
        start += statement.text[start..].find('\n')? + 1;
    }
    Some(start)
}

/// The lines around a place of a statement with their numbers, and a mark below the place.
fn excerpt(text: &str, first_line: usize, place: Option<usize>) -> String {
    let before = &text[..place.unwrap_or(0)];
    let marked = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or("").chars().count();
    let skipped = marked.saturating_sub(LINES / 2);
    let lines = text.split('\n').count();
    let last = lines.min(skipped + LINES);
    let width = (first_line + last - 1).to_string().len();
    let mut shown = Vec::new();
    if skipped > 0 {
        shown.push(format!("{:width$} | …", ""));
    }
    for (index, line) in text.split('\n').enumerate().skip(skipped).take(LINES) {
        let number = first_line + index;
        let mut printed: String = line
            .trim_end()
            .chars()
            .take(CHARACTERS)
            .map(plain)
            .collect();
        if line.trim_end().chars().nth(CHARACTERS).is_some() {
            printed.push('…');
        }
        shown.push(format!("{number:width$} | {printed}").trim_end().to_owned());
        if place.is_some() && index == marked && column <= CHARACTERS {
            shown.push(format!("{:width$} | {:column$}^", "", ""));
        }
    }
    if last < lines {
        shown.push(format!("{:width$} | …", ""));
    }
    shown.join("\n")
}

/// One column a character, and nothing that a terminal would obey.
fn plain(character: char) -> char {
    match character {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_lines_around_the_place() {
        let text = "CREATE TABLE é (\n\tid uuid PRIMRY KEY\x1b\n)";
        let place = text.find("PRIMRY");
        assert_eq!(
            excerpt(text, 9, place),
            " 9 | CREATE TABLE é (\n10 |  id uuid PRIMRY KEY\u{fffd}\n   |          ^\n11 | )"
        );
        let long = "a\n".repeat(100);
        let shown = excerpt(&long, 1, Some(2 * 60));
        assert_eq!(shown.lines().count(), LINES + 3);
        assert!(shown.contains("61 | a\n   | ^"), "{shown}");
        assert!(excerpt(&"é".repeat(500), 1, None).ends_with('…'));
    }
}
