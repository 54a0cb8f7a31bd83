//! Taking a backup.

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, PgConnection};

use super::folder::{Backup, DUMP, PROPERTIES, ROLES, SCHEMA, Shelf};
use super::manifest::{Counted, Kind, Manifest};
use super::program::Programs;
use super::roles;
use crate::database::{connect, execute};
use crate::error::{Doing as _, Error, Result};
use crate::server::Server;

/// What is to be saved, and where to.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub kind: Kind,
    /// The folder of backups.
    pub output: PathBuf,
    /// `gzip`, `zstd` or `none`, as `pg_dump` of that version can.
    pub compress: String,
    /// The folder of `pg_dump`; found where it isn't said.
    pub pg_bin: Option<PathBuf>,
}

/// A shelf of backups that is locked, and the newest on it.
pub struct Taken {
    shelf: Shelf,
    /// The backup.
    pub backup: Backup,
}

impl Taken {
    /// Removes backups of the same database and kind that are more days older than this one, once this one is known to be
    /// good; their folders.
    ///
    /// # Errors
    /// [`Error::Io`] where one can't be removed.
    pub fn prune(&self, days: u32) -> Result<Vec<PathBuf>> {
        self.shelf.prune(&self.backup.manifest, days)
    }
}

/// The tables whose policies would hide rows from the role that asks.
const HIDDEN: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1";

/// Saves a database: rows, manifest and dump are of one snapshot. Nobody else may write to the folder until what is
/// returned is dropped.
///
/// # Errors
/// [`Error::Operation`] before it begins for a role from which row-level security hides rows, and where another backup is
/// being written; for a `pg_dump` that failed or was killed. Nothing of it stays then.
pub async fn back_up(
    server: &Server,
    database: &str,
    order: &Order,
    counted: Vec<Counted>,
) -> Result<Taken> {
    let programs = Programs::of(server, order.pg_bin.as_deref())?;
    let compression = compression(&order.compress, server.version_number() / 10_000)?;
    let mut connection = connect(&server.options(server.administrator(), database)).await?;
    if order.kind.has_rows() {
        refuse_blind(&mut connection, server).await?;
    }
    let shelf = Shelf::open(&order.output)?;
    execute(
        &mut connection,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    )
    .await?;
    let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
        .fetch_one(&mut connection)
        .await
        .doing("take a snapshot")?;
    let (host, port) = server.tcp();
    let address = format!("{host}:{port}");
    let manifest = Manifest::read(&mut connection, order.kind, address, counted).await?;
    let aside = shelf.aside(&manifest)?;
    aside.write(ROLES, &text(&mut connection, roles::RESTORE_ROLES).await?)?;
    aside.write(
        PROPERTIES,
        &text(&mut connection, roles::RESTORE_PROPERTIES).await?,
    )?;
    let dump = |file: &str, what: Option<&str>| {
        let mut arguments = vec![
            "--format=custom".to_owned(),
            format!("--snapshot={snapshot}"),
            format!("--file={}", aside.file(file).display()),
            compression.clone(),
        ];
        arguments.extend(what.map(str::to_owned));
        arguments
    };
    let what = match order.kind {
        Kind::Full => None,
        Kind::Schema => Some("--schema-only"),
        Kind::Data => Some("--section=data"),
    };
    programs.run("pg_dump", database, dump(DUMP, what)).await?;
    if order.kind == Kind::Data {
        let arguments = dump(SCHEMA, Some("--schema-only"));
        programs.run("pg_dump", database, arguments).await?;
    }
    execute(&mut connection, "COMMIT").await?;
    connection.close().await.doing("close a connection")?;
    let backup = aside.complete(manifest)?;
    Ok(Taken { shelf, backup })
}

/// What `pg_dump` of that version is told.
fn compression(name: &str, major: u32) -> Result<String> {
    match name {
        "gzip" => Ok("--compress=6".to_owned()),
        "none" => Ok("--compress=0".to_owned()),
        "zstd" if major >= 16 => Ok("--compress=zstd:3".to_owned()),
        "zstd" => Err(Error::Usage(format!(
            "--compress zstd: pg_dump of PostgreSQL {major} knows gzip alone; from 16 on it knows zstd"
        ))),
        other => Err(Error::Usage(format!(
            "--compress: expected gzip, zstd or none, found `{other}`"
        ))),
    }
}

async fn text(connection: &mut PgConnection, query: &str) -> Result<String> {
    let lines = roles::lines(connection, query).await?;
    Ok(lines.join("\n") + "\n")
}

/// A dump by a role that sees one organisation holds one organisation, and says nothing of it.
async fn refuse_blind(connection: &mut PgConnection, server: &Server) -> Result<()> {
    let hidden: Vec<String> = sqlx::query_scalar(HIDDEN)
        .fetch_all(connection)
        .await
        .doing("ask for row-level security")?;
    if hidden.is_empty() {
        return Ok(());
    }
    let role = &server.administrator().role;
    Err(Error::Operation(format!(
        "row-level security hides rows from the role {role} in {} table{}: {}. A backup by it would hold a part of them. \
         Use a superuser, or a role for backups: CREATE ROLE backup LOGIN BYPASSRLS IN ROLE pg_read_all_data",
        hidden.len(),
        if hidden.len() == 1 { "" } else { "s" },
        hidden.join(", ")
    )))
}

/// Where a backup lies, and the folder that it stands in.
pub(super) fn beside(backup: &Backup) -> &Path {
    match backup.folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
