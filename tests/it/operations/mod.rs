//! Backups and the way back, by doing it: on a server with five organisations, and with everything that may go wrong.

mod activity;
mod backup;
mod faults;
mod interrupted;
mod restore;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use watertight::server::{self, Server};

use crate::command_line::{text, watertight};
use crate::folder::Folder;
use crate::psql;
use crate::server::request;

/// Who may do what, in every way that there is; and what Postgres prints otherwise once it has read it again.
const SCHEMA: &str = "
    CREATE ROLE proprietor; CREATE ROLE app LOGIN CONNECTION LIMIT 7; CREATE ROLE crew NOLOGIN;
    CREATE ROLE \"O'Neil\" LOGIN BYPASSRLS; GRANT crew TO \"O'Neil\" WITH ADMIN OPTION; GRANT pg_read_all_data TO \"O'Neil\";
    ALTER ROLE app SET search_path = crm, public; ALTER ROLE app IN DATABASE app SET statement_timeout = '9s';
    ALTER DATABASE app SET timezone = 'Europe/Paris'; ALTER DATABASE app OWNER TO proprietor;
    REVOKE CONNECT ON DATABASE app FROM PUBLIC; GRANT CONNECT ON DATABASE app TO app, crew;
    CREATE SCHEMA crm AUTHORIZATION proprietor; GRANT USAGE ON SCHEMA crm TO app;
    SET ROLE proprietor;
    ALTER DEFAULT PRIVILEGES IN SCHEMA crm GRANT SELECT ON TABLES TO crew;
    CREATE TYPE crm.state AS ENUM ('open', 'closed');
    CREATE TABLE crm.organisations (id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE crm.people (organisation_id uuid NOT NULL REFERENCES crm.organisations, id bigint GENERATED ALWAYS AS IDENTITY,
        name varchar(40) NOT NULL CHECK (name IN ('Ada', 'Bob', 'Cy')), state crm.state NOT NULL, score float8 NOT NULL,
        seen timestamptz NOT NULL, twice float8 GENERATED ALWAYS AS (score * 2) STORED, PRIMARY KEY (organisation_id, id));
    CREATE TABLE crm.notes (organisation_id uuid NOT NULL, id bigint NOT NULL, person_id bigint NOT NULL, body bytea,
        PRIMARY KEY (organisation_id, id), FOREIGN KEY (organisation_id, person_id) REFERENCES crm.people) PARTITION BY HASH (id);
    CREATE TABLE crm.notes_0 PARTITION OF crm.notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE crm.notes_1 PARTITION OF crm.notes FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE VIEW crm.open_people WITH (security_invoker) AS SELECT * FROM crm.people WHERE state IN ('open') AND name IN ('Ada');
    CREATE FUNCTION crm.hello() RETURNS text LANGUAGE sql SET search_path = pg_catalog AS $$SELECT 'hello'$$;
    REVOKE EXECUTE ON FUNCTION crm.hello() FROM PUBLIC; GRANT EXECUTE ON FUNCTION crm.hello() TO app;
    GRANT SELECT, INSERT, UPDATE ON crm.organisations TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON crm.people, crm.notes TO app; GRANT UPDATE (name) ON crm.people TO crew;
    ALTER TABLE crm.organisations ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.organisations FORCE ROW LEVEL SECURITY;
    ALTER TABLE crm.people ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.people FORCE ROW LEVEL SECURITY;
    ALTER TABLE crm.notes ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.notes FORCE ROW LEVEL SECURITY;
    ALTER TABLE crm.notes_0 ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.notes_0 FORCE ROW LEVEL SECURITY;
    ALTER TABLE crm.notes_1 ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.notes_1 FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON crm.organisations TO app USING (id = nullif(current_setting('app.org', true), '')::uuid);
    CREATE POLICY own ON crm.people TO app USING (organisation_id = nullif(current_setting('app.org', true), '')::uuid);
    CREATE POLICY own ON crm.notes TO app USING (organisation_id = nullif(current_setting('app.org', true), '')::uuid);
    RESET ROLE;
";

const SETTINGS: &str = "[tenant]\ntable = \"crm.organisations\"\n[access]\nrole = \"app\"\n\
    context = [\"SELECT set_config('app.org', $1, true)\"]\n";

/// A server with the database `app`, and a folder for its backups.
struct Stage {
    server: Option<Server>,
    folder: Folder,
    url: String,
}

impl Stage {
    /// Five organisations with so many people each, who have a note each.
    async fn new(people: u32) -> Self {
        Self::on("local", people).await
    }

    /// The same on another kind of server.
    async fn on(kind: &str, people: u32) -> Self {
        let server = server::start(&request(kind)).await.unwrap();
        let stage = Self {
            url: server.url(server.administrator(), "app"),
            server: Some(server),
            folder: Folder::new(&[("watertight.toml", SETTINGS)]),
        };
        stage.run_on("postgres", "CREATE DATABASE app").await;
        psql::paste(&stage.url, SCHEMA);
        let rows = format!(
            "INSERT INTO crm.organisations SELECT md5(o::text)::uuid, 'Org ' || o FROM generate_series(1, 5) o;
             INSERT INTO crm.people (organisation_id, name, state, score, seen)
               SELECT md5(o::text)::uuid, (ARRAY['Ada', 'Bob', 'Cy'])[n % 3 + 1], (ARRAY['open', 'closed'])[n % 2 + 1]::crm.state,
                 n / 7.0, '2026-03-29 01:30+00'::timestamptz + n * interval '1 hour'
               FROM generate_series(1, 5) o, generate_series(1, {people}) n;
             INSERT INTO crm.notes SELECT organisation_id, id, id, decode(md5(id::text), 'hex') FROM crm.people;"
        );
        stage.run_on("app", &rows).await;
        stage
    }

    async fn connect_to(&self, database: &str) -> PgConnection {
        let server = self.server.as_ref().unwrap();
        let options = server.options(server.administrator(), database);
        PgConnection::connect_with(&options).await.unwrap()
    }

    async fn run_on(&self, database: &str, sql: &str) {
        let mut connection = self.connect_to(database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// The first value of a query's first row, as text.
    async fn ask(&self, database: &str, sql: &str) -> String {
        let mut connection = self.connect_to(database).await;
        let sql = format!("SELECT ({sql})::text");
        let value: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        value.unwrap_or_default()
    }

    /// `backup KIND` of `app` into `backups`.
    fn back_up(&self, kind: &str, more: &[&str]) -> Output {
        let usual = ["backup", kind, "--server", &self.url, "--output", "backups"];
        watertight(&self.folder, &[&usual, more].concat(), &[])
    }

    /// Complete backups of a kind, oldest first.
    fn backups(&self, kind: &str) -> Vec<PathBuf> {
        let Ok(list) = fs::read_dir(self.folder.path().join("backups")) else {
            return Vec::new();
        };
        let mut found: Vec<PathBuf> = list
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with(&format!("app-{kind}-"))
            })
            .collect();
        found.sort();
        found
    }

    /// What lies among the backups and is none.
    fn leftovers(&self) -> Vec<PathBuf> {
        let list = fs::read_dir(self.folder.path().join("backups")).unwrap();
        list.map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name != ".watertight.lock" && !name.starts_with("app-")
            })
            .collect()
    }

    /// One full backup that was not tried.
    fn taken(&self) -> PathBuf {
        says(&self.back_up("full", &["--no-verify"]), 0, &["saved"]);
        self.backups("full").pop().unwrap()
    }

    fn verify(&self, backup: &std::path::Path) -> Output {
        let backup = backup.display().to_string();
        watertight(&self.folder, &["backup", "verify", &backup], &[])
    }
}

/// Ended with this status, and said these words on either stream; and no password.
#[track_caller]
fn says(output: &Output, status: i32, words: &[&str]) {
    let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{shown}");
    for word in words {
        assert!(shown.contains(word), "`{word}` in: {shown}");
    }
}
