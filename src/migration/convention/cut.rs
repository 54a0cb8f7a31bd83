//! [`Cut`]: the parts of a file's text.

use std::ops::Range;

use super::Transaction;
use crate::migration::folder::begins;

/// Which bytes of a text are for the way up, and which for the way down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Cut {
    pub(in super::super) up: Vec<Range<usize>>,
    /// Empty where nothing undoes the file.
    pub(in super::super) down: Vec<Range<usize>>,
    /// What the file says of its transaction; of that of its way down.
    pub(in super::super) transaction: Option<Transaction>,
    pub(in super::super) down_transaction: Option<Transaction>,
}

impl Cut {
    /// All of it is for the way up. `-- no-transaction` at its beginning is what several tools have.
    pub(super) fn whole(text: &str) -> Self {
        let first = text.trim_start_matches('\u{feff}');
        let declines = first.starts_with("-- no-transaction");
        Self {
            up: std::iter::once(0..text.len()).collect(),
            transaction: declines.then_some(Transaction::Never),
            ..Self::default()
        }
    }

    /// By the lines that begin a part: from the one behind it to the next. What comes before the first is for no way.
    pub(super) fn by_marks(text: &str, up: &str, down: &str) -> Self {
        let mut cut = Self::default();
        let mut open: Option<(bool, usize)> = None;
        for (start, line) in lines(text) {
            let is_up = begins(line, up);
            if !is_up && !begins(line, down) {
                continue;
            }
            cut.close(open, start);
            open = Some((is_up, start + line.len()));
        }
        cut.close(open, text.len());
        cut
    }

    fn close(&mut self, open: Option<(bool, usize)>, end: usize) {
        match open {
            Some((true, start)) => self.up.push(start..end),
            Some((false, start)) => self.down.push(start..end),
            None => {}
        }
    }
}

/// The lines of a text with their ends, and where each begins.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}

/// The text with spaces for what is in none of the ranges, so that every line keeps its number.
pub(in super::super) fn only(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes: Vec<u8> = text
        .bytes()
        .map(|byte| if byte == b'\n' { byte } else { b' ' })
        .collect();
    for range in ranges {
        bytes[range.clone()].copy_from_slice(&text.as_bytes()[range.clone()]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
