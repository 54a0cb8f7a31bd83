//! A backup and the way back, and `pg_dump` and `pg_restore` alone, on one server and over the same rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::TenantSettings;
use watertight::operations::{Backup, Kind, Order, Swap};
use watertight::server::{Server, ServerChoice, ServerRequest};

use super::fixture::{Fixture, With, connect, execute, said};
use super::folder::Folder;
use super::{Outcome, median};

/// A hundred thousand rows of five organisations.
const ROWS: u32 = 100_000;
const FILL: &str = "
    INSERT INTO organisations SELECT md5(o::text)::uuid, 'Org ' || o FROM generate_series(1, 5) o;
    INSERT INTO companies SELECT md5(o::text)::uuid, md5(n::text)::uuid, 'Company ' || n, n::text, md5('city' || n % 500), n,
        '2026-01-01'::timestamptz + n * interval '1 hour', n % 7 > 0 FROM generate_series(1, 5) o, generate_series(1, 3999) n;
    INSERT INTO people SELECT md5(o::text)::uuid, md5(n::text)::uuid, md5((n % 3999 + 1)::text)::uuid,
        md5('mail' || n) || '@example.org', 'Name ' || n % 900, n % 1000, '2026-01-01'::timestamptz + n * interval '1 minute',
        n % 5 > 0 FROM generate_series(1, 5) o, generate_series(1, 16000) n";

/// The seconds of each way in one round.
#[derive(Default)]
struct Seconds {
    backup: Vec<f64>,
    pg_dump: Vec<f64>,
    restore: Vec<f64>,
    pg_restore: Vec<f64>,
    verify: Vec<f64>,
}

pub(super) async fn run(rounds: usize) -> Result<Outcome, String> {
    let request = ServerRequest {
        choice: ServerChoice::Local,
        ..ServerRequest::default()
    };
    let fixture = Fixture::new(&request).await?;
    let result = measured(&fixture.server, rounds).await;
    fixture.server.stop().await.map_err(said)?;
    result
}

async fn measured(server: &Server, rounds: usize) -> Result<Outcome, String> {
    let database = With::Constraints.database();
    execute(&mut connect(server, database).await?, FILL).await?;
    let folder = Folder::new()?;
    let peer = Peer::new(server, &folder.0)?;
    let mut seconds = Seconds::default();
    let mut sizes = (0.0, 0.0);
    for round in 0..=rounds {
        let (backup, saved) = back_up(server, database, &folder.0).await?;
        let dumped = peer.dump(database)?;
        let restored = restore(server, &backup, round).await?;
        let loaded = peer.restore(server, round).await?;
        let verified = verify(server, &backup).await?;
        // The first round warms caches up.
        if round > 0 {
            seconds.backup.push(saved);
            seconds.pg_dump.push(dumped);
            seconds.restore.push(restored);
            seconds.pg_restore.push(loaded);
            seconds.verify.push(verified);
        }
        sizes = (size(&backup.folder)?, size(&peer.dump)?);
    }
    Ok(outcome(seconds, sizes))
}

fn outcome(seconds: Seconds, (ours, plain): (f64, f64)) -> Outcome {
    let over =
        |ours: &[f64], peer: &[f64]| median(ours.iter().zip(peer).map(|(a, b)| a / b).collect());
    let mut outcome = Outcome::default();
    for (name, ratio) in [
        (
            "backup_over_pg_dump",
            over(&seconds.backup, &seconds.pg_dump),
        ),
        (
            "restore_over_pg_restore",
            over(&seconds.restore, &seconds.pg_restore),
        ),
        (
            "verify_over_pg_restore",
            over(&seconds.verify, &seconds.pg_restore),
        ),
        ("size_over_pg_dump", ours / plain),
    ] {
        outcome.ratios.insert(name, ratio);
    }
    for (name, figure) in [
        ("rows", f64::from(ROWS)),
        ("backup_seconds", median(seconds.backup)),
        ("pg_dump_seconds", median(seconds.pg_dump)),
        ("restore_seconds", median(seconds.restore)),
        ("pg_restore_seconds", median(seconds.pg_restore)),
        ("verify_seconds", median(seconds.verify)),
        ("backup_bytes", ours),
        ("pg_dump_bytes", plain),
    ] {
        outcome.figures.insert(name.to_owned(), figure.into());
    }
    outcome
}

