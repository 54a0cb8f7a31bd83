//! A script: SQL text as the statements that `psql` would send, each with its place in the file.

use super::token::{Token, TokenKind, Tokens};

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, from its first word to before its semicolon; comments inside it included.
    pub text: String,
    /// The line of its first word, from 1.
    pub line: usize,
    /// Where its first word starts, in bytes from the start of the script.
    pub offset: usize,
    /// The lines that follow `COPY … FROM stdin;`, where there are any.
    pub data: Option<String>,
}

impl Statement {
    /// The tokens of the text, without comments.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        Tokens::new(&self.text)
            .filter_map(Result::ok)
            .filter(|token| token.kind != TokenKind::Comment)
    }

    /// Whether the statement begins with these key words.
    #[must_use]
    pub fn begins_with(&self, keywords: &[&str]) -> bool {
        let mut tokens = self.tokens();
        keywords
            .iter()
            .all(|keyword| tokens.next().is_some_and(|token| token.is(keyword)))
    }

    /// The line in the script of a place in the text, in bytes.
    #[must_use]
    pub fn line_at(&self, offset: usize) -> usize {
        let offset = self.text.floor_char_boundary(offset);
        self.line + self.text[..offset].matches('\n').count()
    }
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do where that can be said.
    pub message: String,
}

/// Splits SQL text into its statements as `psql` does: strings, dollar quotes, quoted names, nested comments,
/// parentheses, and `BEGIN ATOMIC … END` bodies of functions keep their semicolons. Empty statements are left
/// out, and the last one needs no semicolon. Takes time and memory in proportion to the text.
///
/// # Errors
/// Something that is never closed, a NUL character, and what only `psql` understands: its meta commands and
/// the data of `COPY … FROM stdin`.
pub fn split(text: &str) -> Result<Vec<Statement>, ScriptError> {
    statements(text, false)
}

/// As [`split`], with the data of `COPY … FROM stdin`, and without those meta commands of `psql` that change nothing in the
/// database that it is connected to, as dumps have them.
///
/// # Errors
/// As [`split`]; data without an end.
pub fn split_psql(text: &str) -> Result<Vec<Statement>, ScriptError> {
    statements(text, true)
}

/// Meta commands that only set `psql` up or print something, or that say where a dump is to go.
const HARMLESS: [&str; 15] = [
    "restrict",
    "unrestrict",
    "connect",
    "c",
    "set",
    "unset",
    "echo",
    "qecho",
    "warn",
    "timing",
    "pset",
    "encoding",
    "x",
    "t",
    "a",
];

fn statements(text: &str, psql: bool) -> Result<Vec<Statement>, ScriptError> {
    let fail = |offset: usize, message: String| ScriptError {
        line: 1 + text[..offset].matches('\n').count(),
        message,
    };
    if let Some(offset) = text.find('\0') {
        return Err(fail(
            offset,
            "a NUL character, which no SQL text has".into(),
        ));
    }
    let mut statements = Vec::new();
    let mut open = Open::default();
    let (mut line, mut counted) = (1, 0);
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        let token =
            token.map_err(|e| fail(e.offset, format!("this {} is never closed", e.what)))?;
        if token.kind == TokenKind::Comment {
            continue;
        }
        if token.is_symbol('\\') {
            let command: String = text[token.offset..].lines().take(1).collect();
            let command = command.split_whitespace().next().unwrap_or_default();
            if psql && open.start.is_none() && HARMLESS.contains(&&command[1..]) {
                tokens.skip_to(end_of_line(text, token.offset));
                continue;
            }
            return Err(fail(
                token.offset,
                format!("`{command}` is a command of psql, not SQL: take the line out"),
            ));
        }
        if open.start.is_none() && !token.is_symbol(';') {
            line += text[counted..token.offset].matches('\n').count();
            counted = token.offset;
            open.start = Some(token.offset);
        }
        let ends = open.take(&token);
        if open.copies_from_stdin && !psql {
            return Err(fail(
                open.start.unwrap_or_default(),
                "COPY … FROM stdin is followed by data that only psql reads: write INSERT statements \
                 (`pg_dump --inserts`)"
                    .into(),
            ));
        }
        if ends && let Some(offset) = open.start {
            let mut found = statement(text, line, offset, token.offset);
            if open.reads_data {
                let start = end_of_line(text, token.offset);
                let end = end_of_data(text, start).ok_or_else(|| {
                    let message = "the data of this COPY … FROM stdin has no end: a line `\\.`";
                    fail(offset, message.to_owned())
                })?;
                found.data = Some(text[start..end].to_owned());
                tokens.skip_to(end_of_line(text, end));
            }
            open = Open::default();
            statements.push(found);
        }
    }
    if let Some(offset) = open.start {
        statements.push(statement(text, line, offset, text.len()));
    }
    Ok(statements)
}

fn statement(text: &str, line: usize, offset: usize, end: usize) -> Statement {
    Statement {
        text: text[offset..end].trim_end().to_owned(),
        line,
        offset,
        data: None,
    }
}

/// Where the next line begins.
fn end_of_line(text: &str, from: usize) -> usize {
    text[from..]
        .find('\n')
        .map_or(text.len(), |distance| from + distance + 1)
}

/// Where the line `\.` begins that ends the data of COPY.
fn end_of_data(text: &str, start: usize) -> Option<usize> {
    let mut at = start;
    while at < text.len() {
        let next = end_of_line(text, at);
        if text[at..next].trim_end() == "\\." {
            return Some(at);
        }
        at = next;
    }
    None
}

