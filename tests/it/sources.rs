//! Where queries come from: files of SQL, and `.sqlx`.

use watertight::Harness;
use watertight::model::{Report, RunVerdict};

use crate::fixture::{lines, settings};
use crate::folder::Folder;

const SCHEMA: &str = "CREATE TABLE organisations (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text NOT NULL,
    PRIMARY KEY (organisation_id, id)
);
";

const CONFIGURATION: &str =
    "[tenant]\ntable = \"organisations\"\n\n[run]\nonly = [\"query-interference\"]\n";

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(&[
        ("watertight.toml", CONFIGURATION),
        ("migrations/1_a.sql", SCHEMA),
    ]);
    for (path, text) in files {
        folder.write(path, text.as_bytes());
    }
    folder
}

async fn run(folder: &Folder) -> Report {
    let settings = settings(&folder.path().join("watertight.toml"), "local");
    Harness::new(settings).run(&|_| {}).await.unwrap()
}

/// A file as `cargo sqlx prepare` writes it.
fn prepared(database: &str, query: &str, hash: &str) -> String {
    let file = serde_json::json!({
        "db_name": database,
        "query": query,
        "describe": { "columns": [], "parameters": { "Left": [] }, "nullable": [] },
        "hash": hash,
    });
    format!("{file:#}\n")
}

fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn remarks(report: &Report) -> String {
    report.remarks.join("\n")
}

#[tokio::test]
async fn the_queries_of_sqlx_are_tested_where_they_lie() {
    let held = "SELECT name AS \"name!\" FROM people WHERE organisation_id = $1 AND id = $2";
    let leaky = "\n  SELECT name\n  FROM people\n  WHERE id = $1";
    let marked = "-- tenant: system login by e-mail\nSELECT id FROM people WHERE email = $1";
    let said = "SELECT count(*) FROM people";
    let folder = folder(&[
        (
            ".sqlx/query-aa.json",
            &prepared("PostgreSQL", held, &hash('a')),
        ),
        (
            ".sqlx/query-bb.json",
            &prepared("PostgreSQL", leaky, &hash('b')),
        ),
        (
            ".sqlx/query-cc.json",
            &prepared("PostgreSQL", marked, &hash('c')),
        ),
        (
            ".sqlx/query-dd.json",
            &prepared("PostgreSQL", said, &hash('d')),
        ),
        (".sqlx/query-ee.json", "{ \"db_name\": "),
        (
            ".sqlx/query-ff.json",
            &prepared("SQLite", "SELECT ?", &hash('f')),
        ),
    ]);
    folder.write(
        "watertight.toml",
        format!(
            "{CONFIGURATION}\n[queries]\n\".sqlx/ddd*\" = {{ tenant = \"system: a gauge\" }}\n"
        )
        .as_bytes(),
    );
    let report = run(&folder).await;
    assert_eq!(
        lines(&report),
        [
            "inconclusive query-interference .sqlx/query-ee.json",
            "leak query-interference .sqlx/bbbbbbbbbbbb",
        ]
    );
    let tally = &report.checks["query-interference"];
    assert_eq!((tally.held, tally.not_applicable), (1, 2));
    let finding = &report.findings[0];
    assert_eq!(report.texts[&finding.object], leaky);
    let place = finding.place.as_ref().unwrap();
    assert!(place.file.ends_with(".sqlx/query-bb.json"), "{place:?}");
    assert_eq!(place.line, 3);
    assert!(report.inconclusive[0].reason.contains("no JSON"));
    assert!(
        remarks(&report).contains("5 queries of") && remarks(&report).contains("1 are for SQLite"),
        "{}",
        remarks(&report)
    );
    let text = watertight::report::render(&report, "text", false).unwrap();
    assert!(text.contains("  The query:\n      SELECT name\n"), "{text}");
}