/// For a database of the server, whose tenants are the benchmark's.
fn harness(server: &Server, database: &str) -> Result<Harness, String> {
    let mut settings = config::load(CommandLine::default()).map_err(said)?;
    settings.run.server = server.url(server.administrator(), database).as_str().into();
    settings.tenant = TenantSettings {
        table: Some("organisations".to_owned()),
        ..TenantSettings::default()
    };
    Ok(Harness::new(settings))
}

/// Takes a backup: it, and the seconds.
async fn back_up(server: &Server, database: &str, folder: &Path) -> Result<(Backup, f64), String> {
    let order = Order {
        kind: Kind::Full,
        output: folder.join("backups"),
        compress: "gzip".to_owned(),
        pg_bin: None,
    };
    let harness = harness(server, database)?;
    let started = Instant::now();
    let taken = harness.back_up(&order, None, &|_| ()).await.map_err(said)?;
    let seconds = started.elapsed().as_secs_f64();
    match taken.uncounted {
        None => Ok((taken.backup, seconds)),
        Some(why) => Err(why),
    }
}

/// Restores into a database that is not there.
async fn restore(server: &Server, backup: &Backup, round: usize) -> Result<f64, String> {
    let name = format!("restored_{round}");
    let harness = harness(server, &name)?;
    let started = Instant::now();
    let restored = harness.restore(backup, &Swap::default(), &|_| ()).await;
    let seconds = started.elapsed().as_secs_f64();
    let (rows, organisations) = restored.map_err(said)?.manifest.size();
    if (rows, organisations) != (i64::from(ROWS), 5) {
        return Err(format!(
            "{rows} rows of {organisations} organisations came back"
        ));
    }
    drop_database(server, &name).await?;
    Ok(seconds)
}

/// Tries it on a server of its own.
async fn verify(server: &Server, backup: &Backup) -> Result<f64, String> {
    let harness = harness(server, With::Constraints.database())?;
    let started = Instant::now();
    let verified = harness.verify(backup, &ServerChoice::Local, &|_| ()).await;
    let seconds = started.elapsed().as_secs_f64();
    match verified.map_err(said)?.as_slice() {
        [] => Ok(seconds),
        differences => Err(differences.join("; ")),
    }
}

/// Postgres' own programs, as anybody would call them.
struct Peer {
    programs: PathBuf,
    address: String,
    dump: PathBuf,
}

impl Peer {
    fn new(server: &Server, folder: &Path) -> Result<Self, String> {
        let url = server.url(server.administrator(), "");
        Ok(Self {
            programs: watertight::server::programs(server.version_number() / 10_000, None)
                .map_err(said)?,
            address: url,
            dump: folder.join("plain.dump"),
        })
    }

    fn dump(&self, database: &str) -> Result<f64, String> {
        self.timed("pg_dump", database, &["--format=custom", "--file"])
    }

    async fn restore(&self, server: &Server, round: usize) -> Result<f64, String> {
        let name = format!("plain_{round}");
        let mut connection = connect(server, server.maintenance_database()).await?;
        let started = Instant::now();
        execute(
            &mut connection,
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )
        .await?;
        self.timed("pg_restore", &name, &["--exit-on-error"])?;
        let seconds = started.elapsed().as_secs_f64();
        drop_database(server, &name).await?;
        Ok(seconds)
    }

    fn timed(&self, program: &str, database: &str, arguments: &[&str]) -> Result<f64, String> {
        let started = Instant::now();
        let status = Command::new(self.programs.join(program))
            .arg(format!("--dbname={}{database}", self.address))
            .args(arguments)
            .arg(&self.dump)
            .status()
            .map_err(|error| format!("{program}: {error}"))?;
        let seconds = started.elapsed().as_secs_f64();
        if status.success() {
            Ok(seconds)
        } else {
            Err(format!("{program} ended with {status}"))
        }
    }
}

async fn drop_database(server: &Server, name: &str) -> Result<(), String> {
    let mut connection = connect(server, server.maintenance_database()).await?;
    execute(&mut connection, &format!("DROP DATABASE {name}")).await
}

/// The bytes of a file, or of a folder's files.
#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn size(path: &Path) -> Result<f64, String> {
    let io = |error| format!("{}: {error}", path.display());
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.is_file() {
        return Ok(metadata.len() as f64);
    }
    let files = fs::read_dir(path).map_err(io)?.flatten();
    files.map(|file| size(&file.path())).sum()
}
