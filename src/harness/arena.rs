//! Where a run's cases are tried: databases with the same rows, and a pooler in front of the application's.

use sqlx::postgres::PgConnectOptions;

use super::{Ground, Harness, jobs};
use crate::check::{Scene, shadow_policies};
use crate::database::Databases;
use crate::error::{Error, Result};
use crate::model::{Case, Focus, Session, Stage};
use crate::run::{Arena, Late};
use crate::server::{Login, RunningPooler, Server, start_pooler};

/// What cases run on, and what must live as long.
pub(super) struct Arenas<'a> {
    /// One for each job.
    pub(super) all: Vec<Arena<'a>>,
    _pooler: Option<RunningPooler>,
}

impl<'a> Arenas<'a> {
    /// Makes what these cases need.
    pub(super) async fn open(
        harness: &'a Harness,
        server: &Server,
        databases: &mut Databases<'_>,
        ground: &'a Ground,
        cases: &[Case],
    ) -> Result<Self> {
        let mut all = Vec::new();
        let mut pooled = Err("no attempt wants one".to_owned());
        let mut holder = None;
        for number in 0..harness.settings.run.jobs.unwrap_or_else(jobs::usual) {
            let seeded = match number {
                0 => ground.seeded.clone(),
                _ => databases.clone_of(&ground.seeded).await?,
            };
            // The application has a database of its own: on the owner's it would wait for rows that the owner's attempts
            // hold, and the owner's for its.
            let application = match &ground.application {
                Some(login) => Some((login, databases.clone_of(&ground.seeded).await?)),
                None => None,
            };
            // Nothing but contexts is committed behind it, so that one serves all jobs.
            if let (0, Some((login, database))) = (number, &application)
                && tries(cases, |stage, _| {
                    matches!(stage, Stage::Beside { pooled: true, .. })
                })
            {
                match started(server, database, login).await {
                    Ok(running) => {
                        pooled = Ok(running.options(login));
                        holder = Some(running);
                    }
                    Err(why) => pooled = Err(why),
                }
            }
            let application = application.map(|(login, name)| server.options(login, &name));
            let blank = databases.clone_template(&ground.schema.catalog).await?;
            all.push(Arena {
                seeded: databases.administrator(&seeded),
                blank: databases.administrator(&blank),
                application,
                pooled: pooled.clone(),
                thrown: thrown(databases, ground, cases).await?,
                access: harness.settings.access.as_ref(),
                catalog: &ground.schema.catalog,
                tenancy: &ground.schema.tenancy,
                worlds: &ground.worlds,
                shadow: shadow_policies(Scene {
                    catalog: &ground.schema.catalog,
                    tenancy: &ground.schema.tenancy,
                    worlds: &ground.worlds,
                    queries: &[],
                    focus: &Focus::All,
                }),
                timeout: u32::try_from(harness.settings.run.timeout.as_secs())
                    .unwrap_or(30)
                    .max(1),
                late: Late::default(),
            });
        }
        Ok(Self {
            all,
            _pooler: holder,
        })
    }
}

/// A copy of the rows for what the owner commits, where something is.
async fn thrown(
    databases: &mut Databases<'_>,
    ground: &Ground,
    cases: &[Case],
) -> Result<Option<PgConnectOptions>> {
    let wanted = tries(cases, |stage, session| {
        stage == Stage::Thrown && session == Session::Owner
    });
    if !wanted {
        return Ok(None);
    }
    let database = databases.clone_of(&ground.seeded).await?;
    Ok(Some(databases.administrator(&database)))
}

/// One of the cases has such an attempt.
fn tries(cases: &[Case], such: impl Fn(Stage, Session) -> bool) -> bool {
    let mut attempts = cases.iter().flat_map(|case| &case.attempts);
    attempts.any(|attempt| such(attempt.stage, attempt.session))
}

/// A pooler with one connection, so that whoever comes next gets the one of whoever was there before; or why there is none.
async fn started(
    server: &Server,
    database: &str,
    login: &Login,
) -> std::result::Result<RunningPooler, String> {
    if !server.is_disposable() {
        return Err("none is put in front of a server that was given by URL".to_owned());
    }
    let started = start_pooler(server, database, std::slice::from_ref(login), 1).await;
    started.map_err(|error| match error {
        Error::NoServer(_) => "it is not installed".to_owned(),
        other => {
            let text = other.to_string();
            format!(
                "it did not start: {}",
                text.lines().next().unwrap_or_default()
            )
        }
    })
}
