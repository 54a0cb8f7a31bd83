//! Rows that the server refuses: found by the line that it names, or by halves, and made anew.

use std::ops::Range;

use super::lane::Lane;
use crate::error::Result;
use crate::generate::Sheet;
use crate::load::{Answer, Copying, settle};

/// A single row is made anew so often.
const SALTS: u32 = 8;

/// So often, after several rows that all were refused.
const FEW_SALTS: u32 = 2;

/// So many rows refused one after the other, and none taken in between: the rest of the table will not fare better.
const HOPELESS: u32 = 24;

/// What came of a table so far.
pub(super) struct Tally {
    /// Rows that the server took.
    pub(super) loaded: u64,
    /// Why rows are missing: the first reason.
    pub(super) why: Option<String>,
    refused_in_a_row: u32,
}

impl Tally {
    pub(super) fn new(why: Option<String>) -> Self {
        Self {
            loaded: 0,
            why,
            refused_in_a_row: 0,
        }
    }

    /// No more rows are worth a try.
    pub(super) fn is_hopeless(&self) -> bool {
        self.refused_in_a_row >= HOPELESS
    }

    /// Takes over what came of other rows of the table.
    pub(super) fn add(&mut self, other: Self) {
        self.loaded += other.loaded;
        self.why = self.why.take().or(other.why);
    }

    fn take(&mut self, rows: u64) {
        if rows > 0 {
            self.loaded += rows;
            self.refused_in_a_row = 0;
        }
    }
}

impl Lane<'_> {
    /// Loads what can be loaded of rows that were refused together.
    pub(super) async fn retry(
        &mut self,
        sheet: &Sheet,
        rows: Range<u64>,
        line: Option<u64>,
        message: String,
        tally: &mut Tally,
    ) -> Result<()> {
        let mut open = Vec::new();
        self.divide(sheet, rows, line, &mut open);
        let mut last = message;
        while let Some(part) = open.pop() {
            if tally.is_hopeless() {
                tally.why.get_or_insert(last);
                return Ok(());
            }
            if part.end - part.start == 1 {
                self.single(sheet, part, tally).await?;
                continue;
            }
            match self.load(sheet, part.clone(), 0).await? {
                Ok(count) => tally.take(count),
                Err((line, message)) => {
                    last = message;
                    self.divide(sheet, part, line, &mut open);
                }
            }
        }
        Ok(())
    }

    /// Into what is before the refused row, itself, and what is behind it; into halves where the server did not name it.
    fn divide(
        &self,
        sheet: &Sheet,
        rows: Range<u64>,
        line: Option<u64>,
        open: &mut Vec<Range<u64>>,
    ) {
        let named = line.and_then(|line| {
            // Rows that could not be made are not among the lines.
            let mut unused = Vec::new();
            let skipped = self
                .source
                .bulk()
                .write(sheet, rows.clone(), 0, &mut unused)
                .skipped;
            let index = usize::try_from(line.checked_sub(1)?).ok()?;
            rows.clone().filter(|row| !skipped.contains(row)).nth(index)
        });
        let middle = rows.start + (rows.end - rows.start) / 2;
        let parts = match named {
            Some(row) => [row + 1..rows.end, row..row + 1, rows.start..row],
            None => [middle..rows.end, rows.start..middle, 0..0],
        };
        open.extend(parts.into_iter().filter(|part| !part.is_empty()));
    }

    /// One row, made anew until the server takes it.
    async fn single(&mut self, sheet: &Sheet, row: Range<u64>, tally: &mut Tally) -> Result<()> {
        let mut why = None;
        let salts = if tally.refused_in_a_row < 3 {
            SALTS
        } else {
            FEW_SALTS
        };
        for salt in 0..salts {
            match self.load(sheet, row.clone(), salt).await? {
                Ok(count) if count > 0 => {
                    tally.take(count);
                    return Ok(());
                }
                // It could not be made; that was said.
                Ok(_) => {}
                Err((_, message)) => why = Some(message),
            }
        }
        tally.refused_in_a_row += 1;
        if let Some(why) = why {
            tally.why.get_or_insert(why);
        }
        Ok(())
    }

    /// Loads rows by a COPY of their own: how many there are, or the line that was refused, and why.
    async fn load(
        &mut self,
        sheet: &Sheet,
        rows: Range<u64>,
        salt: u32,
    ) -> Result<std::result::Result<u64, (Option<u64>, String)>> {
        let mut bytes = Vec::new();
        let written = self.source.bulk().write(sheet, rows, salt, &mut bytes);
        if written.count == 0 {
            return Ok(Ok(0));
        }
        let table = sheet.name.quoted();
        let mut copying =
            Copying::begin(self.connection, &table, &sheet.columns, sheet.binary).await?;
        copying.send(&bytes).await?;
        let answer = copying.finish().await?;
        settle(self.connection, &answer).await?;
        Ok(match answer {
            Answer::Taken => {
                if let Some(files) = &mut self.files {
                    files.write(&bytes)?;
                }
                Ok(written.count)
            }
            Answer::Refused { line, message } => Err((line, message)),
        })
    }
}
