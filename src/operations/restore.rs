//! The way back: into a new database, which takes the old one's name when it holds what was saved.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::backup::{Order, back_up, beside};
use super::folder::{Backup, DUMP, PROPERTIES, ROLES, SCHEMA};
use super::manifest::{Counted, Kind, Manifest};
use super::program::Programs;
use crate::database::{connect, drop_database, execute};
use crate::error::{Doing as _, Error, Result};
use crate::model::quoted;
use crate::server::Server;

/// The database of a disposable server that a backup is tried in.
const TRIED: &str = "restored";

/// What a database is marked by until it serves.
const MARK: &str = "watertight: being restored";

/// Bytes of a name that Postgres keeps.
const LONGEST: usize = 63;

/// Sessions that were told to end have ended by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a database is replaced.
#[derive(Clone, Debug, Default)]
pub struct Swap {
    /// Where the safety backup goes; none is beside the backup that is restored.
    pub output: Option<PathBuf>,
    /// The folder of `pg_restore`; found where it isn't said.
    pub pg_bin: Option<PathBuf>,
    /// End the sessions of others.
    pub disconnect: bool,
    /// Remove the old database once the new one serves.
    pub drop_old: bool,
}

/// What came of a restore.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The backup of what was there before.
    pub safety: Option<PathBuf>,
    /// What the old database is called now; none where there was none, or it was removed.
    pub old: Option<String>,
    /// Roles that are not as they were saved: those of the server are left as they are.
    pub roles: Vec<String>,
    /// What the new database holds.
    pub manifest: Manifest,
}

/// Restores a backup on a disposable server and compares; what differs, in sentences.
///
/// # Errors
/// [`Error::Operation`] for a dump that can't be restored.
pub async fn verify(
    server: &Server,
    backup: &Backup,
    pg_bin: Option<&Path>,
) -> Result<Vec<String>> {
    let programs = Programs::of(server, pg_bin)?;
    let restored = fill(server, &programs, backup, TRIED).await?;
    let mut told = backup.manifest.differences(&restored);
    told.extend(backup.manifest.role_differences(&restored));
    Ok(told)
}

/// A line of shell that makes the roles and the schema of a backup, without rows, in the database of its `PG…` variables.
#[must_use]
pub fn schema_command(backup: &Backup, programs: &Path) -> String {
    let quote = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
    };
    let dump = match backup.manifest.kind {
        Kind::Data => SCHEMA,
        Kind::Full | Kind::Schema => DUMP,
    };
    format!(
        "{} -X -q -v ON_ERROR_STOP=1 -f {} && {} --exit-on-error --schema-only -d \"$PGDATABASE\" {}",
        quote(&programs.join("psql")),
        quote(&backup.file(ROLES)),
        quote(&programs.join("pg_restore")),
        quote(&backup.file(dump)),
    )
}

/// Makes a database and fills it; what it holds then.
async fn fill(
    server: &Server,
    programs: &Programs<'_>,
    backup: &Backup,
    name: &str,
) -> Result<Manifest> {
    let saved = &backup.manifest;
    let mut maintenance = connect(&server.options(server.administrator(), "postgres")).await?;
    let create = format!(
        "CREATE DATABASE {} TEMPLATE template0 {}",
        quoted(name),
        saved.locale
    );
    execute(&mut maintenance, &create).await?;
    let mark = format!("COMMENT ON DATABASE {} IS '{MARK}'", quoted(name));
    execute(&mut maintenance, &mark).await?;
    maintenance.close().await.doing("close a connection")?;
    let script = |file: &str| {
        let file = backup.file(file).display().to_string();
        let set = "ON_ERROR_STOP=1".to_owned();
        ["-X", "-q", "-v"]
            .map(str::to_owned)
            .into_iter()
            .chain([set, "-f".to_owned(), file])
    };
    programs.run("psql", name, script(ROLES)).await?;
    let section = |part: Option<&str>, file: &str| {
        let file = backup.file(file).display().to_string();
        let part = part.map(|part| format!("--section={part}"));
        ["--exit-on-error".to_owned()]
            .into_iter()
            .chain(part)
            .chain([file])
    };
    let parts: &[(Option<&str>, &str)] = match saved.kind {
        Kind::Full | Kind::Schema => &[(None, DUMP)],
        Kind::Data => &[
            (Some("pre-data"), SCHEMA),
            (None, DUMP),
            (Some("post-data"), SCHEMA),
        ],
    };
    for (part, file) in parts {
        programs
            .run("pg_restore", name, section(*part, file))
            .await?;
    }
    programs.run("psql", name, script(PROPERTIES)).await?;
    let mut connection = connect(&server.options(server.administrator(), name)).await?;
    // The planner knows nothing of rows that just came.
    execute(&mut connection, "ANALYZE").await?;
    let restored = Manifest::read(
        &mut connection,
        saved.kind,
        saved.server.clone(),
        saved.counted.clone(),
    )
    .await?;
    connection.close().await.doing("close a connection")?;
    Ok(restored)
}

