//! What was covered, where the time went, and how to run it again.

use crate::model::{Report, RunVerdict, Tally};
use crate::report::difference::{differences, name};
use crate::report::page::{Ink, Page, count, grouped};
use crate::report::summary::summary;

/// The most reasons that are listed for a check.
const MOST_REASONS: usize = 4;

/// Writes what the run was over, its checks, remarks, times, seed, and how to open what it kept.
pub(super) fn write(page: &mut Page, report: &Report) {
    page.end();
    write_facts(page, report);
    write_runs(page, report);
    if !report.checks.is_empty() {
        page.end();
        write_checks(page, report);
    }
    if !report.remarks.is_empty() {
        page.end();
    }
    for remark in &report.remarks {
        page.block(Ink::Plain, "  ", remark);
    }
    page.end();
    write_times(page, report);
    for line in &report.kept {
        page.line(Ink::Plain, line);
    }
}

fn write_facts(page: &mut Page, report: &Report) {
    let schema = &report.schema;
    let classes: Vec<String> = schema
        .classes
        .iter()
        .filter(|(_, number)| **number > 0)
        .map(|(class, number)| format!("{number} {class}"))
        .collect();
    let classes = match classes.as_slice() {
        [] => String::new(),
        classes => format!(" ({})", classes.join(", ")),
    };
    let coverage = &report.coverage;
    let tried = match (coverage.parameters, coverage.branches) {
        (0, 0) => String::new(),
        (parameters, branches) => format!(
            " ({} of {} bound, {} of {} met)",
            coverage.bound,
            count(parameters, "parameter", "parameters"),
            coverage.met,
            count(branches, "branch", "branches")
        ),
    };
    let covered = [
        format!("{}{classes}", count(schema.tables, "table", "tables")),
        count(schema.columns, "column", "columns"),
        count(schema.foreign_keys, "foreign key", "foreign keys"),
        count(schema.policies, "policy", "policies"),
        format!("{}{tried}", count(schema.queries, "query", "queries")),
    ];
    // A database that was there has its own rows.
    let dataset = report.dataset;
    let seeded = if (dataset.organisations, dataset.rows) == (0, 0) {
        String::new()
    } else {
        format!(
            "{} with {}",
            count(dataset.organisations, "organisation", "organisations"),
            count(dataset.rows, "row", "rows")
        )
    };
    let server = match report.server.chosen.as_str() {
        "" => format!("{} {}", report.server.kind, report.server.version),
        chosen => chosen.to_owned(),
    };
    let part = match report.shard {
        Some(shard) => format!(", part {}/{}", shard.index, shard.count),
        None => String::new(),
    };
    for (label, text) in [
        ("migrated ", schema.migrations.clone()),
        ("covered  ", covered.join(", ")),
        ("seeded   ", seeded),
        ("server   ", format!("{server}{part}")),
    ] {
        if !text.is_empty() {
            page.write(Ink::Faint, label).write(Ink::Plain, &text).end();
        }
    }
}

/// Of a merged report: the verdict of each run, and what only some versions show.
fn write_runs(page: &mut Page, report: &Report) {
    if report.runs.is_empty() {
        return;
    }
    page.end();
    for run in &report.runs {
        let verdict = run.verdict();
        let ink = match verdict {
            RunVerdict::Held => Ink::Good,
            RunVerdict::Inconclusive => Ink::Doubtful,
            RunVerdict::Leaked | RunVerdict::Failed => Ink::Bad,
        };
        let told = match &run.failure {
            Some(failure) => failure.clone(),
            None => summary(run),
        };
        page.write(Ink::Bold, &name(run))
            .write(Ink::Plain, ": ")
            .write(ink, &verdict.word().to_uppercase())
            .write(Ink::Plain, ": ")
            .write(Ink::Plain, &told)
            .end();
    }
    for told in differences(report) {
        page.line(Ink::Plain, &format!("  differs: {told}"));
    }
}

/// A table of the checks: right-aligned counts, and why the held cases held.
fn write_checks(page: &mut Page, report: &Report) {
    const HEADS: [&str; 5] = ["cases", "held", "leaked", "inconclusive", "n/a"];
    let counts = |tally: &Tally| {
        [
            tally.cases,
            tally.held,
            tally.leaked,
            tally.inconclusive,
            tally.not_applicable,
        ]
        .map(grouped)
    };
    let first = report.checks.keys().map(|id| id.chars().count());
    let first = first.chain(["check".len()]).max().unwrap_or_default();
    page.write(Ink::Faint, &format!("{:first$}", "check"));
    for head in HEADS {
        page.write(Ink::Faint, &format!("  {head:>5}"));
    }
    page.end();
    for (id, tally) in &report.checks {
        page.write(Ink::Plain, &format!("{id:first$}"));
        for ((index, number), head) in counts(tally).iter().enumerate().zip(HEADS) {
            let width = head.len().max(5);
            let ink = match (index, number.as_str()) {
                (_, "0") => Ink::Faint,
                (2, _) => Ink::Bad,
                (3, _) => Ink::Doubtful,
                _ => Ink::Plain,
            };
            page.write(Ink::Plain, "  ")
                .write(Ink::Plain, &" ".repeat(width.saturating_sub(number.len())))
                .write(ink, number);
        }
        page.write(Ink::Faint, &reasons(tally)).end();
    }
}

/// Why the held cases held, the most frequent first.
pub(in crate::report) fn reasons(tally: &Tally) -> String {
    let mut reasons: Vec<(&String, &usize)> = tally.reasons.iter().collect();
    reasons.sort_by_key(|(reason, number)| (std::cmp::Reverse(**number), *reason));
    let rest = reasons.len().saturating_sub(MOST_REASONS);
    let mut list: Vec<String> = reasons
        .iter()
        .take(MOST_REASONS)
        .map(|(reason, number)| match reasons.len() {
            // The number stands in the table already.
            1 => (*reason).clone(),
            _ => format!("{} × {reason}", grouped(**number)),
        })
        .collect();
    if rest > 0 {
        list.push(format!(
            "and {}",
            count(rest, "more reason", "more reasons")
        ));
    }
    match list.as_slice() {
        [] => String::new(),
        list => format!("  {}", list.join(", ")),
    }
}

fn write_times(page: &mut Page, report: &Report) {
    let times = &report.timings;
    let seconds =
        |milliseconds: u64| format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10);
    let total = times.server + times.migrate + times.seed + times.check;
    let text = format!(
        "{} (server {}, migrate {}, seed {}, check {})",
        seconds(total),
        seconds(times.server),
        seconds(times.migrate),
        seconds(times.seed),
        seconds(times.check)
    );
    page.write(Ink::Faint, "took     ")
        .write(Ink::Plain, &text)
        .end();
    if !report.seed.is_empty() {
        page.write(Ink::Faint, "again    ")
            .write(Ink::Plain, &format!("--seed {}", report.seed))
            .end();
    }
}
