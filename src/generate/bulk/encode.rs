//! Rows as COPY wants them, in text or binary.

use std::io::Write as _;
use std::ops::Range;

use super::{Bulk, Sheet};
use crate::model::Datum;

/// What came of writing a piece of a table.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// How many rows were written.
    pub count: u64,
    /// Rows that could not be made: their numbers.
    pub skipped: Vec<u64>,
    /// Why the first of them could not be made.
    pub why: Option<String>,
}

impl Written {
    fn skip(&mut self, row: u64, why: String) {
        self.skipped.push(row);
        self.why.get_or_insert(why);
    }
}

impl Bulk {
    /// Appends rows of a table in its format, without header and trailer. `salt` is how often the server refused them.
    pub fn write(&self, sheet: &Sheet, rows: Range<u64>, salt: u32, into: &mut Vec<u8>) -> Written {
        let mut written = Written::default();
        for row in rows {
            match self.row(sheet, row, salt) {
                Ok(cells) if append(sheet, &cells, into) => written.count += 1,
                Ok(_) => written.skip(row, "a value is beyond what its type holds".to_owned()),
                Err(why) => written.skip(row, why),
            }
        }
        written
    }

    /// Appends the primary keys of rows and their columns of keys in a circle; rows that refer to nothing are left out.
    pub fn write_late(&self, sheet: &Sheet, rows: Range<u64>, into: &mut Vec<u8>) -> u64 {
        let late = rows.filter_map(|row| self.late_row(sheet, row));
        late.map(|cells| u64::from(append(sheet, &cells, into)))
            .sum()
    }
}

/// Appends a row. Returns whether it has that form; else nothing is appended.
fn append(sheet: &Sheet, cells: &[Datum], into: &mut Vec<u8>) -> bool {
    if !sheet.binary {
        as_text(cells, into);
        return true;
    }
    let start = into.len();
    into.extend(i16::try_from(cells.len()).unwrap_or(i16::MAX).to_be_bytes());
    let whole = cells.iter().all(|cell| cell.encode(into));
    if !whole {
        into.truncate(start);
    }
    whole
}

/// COPY's text format.
fn as_text(cells: &[Datum], into: &mut Vec<u8>) {
    for (number, cell) in cells.iter().enumerate() {
        if number > 0 {
            into.push(b'\t');
        }
        match cell {
            Datum::Null => into.extend(b"\\N"),
            Datum::Text(text) | Datum::Jsonb(text) | Datum::Literal(text) => escape(text, into),
            Datum::Bytes(_) | Datum::Array { .. } => escape(&cell.to_string(), into),
            // Digits and their like have nothing to escape; a buffer takes all that it is given.
            other => drop(write!(into, "{other}")),
        }
    }
    into.push(b'\n');
}

fn escape(text: &str, into: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => into.extend(b"\\\\"),
            b'\t' => into.extend(b"\\t"),
            b'\n' => into.extend(b"\\n"),
            b'\r' => into.extend(b"\\r"),
            byte => into.push(byte),
        }
    }
}
