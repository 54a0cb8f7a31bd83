//! Queries that lost a tenant predicate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use watertight::model::{Dataset, Report, RunVerdict, Severity, ShrinkLimits};

use super::{application, named, root, run, settings};

const CHECK: &str = "query-interference";

/// A leak is shown by a handful of rows, the organisations themselves and all that a foreign key wants among them: two
/// organisations with the chain from a campaign to what is wrong.
const HANDFUL: usize = 12;

/// In smaller worlds, for each leak.
const MOST_EXECUTIONS: usize = 300;

/// Which rows show it is of no interest.
const NO_SHRINKING: ShrinkLimits = ShrinkLimits {
    executions: 0,
    each: Duration::ZERO,
    all: Duration::ZERO,
};

/// A query of a file: its name, its text from the header on, and the file.
struct Query {
    file: String,
    name: String,
    text: String,
}

fn queries(folder: &str) -> Vec<Query> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("-- name: ").skip(1) {
            found.push(Query {
                file: path.file_name().unwrap().to_str().unwrap().to_owned(),
                name: block.split_whitespace().next().unwrap().to_owned(),
                text: block.to_owned(),
            });
        }
    }
    found.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    found
}

/// The application with other queries.
async fn with_queries(files: &BTreeMap<String, String>, shrink: ShrinkLimits) -> Report {
    let folder = application(&[]);
    fs::remove_dir_all(folder.path().join("fixtures/queries")).unwrap();
    for (file, text) in files {
        folder.write(&format!("fixtures/queries/{file}"), text.as_bytes());
    }
    let mut settings = settings(&folder, &[CHECK]);
    settings.run.shrink = shrink;
    run(settings).await.unwrap()
}

/// Files of these queries.
fn files(queries: &[Query]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for query in queries {
        let file = files.entry(query.file.clone()).or_default();
        file.extend(["-- name: ", &query.text, "\n"]);
    }
    files
}

fn objects(queries: &[Query]) -> Vec<String> {
    let object = |query: &Query| format!("{}:{}", query.file, query.name);
    queries.iter().map(object).collect()
}

#[tokio::test]
async fn every_wrong_twin_is_named() {
    let right: Vec<String> = objects(&queries("fixtures/queries"));
    assert!(right.len() >= 40, "{}", right.len());
    let wrong = queries("fixtures/queries-leaky");
    assert!(wrong.len() >= 40, "{}", wrong.len());
    assert!(objects(&wrong).iter().all(|object| right.contains(object)));
    let report = with_queries(&files(&wrong), NO_SHRINKING).await;
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    assert_eq!(report.verdict().exit_status(), 1);
    assert_eq!(named(&report, CHECK), objects(&wrong));
    for finding in &report.findings {
        let masked = finding.message.contains("masked by row-level security");
        let severity = if masked {
            Severity::Weakness
        } else {
            Severity::Leak
        };
        assert_eq!(finding.severity, severity, "{}", finding.message);
        assert!(finding.sql.contains("EXECUTE"), "{}", finding.sql);
        assert!(finding.place.is_some());
    }
}

#[tokio::test]
async fn some_wrong_twins_are_shown_by_a_handful_of_rows() {
    let some = queries("fixtures/queries-leaky").into_iter().step_by(6);
    shown_by_a_handful(&some.collect::<Vec<_>>()).await;
}

#[tokio::test]
#[ignore = "some minutes"]
async fn every_wrong_twin_is_shown_by_a_handful_of_rows() {
    shown_by_a_handful(&queries("fixtures/queries-leaky")).await;
}

async fn shown_by_a_handful(wrong: &[Query]) {
    // On a busy machine a few rows are as few: the number of executions is what is bounded here.
    let limits = ShrinkLimits {
        executions: MOST_EXECUTIONS,
        each: Duration::from_mins(10),
        all: Duration::from_mins(20),
    };
    let report = with_queries(&files(wrong), limits).await;
    assert_eq!(named(&report, CHECK), objects(wrong));
    let mut sizes = Vec::new();
    for finding in &report.findings {
        let shown = finding.counterexample.as_ref();
        let worlds = &shown
            .unwrap_or_else(|| panic!("{} was not shrunk", finding.object))
            .worlds;
        let others = worlds.others.values().flatten();
        let rows: usize = [&worlds.acting].into_iter().chain(others).map(count).sum();
        sizes.push((rows, finding.object.clone()));
    }
    sizes.sort();
    println!("{sizes:#?}");
    assert!(sizes.iter().all(|(rows, _)| *rows <= HANDFUL), "{sizes:#?}");
    // Most take fewer.
    assert!(sizes[sizes.len() / 2].0 <= HANDFUL / 2, "{sizes:#?}");
}

fn count(dataset: &Dataset) -> usize {
    dataset.values().map(|rows| rows.rows.len()).sum()
}

/// Where a predicate on the tenant stands in a text: `organisation_id = $1`, `a.organisation_id = b.organisation_id` and
/// the like.
fn predicates(text: &str) -> Vec<(usize, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '$');
    let mut found = Vec::new();
    for (at, _) in text.match_indices(" = ") {
        let start = text[..at].rfind(|c| !is_part(c)).map_or(0, |i| i + 1);
        let rest = &text[at + 3..];
        let end = at + 3 + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let left = &text[start..at];
        if left == "organisation_id" || left.ends_with(".organisation_id") {
            found.push((start, end));
        }
    }
    found
}

/// The query with one predicate on the tenant taken out, for each of them.
fn without_predicate(query: &Query) -> Vec<Query> {
    predicates(&query.text)
        .into_iter()
        .enumerate()
        .map(|(number, (start, end))| {
            let name = format!("{}_{}", query.name, number + 1);
            let text = format!("{}true{}", &query.text[..start], &query.text[end..]);
            Query {
                file: query.file.clone(),
                text: text.replacen(&query.name, &name, 1),
                name,
            }
        })
        .collect()
}

/// Mutants that return and write the same whatever other organisations have: by number of the predicate in the query.
const EQUIVALENT: [(&str, &str); 2] = [
    (
        "campaigns.sql:enroll_list_4",
        "it joins two CTEs that hold one organisation's rows alone",
    ),
    (
        "campaigns.sql:stop_campaign_2",
        "the enrollment's own predicate and its key let no campaign of another organisation match",
    ),
];

#[tokio::test]
async fn a_query_without_any_one_predicate_is_named() {
    let mutants: Vec<Query> = queries("fixtures/queries")
        .iter()
        .flat_map(without_predicate)
        .collect();
    assert!(mutants.len() > 100, "{}", mutants.len());
    let report = with_queries(&files(&mutants), NO_SHRINKING).await;
    let equivalent: BTreeSet<&str> = EQUIVALENT.iter().map(|(object, _)| *object).collect();
    let expected: BTreeSet<String> = objects(&mutants)
        .into_iter()
        .filter(|object| !equivalent.contains(object.as_str()))
        .collect();
    let found: BTreeSet<String> = named(&report, CHECK).into_iter().collect();
    let missed: Vec<_> = expected.difference(&found).collect();
    let wrong: Vec<_> = found.difference(&expected).collect();
    assert!(
        missed.is_empty() && wrong.is_empty(),
        "missed {missed:#?}\nwrong {wrong:#?}\nof {}\n{:#?}",
        mutants.len(),
        report.inconclusive
    );
}
