//! The words of SQL text, cut as `psql` cuts them (its `psqlscan.l`): enough to know what is code and what is
//! a comment or a quoted text, which is all that splitting scripts and finding objects in them needs.

/// What a [`Token`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A key word or an unquoted identifier.
    Word,
    /// A double-quoted identifier, with its quotes and the prefix `U&`.
    Quoted,
    /// A literal: `'…'` or `$tag$…$tag$`, with its quotes and the prefixes `E`, `B`, `X`, `N` and `U&`.
    Literal,
    /// A number.
    Number,
    /// A parameter: `$1`.
    Parameter,
    /// Any other character, each on its own: `(`, `;`, `=`, `:`.
    Symbol,
    /// `-- …` without its end of line, or `/* … */` (these nest).
    Comment,
}

/// A piece of SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// The text, as written.
    pub text: &'a str,
    /// Where it starts, in bytes from the start of the text that was cut.
    pub offset: usize,
}

impl Token<'_> {
    /// Whether this is that key word, in whatever case.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether this is that symbol.
    #[must_use]
    pub fn is_symbol(&self, symbol: char) -> bool {
        self.kind == TokenKind::Symbol && self.text.starts_with(symbol)
    }

    /// The name, where this can be one: folded to lower case, or taken out of its quotes.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_lowercase()),
            TokenKind::Quoted => {
                let open = self.text.find('"')? + 1;
                let inside = self.text.get(open..self.text.len() - 1)?;
                Some(inside.replace("\"\"", "\""))
            }
            _ => None,
        }
    }
}

/// Something that is opened and never closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unterminated {
    /// Where it opens, in bytes.
    pub offset: usize,
    /// What it is, fit for "this … is never closed".
    pub what: &'static str,
}

