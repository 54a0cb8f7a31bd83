//! Every check on every fixture: the leaky ones have the one defect that they say, the isolated ones none.

use std::path::{Path, PathBuf};

use rstest::rstest;
use watertight::Harness;
use watertight::check;
use watertight::model::{Report, RunVerdict, Severity};

use crate::fixture::{Fixture, lines};
use crate::psql;
use crate::server;

/// The check that a fixture is of: its folder's name.
fn check_of(path: &Path) -> &'static str {
    let folder = path.parent().unwrap().file_name().unwrap();
    let check = check::find(folder.to_str().unwrap());
    check.expect("a folder is called like a check").page().id
}

fn assert_found(fixture: &Fixture, report: &Report) {
    let found = lines(report);
    assert_eq!(
        found, fixture.expected,
        "left: what was found; right: what the fixture expects\n{:#?}\n{:#?}",
        report.findings, report.inconclusive
    );
}

#[rstest]
#[tokio::test]
async fn an_isolated_schema_holds(#[files("fixtures/checks/*/isolated.sql")] path: PathBuf) {
    let fixture = Fixture::read(&path);
    assert!(fixture.expected.is_empty(), "an isolated fixture is clean");
    let report = Harness::new(fixture.settings("local"))
        .run(&|_| {})
        .await
        .unwrap();
    assert_found(&fixture, &report);
    assert_eq!(report.verdict(), RunVerdict::Held);
    // Silent for a reason: something was tried, and its control worked.
    let tally = &report.checks[check_of(&path)];
    assert!(tally.held > 0 && tally.leaked == 0, "{tally:?}");
}

#[rstest]
#[tokio::test]
async fn a_leaky_schema_is_found_and_shown(#[files("fixtures/checks/*/leaky.sql")] path: PathBuf) {
    let fixture = Fixture::read(&path);
    let check = check_of(&path);
    // A server of the test's own, given by URL: it ends with the test, whatever is kept on it.
    let server = server::local().await;
    let url = server.url(server.administrator(), server.maintenance_database());
    let mut settings = fixture.settings(&url);
    settings.run.keep = true;
    settings.run.deny_weakness = true;
    let report = Harness::new(settings).run(&|_| {}).await.unwrap();
    assert_found(&fixture, &report);

    let tally = &report.checks[check];
    let mut of_check = report.findings.iter().filter(|f| f.check == check);
    if let Some(finding) = of_check.next() {
        assert!(of_check.next().is_none(), "one defect, one finding");
        assert!(tally.leaked > 0, "{tally:?}");
        let verdict = match finding.severity {
            Severity::Leak | Severity::Weakness => RunVerdict::Leaked,
            Severity::Note => RunVerdict::Held,
        };
        assert_eq!(report.verdict(), verdict);
        assert!(!finding.fix.is_empty() && finding.place.is_some());
        assert_shown(&fixture, &psql::paste(&psql::kept(&report), &finding.sql));
    } else {
        assert!(tally.inconclusive > 0, "{tally:?}");
        assert_eq!(report.verdict(), RunVerdict::Inconclusive);
    }
    server.stop().await.unwrap();
}

/// The lines are printed, in this order; others may stand between them.
fn assert_shown(fixture: &Fixture, printed: &[String]) {
    assert!(!fixture.shown.is_empty(), "no `-->` lines: {printed:#?}");
    let mut rest = printed.iter();
    for line in &fixture.shown {
        assert!(
            rest.any(|printed| printed == line),
            "`{line}` in its place in {printed:#?}"
        );
    }
}
