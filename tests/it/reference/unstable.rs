//! Queries that return another result every time: right ones are no leak, and their wrong twins are found.

use std::fs;
use std::time::Duration;

use watertight::model::{Report, RunVerdict};

use super::queries::{CHECK, objects, queries};
use super::{application, named, root, run, settings};

/// A run of a folder's queries with the seed of this number; `days` go by from one to the next.
async fn with_seed(folder: &str, number: i64) -> Report {
    let application = application(&[]);
    let mut settings = settings(&application, &[CHECK]);
    settings.run.queries = Some(root().join(folder));
    settings.run.seed = Some(format!(
        "{number:x}@{}",
        1_700_000_000 + number * 3 * 86_400
    ));
    // Which rows show it is of no interest.
    settings.run.shrink.all = Duration::ZERO;
    run(settings).await.unwrap()
}

async fn right_ones_hold(seeds: std::ops::Range<i64>) {
    let all = fs::read_dir(root().join("fixtures/queries-unstable")).unwrap();
    assert!(all.count() > 1);
    for seed in seeds {
        let report = with_seed("fixtures/queries-unstable", seed).await;
        let verdict = report.verdict();
        assert_eq!(
            (verdict, named(&report, CHECK)),
            (RunVerdict::Held, Vec::new()),
            "{}: {:#?}",
            report.seed,
            report.inconclusive
        );
        assert!(
            report.checks[CHECK].held >= 60,
            "{:?}",
            report.checks[CHECK]
        );
    }
}

#[tokio::test]
async fn what_varies_by_itself_is_no_leak() {
    right_ones_hold(0..2).await;
}

#[tokio::test]
#[ignore = "five minutes on a quiet machine"]
async fn what_varies_by_itself_is_no_leak_whatever_the_seed() {
    right_ones_hold(0..100).await;
}

#[tokio::test]
async fn leaks_of_what_varies_by_itself_are_found() {
    let wrong = queries("fixtures/queries-unstable-leaky");
    assert_eq!(
        objects(&wrong),
        objects(&queries("fixtures/queries-unstable"))
    );
    let report = with_seed("fixtures/queries-unstable-leaky", 1).await;
    assert_eq!(named(&report, CHECK), objects(&wrong));
}