/// The tokens of a text, in order; whitespace is left out. Ends after the first [`Unterminated`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of the text; a byte order mark at its start is skipped.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { text, at }
    }

    /// Leaves out what stands before a place, in bytes.
    pub(super) fn skip_to(&mut self, offset: usize) {
        self.at = offset.max(self.at);
    }

    /// The byte at a distance from here; 0 past the end, which no token begins with.
    fn peek(&self, distance: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.at + distance)
            .copied()
            .unwrap_or(0)
    }

    /// Where, from a place on, the first byte stands that does not fit.
    fn while_from(&self, from: usize, fits: impl Fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        bytes[from..]
            .iter()
            .position(|byte| !fits(*byte))
            .map_or(bytes.len(), |distance| from + distance)
    }

    /// The kind and the end of the token that starts here.
    fn cut(&self) -> Result<(TokenKind, usize), Unterminated> {
        let open = |what| Unterminated {
            offset: self.at,
            what,
        };
        let (quote, inside) = self.quote();
        let number = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        match (self.peek(0), self.peek(1)) {
            (b'-', b'-') => {
                let end = self.while_from(self.at, |byte| byte != b'\n' && byte != b'\r');
                Ok((TokenKind::Comment, end))
            }
            (b'/', b'*') => match self.block_comment() {
                Some(end) => Ok((TokenKind::Comment, end)),
                None => Err(open("comment (`/*`)")),
            },
            (b'e' | b'E', b'\'') => match self.escape_string() {
                Some(end) => Ok((TokenKind::Literal, end)),
                None => Err(open("string (`E'`)")),
            },
            _ if quote == b'\'' => match self.quoted_by(quote, inside, false) {
                Some(end) => Ok((TokenKind::Literal, end)),
                None => Err(open("string (`'`)")),
            },
            _ if quote == b'"' => match self.quoted_by(quote, inside, false) {
                Some(end) => Ok((TokenKind::Quoted, end)),
                None => Err(open("quoted name (`\"`)")),
            },
            (b'$', next) if next.is_ascii_digit() => {
                let end = self.while_from(self.at + 1, |byte| byte.is_ascii_digit());
                Ok((TokenKind::Parameter, end))
            }
            (b'$', _) => match self.dollar_tag() {
                None => Ok((TokenKind::Symbol, self.at + 1)),
                Some(tag) => match self.text[self.at + tag.len()..].find(tag) {
                    Some(inside) => Ok((TokenKind::Literal, self.at + inside + 2 * tag.len())),
                    None => Err(open("dollar-quoted text (`$…$`)")),
                },
            },
            (first, _) if first.is_ascii_digit() => {
                Ok((TokenKind::Number, self.while_from(self.at, number)))
            }
            (first, _) if starts_word(first) => {
                Ok((TokenKind::Word, self.while_from(self.at, in_word)))
            }
            _ => Ok((TokenKind::Symbol, self.at + 1)),
        }
    }

    /// The quote that opens here, perhaps after a prefix, and where the text inside begins; else no quote.
    fn quote(&self) -> (u8, usize) {
        let prefix = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'u' | b'U', b'&', b'\'' | b'"') => 2,
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', _) => 1,
            _ => 0,
        };
        (self.peek(prefix), self.at + prefix + 1)
    }

    /// The end of a text that opened before `from`; a doubled quote stands for itself.
    fn quoted_by(&self, quote: u8, from: usize, backslashes: bool) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            at = self.while_from(at, |byte| byte != quote && !(backslashes && byte == b'\\'));
            if at >= bytes.len() {
                return None;
            }
            if bytes[at] == quote && bytes.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at = (at + 2).min(bytes.len());
        }
    }

    /// The end of `E'…'`, and of the strings that continue it on later lines: backslashes count there too.
    fn escape_string(&self) -> Option<usize> {
        let mut end = self.quoted_by(b'\'', self.at + 2, true)?;
        loop {
            let mut at = end;
            loop {
                at = self.while_from(at, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
                if !self.text[at..].starts_with("--") {
                    break;
                }
                at = self.while_from(at, |byte| byte != b'\n' && byte != b'\r');
            }
            let continues = self.text[end..at].contains(['\n', '\r'])
                && self.text.as_bytes().get(at) == Some(&b'\'');
            if !continues {
                return Some(end);
            }
            end = self.quoted_by(b'\'', at + 1, true)?;
        }
    }

    /// `$tag$`, where one starts here.
    fn dollar_tag(&self) -> Option<&'a str> {
        let end = self.while_from(self.at + 1, |byte| byte != b'$' && in_word(byte));
        let closed = self.text.as_bytes().get(end) == Some(&b'$');
        closed.then(|| &self.text[self.at..=end])
    }

    /// The end of a block comment; they nest.
    fn block_comment(&self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (mut at, mut depth) = (self.at + 2, 1_usize);
        while depth > 0 {
            at = self.while_from(at, |byte| byte != b'/' && byte != b'*');
            match bytes.get(at..at + 2)? {
                b"/*" => {
                    depth += 1;
                    at += 2;
                }
                b"*/" => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Some(at)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, Unterminated>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at = self.while_from(self.at, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
        if self.at >= self.text.len() {
            return None;
        }
        Some(match self.cut() {
            Ok((kind, end)) => {
                let token = Token {
                    kind,
                    text: &self.text[self.at..end],
                    offset: self.at,
                };
                self.at = end;
                Ok(token)
            }
            Err(unterminated) => {
                self.at = self.text.len();
                Err(unterminated)
            }
        })
    }
}

/// Every byte past ASCII belongs to words, as for Postgres: so no token ends inside a character.
fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn in_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(TokenKind, &str)> {
        Tokens::new(text)
            .map(|token| token.map(|token| (token.kind, token.text)).unwrap())
            .collect()
    }

    fn literal(text: &str) -> bool {
        cut(text) == [(TokenKind::Literal, text)]
    }

    #[test]
    fn literals_end_where_postgres_ends_them() {
        for text in [
            "''",
            "'it''s'",
            r"'a\'",
            r"E'it\'s'",
            r"e'\\'",
            "$$;'$$",
            "$a$ $b$ $$ $a$",
            "$é1$x$é1$",
            "U&'a''b'",
            "n'a'",
            "E'a'\n 'b\\'c'",
            "E'a' -- why\n 'b\\'c'",
        ] {
            assert!(literal(text), "{text}: {:?}", cut(text));
        }
        assert!(!literal("E'a' 'b'"), "one line: two strings");
        assert_eq!(cut("fooE'a'").len(), 2, "E ends a word here");
        assert_eq!(
            cut("a$b$ $1"),
            [(TokenKind::Word, "a$b$"), (TokenKind::Parameter, "$1")]
        );
        assert_eq!(cut("1$a$;$a$")[1], (TokenKind::Literal, "$a$;$a$"));
    }

    #[test]
    fn comments_nest_and_end_with_the_line() {
        assert_eq!(cut("/* /* */ ' */a").len(), 2);
        assert_eq!(cut("/*/ */"), [(TokenKind::Comment, "/*/ */")]);
        assert_eq!(
            cut("-- a ' b\ra"),
            [(TokenKind::Comment, "-- a ' b"), (TokenKind::Word, "a")]
        );
    }

    #[test]
    fn what_is_never_closed_is_said_once() {
        for text in [
            "a '",
            "a E'\\'",
            "a $a$ $b$",
            "a /* /* */",
            "a \"",
            "a 'b''",
            "a E'\\",
        ] {
            let mut tokens = Tokens::new(text);
            assert!(tokens.next().unwrap().is_ok());
            assert_eq!(tokens.next().unwrap().unwrap_err().offset, 2, "{text}");
            assert_eq!(tokens.next(), None);
        }
    }

    #[test]
    fn names_are_folded_or_unquoted() {
        let name = |text| Tokens::new(text).next().unwrap().unwrap().name();
        assert_eq!(name("People").as_deref(), Some("people"));
        assert_eq!(name("\"A\"\"b\"").as_deref(), Some("A\"b"));
        assert_eq!(name("U&\"a;\"").as_deref(), Some("a;"));
        assert_eq!(name("'a'"), None);
    }
}
