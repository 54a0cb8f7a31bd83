//! Queries that name tables without a schema look where the application would.

use watertight::Harness;
use watertight::model::Report;

use crate::fixture::{lines, settings};
use crate::folder::Folder;

/// Two tables of one name: where a query looks decides what it reads. `old.people` has no organisation at all.
const SCHEMA: &str = "
    CREATE ROLE app NOLOGIN;
    CREATE SCHEMA crm; CREATE SCHEMA old;
    CREATE TABLE crm.organisations (id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE crm.people (organisation_id uuid NOT NULL REFERENCES crm.organisations, id uuid NOT NULL,
        name text NOT NULL, PRIMARY KEY (organisation_id, id));
    CREATE TABLE old.people (id uuid PRIMARY KEY, name text NOT NULL);
    GRANT USAGE ON SCHEMA crm TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON crm.people TO app;
    ALTER TABLE crm.people ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON crm.people USING (organisation_id::text = current_setting('app.organisation', true));
";

const QUERIES: &str = "
-- name: right :many
SELECT id, name FROM people WHERE organisation_id = $1 ORDER BY id;
-- name: wrong :many
SELECT name FROM people WHERE name <> $1::uuid::text;
";

const OF_THE_DATABASE: &str = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = crm, public', current_database()); END $$;";

async fn run(migration: &str, more: &str) -> Report {
    let folder = Folder::new(&[
        (
            "watertight.toml",
            &format!(
                "[tenant]\ntable = \"crm.organisations\"\nshared = [\"old.people\"]\n
                 [access]\nrole = \"app\"\ncontext = [\"SELECT set_config('app.organisation', $1, true)\"]\n
                 [run]\nonly = [\"query-interference\"]\n{more}"
            ),
        ),
        ("migrations/1_a.sql", &format!("{SCHEMA}{migration}")),
        ("queries/a.sql", QUERIES),
    ]);
    let settings = settings(&folder.path().join("watertight.toml"), "local");
    Harness::new(settings).run(&|_| {}).await.unwrap()
}

const FOUND: [&str; 1] = ["weakness query-interference a.sql:wrong"];

#[tokio::test]
async fn a_query_looks_where_the_settings_the_role_or_the_database_say() {
    let files = "queries = \"queries\"\n";
    for (migration, more) in [
        ("", "search_path = [\"crm\", \"public\"]\n"),
        ("", "search_path = \"crm, public\"\n"),
        ("ALTER ROLE app SET search_path = \"$user\", crm;", ""),
        (OF_THE_DATABASE, ""),
    ] {
        let report = run(
            migration,
            &format!("{files}migrate_as = \"superuser\"\n{more}"),
        )
        .await;
        assert_eq!(lines(&report), FOUND, "{migration} {more}");
        let shown = &report.findings[0].sql;
        let looks = shown.contains("set_config('search_path'");
        assert_eq!(looks, migration != OF_THE_DATABASE, "{shown}");
    }
    let nowhere = run("", files).await;
    let says = &nowhere.inconclusive[0].reason;
    assert!(says.contains("does not exist"), "{says}");
}

#[tokio::test]
async fn a_recorded_statement_looks_where_its_session_did() {
    let folder = Folder::new(&[
        (
            "watertight.toml",
            "[tenant]\ntable = \"crm.organisations\"\nshared = [\"old.people\"]\n
             [run]\nonly = [\"query-interference\"]\nrecord = true\n",
        ),
        ("migrations/1_a.sql", SCHEMA),
    ]);
    let script = "psql -X -q \"$DATABASE_URL\" <<END
        SET search_path TO old; SELECT name FROM people ORDER BY id LIMIT 3;
        BEGIN; SET LOCAL search_path TO crm; SELECT name FROM people ORDER BY id LIMIT 3; COMMIT;
END";
    let mut settings = settings(&folder.path().join("watertight.toml"), "local");
    settings.run.command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let report = Harness::new(settings).run(&|_| {}).await.unwrap();
    assert_eq!(report.schema.queries, 2, "{:?}", report.remarks);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    let shown = &report.findings[0].sql;
    assert!(shown.contains("search_path', '\"crm\"'"), "{shown}");
    assert!(report.inconclusive.is_empty(), "{:?}", report.inconclusive);
}
