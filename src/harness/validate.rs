//! The validation suites, over a database that is in use: nothing is written to it.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::facts::schema_facts;
use super::{Harness, since};
use crate::database::{connect, execute};
use crate::error::{Doing as _, Error, Result};
use crate::model::{Access, Catalog, Finding, Report, ServerFacts, Tenancy, Timings};
use crate::server::Server;
use crate::tenancy::{classify, guess};
use crate::validation::{self, Answer, Expected, Facts, SUITES, Suite};

/// What the suites said of a database, and of what schema.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The schema.
    pub catalog: Catalog,
    /// Whose its rows are.
    pub tenancy: Tenancy,
    /// What the suites said.
    pub report: Report,
}

impl Harness {
    /// Asks every suite of the database of `--server`, in transactions that read alone. `strict`: notes fail, too.
    ///
    /// # Errors
    /// Whatever keeps it from being asked at all; a suite that fails or takes too long is inconclusive in the report.
    pub async fn validate(&self, strict: bool, stage: &dyn Fn(&str)) -> Result<Report> {
        let (server, mut connection) = self.reached(stage).await?;
        let validated = self.ask_all(&server, &mut connection, strict, stage).await;
        connection.close().await.doing("close a connection")?;
        Ok(validated?.report)
    }

    /// Migrates and seeds a disposable database, and asks every suite of it.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work.
    pub async fn documented(&self, stage: &dyn Fn(&str)) -> Result<Validated> {
        let migrations = self.migrations()?;
        stage("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let result = async {
            let (mut databases, timings) = self
                .migrate(&server, &migrations, Timings::default(), stage)
                .await?;
            let migrations = (migrations, None);
            let ground = self
                .seed(&server, &mut databases, migrations, timings, stage)
                .await?;
            let mut connection = connect(&databases.administrator(&ground.seeded)).await?;
            let validated = self.ask_all(&server, &mut connection, true, stage).await;
            connection.close().await.doing("close a connection")?;
            databases.remove().await?;
            validated
        }
        .await;
        server.stop().await?;
        result
    }

    async fn ask_all(
        &self,
        server: &Server,
        connection: &mut PgConnection,
        strict: bool,
        stage: &dyn Fn(&str),
    ) -> Result<Validated> {
        let started = Instant::now();
        let (catalog, tenancy) = self.look_at(connection).await?;
        let facts = self.told(&catalog, &tenancy, strict);
        let mut report = Report {
            server: ServerFacts {
                kind: server.kind().to_owned(),
                version: server.version().to_owned(),
                chosen: server.chosen().to_owned(),
            },
            schema: schema_facts(&catalog, &tenancy, String::new()),
            // What is read off the catalog is all that a suite has: there is no attack to fail the run by.
            deny_weakness: true,
            explained: validation::explained(),
            ..Report::default()
        };
        for suite in SUITES {
            stage(suite.id);
            let answers = self.ask(connection, suite, &facts).await?;
            validation::fill(&mut report, suite, answers);
        }
        let key = |one: &Finding| (one.severity, one.check, one.object.clone());
        report.findings.sort_by_key(key);
        report.inconclusive.sort();
        report.timings.check = since(started);
        Ok(Validated {
            catalog,
            tenancy,
            report,
        })
    }

    /// The suites as a file for `psql`: for the database of `--server` where that is a URL, else for what the migrations make
    /// on a disposable server.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    pub async fn validation_script(
        &self,
        by_url: bool,
        strict: bool,
        stage: &dyn Fn(&str),
    ) -> Result<String> {
        let (catalog, tenancy) = if by_url {
            let (_, mut connection) = self.reached(stage).await?;
            let looked = self.look_at(&mut connection).await;
            connection.close().await.doing("close a connection")?;
            looked?
        } else {
            let look = async |connection: &mut PgConnection| self.look_at(connection).await;
            self.look_at_migrated(stage, look).await?.1
        };
        let facts = self.told(&catalog, &tenancy, strict);
        Ok(validation::script(&facts, self.settings.run.timeout))
    }

    /// The server of `--server`, and a connection to the database that its URL names.
    async fn reached(&self, stage: &dyn Fn(&str)) -> Result<(Server, PgConnection)> {
        stage("connecting");
        let (server, database) = crate::server::reach(&self.settings.run.server).await?;
        let connection = connect(&server.options(server.administrator(), &database)).await?;
        Ok((server, connection))
    }

    /// The schema and whose its rows are, without writing anything.
    async fn look_at(&self, connection: &mut PgConnection) -> Result<(Catalog, Tenancy)> {
        let limit = self.settings.run.timeout.as_millis();
        let begin = format!("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {limit}");
        execute(connection, &begin).await?;
        let catalog = crate::introspect::introspect(connection).await?;
        execute(connection, "ROLLBACK").await?;
        let (tenant, access) = (&self.settings.tenant, self.settings.access.as_ref());
        let tenancy = classify(&catalog, tenant, access).map_err(|e| self.misconfigured(e))?;
        Ok((catalog, tenancy))
    }

    /// What the suites are told of it.
    fn told(&self, catalog: &Catalog, tenancy: &Tenancy, strict: bool) -> Facts {
        // Migrations that another tool applies, and that are not here, are known to that tool's own book.
        let migrations = self.migrations().ok().filter(|set| set.tool.is_none());
        let expected: Option<Vec<Expected>> = migrations.map(|set| {
            let migrations = set.migrations.into_iter();
            migrations
                .map(|one| Expected {
                    name: one.name,
                    checksum: one.checksum,
                })
                .collect()
        });
        let roles = tenancy.access.as_ref().map_or_else(Vec::new, |access| {
            if access.per_tenant || access.role.contains('{') {
                groups(access, catalog)
            } else {
                vec![access.role.clone()]
            }
        });
        let allow = &self.settings.allow;
        Facts::of(catalog, tenancy, &roles, expected.as_deref(), allow, strict)
    }

    /// What a suite says, or why it says nothing.
    async fn ask(
        &self,
        connection: &mut PgConnection,
        suite: &Suite,
        facts: &Facts,
    ) -> Result<std::result::Result<Vec<Answer>, String>> {
        execute(connection, &validation::guarded(self.settings.run.timeout)).await?;
        let rows = sqlx::raw_sql(AssertSqlSafe(validation::query(suite, facts)))
            .fetch_all(&mut *connection)
            .await
            .doing(format!("ask {}", suite.id));
        execute(connection, "ROLLBACK").await?;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let read = |row: &sqlx::postgres::PgRow| -> std::result::Result<Answer, sqlx::Error> {
            Ok(Answer {
                object: row.try_get(0)?,
                state: row.try_get(1)?,
                severity: row.try_get(2)?,
                message: row.try_get(3)?,
                fix: row.try_get(4)?,
                shown: row.try_get(5)?,
                accepted: row.try_get(6)?,
                fails: row.try_get(7)?,
            })
        };
        let answers: std::result::Result<Vec<Answer>, sqlx::Error> =
            rows.iter().map(read).collect();
        answers.map(Ok).map_err(|error| {
            Error::Server(format!("the answer of {} can't be read: {error}", suite.id))
        })
    }
}

/// The roles that tenants' own roles are members of.
fn groups(access: &Access, catalog: &Catalog) -> Vec<String> {
    if access.member_of.is_empty() {
        guess::application_role(catalog).into_iter().collect()
    } else {
        access.member_of.clone()
    }
}
