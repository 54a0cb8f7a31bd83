//! `backup`: takes one, or tries one.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::said;
use super::progress::Progress;
use super::{output, usage};
use crate::config::{self, CommandLine};
use crate::error::Result;
use crate::harness::{BackedUp, Harness};
use crate::operations::{Backup, Kind, Manifest, Order};
use crate::report;
use crate::server::ServerChoice;

/// Something came back otherwise.
const DIFFERS: u8 = 1;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Schema and rows, with the roles that they need
    Full(Take),
    /// The schema alone, with its roles
    Schema(Take),
    /// The rows, for a database that migrations have made
    Data(Take),
    /// Restore a backup on a disposable server, compare everything with what was saved, and run the checks over it
    Verify(Try),
}

#[derive(Args, Debug)]
pub(super) struct Take {
    /// The URL of the database, postgres://…; a password may come from PGPASSWORD or .pgpass
    #[arg(long, value_name = "URL")]
    server: String,
    /// The folder of backups
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// gzip, zstd (from Postgres 16 on) or none
    #[arg(long, value_name = "HOW", default_value = "gzip")]
    compress: String,
    /// Remove backups of the same database and kind that are older, once this one was tried
    #[arg(long, value_name = "N", default_value = "30")]
    keep_days: u32,
    /// Don't try it on a disposable server; nothing is removed then
    #[arg(long)]
    no_verify: bool,
    /// The folder of `pg_dump`, of the server's version [default: found where packages put it]
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<String>,
    /// Settings, which say whose rows are [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Try {
    /// The backup's folder
    #[arg(value_name = "BACKUP")]
    file: PathBuf,
    /// Where the disposable server comes from: local, docker or auto
    #[arg(long, value_name = "KIND", default_value = "local")]
    server: String,
    /// The folder of `pg_restore`, of the backup's version [default: found where packages put it]
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<String>,
    /// Settings, for the checks [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) async fn run(command: BackupCommand) -> Result<u8> {
    match command {
        BackupCommand::Full(options) => take(Kind::Full, options).await,
        BackupCommand::Schema(options) => take(Kind::Schema, options).await,
        BackupCommand::Data(options) => take(Kind::Data, options).await,
        BackupCommand::Verify(options) => verify(options).await,
    }
}

async fn take(kind: Kind, options: Take) -> Result<u8> {
    let harness = harness(options.config, Some(options.server), options.pg_bin.clone())?;
    let order = Order {
        kind,
        output: options.output,
        compress: options.compress,
        pg_bin: options.pg_bin.map(PathBuf::from),
    };
    let keep_days = (!options.no_verify).then_some(options.keep_days);
    let progress = Progress::on_terminal();
    let taken = harness
        .back_up(&order, keep_days, &|stage| progress.show(stage))
        .await;
    progress.clear();
    let taken = taken?;
    let (text, status) = told(&taken);
    output::print(&output::disarmed(&text))?;
    Ok(status)
}

/// What was done, a line each, and the status.
fn told(taken: &BackedUp) -> (String, u8) {
    let backup = &taken.backup;
    let mut text = format!(
        "saved     {}: {}\n",
        backup.folder.display(),
        holds(&backup.manifest)
    );
    if let Some(why) = &taken.uncounted {
        let _ = writeln!(text, "counted   by table, not by organisation: {why}");
    }
    let status = match &taken.tried {
        None => {
            text.push_str("untried   by --no-verify; no older backup was removed\n");
            0
        }
        Some(Ok(differences)) if differences.is_empty() => {
            text.push_str("tried     all of it came back on a disposable server\n");
            0
        }
        Some(Ok(differences)) => {
            for difference in differences {
                let _ = writeln!(text, "differs   {difference}");
            }
            text.push_str("kept      all older backups\n");
            DIFFERS
        }
        Some(Err(why)) => {
            let _ = writeln!(text, "untried   {why}\nkept      all older backups");
            super::FAILED
        }
    };
    for folder in &taken.pruned {
        let _ = writeln!(text, "removed   {}", folder.display());
    }
    (text, status)
}

/// How much a backup holds.
pub(super) fn holds(manifest: &Manifest) -> String {
    let (rows, organisations) = manifest.size();
    match (manifest.kind, organisations) {
        (Kind::Schema, _) => format!("the schema of {}", manifest.database),
        (_, 0) => format!("{rows} rows of {}", manifest.database),
        _ => format!(
            "{rows} rows of {organisations} organisations of {}",
            manifest.database
        ),
    }
}

async fn verify(options: Try) -> Result<u8> {
    let choice: ServerChoice = options.server.parse()?;
    if matches!(choice, ServerChoice::External(_)) {
        return Err(usage(
            "--server: a backup is tried on a disposable server: local, docker or auto",
        ));
    }
    let harness = harness(options.config, None, options.pg_bin)?;
    let backup = Backup::open(&options.file)?;
    let progress = Progress::on_terminal();
    let stage = |stage: &str| progress.show(stage);
    let differences = harness.verify(&backup, &choice, &stage).await;
    progress.clear();
    let differences = differences?;
    if !differences.is_empty() {
        let text = format!("differs   {}\n", differences.join("\ndiffers   "));
        output::print(&output::disarmed(&text))?;
        return Ok(DIFFERS);
    }
    let text = format!(
        "restored  {}\nequal     roles, privileges, policies, constraints and rows\n\n",
        holds(&backup.manifest)
    );
    output::print(&output::disarmed(&text))?;
    let report = harness.check_restored(&backup, &choice, &stage).await;
    progress.clear();
    let report = report?;
    output::print(&report::render(&report, "text", false).unwrap_or_default())?;
    Ok(report.verdict().exit_status())
}

/// A harness with the settings of the project, where there are any.
pub(super) fn harness(
    config: Option<PathBuf>,
    server: Option<String>,
    pg_bin: Option<String>,
) -> Result<Harness> {
    let options = [("server", server), ("pg_bin", pg_bin)];
    let command_line: CommandLine = said(config, options.into_iter());
    Ok(Harness::new(config::load(command_line)?))
}
