//! What of a long report is told as one: where an old schema has a hundred causes of one kind, nobody reads a hundred
//! entries.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::Cause;
use super::page::{count, grouped};
use crate::model::{Finding, Inconclusive, Report, Severity};

/// The most entries of a report for people, where checks with many can be folded into one each.
const MOST: usize = 20;

/// So many causes of a fold are named.
pub(super) const NAMED: usize = 8;

/// What an entry of the report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A finding that is not accepted.
    Finding(Severity),
    /// A case that could not be judged.
    Inconclusive,
}

/// Which checks are told as one entry.
pub(super) struct Folds<'a>(BTreeSet<(Kind, &'a str)>);

impl<'a> Folds<'a> {
    /// Folds the checks with the most entries until the report has no more than twenty, or all are folded.
    pub(super) fn of(report: &'a Report, causes: &[Cause<'a>]) -> Self {
        let mut entries: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        for cause in causes {
            let key = (Kind::Finding(cause.severity()), cause.check());
            *entries.entry(key).or_default() += 1;
        }
        for (check, _) in reasons(report).into_keys() {
            *entries.entry((Kind::Inconclusive, check)).or_default() += 1;
        }
        let notes = notes(report).map(|note| (note.check, schema(&note.object)));
        for (check, _) in notes.collect::<BTreeSet<_>>() {
            let key = (Kind::Finding(Severity::Note), check);
            *entries.entry(key).or_default() += 1;
        }
        let mut sizes: Vec<((Kind, &str), usize)> = entries.into_iter().collect();
        sizes.sort_by_key(|(key, number)| (std::cmp::Reverse(*number), *key));
        let mut total: usize = sizes.iter().map(|(_, number)| number).sum();
        let mut folded = BTreeSet::new();
        for (key, number) in sizes {
            if total <= MOST || number < 2 {
                break;
            }
            folded.insert(key);
            total -= number - 1;
        }
        Self(folded)
    }

    /// Whether what a check found of a kind is one entry.
    pub(super) fn has(&self, kind: Kind, check: &'a str) -> bool {
        self.0.contains(&(kind, check))
    }

    /// The causes as they are told: each by itself, or all of a check that is folded, the largest first.
    pub(super) fn told<'c>(&self, causes: &'c [Cause<'a>]) -> Vec<Vec<&'c Cause<'a>>> {
        let mut told: Vec<Vec<&Cause<'a>>> = Vec::new();
        let mut known: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        for cause in causes {
            let key = (Kind::Finding(cause.severity()), cause.check());
            if !self.0.contains(&key) {
                told.push(vec![cause]);
            } else if let Some(at) = known.get(&key) {
                told[*at].push(cause);
            } else {
                known.insert(key, told.len());
                told.push(vec![cause]);
            }
        }
        for causes in &mut told {
            causes.sort_by_key(|cause| std::cmp::Reverse(cause.findings.len()));
        }
        told
    }
}

/// `cross-tenant-reference: 578 findings of 147 causes (a foreign key accepts another tenant's row)`.
pub(super) fn title(report: &Report, causes: &[&Cause<'_>]) -> String {
    let check = causes
        .first()
        .map(|cause| cause.check())
        .unwrap_or_default();
    let findings: usize = causes.iter().map(|cause| cause.findings.len()).sum();
    let of = if findings == causes.len() {
        String::new()
    } else {
        format!(" of {} causes", grouped(causes.len()))
    };
    let explained = report.explained.get(check);
    let told = explained.map_or_else(String::new, |one| format!(" ({})", one.title));
    format!(
        "{check}: {}{of}{told}",
        count(findings, "finding", "findings")
    )
}

/// `and 139 more`, where not all are named.
pub(super) fn more(causes: usize) -> Option<String> {
    let rest = causes.checked_sub(NAMED).filter(|rest| *rest > 0)?;
    Some(format!("and {} more", grouped(rest)))
}

/// Cases that could not be judged and are not accepted.
pub(super) fn unsure(report: &Report) -> impl Iterator<Item = &Inconclusive> {
    report.inconclusive.iter().filter(|case| !case.accepted)
}

/// Why a case could not be judged, whatever its object is called.
pub(super) fn reason(case: &Inconclusive) -> String {
    case.reason.replace(&case.object, "\u{2026}")
}

/// Cases that could not be judged, by check and reason: those whose reasons differ in the object's name alone together.
pub(super) fn reasons(report: &Report) -> BTreeMap<(&'static str, String), Vec<&Inconclusive>> {
    let mut found: BTreeMap<_, Vec<&Inconclusive>> = BTreeMap::new();
    for case in unsure(report) {
        let key = (case.check, reason(case));
        found.entry(key).or_default().push(case);
    }
    found
}

/// Notes that are not accepted.
pub(super) fn notes(report: &Report) -> impl Iterator<Item = &Finding> {
    let open = report.findings.iter().filter(|finding| !finding.accepted);
    open.filter(|finding| finding.severity == Severity::Note)
}

/// The first part of an object's name; of a query, its file.
pub(super) fn schema(object: &str) -> &str {
    if let Some((file, _)) = object.rsplit_once(".sql:") {
        return &object[..file.len() + ".sql".len()];
    }
    let mut quoted = false;
    let end = object.find(|c| {
        quoted ^= c == '"';
        c == '.' && !quoted
    });
    &object[..end.unwrap_or(object.len())]
}
