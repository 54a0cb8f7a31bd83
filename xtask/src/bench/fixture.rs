//! The tables of the benchmark: two databases with the same tables, one of them with all their constraints.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use watertight::generate::{Amount, Bulk, Ground, Seed};
use watertight::harness::usual_lanes;
use watertight::model::{Catalog, TenantSettings};
use watertight::server::{Server, ServerRequest};

/// Two tables of eight columns, and that of the tenants.
const TABLES: &str = "
    CREATE TABLE organisations (organisation_id uuid NOT NULL, name text NOT NULL);
    CREATE TABLE companies (organisation_id uuid NOT NULL, id uuid NOT NULL, name text NOT NULL, siren text,
        city text NOT NULL, employees int NOT NULL, created_at timestamptz NOT NULL, active boolean NOT NULL);
    CREATE TABLE people (organisation_id uuid NOT NULL, id uuid NOT NULL, company_id uuid NOT NULL,
        email text NOT NULL, last_name text NOT NULL, score int NOT NULL, created_at timestamptz NOT NULL,
        active boolean NOT NULL);";

/// Primary keys, foreign keys, unique keys, indexes and CHECKs.
const CONSTRAINTS: &str = "
    ALTER TABLE organisations ADD PRIMARY KEY (organisation_id);
    ALTER TABLE companies ADD PRIMARY KEY (organisation_id, id),
        ADD FOREIGN KEY (organisation_id) REFERENCES organisations,
        ADD UNIQUE (organisation_id, name), ADD CHECK (employees BETWEEN 0 AND 10000);
    CREATE INDEX ON companies (organisation_id, created_at);
    ALTER TABLE people ADD PRIMARY KEY (organisation_id, id),
        ADD FOREIGN KEY (organisation_id, company_id) REFERENCES companies,
        ADD UNIQUE (organisation_id, email), ADD CHECK (score BETWEEN 0 AND 1000);
    CREATE INDEX ON people (organisation_id, created_at);";

/// Whether a database has the constraints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    Nothing,
    Constraints,
}

impl With {
    pub(super) fn database(self) -> &'static str {
        match self {
            Self::Nothing => "bench_plain",
            Self::Constraints => "bench_constrained",
        }
    }
}

/// A server with both databases.
pub(super) struct Fixture {
    pub(super) server: Server,
    pub(super) catalog: Catalog,
}

impl Fixture {
    pub(super) async fn new(request: &ServerRequest) -> Result<Self, String> {
        let server = watertight::server::start(request).await.map_err(said)?;
        for (with, sql) in [
            (With::Nothing, TABLES.to_owned()),
            (With::Constraints, format!("{TABLES}{CONSTRAINTS}")),
        ] {
            let maintenance = server.maintenance_database().to_owned();
            let mut connection = connect(&server, &maintenance).await?;
            execute(
                &mut connection,
                &format!("CREATE DATABASE {}", with.database()),
            )
            .await?;
            let mut connection = connect(&server, with.database()).await?;
            execute(&mut connection, &sql).await?;
        }
        let mut connection = connect(&server, With::Constraints.database()).await?;
        let catalog = watertight::introspect::introspect(&mut connection).await;
        Ok(Self {
            catalog: catalog.map_err(said)?,
            server,
        })
    }

    /// A connection to one of the databases, its tables empty.
    pub(super) async fn empty(&self, with: With) -> Result<PgConnection, String> {
        let mut connection = connect(&self.server, with.database()).await?;
        execute(&mut connection, "TRUNCATE organisations, companies, people").await?;
        // What an earlier round left to be written is not this one's.
        execute(&mut connection, "CHECKPOINT").await?;
        Ok(connection)
    }

    /// The same for the harness's loader, by as many connections as it has where nobody says how many.
    pub(super) async fn lanes(&self, with: With) -> Result<Vec<PgConnection>, String> {
        let mut lanes = vec![self.empty(with).await?];
        while lanes.len() < usual_lanes() {
            lanes.push(connect(&self.server, with.database()).await?);
        }
        Ok(lanes)
    }

    /// The rows that hold the constraints, for either database.
    pub(super) fn bulk(&self, rows: u64) -> Result<Arc<Bulk>, String> {
        let settings = TenantSettings {
            table: Some("organisations".to_owned()),
            ..TenantSettings::default()
        };
        let tenancy = watertight::tenancy::classify(&self.catalog, &settings, None)?;
        let ground = Ground {
            catalog: &self.catalog,
            tenancy: &tenancy,
            existing: &std::collections::BTreeMap::new(),
            pools: &watertight::generate::Pools::default(),
        };
        Ok(Arc::new(Bulk::new(
            ground,
            Amount {
                seed: SEED,
                organisations: ORGANISATIONS,
                rows,
                as_text: false,
            },
        )))
    }
}

pub(super) const ORGANISATIONS: usize = 2;

pub(super) const SEED: Seed = Seed {
    number: 42,
    instant: 1_795_363_445,
};

pub(super) async fn connect(server: &Server, database: &str) -> Result<PgConnection, String> {
    let options = server.options(server.administrator(), database);
    PgConnection::connect_with(&options).await.map_err(said)
}

pub(super) async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), String> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await;
    done.map(drop).map_err(said)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn said(error: impl ToString) -> String {
    error.to_string()
}