/// Replaces a database by what a backup holds. The old one serves until the new one is known to hold all of it; both change
/// their names in one transaction. Whatever fails, the old one is as it was.
///
/// # Errors
/// [`Error::Operation`] for a backup that is not whole or not full, sessions of others in the old database, a restored
/// database that differs; and those of [`back_up`] for the safety backup.
pub async fn restore(
    server: &Server,
    database: &str,
    backup: &Backup,
    swap: &Swap,
    counted: Option<Vec<Counted>>,
) -> Result<Restored> {
    let saved = &backup.manifest;
    refuse_unfit(server, saved)?;
    let programs = Programs::of(server, swap.pg_bin.as_deref())?;
    // Neither the old database nor the new one may be in use when they change their names.
    let elsewhere = if database == "postgres" {
        "template1"
    } else {
        "postgres"
    };
    let mut maintenance = connect(&server.options(server.administrator(), elsewhere)).await?;
    remove_leftovers(&mut maintenance, database).await?;
    // Its absence is known by what can't be counted.
    let mut safety = None;
    if let Some(counted) = counted {
        if !swap.disconnect {
            refuse_used(&mut maintenance, database).await?;
        }
        let order = Order {
            kind: Kind::Full,
            output: swap
                .output
                .clone()
                .unwrap_or_else(|| beside(backup).to_owned()),
            compress: "gzip".to_owned(),
            pg_bin: swap.pg_bin.clone(),
        };
        safety = Some(back_up(server, database, &order, counted).await?);
    }
    let stamp: String =
        sqlx::query_scalar("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISSMS')")
            .fetch_one(&mut maintenance)
            .await
            .doing("ask for the time")?;
    let new = derived(database, "restoring", &stamp);
    let old = safety
        .is_some()
        .then(|| derived(database, "before", &stamp));
    let swapped = async {
        let restored = fill(server, &programs, backup, &new).await?;
        let differences = saved.differences(&restored);
        if !differences.is_empty() {
            return Err(Error::Operation(format!(
                "what was restored is not what was saved:\n  {}",
                differences.join("\n  ")
            )));
        }
        exchange(
            &mut maintenance,
            database,
            &new,
            old.as_deref(),
            swap.disconnect,
        )
        .await?;
        Ok(restored)
    }
    .await;
    let manifest = match swapped {
        Ok(manifest) => Manifest {
            database: database.to_owned(),
            ..manifest
        },
        Err(error) => {
            // The server may have gone away: then this fails too, and the next restore removes it.
            let _ = drop_database(&mut maintenance, &new).await;
            let state = if safety.is_some() {
                format!("the database {database} is as it was")
            } else {
                format!("there is still no database {database}")
            };
            return Err(Error::Operation(format!("{error}\n{state}")));
        }
    };
    let mut kept = old;
    if swap.drop_old
        && let Some(old) = kept.take()
    {
        drop_database(&mut maintenance, &old).await?;
    }
    maintenance.close().await.doing("close a connection")?;
    Ok(Restored {
        safety: safety.map(|taken| taken.backup.folder),
        old: kept,
        roles: saved.role_differences(&manifest),
        manifest,
    })
}

