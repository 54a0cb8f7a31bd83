//! A database of its own for one test.

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

pub(crate) struct Database(String);

fn options(database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket("/dev/shm/wt-front")
        .port(54332)
        .username("postgres")
        .database(database)
}

impl Database {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "t_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let mut connection = options("postgres").connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE DATABASE {name} STRATEGY file_copy"
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        Self(name)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        options(&self.0).connect().await.unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}
