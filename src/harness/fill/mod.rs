//! Rows in bulk → a database: made on threads of their own beside the connections that load them.
//!
//! One COPY is fed by one process to one process, and waits for either; several connections, the lanes, load parts of a
//! table beside each other. Parents are committed before the next table begins, as no lane sees what another has not
//! committed.

mod files;
mod lane;
mod retry;

use std::cell::Cell;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::thread::available_parallelism;

use sqlx::PgConnection;

pub use files::Files;

use self::lane::Lane;
use self::retry::Tally;
use super::jobs::{Work, together};
use crate::database::execute;
use crate::error::Result;
use crate::generate::{Bulk, Sheet, Written};
use crate::load::{Copying, settle};
use crate::model::{Catalog, RelationName, Sequence, quoted, quoted_list};

/// Rows of one COPY: what is refused is looked for among so many, and nothing of more is held back.
const BATCH: u64 = 65_536;

/// Rows that are asked of a [`Source`] at once; the first of them is a multiple of it.
pub const STRIDE: u64 = 256;

/// By default no more lanes: each keeps a processor of the server busy, and another one here.
const MOST: usize = 4;

/// A lane is worth its transaction for so many rows.
const LEAST: u64 = 1_024;

/// What makes the rows that are loaded: the generator, or what has made them before.
pub trait Source: Send + Sync + 'static {
    /// What there is to know of them.
    fn bulk(&self) -> &Bulk;

    /// Appends rows of the table at this position in [`Bulk::sheets`]; at most [`STRIDE`] of them.
    fn write(&self, table: usize, rows: Range<u64>, into: &mut Vec<u8>) -> Written;
}

impl Source for Bulk {
    fn bulk(&self) -> &Bulk {
        self
    }

    fn write(&self, table: usize, rows: Range<u64>, into: &mut Vec<u8>) -> Written {
        Self::write(self, &self.sheets()[table], rows, 0, into)
    }
}

/// Connections at once where nobody said how many: as many as there are processors, up to four.
#[must_use]
pub fn usual_lanes() -> usize {
    available_parallelism().map_or(1, NonZero::get).min(MOST)
}

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

/// Fills a database by connections to it, of which there is at least one.
///
/// The rows are the same however many there are. It has to be a database of the caller's own: tables are committed one
/// after the other, so that an error leaves those before it filled and policies unforced, and the caller removes it all.
///
/// `files` takes the rows as well, as they were accepted.
///
/// # Errors
/// [`Error::Database`] for what is not about a row; [`Error::Io`] of the files. What the server refuses is no error:
/// it is said per table.
///
/// [`Error::Database`]: crate::Error::Database
/// [`Error::Io`]: crate::Error::Io
pub async fn fill<S: Source>(
    lanes: &mut [PgConnection],
    catalog: &Catalog,
    source: &Arc<S>,
    mut files: Option<&mut Files>,
    progress: &dyn Fn(Progress<'_>),
) -> Result<Vec<Filled>> {
    let source: Arc<dyn Source> = Arc::<S>::clone(source);
    let bulk = source.bulk();
    let forced: Vec<String> = catalog
        .tables
        .values()
        .filter(|table| table.force_row_security)
        .map(|table| table.name.quoted())
        .collect();
    // An owner who is no superuser is subject to forced policies.
    for table in &forced {
        let sql = format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
        execute(&mut lanes[0], &sql).await?;
    }
    let deferred = bulk.deferred();
    let mut filling = Filling {
        lanes,
        catalog,
        begin: begin(&deferred),
        source: &source,
        files: files.as_deref_mut(),
        progress,
        done: 0,
        all: bulk.sheets().iter().map(Sheet::rows).sum(),
    };
    let mut filled = Vec::new();
    for stage in bulk.stages() {
        filled.extend(filling.stage(stage).await?);
    }
    for number in 0..bulk.sheets().len() {
        filling.close_circles(number).await?;
    }
    // What the application inserts next gets an id that no row has.
    let passes: Vec<String> = catalog.sequences.iter().flat_map(Sequence::pass).collect();
    for sql in &passes {
        execute(&mut lanes[0], sql).await?;
    }
    for table in &forced {
        let sql = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
        execute(&mut lanes[0], &sql).await?;
    }
    if let Some(files) = files {
        files.finish(&forced, &deferred, &passes)?;
    }
    Ok(filled)
}

/// The beginning of a lane's transaction: constraints speak at once, but for those that close circles.
fn begin(deferred: &[String]) -> String {
    let begin = "BEGIN; SET CONSTRAINTS ALL IMMEDIATE";
    if deferred.is_empty() {
        return begin.to_owned();
    }
    format!("{begin}; SET CONSTRAINTS {} DEFERRED", deferred.join(", "))
}

/// A lane that waits for another one's row may wait for ever: that one may be done, and be committed with all others.
const IMPATIENT: &str = "SET LOCAL lock_timeout = '2s'";

/// The ranges of rows that lanes load; each begins where a [`Source`] can.
fn shares(rows: u64, lanes: usize) -> impl Iterator<Item = Range<u64>> {
    let each = rows.div_ceil(lanes as u64).next_multiple_of(STRIDE);
    let all = 0..lanes as u64;
    all.map(move |at| (at * each).min(rows)..((at + 1) * each).min(rows))
}

struct Filling<'f> {
    lanes: &'f mut [PgConnection],
    catalog: &'f Catalog,
    /// How a transaction begins.
    begin: String,
    source: &'f Arc<dyn Source>,
    files: Option<&'f mut Files>,
    progress: &'f dyn Fn(Progress<'_>),
    done: u64,
    all: u64,
}

