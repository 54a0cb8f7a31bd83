//! A leak that was found is stored, and tried first by the next run.

use std::fs;
use std::path::Path;

use serde_json::Value;
use watertight::model::{Report, RunVerdict};
use watertight::{Error, Harness};

use crate::fixture;
use crate::folder::Folder;

const LEAKY: &str = "-- name: notes :many
SELECT n.id FROM notes n JOIN people p ON p.id = n.person_id WHERE p.organisation_id = $1;
";

const MENDED: &str = "-- name: notes :many
SELECT n.id FROM notes n JOIN people p ON p.organisation_id = n.organisation_id AND p.id = n.person_id
WHERE p.organisation_id = $1;
";

const FILE: &str = "watertight-regressions.json";

fn folder() -> Folder {
    let leaky = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checks/query-interference/leaky.sql"),
    );
    let schema = leaky.unwrap();
    let (schema, _) = schema.split_once("--! queries").unwrap();
    Folder::new(&[
        ("watertight.toml", "[run]\nqueries = \"queries\"\n"),
        ("migrations/0001_schema.sql", schema),
        ("queries/queries.sql", LEAKY),
    ])
}

async fn run(folder: &Folder) -> watertight::Result<Report> {
    let mut settings = fixture::settings(&folder.path().join("watertight.toml"), "local");
    settings.run.only = vec!["query-interference".to_owned()];
    Harness::new(settings).run(&|_| {}).await
}

fn stored(folder: &Folder) -> Value {
    let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn remarked(report: &Report, words: &str) -> bool {
    report.remarks.iter().any(|remark| remark.contains(words))
}

#[tokio::test]
async fn a_leak_is_stored_and_tried_again() {
    let folder = folder();
    let report = run(&folder).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    assert!(
        remarked(&report, "1 leaks were stored in"),
        "{:?}",
        report.remarks
    );
    let file = stored(&folder);
    assert_eq!(file["cases"].as_array().unwrap().len(), 1);
    let case = &file["cases"][0];
    assert_eq!(case["object"], "queries.sql:notes");
    assert_eq!(case["seed"], fixture::SEED);
    // The person of both, the other's note, and the two organisations.
    assert_eq!(case["rows"].as_array().unwrap().len(), 5, "{case:#}");

    // The same leak is told once, and stored once.
    let before = fs::read_to_string(folder.path().join(FILE)).unwrap();
    let report = run(&folder).await.unwrap();
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert!(!report.findings[0].message.contains("more ways"));
    assert_eq!(report.checks["query-interference"].cases, 1);
    assert_eq!(
        fs::read_to_string(folder.path().join(FILE)).unwrap(),
        before
    );

    // Mended, the stored case holds as well: one case more.
    folder.write("queries/queries.sql", MENDED.as_bytes());
    let report = run(&folder).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Held, "{:#?}", report.findings);
    assert_eq!(report.checks["query-interference"].held, 2);
    assert_eq!(
        fs::read_to_string(folder.path().join(FILE)).unwrap(),
        before
    );
}

#[tokio::test]
async fn a_stored_leak_is_found_where_the_run_would_not() {
    let folder = folder();
    run(&folder).await.unwrap();
    // The values that show it are none that a row has: only what is stored knows them.
    let mut file = stored(&folder);
    let case = &mut file["cases"][0];
    let query = "-- name: notes :many
SELECT n.id FROM notes n JOIN people p ON p.id = n.person_id
WHERE p.organisation_id = $1 AND (n.organisation_id = $1 OR p.id = '00000000-0000-4000-8000-00000000abcd');
";
    let text = case["rows"].to_string();
    let rows = case["rows"].as_array().unwrap();
    let person = rows
        .iter()
        .find(|row| row["table"] == "public.people")
        .unwrap();
    let id = person["cells"]["id"].as_str().unwrap().to_owned();
    let text = text.replace(&id, "00000000-0000-4000-8000-00000000abcd");
    case["rows"] = serde_json::from_str(&text).unwrap();
    folder.write(FILE, file.to_string().as_bytes());
    folder.write("queries/queries.sql", query.as_bytes());
    let report = run(&folder).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Leaked, "{:?}", report.remarks);
    let message = &report.findings[0].message;
    assert!(message.contains("with stored values"), "{message}");
    assert!(report.findings[0].sql.contains("00000000abcd"));

    fs::remove_file(folder.path().join(FILE)).unwrap();
    let report = run(&folder).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Held);
    assert!(!folder.path().join(FILE).exists());
}

#[tokio::test]
async fn what_no_longer_fits_is_passed_over_and_said() {
    let folder = folder();
    run(&folder).await.unwrap();
    let whole = fs::read_to_string(folder.path().join(FILE)).unwrap();
    folder.write("queries/queries.sql", MENDED.as_bytes());
    for (from, to, words) in [
        ("queries.sql:notes", "queries.sql:gone", "it is gone"),
        (
            "\"person_id\"",
            "\"nobody_id\"",
            "there is no column public.notes.nobody_id",
        ),
        ("\"public.notes\"", "\"public.papers\"", "there is no table"),
        ("\"twins\"", "\"ghosts\"", "the kind of world is not known"),
    ] {
        assert!(whole.contains(from), "{whole}");
        folder.write(FILE, whole.replace(from, to).as_bytes());
        let report = run(&folder).await.unwrap();
        assert_eq!(report.verdict(), RunVerdict::Held);
        assert!(remarked(&report, words), "{words}: {:?}", report.remarks);
    }
    folder.write(FILE, b"{ \"format\": 1, \"cases\": [ {} ] }");
    let error = run(&folder).await.unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error}");
    // Turned off, it is not even read, and nothing is stored.
    folder.write(
        "watertight.toml",
        b"[run]\nqueries = \"queries\"\nregressions = \"none\"\n",
    );
    folder.write("queries/queries.sql", LEAKY.as_bytes());
    let report = run(&folder).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    assert!(!remarked(&report, "stored"));
}
