//! One report of several: of versions, of servers, of parts of a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, Inconclusive, Report, Tally};

/// Joins reports: the worst of everything, and each run by itself under `runs`. Reports that were merged themselves
/// are taken apart first, so the order of merging does not matter.
#[must_use]
pub fn merge(reports: Vec<Report>) -> Report {
    let leaves = reports.into_iter().flat_map(|report| {
        if report.runs.is_empty() {
            vec![report]
        } else {
            report.runs
        }
    });
    let mut runs: Vec<Report> = leaves.collect();
    runs.sort_by_cached_key(|run| {
        (
            versions(&[run.major().to_owned()]),
            run.server.kind.clone(),
            part(run),
        )
    });
    let mut merged = Report {
        seed: common(&runs, |run| &run.seed).unwrap_or_default(),
        deny_weakness: runs.iter().any(|run| run.deny_weakness),
        mistake: runs.iter().find_map(|run| run.mistake.clone()),
        ..Report::default()
    };
    for run in &runs {
        add(&mut merged, run);
    }
    merged.findings = findings(&runs);
    merged.inconclusive = inconclusive(&runs, merged.checks.values().any(|tally| tally.cases > 0));
    merged.inconclusive.extend(missing(&runs));
    if merged.checks.values().all(|tally| tally.cases == 0) && merged.inconclusive.is_empty() {
        merged.inconclusive.push(Inconclusive {
            check: "run",
            object: "checks".to_owned(),
            reason: "no report has a case: nothing was checked".to_owned(),
            accepted: false,
            versions: Vec::new(),
        });
    }
    merged.inconclusive.sort();
    merged.runs = runs;
    merged
}

/// The part of its run that a report is of, the number of parts first.
fn part(run: &Report) -> (usize, usize) {
    run.shard.map_or((0, 0), |shard| (shard.count, shard.index))
}

/// What all runs say alike.
fn common(runs: &[Report], of: fn(&Report) -> &String) -> Option<String> {
    let mut all = runs.iter().filter(|run| run.failure.is_none()).map(of);
    let first = all.next()?;
    all.all(|other| other == first).then(|| first.clone())
}

/// Major versions without repetition, by number.
fn versions(all: &[String]) -> Vec<(u32, String)> {
    let numbers = all
        .iter()
        .map(|text| (text.parse().unwrap_or(0), text.clone()));
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Adds what is counted, and takes the most of what is read anew by every run.
fn add(merged: &mut Report, run: &Report) {
    let tell = |all: &mut String, one: &String| {
        if !one.is_empty() && !all.split(", ").any(|known| known == one) {
            let comma = if all.is_empty() { "" } else { ", " };
            all.extend([comma, one]);
        }
    };
    tell(&mut merged.server.kind, &run.server.kind);
    tell(&mut merged.server.version, &run.server.version);
    if run.schema.tables > merged.schema.tables || merged.schema.tables == 0 {
        merged.schema = run.schema.clone();
    }
    if run.dataset.rows > merged.dataset.rows {
        merged.dataset = run.dataset;
    }
    for (id, tally) in &run.checks {
        sum(merged.checks.entry(id).or_default(), tally);
    }
    for (attacked, tally) in &run.attacks {
        sum(merged.attacks.entry(attacked.clone()).or_default(), tally);
    }
    for (id, explained) in &run.explained {
        merged.explained.insert(id, explained.clone());
    }
    let (times, more) = (&mut merged.timings, &run.timings);
    times.server += more.server;
    times.migrate += more.migrate;
    times.seed += more.seed;
    times.check += more.check;
    // Every run tries the branches of all queries: the one that met the fewest is the worst.
    let of = |report: &Report| {
        let coverage = &report.coverage;
        (coverage.branches, coverage.unmet.len())
    };
    if of(run) > of(merged) {
        merged.coverage = run.coverage.clone();
    }
    for remark in &run.remarks {
        if !merged.remarks.contains(remark) {
            merged.remarks.push(remark.clone());
        }
    }
    for one in &run.satisfied {
        let same = |other: &&mut crate::model::Satisfied| {
            (&other.object, &other.constraint) == (&one.object, &one.constraint)
        };
        match merged.satisfied.iter_mut().find(same) {
            Some(other) => other.means = other.means.max(one.means),
            None => merged.satisfied.push(one.clone()),
        }
    }
    merged.texts.extend(run.texts.clone());
    for (file, text) in &run.sources {
        super::lines::join(&mut merged.sources, file, text);
    }
    merged.kept.extend(run.kept.clone());
}

fn sum(all: &mut Tally, more: &Tally) {
    all.cases += more.cases;
    all.held += more.held;
    all.leaked += more.leaked;
    all.inconclusive += more.inconclusive;
    all.not_applicable += more.not_applicable;
    for (reason, number) in &more.reasons {
        *all.reasons.entry(reason.clone()).or_default() += number;
    }
}

/// Each finding once, as it was seen where it was worst; accepted where all of it is.
fn findings(runs: &[Report]) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, &str), Finding> = BTreeMap::new();
    for finding in runs.iter().flat_map(|run| &run.findings) {
        let key = (finding.check, finding.object.as_str());
        let Some(known) = found.get_mut(&key) else {
            found.insert(key, finding.clone());
            continue;
        };
        let mut all = known.versions.clone();
        all.extend(finding.versions.iter().cloned());
        let accepted = known.accepted && finding.accepted;
        if (finding.accepted, finding.severity) < (known.accepted, known.severity) {
            *known = finding.clone();
        }
        known.accepted = accepted;
        if !accepted {
            known.acquitted.clear();
        }
        known.versions = versions(&all).into_iter().map(|(_, text)| text).collect();
    }
    let mut found: Vec<Finding> = found.into_values().collect();
    found.sort_by(|a, b| (a.severity, a.check, &a.object).cmp(&(b.severity, b.check, &b.object)));
    found
}

/// Each inconclusive once. That a part of a run had no case says nothing where the others had some.
fn inconclusive(runs: &[Report], any_case: bool) -> Vec<Inconclusive> {
    let mut found: BTreeMap<(&str, &str), Inconclusive> = BTreeMap::new();
    for run in runs {
        for case in &run.inconclusive {
            if any_case
                && run.shard.is_some()
                && (case.check, case.object.as_str()) == ("run", "checks")
            {
                continue;
            }
            let key = (case.check, case.object.as_str());
            let Some(known) = found.get_mut(&key) else {
                found.insert(key, case.clone());
                continue;
            };
            let mut all = known.versions.clone();
            all.extend(case.versions.iter().cloned());
            known.accepted &= case.accepted;
            known.versions = versions(&all).into_iter().map(|(_, text)| text).collect();
        }
    }
    found.into_values().collect()
}

/// Parts of which there is no report: what they would have tried was not.
fn missing(runs: &[Report]) -> Vec<Inconclusive> {
    let mut there: BTreeMap<(&str, &str, usize), BTreeSet<usize>> = BTreeMap::new();
    for run in runs {
        if let Some(shard) = run.shard {
            let key = (run.server.kind.as_str(), run.major(), shard.count);
            there.entry(key).or_default().insert(shard.index);
        }
    }
    let mut found = Vec::new();
    for ((kind, major, count), indexes) in there {
        for index in (1..=count).filter(|index| !indexes.contains(index)) {
            found.push(Inconclusive {
                check: "run",
                object: format!("part {index}/{count} on {kind} Postgres {major}"),
                reason: "its report is not among those that were merged: what it would have tried was not tried"
                    .to_owned(),
                accepted: false,
                versions: vec![major.to_owned()],
            });
        }
    }
    found
}
