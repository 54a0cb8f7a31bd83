//! The queries that a program sends while it runs on a seeded database of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Stdio;

use sqlx::Connection as _;

use super::command::{RunningCommand, environment};
use super::queries::Sources;
use super::{Ground, Harness};
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Result};
use crate::query::{LONGEST_VALUE, Recorded, Recorder, Schema, recorded};
use crate::server::Server;

/// What our own sessions call themselves.
const OURS: &str = "watertight";

impl Harness {
    /// Runs the command with `DATABASE_URL` and the like of a database that is seeded as the others are, and adds what it
    /// sent to the queries.
    pub(super) async fn record(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        ground: &Ground,
        sources: &mut Sources,
        progress: &dyn Fn(&str),
    ) -> Result<()> {
        let command = &self.settings.run.command;
        progress(&format!("recording {}", command.join(" ")));
        let database = databases.clone_of(&ground.seeded).await?;
        let functions = functions(databases, &database).await?;
        let variables = environment(server, ground, databases.owner(), &database);
        let recording = server.record(LONGEST_VALUE).await?;
        // The terminal is the command's now.
        progress("");
        // What is printed on standard output is the report, and nothing else.
        let status = RunningCommand::default()
            .run(command, variables, Some(stderr()?))
            .await?;
        progress("reading what was recorded");
        let mut recorder = Recorder::new(OURS, self.settings.access.as_ref());
        recording.finish(&mut |line| recorder.take(line)).await?;
        let schema = Schema {
            catalog: &ground.schema.catalog,
            tenancy: &ground.schema.tenancy,
            worlds: &ground.worlds,
            functions: &functions,
        };
        let found = recorded(recorder, schema);
        if !status.success() {
            sources.say_incomplete(format!(
                "the command failed ({status}): what it would have sent after that was not tested"
            ));
        } else if found.queries.is_empty() {
            sources.say_incomplete(format!(
                "the command sent no query over the schema: {}. It must connect to DATABASE_URL or WATERTIGHT_APP_URL",
                summary(&found)
            ));
        }
        sources.add_recorded(&found, summary(&found), &self.settings.queries);
        Ok(())
    }
}

/// Our standard error, for the command's standard output.
fn stderr() -> Result<Stdio> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        let own = std::io::stderr().as_fd().try_clone_to_owned();
        own.map(Stdio::from)
            .map_err(|error| crate::error::Error::io("standard error", error))
    }
    #[cfg(not(unix))]
    Ok(Stdio::null())
}

/// The names of functions that neither the server nor an extension has brought.
async fn functions(databases: &Databases<'_>, database: &str) -> Result<BTreeSet<String>> {
    let mut connection = connect(&databases.administrator(database)).await?;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
         WHERE p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'
                             AND d.classid = 'pg_catalog.pg_proc'::regclass)",
    )
    .fetch_all(&mut connection)
    .await
    .doing("list the functions of the schema")?;
    connection.close().await.doing("close a connection")?;
    Ok(names.into_iter().collect())
}

/// One line: what was recorded, and what was left out.
fn summary(found: &Recorded) -> String {
    let queries = found.queries.len();
    let mut text = format!(
        "{queries} queries of {} statements were recorded",
        found.executions
    );
    let left: Vec<String> = found
        .left_out
        .iter()
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if !left.is_empty() {
        let _ = write!(text, "; left out were {}", left.join(", "));
    }
    text
}
