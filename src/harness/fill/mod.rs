//! Rows in bulk → a database: made on a thread of their own beside the connection that loads them.

mod files;
mod retry;

use std::ops::Range;
use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

pub use files::Files;

use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::generate::{Bulk, Sheet};
use crate::load::{Answer, Copying, settle};
use crate::model::{Catalog, RelationName, Sequence, quoted, quoted_list};

/// Rows of one COPY: what is refused is looked for among so many, and nothing of more is held back.
const BATCH: u64 = 65_536;

/// Rows are handed over in pieces of about so many bytes.
const PIECE: usize = 256 * 1024;

/// Rows that are made between two looks at a piece's size.
const STRIDE: u64 = 256;

/// How far the making of rows may be ahead of their loading, in pieces.
const AHEAD: usize = 8;

/// What came of one table.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The table.
    pub table: RelationName,
    /// Rows that are there now.
    pub rows: u64,
    /// Rows that were asked for.
    pub asked: u64,
    /// Why there are fewer.
    pub why: Option<String>,
}

/// How far a fill is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The table that is being filled.
    pub table: &'a RelationName,
    /// Rows that are loaded, of all tables.
    pub done: u64,
    /// Rows of all tables.
    pub all: u64,
}

/// Fills the database that the connection is in, in one transaction: all of it or, on an error, nothing.
///
/// `files` takes the rows as well, as they were accepted.
///
/// # Errors
/// [`Error::Database`] for what is not about a row; [`Error::Io`] of the files. What the server refuses is no error:
/// it is said per table.
pub async fn fill(
    connection: &mut PgConnection,
    catalog: &Catalog,
    bulk: &Arc<Bulk>,
    mut files: Option<&mut Files>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Vec<Filled>> {
    let mut transaction = connection.begin().await.doing("begin a transaction")?;
    let forced: Vec<String> = catalog
        .tables
        .values()
        .filter(|table| table.force_row_security)
        .map(|table| table.name.quoted())
        .collect();
    // An owner who is no superuser is subject to forced policies; undone with everything else on an error.
    for table in &forced {
        let sql = format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
        execute(&mut transaction, &sql).await?;
    }
    execute(&mut transaction, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    let deferred = bulk.deferred();
    if !deferred.is_empty() {
        let sql = format!("SET CONSTRAINTS {} DEFERRED", deferred.join(", "));
        execute(&mut transaction, &sql).await?;
    }
    let mut filling = Filling {
        connection: &mut transaction,
        bulk,
        files: files.as_deref_mut(),
        progress,
        done: 0,
        all: bulk.sheets().iter().map(Sheet::rows).sum(),
    };
    let mut filled = Vec::new();
    for number in 0..bulk.sheets().len() {
        filled.push(filling.table(number).await?);
    }
    for number in 0..bulk.sheets().len() {
        filling.close_circles(number).await?;
    }
    execute(&mut transaction, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    // What the application inserts next gets an id that no row has.
    let passes: Vec<String> = catalog.sequences.iter().flat_map(Sequence::pass).collect();
    for sql in &passes {
        execute(&mut transaction, sql).await?;
    }
    for table in &forced {
        let sql = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
        execute(&mut transaction, &sql).await?;
    }
    transaction.commit().await.doing("commit the rows")?;
    if let Some(files) = files {
        files.finish(&forced, &deferred, &passes)?;
    }
    Ok(filled)
}

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

struct Filling<'f> {
    connection: &'f mut PgConnection,
    bulk: &'f Arc<Bulk>,
    files: Option<&'f mut Files>,
    progress: &'f dyn Fn(Progress<'_>),
    done: u64,
    all: u64,
}

impl Filling<'_> {
    /// Fills one table, batch by batch.
    async fn table(&mut self, number: usize) -> Result<Filled> {
        let bulk = Arc::clone(self.bulk);
        let sheet = &bulk.sheets()[number];
        let mut tally = retry::Tally::new(sheet.fewer.clone());
        if let Some(files) = &mut self.files {
            files.open(sheet)?;
        }
        let (give, mut take) = mpsc::channel(AHEAD);
        let maker = Arc::clone(&bulk);
        let thread = tokio::task::spawn_blocking(move || make(&maker, number, &give));
        while let Some(first) = take.recv().await {
            self.batch(sheet, first, &mut take, &mut tally).await?;
            (self.progress)(Progress {
                table: &sheet.name,
                done: self.done,
                all: self.all,
            });
            if tally.is_hopeless() {
                break;
            }
        }
        drop(take);
        thread
            .await
            .map_err(|error| Error::Server(format!("the thread that makes rows: {error}")))?;
        self.done += sheet.rows() - tally.seen;
        Ok(Filled {
            table: sheet.name.clone(),
            rows: tally.loaded,
            asked: sheet.asked,
            why: tally.why.filter(|_| tally.loaded < sheet.asked),
        })
    }

    /// Loads a batch as it comes; what the server refuses of it is looked for.
    async fn batch(
        &mut self,
        sheet: &Sheet,
        first: Piece,
        take: &mut mpsc::Receiver<Piece>,
        tally: &mut retry::Tally,
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
        self.done += rows.end - rows.start;
        tally.seen += rows.end - rows.start;
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
                self.retry(sheet, rows, line, message, tally).await
            }
        }
    }

    /// Sets the columns of keys that close a circle, from a table of their own.
    async fn close_circles(&mut self, number: usize) -> Result<()> {
        let sheet = &self.bulk.sheets()[number];
        if sheet.late.is_empty() || sheet.primary_key.is_empty() || sheet.rows() == 0 {
            return Ok(());
        }
        let columns: Vec<String> = sheet
            .primary_key
            .iter()
            .chain(&sheet.late)
            .cloned()
            .collect();
        let list = quoted_list(columns.iter().map(String::as_str));
        let table = sheet.name.quoted();
        let create = format!(
            "CREATE TEMPORARY TABLE watertight_late ON COMMIT DROP AS SELECT {list} FROM {table} WITH NO DATA"
        );
        execute(self.connection, &create).await?;
        let mut start = 0;
        while start < sheet.rows() {
            let end = sheet.rows().min(start + BATCH);
            let mut bytes = Vec::new();
            self.bulk.write_late(sheet, start..end, &mut bytes);
            let mut copying = Copying::begin(
                self.connection,
                "pg_temp.watertight_late",
                &columns,
                sheet.binary,
            )
            .await?;
            copying.send(&bytes).await?;
            let answer = copying.finish().await?;
            settle(self.connection, &answer).await?;
            start = end;
        }
        let update = update_late(sheet, "pg_temp.watertight_late");
        execute(self.connection, &update).await?;
        execute(self.connection, "DROP TABLE pg_temp.watertight_late").await?;
        if let Some(files) = &mut self.files {
            files.late(self.bulk, sheet, &columns)?;
        }
        Ok(())
    }
}

/// The UPDATE that takes the late columns over.
fn update_late(sheet: &Sheet, from: &str) -> String {
    let pairs = |names: &[String], left: &str, joint: &str| {
        let pair = |name: &String| format!("{left}{0} = l.{0}", quoted(name));
        names.iter().map(pair).collect::<Vec<_>>().join(joint)
    };
    format!(
        "UPDATE {} t SET {} FROM {from} l WHERE {}",
        sheet.name.quoted(),
        pairs(&sheet.late, "", ", "),
        pairs(&sheet.primary_key, "t.", " AND ")
    )
}

/// Makes all rows of a table, piece by piece, until nobody takes them any more.
fn make(bulk: &Bulk, number: usize, give: &mpsc::Sender<Piece>) {
    let sheet = &bulk.sheets()[number];
    let mut start = 0;
    while start < sheet.rows() {
        let end = sheet.rows().min(start + BATCH);
        let (mut bytes, mut count, mut why) = (Vec::with_capacity(PIECE + PIECE / 4), 0, None);
        let mut at = start;
        while at < end {
            let next = end.min(at + STRIDE);
            let written = bulk.write(sheet, at..next, 0, &mut bytes);
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
