//! The application as it is, and runs that end otherwise.

use rstest::rstest;
use watertight::Error;
use watertight::model::{Report, RunVerdict, Settings, Timings};

use super::{application, root, run, settings};
use crate::fixture;
use crate::folder::Folder;

fn real(seed: &str) -> Settings {
    let mut settings = fixture::settings(&root().join("watertight.toml"), "local");
    settings.run.seed = Some(seed.to_owned());
    settings
}

fn assert_holds(report: &Report) {
    assert_eq!(
        fixture::lines(report),
        Vec::<String>::new(),
        "{:#?}\n{:#?}",
        report.findings,
        report.inconclusive
    );
    assert_eq!(report.verdict(), RunVerdict::Held);
    assert_eq!(report.verdict().exit_status(), 0);
    let keys = &report.checks["cross-tenant-reference"];
    assert!(keys.held > 100 && keys.leaked == 0, "{keys:?}");
    let read = &report.checks["row-level-security-read"];
    // Each table once as another organisation, and with three contexts that are nobody's.
    assert!(read.held > 4 * 20 && read.held == read.cases, "{read:?}");
    assert!(report.checks["row-level-security-write"].held > 200);
    assert!(report.checks["query-interference"].held > 15);
    assert!(report.schema.scoped > 25 && report.dataset.organisations >= 3);
    // A real pooler was there, and what can't be mended is said.
    let pooled = report.checks["context-outlives-transaction"].reasons.keys();
    assert!(
        pooled
            .into_iter()
            .any(|why| why.ends_with("behind PgBouncer as well"))
    );
    let mut remarks = report.remarks.iter();
    assert!(remarks.any(|one| one.starts_with("told by EXPLAIN ANALYZE")));
}

#[rstest]
#[case("0000000000000001@1795368799")]
#[case("00000000000000ff@1800000000")]
#[case("527665f628864d49@1795368799")]
#[tokio::test]
async fn the_application_holds(#[case] seed: &str) {
    let report = run(real(seed)).await.unwrap();
    assert_holds(&report);
    assert_eq!(report.seed, seed);
}

/// A container, where there is an engine with an image.
#[tokio::test(flavor = "multi_thread")]
async fn the_application_holds_in_a_container() {
    if std::env::var("WATERTIGHT_TEST_DOCKER").is_ok_and(|value| value == "1") {
        let mut settings = real(fixture::SEED);
        settings.run.server = "docker".into();
        settings.run.image = Some("watertight-postgres:18".to_owned());
        let report = run(settings).await.unwrap();
        assert_holds(&report);
        assert_eq!(report.server.kind, "docker");
        assert!(
            report.server.version.starts_with("18"),
            "{:?}",
            report.server
        );
    }
}

#[tokio::test]
async fn a_seed_repeats_a_run() {
    let mut reports = Vec::new();
    for _ in 0..2 {
        let mut settings = real(fixture::SEED);
        // What differs by seed must differ: accepted findings stay, and queries bring in every kind of value.
        settings.run.only = vec!["query-*".to_owned(), "unique-*".to_owned()];
        let mut report = run(settings).await.unwrap();
        report.timings = Timings::default();
        report.server.chosen = String::new();
        reports.push(format!("{report:?}"));
    }
    assert_eq!(reports[0], reports[1]);
}

#[tokio::test]
async fn nothing_to_migrate_is_not_green() {
    let folder = Folder::new(&[("watertight.toml", ""), ("migrations/.keep", "")]);
    let report = run(settings(&folder, &[])).await.unwrap();
    assert_eq!(report.verdict(), RunVerdict::Inconclusive);
    assert_eq!(report.verdict().exit_status(), 4);
    assert!(report.findings.is_empty());
    let reason = &report.inconclusive[0].reason;
    assert!(reason.contains("nothing was checked"), "{reason}");
}

#[tokio::test]
async fn a_syntax_error_is_said_by_file_and_line() {
    let folder = application(&[(
        "migrations/0003_iam.up.sql",
        "-- The third.\n\nCREATE TABLE iam.organisations (\n    id uuid PRIMARY KEI\n);\n",
    )]);
    let error = run(settings(&folder, &[])).await.unwrap_err();
    let Error::Migration(failure) = error else {
        panic!("{error}");
    };
    assert!(
        failure.file.ends_with("migrations/0003_iam.up.sql"),
        "{failure}"
    );
    assert_eq!(failure.line, 4, "{failure}");
    assert_eq!(failure.sqlstate.as_deref(), Some("42601"));
}

#[tokio::test]
async fn what_is_no_check_is_refused_with_the_ones_that_are() {
    let folder = application(&[]);
    let error = run(settings(&folder, &["cross-tenant"])).await.unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    for word in ["`cross-tenant`", "cross-tenant-reference"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}
