//! A page of text for a terminal. Names and texts come from the schema under test, which may be hostile:
//! nothing of theirs reaches the terminal as a command.

/// What a text is, and so how it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Bold,
    Faint,
    Good,
    Bad,
    Doubtful,
}

impl Ink {
    /// The codes of ECMA-48, "select graphic rendition".
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Faint => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Doubtful => "1;33",
        }
    }
}

/// The text so far.
pub(super) struct Page {
    text: String,
    colours: bool,
}

impl Page {
    pub(super) fn new(colours: bool) -> Self {
        let text = String::new();
        Self { text, colours }
    }

    /// Adds a text on the current line, on which it stays.
    pub(super) fn write(&mut self, ink: Ink, text: &str) -> &mut Self {
        self.raw(ink, &one_line(text));
        self
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        let length = self.text.trim_end_matches(' ').len();
        self.text.truncate(length);
        self.text.push('\n');
    }

    /// Adds a line.
    pub(super) fn line(&mut self, ink: Ink, text: &str) {
        self.write(ink, text).end();
    }

    /// Adds the lines of a text, indented.
    pub(super) fn block(&mut self, ink: Ink, indent: &str, text: &str) {
        for line in text.trim_end().split('\n') {
            let line = one_line(line.trim_end_matches('\r'));
            self.text
                .push_str(if line.is_empty() { "" } else { indent });
            self.raw(ink, &line);
            self.end();
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn raw(&mut self, ink: Ink, text: &str) {
        if self.colours && ink != Ink::Plain && !text.is_empty() {
            self.text
                .extend(["\x1b[", ink.code(), "m", text, "\x1b[0m"]);
        } else {
            self.text.push_str(text);
        }
    }
}

/// The text on one line, and nothing in it that a terminal obeys or that turns the direction of writing.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => '\t',
            '\n' | '\r' => ' ',
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                '\u{fffd}'
            }
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `1 leak`, `2 leaks`, `1,200 rows`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", grouped(number))
}

/// The number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_disarmed() {
        assert_eq!(
            one_line("a\x1b[31m\u{7}b\nc\u{202e}d\u{9b}"),
            "a\u{fffd}[31m\u{fffd}b c\u{fffd}d\u{fffd}"
        );
        let mut page = Page::new(true);
        page.line(Ink::Bad, "a\x1b[0mb");
        page.block(Ink::Plain, "  ", "x\r\n\ny\n");
        assert_eq!(
            page.finish(),
            "\x1b[1;31ma\u{fffd}[0mb\x1b[0m\n  x\n\n  y\n"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(1, "leak", "leaks"), "1 leak");
    }
}
