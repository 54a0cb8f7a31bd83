//! A server with an empty database for one test, gone when it ends.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use watertight::server::{self, Server, ServerChoice, ServerRequest};

pub(crate) struct Database {
    server: Server,
}

const NAME: &str = "scratch";

impl Database {
    pub(crate) async fn new() -> Self {
        let request = ServerRequest {
            choice: ServerChoice::Local,
            ..ServerRequest::default()
        };
        let server = server::start(&request).await.unwrap();
        let database = Self { server };
        let maintenance = database.server.maintenance_database().to_owned();
        let mut connection = database.connect_to(&maintenance).await;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {NAME}")))
            .execute(&mut connection)
            .await
            .unwrap();
        database
    }

    /// Logs in as the administrator.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.connect_to(NAME).await
    }

    async fn connect_to(&self, database: &str) -> PgConnection {
        let options = self.server.options(self.server.administrator(), database);
        PgConnection::connect_with(&options).await.unwrap()
    }
}
