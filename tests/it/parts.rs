//! Parts of a run, and several versions, joined again.

use std::collections::BTreeSet;

use watertight::model::{Report, RunVerdict, Settings, Shard};
use watertight::server::{self, ServerChoice, ServerRequest};
use watertight::{Harness, report};

use crate::fixture;
use crate::folder::Folder;

const PARTS: usize = 3;

fn folder() -> Folder {
    let schema = include_str!("../../fixtures/checks/cross-tenant-reference/leaky.sql");
    Folder::new(&[
        ("watertight.toml", ""),
        ("migrations/0001_schema.sql", schema),
    ])
}

fn settings(folder: &Folder) -> Settings {
    fixture::settings(&folder.path().join("watertight.toml"), "local")
}

async fn run(settings: Settings) -> Report {
    Harness::new(settings).run(&|_| {}).await.unwrap()
}

/// What a report says, but for what differs from run to run.
fn said(report: &Report) -> (String, String, String) {
    let findings = format!("{:?}", report.findings);
    let inconclusive = format!("{:?}", report.inconclusive);
    (format!("{:?}", report.checks), findings, inconclusive)
}

#[tokio::test]
async fn the_parts_of_a_run_are_the_whole() {
    let folder = folder();
    let whole = run(settings(&folder)).await;
    assert_eq!(whole.verdict(), RunVerdict::Leaked);
    let mut parts = Vec::new();
    for index in 1..=PARTS {
        let mut settings = settings(&folder);
        settings.run.shard = Some(Shard {
            index,
            count: PARTS,
        });
        parts.push(run(settings).await);
    }
    let cases = |report: &Report| {
        report
            .checks
            .values()
            .map(|tally| tally.cases)
            .sum::<usize>()
    };
    for part in &parts {
        assert!(
            cases(part) > 0 && cases(part) < cases(&whole),
            "{:?}",
            part.checks
        );
    }
    let merged = report::merge(parts);
    assert_eq!(said(&merged), said(&whole));
    assert_eq!(merged.attacks, whole.attacks);
}

#[tokio::test]
async fn however_many_databases_there_are_a_run_says_the_same() {
    let folder = folder();
    let mut reports = Vec::new();
    for jobs in [1, 3] {
        let mut settings = settings(&folder);
        settings.run.jobs = Some(jobs);
        reports.push(run(settings).await);
    }
    assert_eq!(reports[0].verdict(), RunVerdict::Leaked);
    assert_eq!(said(&reports[0]), said(&reports[1]));
}

#[tokio::test]
async fn a_version_that_cannot_be_had_is_an_error_beside_what_the_other_shows() {
    let folder = folder();
    let request = ServerRequest {
        choice: ServerChoice::Local,
        ..ServerRequest::default()
    };
    let server = server::start(&request).await.unwrap();
    let major: u32 = server.version().split('.').next().unwrap().parse().unwrap();
    server.stop().await.unwrap();
    let mut settings = settings(&folder);
    settings.run.postgres = vec![major, 99];
    let report = run(settings.clone()).await;
    assert_eq!(report.verdict(), RunVerdict::Failed);
    assert_eq!(report.verdict().exit_status(), 2);
    let verdicts: Vec<RunVerdict> = report.runs.iter().map(Report::verdict).collect();
    assert_eq!(verdicts, [RunVerdict::Leaked, RunVerdict::Failed]);
    let versions: BTreeSet<&String> = report.findings.iter().flat_map(|f| &f.versions).collect();
    assert_eq!(versions, BTreeSet::from([&major.to_string()]));

    // None could be had: no report says more than its error.
    settings.run.postgres = vec![98, 99];
    assert!(Harness::new(settings.clone()).run(&|_| {}).await.is_err());
    settings.run.image = Some("one:1".to_owned());
    let error = Harness::new(settings).run(&|_| {}).await.unwrap_err();
    assert!(
        error.to_string().contains("--image is of one version"),
        "{error}"
    );
}

/// Two versions, where there is an engine with an image of one.
#[tokio::test(flavor = "multi_thread")]
async fn several_versions_have_one_report() {
    if std::env::var("WATERTIGHT_TEST_DOCKER").is_ok_and(|value| value == "1") {
        let folder = folder();
        let mut settings = settings(&folder);
        settings.run.server = "auto".into();
        settings.run.postgres = vec![18, 15];
        let report = run(settings).await;
        let versions: Vec<&str> = report.runs.iter().map(Report::major).collect();
        assert_eq!(versions, ["15", "18"], "{:?}", report.runs);
        assert_eq!(report.runs[0].seed, report.runs[1].seed);
        let leak = &report.findings[0];
        assert_eq!(leak.versions, ["15", "18"], "{leak:?}");
    }
}