impl Filling<'_> {
    /// Fills tables that belong together.
    async fn stage(&mut self, stage: Range<usize>) -> Result<Vec<Filled>> {
        if stage.len() == 1 {
            let lanes = self.lanes_for(stage.start);
            if lanes > 1
                && let Some(filled) = self.beside(stage.start, lanes).await?
            {
                return Ok(vec![filled]);
            }
        }
        execute(&mut self.lanes[0], &self.begin).await?;
        let mut filled = Vec::new();
        for number in stage {
            filled.push(self.alone(number).await?);
        }
        execute(&mut self.lanes[0], "SET CONSTRAINTS ALL IMMEDIATE").await?;
        execute(&mut self.lanes[0], "COMMIT").await?;
        Ok(filled)
    }

    /// How many lanes may load a table: one where a row may depend on those before it, or where files want an order.
    fn lanes_for(&self, number: usize) -> usize {
        let sheet = &self.source.bulk().sheets()[number];
        let triggered = self.catalog.tables.values().any(|table| {
            let is_part =
                table.name == sheet.name || table.partition_of.as_ref() == Some(&sheet.name);
            is_part && !table.triggers.is_empty()
        });
        if self.files.is_some() || triggered || sheet.refers_to_itself() {
            return 1;
        }
        let worth = usize::try_from(sheet.rows() / LEAST).unwrap_or(usize::MAX);
        self.lanes.len().min(worth)
    }

    /// Fills a table by several lanes, or not at all where the server refuses a row: which of two rows that can't both
    /// be there comes first must not depend on the lanes.
    async fn beside(&mut self, number: usize, lanes: usize) -> Result<Option<Filled>> {
        let sheet = &self.source.bulk().sheets()[number];
        let (refused, done) = (Cell::new(false), Cell::new(self.done));
        let (progress, all) = (self.progress, self.all);
        let tell = |rows| tell(progress, sheet, &done, all, rows);
        let begin = format!("{}; {IMPATIENT}", self.begin);
        let works = self.lanes[..lanes]
            .iter_mut()
            .zip(shares(sheet.rows(), lanes))
            .map(|(connection, share)| {
                let (begin, source, refused, tell) = (&begin, self.source, &refused, &tell);
                let work: Work<'_, Tally> = Box::pin(async move {
                    execute(connection, begin).await?;
                    let mut lane = Lane {
                        connection,
                        source,
                        number,
                        files: None,
                        refused: Some(refused),
                        tell,
                    };
                    lane.load_range(share).await
                });
                work
            });
        let tallies = together(works.collect()).await?;
        let end = if refused.get() { "ROLLBACK" } else { "COMMIT" };
        for lane in &mut self.lanes[..lanes] {
            execute(lane, end).await?;
        }
        if refused.get() {
            return Ok(None);
        }
        let mut tally = Tally::new(sheet.fewer.clone());
        for of in tallies {
            tally.add(of);
        }
        self.done += sheet.rows();
        Ok(Some(filled(sheet, tally)))
    }

    /// Fills a table by one lane, in the transaction that is open.
    async fn alone(&mut self, number: usize) -> Result<Filled> {
        let sheet = &self.source.bulk().sheets()[number];
        if let Some(files) = &mut self.files {
            files.open(sheet)?;
        }
        let done = Cell::new(self.done);
        let (progress, all) = (self.progress, self.all);
        let mut lane = Lane {
            connection: &mut self.lanes[0],
            source: self.source,
            number,
            files: self.files.as_deref_mut(),
            refused: None,
            tell: &|rows| tell(progress, sheet, &done, all, rows),
        };
        let tally = lane.load_range(0..sheet.rows()).await?;
        self.done += sheet.rows();
        Ok(filled(sheet, tally))
    }

    /// Sets the columns of keys that close a circle, from a table of their own.
    async fn close_circles(&mut self, number: usize) -> Result<()> {
        let bulk = self.source.bulk();
        let sheet = &bulk.sheets()[number];
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
        let connection = &mut self.lanes[0];
        execute(connection, "BEGIN").await?;
        execute(connection, &create).await?;
        let mut start = 0;
        while start < sheet.rows() {
            let end = sheet.rows().min(start + BATCH);
            let mut bytes = Vec::new();
            bulk.write_late(sheet, start..end, &mut bytes);
            let mut copying = Copying::begin(
                &mut *connection,
                "pg_temp.watertight_late",
                &columns,
                sheet.binary,
            )
            .await?;
            copying.send(&bytes).await?;
            let answer = copying.finish().await?;
            settle(connection, &answer).await?;
            start = end;
        }
        let update = update_late(sheet, "pg_temp.watertight_late");
        execute(connection, &update).await?;
        execute(connection, "COMMIT").await?;
        if let Some(files) = &mut self.files {
            files.late(bulk, sheet, &columns)?;
        }
        Ok(())
    }
}

/// Says how far the fill is once more rows of a table are done.
fn tell(progress: &dyn Fn(Progress<'_>), sheet: &Sheet, done: &Cell<u64>, all: u64, rows: u64) {
    done.set(done.get() + rows);
    progress(Progress {
        table: &sheet.name,
        done: done.get(),
        all,
    });
}

fn filled(sheet: &Sheet, tally: Tally) -> Filled {
    Filled {
        table: sheet.name.clone(),
        rows: tally.loaded,
        asked: sheet.asked,
        why: tally.why.filter(|_| tally.loaded < sheet.asked),
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
