//! Rows in bulk: the same rows into the same tables, by the harness and by its peers, without and with constraints.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;
use watertight::generate::{Bulk, Written};
use watertight::harness::{STRIDE, Source, fill, usual_lanes};
use watertight::model::literal;
use watertight::server::{Server, ServerChoice, ServerRequest};

use super::cpu::{Cpu, Meter};
use super::fixture::{Fixture, ORGANISATIONS, With, execute, said};
use super::{Outcome, median, peak, synthetic};

/// Rows per table and organisation, without and with constraints (which take ten times as long).
const ROWS: [(With, u64); 2] = [(With::Nothing, 150_000), (With::Constraints, 40_000)];

/// Rows that the peer of single statements inserts.
const INSERTED: usize = 100_000;

/// Parameters of a statement are counted in 16 bits: so many rows of eight columns go into one.
const ROWS_A_STATEMENT: usize = 8_000;

/// Rows a second of each way, by round.
#[derive(Default)]
struct Rates {
    copy: Vec<f64>,
    load: Vec<f64>,
    generate_and_load: Vec<f64>,
    insert: Vec<f64>,
    /// Processor time of the first three.
    cpu: [Vec<Cpu>; 3],
}

pub(super) async fn run(rounds: usize, server: Option<ServerChoice>) -> Result<Outcome, String> {
    let everywhere = server.is_none();
    let mut outcome = on(server.unwrap_or(ServerChoice::Local), rounds).await?;
    if everywhere {
        container(rounds, &mut outcome.figures).await;
    }
    Ok(outcome)
}

/// All of it on one server.
async fn on(choice: ServerChoice, rounds: usize) -> Result<Outcome, String> {
    let fixture = fixture(choice).await?;
    let mut outcome = Outcome::default();
    let connection = way(&fixture.server).into();
    outcome.figures.insert("connection".to_owned(), connection);
    outcome
        .figures
        .insert("lanes".to_owned(), usual_lanes().into());
    memory(&fixture, &mut outcome.figures).await?;
    synthetic::run(&fixture.server, &mut outcome.figures).await?;
    rates(&fixture, rounds, &mut outcome).await?;
    fixture.server.stop().await.map_err(said)?;
    Ok(outcome)
}

async fn rates(fixture: &Fixture, rounds: usize, outcome: &mut Outcome) -> Result<(), String> {
    for (with, rows) in ROWS {
        let rates = measured(fixture, with, rows, rounds).await?;
        report(with, &rates, outcome);
    }
    Ok(())
}

async fn fixture(choice: ServerChoice) -> Result<Fixture, String> {
    Fixture::new(&ServerRequest {
        choice,
        ..ServerRequest::default()
    })
    .await
}

/// How the harness speaks to a server: by TCP, sqlx waits 40 ms where a small message ends.
fn way(server: &Server) -> &'static str {
    let options = server.options(server.administrator(), "postgres");
    match options.get_socket() {
        Some(_) => "socket",
        None => "TCP",
    }
}

/// Each way in turn, so that whatever else the machine does meets all of them.
async fn measured(
    fixture: &Fixture,
    with: With,
    rows: u64,
    rounds: usize,
) -> Result<Rates, String> {
    let bulk = fixture.bulk(rows)?;
    let ready = Arc::new(Ready::new(&bulk));
    let files = ready.write(fixture).await?;
    let mut rates = Rates::default();
    for round in 0..=rounds {
        let mut connection = [fixture.empty(with).await?];
        let meter = Meter::start(&mut connection).await;
        let copy = ready.rate(copy(&mut connection[0], &files).await?);
        let copy_cpu = meter.read();
        let mut lanes = fixture.lanes(with).await?;
        let meter = Meter::start(&mut lanes).await;
        let loaded = ready.rate(load(fixture, &mut lanes, &ready).await?);
        let load_cpu = meter.read();
        let mut lanes = fixture.lanes(with).await?;
        let meter = Meter::start(&mut lanes).await;
        let whole = ready.rate(load(fixture, &mut lanes, &bulk).await?);
        let whole_cpu = meter.read();
        let insert = if with == With::Nothing {
            let mut connection = fixture.empty(with).await?;
            insert(&mut connection, &files).await?
        } else {
            f64::NAN
        };
        // The first round warms caches up.
        if round > 0 {
            rates.copy.push(copy);
            rates.load.push(loaded);
            rates.generate_and_load.push(whole);
            rates.insert.push(insert);
            for (all, one) in rates.cpu.iter_mut().zip([copy_cpu, load_cpu, whole_cpu]) {
                all.push(one);
            }
        }
    }
    Ok(rates)
}

