//! Queries that a program sends while it runs: `--record -- COMMAND`.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection};
use watertight::model::{Report, RunVerdict};
use watertight::{Error, Harness};

use crate::fixture::settings;
use crate::folder::Folder;

const SCHEMA: &str = "CREATE TABLE organisations (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'robot')),
    PRIMARY KEY (organisation_id, id)
);
CREATE FUNCTION people_of(organisation uuid) RETURNS SETOF people LANGUAGE sql STABLE AS
    'SELECT * FROM people WHERE organisation_id = organisation';
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON people USING (organisation_id::text = current_setting('app.organisation_id', true));
CREATE ROLE app LOGIN NOSUPERUSER NOBYPASSRLS;
GRANT SELECT, INSERT, UPDATE, DELETE ON organisations, people TO app;
";

const CONFIGURATION: &str = "[tenant]\ntable = \"organisations\"\n
[access]\nrole = \"app\"\ncontext = [\"SELECT set_config('app.organisation_id', $1, true)\"]\n
[run]\nonly = [\"query-interference\"]\nrecord = true\nmigrate_as = \"superuser\"\n";

async fn record(command: &[&str], more: &str) -> Result<Report, Error> {
    let folder = Folder::new(&[
        ("watertight.toml", &format!("{CONFIGURATION}{more}")),
        ("migrations/1_a.sql", SCHEMA),
    ]);
    let mut settings = settings(&folder.path().join("watertight.toml"), "local");
    settings.run.command = command.iter().map(ToString::to_string).collect();
    Harness::new(settings).run(&|_| {}).await
}

/// What came of the queries, by their texts: `leaked`, or why it is not known; the others held.
fn verdicts(report: &Report) -> BTreeMap<&str, &str> {
    let found = report.findings.iter().map(|one| (&one.object, "leaked"));
    let unknown = report.inconclusive.iter();
    let unknown = unknown.map(|one| (&one.object, one.reason.as_str()));
    let known: BTreeMap<&String, &str> = found.chain(unknown).collect();
    let texts = report.texts.iter();
    texts
        .map(|(object, text)| {
            assert!(object.starts_with("recorded/"), "{object}");
            (text.as_str(), known.get(object).copied().unwrap_or("held"))
        })
        .collect()
}

fn remarks(report: &Report) -> String {
    report.remarks.join("\n")
}

#[tokio::test]
async fn what_psql_sends_is_tested() {
    let script = "
        BEGIN;
        SELECT name FROM people WHERE organisation_id = '$WATERTIGHT_TENANT' ORDER BY name LIMIT 1;
        SELECT name FROM people WHERE organisation_id = '11111111-1111-4111-8111-111111111111'
          ORDER BY name /* again */ LIMIT 1;
        ROLLBACK;
        SELECT name FROM people WHERE kind = 'person' AND name LIKE 'a%';
        SELECT name FROM people_of('$WATERTIGHT_TENANT');
        COPY (SELECT id FROM people WHERE organisation_id = '$WATERTIGHT_TENANT') TO STDOUT;
        DELETE FROM people WHERE id IN ('11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111112');
        INSERT INTO people (organisation_id, name) VALUES ('$WATERTIGHT_TENANT', 'a'), ('$WATERTIGHT_TENANT', 'it''s');
        SELECT version(); SELECT relname FROM pg_class WHERE relname = 'people';
        CREATE TEMP TABLE other (a int); INSERT INTO other VALUES (1);
        SELECT nothing FROM people;
    ";
    let psql = format!("psql -X -q \"$DATABASE_URL\" <<END\n{script}END\nexit 0");
    let report = record(&["sh", "-c", &psql], "").await.unwrap();
    let expected = [
        (
            "COPY",
            "SELECT id FROM people WHERE organisation_id = $1",
            "held",
        ),
        (
            "a leak",
            "DELETE FROM people WHERE id IN ($1, $2)",
            "leaked",
        ),
        (
            "rows",
            "INSERT INTO people (organisation_id, name) VALUES ($1, $2), ($3, $4)",
            "held",
        ),
        (
            "two",
            "SELECT name FROM people WHERE organisation_id = $1 ORDER BY name LIMIT 1",
            "held",
        ),
        (
            "a constant",
            "SELECT name FROM people WHERE kind = 'person' AND name LIKE $1",
            "leaked",
        ),
        ("a function", "SELECT name FROM people_of($1)", "held"),
    ];
    let expected: BTreeMap<&str, &str> = expected
        .into_iter()
        .map(|(_, text, verdict)| (text, verdict))
        .collect();
    let found: BTreeMap<String, &str> = verdicts(&report)
        .into_iter()
        .map(|(text, verdict)| {
            (
                text.split_whitespace().collect::<Vec<_>>().join(" "),
                verdict,
            )
        })
        .collect();
    let found: BTreeMap<&str, &str> = found
        .iter()
        .map(|(text, verdict)| (text.as_str(), *verdict))
        .collect();
    assert_eq!(found, expected);
    let remarks = remarks(&report);
    assert!(remarks.contains("7 queries of "), "{remarks}");
    assert!(
        remarks.contains("1 CREATE") && remarks.contains("touch no table of the schema"),
        "{remarks}"
    );
    assert!(remarks.contains("1 more were refused"), "{remarks}");
}

/// Tells this binary, run again, to be the program that is recorded.
const CLIENT: &str = "WATERTIGHT_TEST_CLIENT";

/// Not a test of its own: run again by others here, it is a program that uses a driver.
#[tokio::test]
async fn client_for_others() {
    if std::env::var(CLIENT).is_err() {
        return;
    }
    let url = std::env::var("WATERTIGHT_APP_URL").unwrap();
    let tenant: sqlx::types::Uuid = std::env::var("WATERTIGHT_TENANT").unwrap().parse().unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("SELECT name FROM people WHERE organisation_id = $1 AND kind = $2")
        .bind(tenant)
        .bind("person")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for _ in 0..3 {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("SELECT set_config('app.organisation_id', $1, true)")
            .bind(tenant.to_string())
            .execute(&mut *transaction)
            .await
            .unwrap();
        let name: Option<String> = sqlx::query_scalar("SELECT max(name) FROM people")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert!(name.is_some(), "its own rows are seen");
        transaction.commit().await.unwrap();
    }
    let name: Option<String> = sqlx::query_scalar("SELECT min(name) FROM people")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(name, None, "no rows are seen without a context");
}

#[tokio::test]
async fn what_a_driver_sends_is_tested_and_its_context_known() {
    let program = std::env::current_exe().unwrap();
    let command = [
        "env",
        "WATERTIGHT_TEST_CLIENT=1",
        program.to_str().unwrap(),
        "--exact",
        "recording::client_for_others",
    ];
    let report = record(&command, "").await.unwrap();
    let expected = [
        ("SELECT max(name) FROM people", "held"),
        ("SELECT min(name) FROM people", "leaked"),
        (
            "SELECT name FROM people WHERE organisation_id = $1 AND kind = $2",
            "held",
        ),
    ];
    assert_eq!(
        verdicts(&report),
        expected.into_iter().collect(),
        "{report:#?}"
    );
    let again = record(&command, "").await.unwrap();
    assert_eq!(
        again.texts, report.texts,
        "objects are called the same in every run"
    );
}

#[tokio::test]
async fn a_recording_that_is_not_whole_is_never_green() {
    let held = "psql -X -q \"$DATABASE_URL\" -c \"SELECT name FROM people WHERE organisation_id = '$WATERTIGHT_TENANT'\"";
    let failed = record(&["sh", "-c", &format!("{held}; exit 3")], "")
        .await
        .unwrap();
    assert_eq!(failed.verdict(), RunVerdict::Inconclusive);
    assert_eq!(failed.checks["query-interference"].held, 1);
    assert!(
        failed.inconclusive[0]
            .reason
            .contains("the command failed (exit status: 3)")
    );

    let silent = record(&["true"], "").await.unwrap();
    assert_eq!(silent.verdict(), RunVerdict::Inconclusive);
    let mut why = silent.inconclusive.iter().map(|one| &one.reason);
    assert!(why.any(|why| why.contains("sent no query over the schema")));

    let whole = record(&["sh", "-c", held], "").await.unwrap();
    assert_eq!(
        whole.verdict(),
        RunVerdict::Held,
        "{:#?}",
        whole.inconclusive
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused() {
    let error = record(&[], "").await.unwrap_err().to_string();
    assert!(error.contains("--record -- COMMAND"), "{error}");
    let error = record(&["no-such-program-here"], "")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no-such-program-here"), "{error}");
    let folder = Folder::new(&[
        ("watertight.toml", CONFIGURATION),
        ("migrations/1_a.sql", SCHEMA),
    ]);
    let mut settings = settings(
        &folder.path().join("watertight.toml"),
        "postgres://nobody@127.0.0.1:1/x",
    );
    settings.run.command = vec!["true".to_owned()];
    let error = Harness::new(settings)
        .run(&|_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("--record") && error.contains("--server local"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_said_of_a_recorded_query_counts() {
    let leaky = "psql -X -q \"$DATABASE_URL\" -c \"SELECT id FROM people WHERE name = 'a'\"";
    let more = "\n[queries]\n\"recorded/*\" = { tenant = \"system: login\" }\n\"absent\" = { tenant = \"context\" }\n";
    let report = record(&["sh", "-c", leaky], more).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Held, "{report:#?}");
    assert_eq!(report.checks["query-interference"].not_applicable, 1);
    assert!(
        remarks(&report).contains("no query is called `absent`"),
        "{}",
        remarks(&report)
    );
}