#[tokio::test]
async fn one_file_that_cannot_be_read_leaves_the_others() {
    let folder = folder(&[
        (
            "queries/a.sql",
            "\u{feff}-- name: get :one\r\nSELECT name FROM people\r\nWHERE organisation_id = @org AND id = sqlc.arg('id')::uuid;\r\n\
             -- name: all :many\r\nSELECT * FROM people WHERE id = :id;\r\n",
        ),
        ("queries/b.sql", "\\set x 1\nSELECT 1;"),
        (
            "queries/c.sql",
            "SELECT name FROM nobody;\nSELECT name FROM people WHERE organisation_id = $1;\nCREATE TABLE x ();",
        ),
        ("queries/d.sql", "SELEC name FROM people"),
    ]);
    folder.write(
        "watertight.toml",
        format!("{CONFIGURATION}queries = \"queries\"\n").as_bytes(),
    );
    let report = run(&folder).await;
    assert_eq!(
        lines(&report),
        [
            "inconclusive query-interference b.sql",
            "inconclusive query-interference c.sql:1",
            "inconclusive query-interference c.sql:3",
            "inconclusive query-interference d.sql:d",
            "leak query-interference a.sql:all",
        ]
    );
    assert_eq!(report.checks["query-interference"].held, 2);
    let why: Vec<&str> = report
        .inconclusive
        .iter()
        .map(|one| one.reason.as_str())
        .collect();
    for (why, words) in why.iter().zip([
        "line 1: `\\set`",
        "nobody",
        "begins with CREATE",
        "begins with SELEC",
    ]) {
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_leaves_the_others() {
    let folder = folder(&[(
        "queries/a.sql",
        "-- name: always\nSELECT pg_sleep(60) FROM people WHERE organisation_id = $1;\n\
         -- name: with_others\nSELECT pg_sleep(60) FROM people WHERE organisation_id <> $1;\n\
         -- name: held\nSELECT name FROM people WHERE organisation_id = $1;\n\
         -- name: sign_up\nINSERT INTO organisations (id, name) VALUES ($1, $2);\n\
         -- name: leaky\nSELECT name FROM people WHERE id = $1;\n",
    )]);
    folder.write(
        "watertight.toml",
        format!("{CONFIGURATION}queries = \"queries\"\ntimeout = 2\n").as_bytes(),
    );
    let report = run(&folder).await;
    assert_eq!(
        lines(&report),
        [
            "inconclusive query-interference a.sql:always",
            "inconclusive query-interference a.sql:with_others",
            "leak query-interference a.sql:leaky",
        ]
    );
    let tally = &report.checks["query-interference"];
    assert_eq!((tally.held, tally.not_applicable), (1, 1));
    for one in &report.inconclusive {
        assert!(one.reason.contains("--timeout"), "{}", one.reason);
    }
    // Two seconds for each of the two, and not for each of their values in each of the worlds.
    assert!(report.timings.check < 30_000, "{:?}", report.timings);
}

#[tokio::test]
async fn no_query_where_some_were_asked_for_is_never_green() {
    let folder = folder(&[(".sqlx/.gitkeep", ""), ("queries/a.sql", "-- none yet\n")]);
    let report = run(&folder).await;
    assert!(
        remarks(&report).contains("0 queries of"),
        "{}",
        remarks(&report)
    );
    for (key, path) in [("sqlx", ".sqlx"), ("queries", "queries")] {
        folder.write(
            "watertight.toml",
            format!("{CONFIGURATION}{key} = \"{path}\"\n").as_bytes(),
        );
        let report = run(&folder).await;
        assert_eq!(report.verdict(), RunVerdict::Inconclusive);
        assert!(
            lines(&report).contains(&"inconclusive run queries".to_owned()),
            "{:?}",
            lines(&report)
        );
    }
    for (key, path) in [("sqlx", "absent/.sqlx"), ("queries", "absent")] {
        folder.write(
            "watertight.toml",
            format!("{CONFIGURATION}{key} = \"{path}\"\n").as_bytes(),
        );
        let settings = settings(&folder.path().join("watertight.toml"), "local");
        let error = Harness::new(settings)
            .run(&|_| {})
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("absent") && error.contains(&format!("--{key}")),
            "{error}"
        );
    }
}
