//! One case again and again, in small worlds that come and go: for shrinking.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::Arena;
use super::session::{Script, Session};
use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::model::{Attempt, Catalog, Observation, Stage, Worlds, planner};

/// A session on the blank database, in one transaction.
pub struct Trial<'a> {
    session: Session,
    catalog: &'a Catalog,
}

impl<'a> Trial<'a> {
    /// Opens the session.
    ///
    /// # Errors
    /// [`Error::Database`] for a database that can't be reached.
    pub async fn open(arena: &Arena<'a>) -> Result<Self> {
        Ok(Self {
            session: Session::open(&arena.blank, arena).await?,
            catalog: arena.catalog,
        })
    }

    /// Runs attempts, each in its world of these. `None` where the server refuses the rows.
    ///
    /// # Errors
    /// A connection that was lost.
    pub async fn run(
        &mut self,
        worlds: &Worlds,
        attempts: &[Attempt],
    ) -> Result<Option<Vec<Observation>>> {
        let mut found: Vec<Observation> = Vec::with_capacity(attempts.len());
        let mut before: Option<(Vec<String>, &Attempt)> = None;
        for attempt in attempts {
            let Stage::World { kind, layout } = attempt.stage else {
                return Ok(None);
            };
            let rows = worlds.script(self.catalog, kind, layout);
            // Few rows are often in one order whatever the layout.
            if let (Some((loaded, last)), Some(seen)) = (&before, found.last())
                && *loaded == rows
                && (&last.statements, &last.witness) == (&attempt.statements, &attempt.witness)
            {
                let same = seen.clone();
                found.push(same);
                continue;
            }
            let Some(seen) = self.one(&rows, planner(kind, layout), attempt).await? else {
                return Ok(None);
            };
            found.push(seen);
            before = Some((rows, attempt));
        }
        Ok(Some(found))
    }

    async fn one(
        &mut self,
        rows: &[String],
        planner: &str,
        attempt: &Attempt,
    ) -> Result<Option<Observation>> {
        let mut load = String::from("SAVEPOINT watertight_stage");
        // Not undone by a rollback: set alike for every world.
        for sequence in &self.catalog.sequences {
            load.push_str(";SELECT ");
            load.push_str(&sequence.restart());
        }
        for sql in rows {
            load.push(';');
            load.push_str(sql);
        }
        load.push(';');
        load.push_str(planner);
        self.session.forget_rows();
        let connection = &mut self.session.connection;
        let loaded = connection.execute(sqlx::raw_sql(AssertSqlSafe(load))).await;
        let mut seen = None;
        match loaded {
            Ok(_) => {
                let script = Script {
                    statements: attempt.statements.clone(),
                    witness: attempt.witness.as_deref(),
                    about: "",
                };
                let (mut all, alive) = self.session.run(&[script]).await;
                if !alive {
                    return Err(Error::Server("the connection was lost".to_owned()));
                }
                seen = all.pop();
            }
            Err(error) if error.as_database_error().is_some() => {}
            Err(error) => return Err(error).doing("load a few rows"),
        }
        execute(
            &mut self.session.connection,
            "ROLLBACK TO SAVEPOINT watertight_stage; RELEASE SAVEPOINT watertight_stage",
        )
        .await?;
        Ok(seen)
    }

    /// Ends the session.
    ///
    /// # Errors
    /// A connection that was lost.
    pub async fn close(self) -> Result<()> {
        let connection = self.session.connection;
        connection.close().await.doing("close a connection")
    }
}
