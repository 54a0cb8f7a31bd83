//! Queries that lost a tenant predicate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use watertight::model::{Report, RunVerdict, Severity};

use super::{application, named, root, run, settings};

const CHECK: &str = "query-interference";

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
async fn with_queries(files: &BTreeMap<String, String>) -> Report {
    let folder = application(&[]);
    fs::remove_dir_all(folder.path().join("fixtures/queries")).unwrap();
    for (file, text) in files {
        folder.write(&format!("fixtures/queries/{file}"), text.as_bytes());
    }
    let mut settings = settings(&folder, &[CHECK]);
    // Which rows show it is of no interest here.
    settings.run.shrink.all = Duration::ZERO;
    run(settings).await.unwrap()
}

#[tokio::test]
async fn every_wrong_twin_is_named() {
    let wrong = queries("fixtures/queries-leaky");
    assert!(wrong.len() >= 14, "{}", wrong.len());
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for query in &wrong {
        let file = files.entry(query.file.clone()).or_default();
        file.extend(["-- name: ", &query.text]);
    }
    let report = with_queries(&files).await;
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    assert_eq!(report.verdict().exit_status(), 1);
    let expected: Vec<String> = wrong
        .iter()
        .map(|query| format!("{}:{}", query.file, query.name))
        .collect();
    assert_eq!(named(&report, CHECK), expected);
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
    assert!(mutants.len() > 30, "{}", mutants.len());
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for query in &mutants {
        let file = files.entry(query.file.clone()).or_default();
        file.extend(["-- name: ", &query.text, "\n"]);
    }
    let report = with_queries(&files).await;
    let equivalent: BTreeSet<&str> = EQUIVALENT.iter().map(|(object, _)| *object).collect();
    let expected: BTreeSet<String> = mutants
        .iter()
        .map(|query| format!("{}:{}", query.file, query.name))
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
