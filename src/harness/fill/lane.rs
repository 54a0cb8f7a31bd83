//! A lane: one connection that loads a range of a table's rows, made on a thread of their own beside it.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::retry::Tally;
use super::{BATCH, Files, STRIDE, Source};
use crate::error::{Error, Result};
use crate::generate::Sheet;
use crate::load::{Answer, Copying, settle};

/// Rows are handed over in pieces of about so many bytes.
const PIECE: usize = 256 * 1024;

/// How far the making of rows may be ahead of their loading, in pieces.
const AHEAD: usize = 8;

/// What the thread that makes rows hands over.
enum Piece {
    Bytes(Vec<u8>),
    /// The end of a batch: its rows, and how many of them could not be made, and why.
    End {
        rows: Range<u64>,
        count: u64,
        why: Option<String>,
    },
}

/// What loads rows of one table, inside the transaction that its connection is in.
pub(super) struct Lane<'l> {
    pub(super) connection: &'l mut PgConnection,
    pub(super) source: &'l Arc<dyn Source>,
    /// The table, by its position.
    pub(super) number: usize,
    pub(super) files: Option<&'l mut Files>,
    /// Set once the server refuses a row, where other lanes load other rows of the table: all of them end then. Alone,
    /// a lane makes the row anew.
    pub(super) refused: Option<&'l Cell<bool>>,
    /// Is told of rows that are done.
    pub(super) tell: &'l dyn Fn(u64),
}

impl Lane<'_> {
    /// Loads the rows, batch by batch.
    pub(super) async fn load_range(&mut self, rows: Range<u64>) -> Result<Tally> {
        let (source, number) = (Arc::clone(self.source), self.number);
        let sheet = &source.bulk().sheets()[number];
        let mut tally = Tally::new(sheet.fewer.clone());
        let (give, mut take) = mpsc::channel(AHEAD);
        let maker = Arc::clone(&source);
        let thread = tokio::task::spawn_blocking(move || make(&*maker, number, rows, &give));
        while let Some(first) = take.recv().await {
            self.batch(sheet, first, &mut take, &mut tally).await?;
            if tally.is_hopeless() || self.refused.is_some_and(Cell::get) {
                break;
            }
        }
        drop(take);
        thread
            .await
            .map_err(|error| Error::Server(format!("the thread that makes rows: {error}")))?;
        Ok(tally)
    }

    /// Loads a batch as it comes; what the server refuses of it is looked for.
    async fn batch(
        &mut self,
        sheet: &Sheet,
        first: Piece,
        take: &mut mpsc::Receiver<Piece>,
        tally: &mut Tally,
    ) -> Result<()> {
        let keep = self.files.is_some();
        let mut kept = Vec::new();
        let (table, columns) = (sheet.name.quoted(), &sheet.columns);
        let mut copying = Copying::begin(self.connection, &table, columns, sheet.binary).await?;
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(Piece::Bytes(bytes)) => {
                    copying.send(&bytes).await?;
                    if keep {
                        kept.push(bytes);
                    }
                }
                Some(Piece::End { rows, count, why }) => break (rows, count, why),
                None => {
                    return Err(Error::Server(
                        "the thread that makes rows ended early".into(),
                    ));
                }
            }
            next = take.recv().await;
        };
        let (rows, count, why) = end;
        let answer = copying.finish().await?;
        settle(self.connection, &answer).await?;
        (self.tell)(rows.end - rows.start);
        if let Some(why) = why {
            tally.why.get_or_insert(why);
        }
        match answer {
            Answer::Taken => {
                tally.loaded += count;
                if let Some(files) = &mut self.files {
                    kept.iter().try_for_each(|bytes| files.write(bytes))?;
                }
                Ok(())
            }
            Answer::Refused { line, message } => {
                drop(kept);
                if let Some(refused) = self.refused {
                    refused.set(true);
                    return Ok(());
                }
                self.retry(sheet, rows, line, message, tally).await
            }
        }
    }
}

/// Makes rows of a table, piece by piece, until nobody takes them any more.
fn make(source: &dyn Source, number: usize, all: Range<u64>, give: &mpsc::Sender<Piece>) {
    let mut start = all.start;
    while start < all.end {
        let end = all.end.min(start + BATCH);
        let (mut bytes, mut count, mut why) = (Vec::with_capacity(PIECE + PIECE / 4), 0, None);
        let mut at = start;
        while at < end {
            let next = end.min(at + STRIDE);
            let written = source.write(number, at..next, &mut bytes);
            count += written.count;
            why = why.or(written.why);
            at = next;
            if bytes.len() >= PIECE || at == end {
                let full = std::mem::replace(&mut bytes, Vec::with_capacity(PIECE + PIECE / 4));
                if give.blocking_send(Piece::Bytes(full)).is_err() {
                    return;
                }
            }
        }
        let rows = start..end;
        if give.blocking_send(Piece::End { rows, count, why }).is_err() {
            return;
        }
        start = end;
    }
}