/// Ratios of rows a second: each round's own, then the middle one, so that a busy minute meets both sides of it.
fn report(with: With, rates: &Rates, outcome: &mut Outcome) {
    let over = |ours: &[f64], theirs: &[f64]| {
        median(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    };
    let (load, whole, suffix) = match with {
        With::Nothing => ("load_over_copy", "generate_and_load_over_copy", ""),
        With::Constraints => (
            "load_over_copy_constrained",
            "generate_and_load_over_copy_constrained",
            "_constrained",
        ),
    };
    outcome.ratios.insert(load, over(&rates.load, &rates.copy));
    outcome
        .ratios
        .insert(whole, over(&rates.generate_and_load, &rates.copy));
    let mut figure = |name: &str, rates: &[f64]| {
        let name = format!("{name}{suffix}_rows_per_second");
        outcome
            .figures
            .insert(name, median(rates.to_vec()).round().into());
    };
    figure("copy", &rates.copy);
    figure("load", &rates.load);
    figure("generate_and_load", &rates.generate_and_load);
    for (way, cpu) in ["copy", "load", "generate_and_load"].iter().zip(&rates.cpu) {
        for (side, of) in [
            ("client", (|cpu| cpu.client) as fn(&Cpu) -> f64),
            ("server", |cpu| cpu.server),
        ] {
            let seconds = median(cpu.iter().map(of).collect());
            if !seconds.is_nan() {
                let name = format!("{way}{suffix}_cpu_seconds_{side}");
                outcome.figures.insert(name, seconds.into());
            }
        }
    }
    if with == With::Nothing {
        let insert = median(rates.insert.clone()).round().into();
        outcome
            .figures
            .insert("insert_rows_per_second".to_owned(), insert);
        outcome
            .ratios
            .insert("load_over_insert", over(&rates.load, &rates.insert));
    }
}

/// Rows made beforehand, in COPY's binary format: of each table what the loader asks for at once, and how many rows it is.
struct Ready {
    bulk: Arc<Bulk>,
    pieces: Vec<Vec<(Vec<u8>, u64)>>,
}

impl Source for Ready {
    fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    fn write(&self, table: usize, rows: Range<u64>, into: &mut Vec<u8>) -> Written {
        let at = usize::try_from(rows.start / STRIDE).unwrap_or(usize::MAX);
        let mut written = Written::default();
        if let Some((bytes, count)) = self.pieces[table].get(at) {
            into.extend_from_slice(bytes);
            written.count = *count;
        }
        written
    }
}

impl Ready {
    fn new(bulk: &Arc<Bulk>) -> Self {
        let pieces = bulk.sheets().iter().map(|sheet| {
            let mut pieces = Vec::new();
            let mut start = 0;
            while start < sheet.rows() {
                let end = sheet.rows().min(start + STRIDE);
                let mut bytes = Vec::new();
                let count = bulk.write(sheet, start..end, 0, &mut bytes).count;
                pieces.push((bytes, count));
                start = end;
            }
            pieces
        });
        Self {
            pieces: pieces.collect(),
            bulk: Arc::clone(bulk),
        }
    }

    /// As files that the server reads, and has written itself: beside its data, wherever that is.
    async fn write(self: &Arc<Self>, fixture: &Fixture) -> Result<Vec<(String, String)>, String> {
        let mut lanes = fixture.lanes(With::Nothing).await?;
        load(fixture, &mut lanes, self).await?;
        let connection = &mut lanes[0];
        let folder: String = sqlx::query_scalar("SELECT current_setting('data_directory')")
            .fetch_one(&mut *connection)
            .await
            .map_err(said)?;
        let mut files = Vec::new();
        for (number, sheet) in self.bulk.sheets().iter().enumerate() {
            let table = sheet.name.quoted();
            let path = literal(&format!("{folder}/bench-{number}"));
            let sql = format!("COPY {table} TO {path} (FORMAT binary)");
            execute(connection, &sql).await?;
            files.push((table, path));
        }
        Ok(files)
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than a float counts")]
    fn rate(&self, seconds: f64) -> f64 {
        self.pieces
            .iter()
            .flatten()
            .map(|(_, rows)| *rows as f64)
            .sum::<f64>()
            / seconds
    }
}

/// The peer: the server reads the files itself.
async fn copy(connection: &mut PgConnection, files: &[(String, String)]) -> Result<f64, String> {
    let started = Instant::now();
    execute(connection, "BEGIN").await?;
    for (table, path) in files {
        copy_file(connection, table, path).await?;
    }
    execute(connection, "COMMIT").await?;
    Ok(started.elapsed().as_secs_f64())
}

async fn copy_file(connection: &mut PgConnection, table: &str, path: &str) -> Result<(), String> {
    let sql = format!("COPY {table} FROM {path} (FORMAT binary)");
    execute(connection, &sql).await
}

/// The harness's loader, the whole way of `cargo xtask seed`: with rows that are ready, or that it makes meanwhile.
async fn load<S: Source>(
    fixture: &Fixture,
    lanes: &mut [PgConnection],
    source: &Arc<S>,
) -> Result<f64, String> {
    let started = Instant::now();
    let filled = fill(lanes, &fixture.catalog, source, None, &|_| {})
        .await
        .map_err(said)?;
    let took = started.elapsed().as_secs_f64();
    match filled.iter().find(|table| table.rows < table.asked) {
        Some(short) => Err(format!("rows are missing: {short:?}")),
        None => Ok(took),
    }
}

/// A row of `people`.
type Person = (Uuid, Uuid, Uuid, String, String, i32, f64, bool);

/// The other peer: statements of many rows with parameters, as applications write them. Rows a second.
async fn insert(connection: &mut PgConnection, files: &[(String, String)]) -> Result<f64, String> {
    for (table, path) in files {
        copy_file(connection, table, path).await?;
    }
    let sql = "SELECT organisation_id, id, company_id, email, last_name, score, extract(epoch FROM created_at)::float8,
        active FROM people LIMIT $1";
    let limit = i64::try_from(INSERTED).map_err(said)?;
    let rows: Vec<Person> = sqlx::query_as(sql)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .map_err(said)?;
    execute(connection, "TRUNCATE people").await?;
    let started = Instant::now();
    execute(connection, "BEGIN").await?;
    for rows in rows.chunks(ROWS_A_STATEMENT) {
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new("INSERT INTO people ");
        query.push_values(rows, |mut values, row| {
            values.push_bind(row.0).push_bind(row.1).push_bind(row.2);
            values.push_bind(&row.3).push_bind(&row.4).push_bind(row.5);
            values.push("to_timestamp(").push_bind_unseparated(row.6);
            values.push_unseparated(")").push_bind(row.7);
        });
        query
            .build()
            .execute(&mut *connection)
            .await
            .map_err(said)?;
    }
    execute(connection, "COMMIT").await?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than a float counts")]
    let count = rows.len() as f64;
    Ok(count / started.elapsed().as_secs_f64())
}

/// The peak of making and loading a hundred thousand rows, and a million.
async fn memory(fixture: &Fixture, figures: &mut Map<String, Value>) -> Result<(), String> {
    for (name, rows) in [("1e5", 100_000), ("1e6", 1_000_000)] {
        // Two tables have so many of each organisation.
        let bulk = fixture.bulk(rows / 2 / ORGANISATIONS as u64)?;
        let mut lanes = fixture.lanes(With::Nothing).await?;
        peak::forget();
        load(fixture, &mut lanes, &bulk).await?;
        if let Some(peak) = peak::mebibytes() {
            figures.insert(format!("peak_memory_mib_at_{name}_rows"), peak.into());
        }
    }
    Ok(())
}

/// The ratios through a container, where an engine has an image.
async fn container(rounds: usize, figures: &mut Map<String, Value>) {
    match through_container(rounds).await {
        Ok(outcome) => {
            let ratios = outcome.ratios.into_iter();
            let ratios = ratios.map(|(name, ratio)| (name.to_owned(), ratio.into()));
            let all = ratios.chain(outcome.figures);
            figures.extend(all.map(|(name, figure)| (format!("container_{name}"), figure)));
        }
        Err(why) => {
            figures.insert(
                "container".to_owned(),
                format!("not measured: {why}").into(),
            );
        }
    }
}

async fn through_container(rounds: usize) -> Result<Outcome, String> {
    let fixture = fixture(ServerChoice::Docker).await?;
    let mut outcome = Outcome::default();
    let connection = way(&fixture.server).into();
    outcome.figures.insert("connection".to_owned(), connection);
    rates(&fixture, rounds, &mut outcome).await?;
    fixture.server.stop().await.map_err(said)?;
    Ok(outcome)
}