fn refuse_unfit(server: &Server, saved: &Manifest) -> Result<()> {
    if saved.kind != Kind::Full {
        return Err(Error::Usage(format!(
            "a backup of the {} alone replaces no database: pg_restore takes its {DUMP} where it is wanted",
            saved.kind.word()
        )));
    }
    let major = server.version_number() / 10_000;
    if major < saved.major {
        return Err(Error::Operation(format!(
            "the backup is of PostgreSQL {}, and the server is {}: a dump goes to the same version or a newer one",
            saved.version,
            server.version()
        )));
    }
    Ok(())
}

/// A name made of a database's, however long that is.
fn derived(database: &str, word: &str, stamp: &str) -> String {
    let tail = format!("_{word}_{}", stamp.to_lowercase());
    let mut end = database.len().min(LONGEST - tail.len());
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &database[..end])
}

/// Databases that killed restores left: nobody is in them, and they bear the mark.
async fn remove_leftovers(maintenance: &mut PgConnection, database: &str) -> Result<()> {
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT d.datname::text FROM pg_catalog.pg_database d
          WHERE starts_with(d.datname, $1) AND pg_catalog.shobj_description(d.oid, 'pg_database') = $2
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
    )
    .bind(derived(database, "restoring", ""))
    .bind(MARK)
    .fetch_all(&mut *maintenance)
    .await
    .doing("look for what an earlier restore left")?;
    for name in left {
        drop_database(maintenance, &name).await?;
    }
    Ok(())
}

/// Who else is in a database.
const SESSIONS: &str = "SELECT format('%s%s from %s', usename, ' (' || nullif(application_name, '') || ')',
        coalesce(client_addr::text, 'a socket'))
     FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' ORDER BY 1";

/// Refuses while others are in the database. A session that just ended may be seen for a moment.
async fn refuse_used(maintenance: &mut PgConnection, database: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let found: Vec<String> = sqlx::query_scalar(SESSIONS)
            .bind(database)
            .fetch_all(&mut *maintenance)
            .await
            .doing("look who is connected")?;
        if found.is_empty() {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(Error::Operation(format!(
                "{} session{} in the database {database}: {}. End them, or have them ended by --disconnect",
                found.len(),
                if found.len() == 1 { " is" } else { "s are" },
                found.join(", ")
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Gives both databases their new names, or neither.
async fn exchange(
    maintenance: &mut PgConnection,
    database: &str,
    new: &str,
    old: Option<&str>,
    disconnect: bool,
) -> Result<()> {
    let away = old.map_or_else(String::new, |old| {
        format!(
            "ALTER DATABASE {} RENAME TO {};",
            quoted(database),
            quoted(old)
        )
    });
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = 0; {away} ALTER DATABASE {0} RENAME TO {1}; COMMENT ON DATABASE {1} IS NULL; COMMIT",
        quoted(new),
        quoted(database)
    );
    let started = Instant::now();
    loop {
        if disconnect {
            sqlx::query("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1")
                .bind(database)
                .execute(&mut *maintenance)
                .await
                .doing("end the sessions of others")?;
        }
        let Err(error) = execute(maintenance, &sql).await else {
            return Ok(());
        };
        // The same transaction would refuse whatever came next.
        let _ = execute(maintenance, "ROLLBACK").await;
        // Somebody came back before the name was taken.
        if !disconnect || started.elapsed() > PATIENCE {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_whole_at_their_ends() {
        assert_eq!(
            derived("app", "before", "20261125T1"),
            "app_before_20261125t1"
        );
        let long = "é".repeat(31);
        let name = derived(&long, "restoring", "20261125T203000123");
        assert!(name.len() <= LONGEST && name.ends_with("_restoring_20261125t203000123"));
    }
}