/// What is known of the statement that is being read.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was seen of a statement, each by itself"
)]
struct Open {
    start: Option<usize>,
    words: usize,
    /// First letters of the first words, where these are CREATE, OR, REPLACE, FUNCTION, PROCEDURE: psql's way
    /// to know a function, the only place where BEGIN is a bracket.
    head: [u8; 4],
    parentheses: usize,
    blocks: usize,
    copies: bool,
    after_from: bool,
    copies_from_stdin: bool,
    /// Whether that is said anywhere before its end.
    reads_data: bool,
}

impl Open {
    /// Takes the next token; whether it ends the statement.
    fn take(&mut self, token: &Token<'_>) -> bool {
        match token.kind {
            TokenKind::Word => self.take_word(token),
            TokenKind::Symbol => match token.text {
                "(" => self.parentheses += 1,
                ")" => self.parentheses = self.parentheses.saturating_sub(1),
                ";" => return self.parentheses == 0 && self.blocks == 0,
                _ => {}
            },
            _ => {}
        }
        self.after_from = token.is("from");
        false
    }

    fn take_word(&mut self, token: &Token<'_>) {
        const HEAD: [&str; 5] = ["create", "or", "replace", "function", "procedure"];
        if self.words == 0 {
            self.copies = token.is("copy");
        }
        self.copies_from_stdin = self.copies && self.after_from && token.is("stdin");
        if let Some(keyword) = HEAD.iter().find(|keyword| token.is(keyword))
            && let Some(letter) = self.head.get_mut(self.words)
        {
            *letter = keyword.as_bytes()[0];
        }
        self.reads_data |= self.copies_from_stdin;
        self.words += 1;
        let function = matches!(
            self.head,
            [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']
        );
        if !function || self.parentheses > 0 {
            return;
        }
        if token.is("begin") || (token.is("case") && self.blocks > 0) {
            self.blocks += 1;
        } else if token.is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<String> {
        split(script).unwrap().into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn statements_know_their_lines() {
        let script = "\u{feff}-- first\r\n/* a;\n b */ SELECT 1;;\r\n\r\n  ;SELECT\n 2 -- ;\n;\n-- end ;\nSELECT 3";
        let found: Vec<_> = split(script)
            .unwrap()
            .into_iter()
            .map(|s| {
                assert!(script[s.offset..].starts_with(&s.text));
                (s.line, s.text)
            })
            .collect();
        assert_eq!(
            found,
            [
                (3, "SELECT 1".to_owned()),
                (5, "SELECT\n 2 -- ;".to_owned()),
                (9, "SELECT 3".to_owned())
            ]
        );
        assert_eq!(split(script).unwrap()[1].line_at(8), 6);
    }

    #[test]
    fn semicolons_inside_do_not_split() {
        for one in [
            "SELECT ';', \";\", $$;$$, $a$;$a$, E'\\';'",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END",
            "create or replace procedure p() BEGIN ATOMIC INSERT INTO t VALUES (1); END",
            "DO $$ BEGIN PERFORM 1; END $$",
        ] {
            assert_eq!(texts(&format!("{one};SELECT 2")), [one, "SELECT 2"]);
        }
    }

    #[test]
    fn begin_is_a_bracket_in_functions_only() {
        assert_eq!(
            texts("BEGIN; CREATE TABLE function (a int); END; SELECT 1"),
            ["BEGIN", "CREATE TABLE function (a int)", "END", "SELECT 1"]
        );
        assert_eq!(texts("SELECT ')'; SELECT 2)").len(), 2);
        assert_eq!(texts("SELECT CASE WHEN a THEN b END; SELECT 2").len(), 2);
        assert!(texts("").is_empty());
        assert!(texts(" ; -- a\n; /* b */").is_empty());
    }

    #[test]
    fn hostile_text_is_refused_with_its_line() {
        for (script, line, word) in [
            ("SELECT 1;\nSELECT 'a;\n", 2, "string"),
            ("\n\n/* /* */", 3, "comment"),
            ("SELECT\n$x$ $y$", 2, "dollar"),
            ("SELECT \"a", 1, "name"),
            ("SELECT 1;\n'a\0'", 2, "NUL"),
            ("-- a\n\\restrict x\nSELECT 1", 2, "`\\restrict`"),
            (
                "SELECT 1;\nCOPY t (a)\n FROM stdin;\n1\tit's\n\\.\n",
                2,
                "COPY",
            ),
        ] {
            let error = split(script).unwrap_err();
            assert_eq!(error.line, line, "{script}");
            assert!(error.message.contains(word), "{error}");
        }
        assert_eq!(texts("COPY t FROM '/stdin'; SELECT 1 FROM stdin").len(), 2);
    }

    #[test]
    fn long_hostile_text_takes_linear_time() {
        for piece in ["(", "/*", "$a$;$a$\n", "E'a'\n", ";\n", "$a", "\"", "é"] {
            let _ = split(&piece.repeat(200_000));
        }
    }

    #[test]
    fn key_words_are_compared_without_comments() {
        let statement = &split("-- a\ncreate /* b */ Index i ON t (a)").unwrap()[0];
        assert!(statement.begins_with(&["CREATE", "INDEX"]));
        assert!(!statement.begins_with(&["CREATE", "TABLE"]));
    }
}
