//! What is wrong: findings with the way to repeat and to mend them, and what could not be judged.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, Inconclusive, Place, Report, Severity, TokenKind, Tokens};
use crate::report::cause::{Cause, causes};
use crate::report::fold::{self, Folds, Kind, schema};
use crate::report::page::{Ink, Page, count};

/// Writes leaks, weaknesses, inconclusives, notes and what is accepted; whether there was more than the last two.
pub(super) fn write(page: &mut Page, report: &Report) -> bool {
    let several: BTreeSet<&String> = report.findings.iter().flat_map(|f| &f.versions).collect();
    let found = causes(report, Severity::Weakness);
    let folds = Folds::of(report, &found);
    for told in folds.told(&found) {
        page.end();
        match told.as_slice() {
            [cause] => write_cause(page, cause, report, several.len() > 1),
            several => write_folded(page, several, report),
        }
    }
    write_inconclusive(page, report, &folds);
    write_notes(page, report, &folds);
    write_accepted(page, report);
    write_acquitted(page, report);
    !found.is_empty() || fold::unsure(report).next().is_some()
}

/// The causes of a check that has too many to tell each: the largest by name, and how one finding is repeated and mended.
fn write_folded(page: &mut Page, causes: &[&Cause<'_>], report: &Report) {
    let Some(first) = causes.first().and_then(|cause| cause.findings.first()) else {
        return;
    };
    write_title(page, first.severity, &fold::title(report, causes));
    for cause in causes.iter().take(fold::NAMED) {
        page.line(Ink::Plain, &format!("    {}", cause.short()));
    }
    if let Some(more) = fold::more(causes.len()) {
        let told = format!("    {more}: --report html=report.html tells each");
        page.line(Ink::Plain, &told);
    }
    write_place(page, first, report);
    page.block(
        Ink::Plain,
        "  ",
        &format!("{}: {}", first.object, first.message),
    );
    write_difference(page, &first.difference);
    for (title, sql) in [
        ("  To repeat this one in psql:", &first.sql),
        ("  To mend it:", &first.fix),
    ] {
        write_sql(page, title, sql);
    }
}

fn write_title(page: &mut Page, severity: Severity, title: &str) {
    let ink = match severity {
        Severity::Leak => Ink::Bad,
        _ => Ink::Doubtful,
    };
    page.write(ink, severity.word())
        .write(Ink::Plain, ": ")
        .write(Ink::Bold, title)
        .end();
}

fn write_sql(page: &mut Page, title: &str, sql: &str) {
    if !sql.trim().is_empty() {
        page.line(Ink::Faint, title);
        page.block(Ink::Plain, indent(sql), sql);
    }
}

/// Findings of one cause: what each is about, and how one is repeated and all are mended.
fn write_cause(page: &mut Page, cause: &Cause<'_>, report: &Report, with_versions: bool) {
    write_title(page, cause.severity(), &cause.title());
    let Some(first) = cause.findings.first() else {
        return;
    };
    let seen = |finding: &Finding| {
        if with_versions {
            format!("Postgres {}", finding.versions.join(", "))
        } else {
            String::new()
        }
    };
    if let [finding] = cause.findings.as_slice() {
        write_place(page, finding, report);
        page.block(Ink::Plain, "  ", &finding.message);
        if with_versions {
            page.line(Ink::Plain, &format!("  Seen on {}.", seen(finding)));
        }
    } else {
        for finding in &cause.findings {
            let place = finding.place.as_ref();
            let place = place.map(|place| format!("{}:{}", place.file, place.line));
            let facts = [place.unwrap_or_default(), seen(finding)];
            let facts: Vec<&str> = facts
                .iter()
                .map(String::as_str)
                .filter(|f| !f.is_empty())
                .collect();
            page.write(Ink::Plain, "    ")
                .write(Ink::Plain, &cause.label(finding));
            page.write(Ink::Faint, &format!("  {}", facts.join(", ")))
                .end();
        }
        write_place(page, first, report);
        page.block(
            Ink::Plain,
            "  ",
            &format!("{}: {}", first.object, first.message),
        );
    }
    if let Some(query) = report.texts.get(&first.object) {
        page.line(Ink::Faint, "  The query:");
        page.block(Ink::Plain, "    ", query.trim_start_matches(['\r', '\n']));
    }
    write_difference(page, &first.difference);
    let which = if cause.findings.len() > 1 {
        "the first"
    } else {
        "it"
    };
    let repeat = format!("  To repeat {which} in psql:");
    for (title, sql) in [
        (repeat.as_str(), &first.sql),
        ("  To mend it:", &cause.fix()),
    ] {
        write_sql(page, title, sql);
    }
}

/// The rows that show it, and what comes of them.
fn write_difference(page: &mut Page, difference: &str) {
    if difference.is_empty() {
        return;
    }
    page.line(Ink::Faint, "  The rows that show it:");
    for line in difference.lines() {
        let ink = match line.chars().next() {
            Some('+') => Ink::Bad,
            Some('-') => Ink::Good,
            Some('@') => Ink::Faint,
            _ => Ink::Plain,
        };
        page.line(ink, &format!("    {line}"));
    }
}

/// The lines of the file with a mark below what is wrong, where they are known; else where they are.
fn write_place(page: &mut Page, finding: &Finding, report: &Report) {
    let Some(place) = &finding.place else {
        return;
    };
    match drawn(finding, place, report) {
        Some(drawn) => page.block(Ink::Plain, "  ", &drawn),
        None => page.line(Ink::Faint, &format!("  {}:{}", place.file, place.line)),
    }
}

#[cfg(feature = "cli")]
fn drawn(finding: &Finding, place: &Place, report: &Report) -> Option<String> {
    let text = report.sources.get(&place.file)?;
    let name = finding.object.rsplit(['.', ':']).next().unwrap_or_default();
    let told = report.explained.get(finding.check);
    let told = told.map_or(finding.check, |explained| &explained.title);
    crate::report::excerpt(&place.file, text, place.line, name.trim_matches('"'), told)
}

/// Drawing wants a crate that a test of one's own need not build.
#[cfg(not(feature = "cli"))]
fn drawn(_: &Finding, _: &Place, _: &Report) -> Option<String> {
    None
}

/// Cases that could not be judged; those of one check for one reason together, and where there are too many, all of a check.
fn write_inconclusive(page: &mut Page, report: &Report, folds: &Folds<'_>) {
    let mut entries: Vec<Vec<&Inconclusive>> = Vec::new();
    for ((check, _), cases) in fold::reasons(report) {
        match entries.last_mut() {
            Some(last) if last[0].check == check && folds.has(Kind::Inconclusive, check) => {
                last.extend(cases);
            }
            _ => entries.push(cases),
        }
    }
    for cases in entries {
        let title = match cases.as_slice() {
            [one] => format!("{} on {}", one.check, told(report, &one.object)),
            several => format!("{} on {} objects", several[0].check, several.len()),
        };
        page.end();
        page.write(Ink::Doubtful, "inconclusive: ")
            .write(Ink::Bold, &title)
            .end();
        write_reasons(page, &cases, report);
    }
}

/// The objects and why: once where it is the same for all, or the same but for their names.
fn write_reasons(page: &mut Page, cases: &[&Inconclusive], report: &Report) {
    let Some(first) = cases.first() else {
        return;
    };
    let alike = fold::reason(first);
    let one = cases.iter().all(|case| fold::reason(case) == alike);
    for case in cases.iter().filter(|_| cases.len() > 1) {
        let mut line = format!("    {}", told(report, &case.object));
        if !one {
            line = format!("{line}: {}", case.reason);
        }
        page.line(Ink::Plain, &line);
    }
    if one {
        let same = cases.iter().all(|case| case.reason == first.reason);
        let whose = if same { "" } else { "the first: " };
        page.block(Ink::Plain, "  ", &format!("{whose}{}", first.reason));
    }
}

/// The object's name; of a query whose name says nothing of it, with the beginning of its text.
fn told(report: &Report, object: &str) -> String {
    const MOST: usize = 100;
    let Some(text) = report.texts.get(object) else {
        return object.to_owned();
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let more = if text.chars().count() > MOST {
        "…"
    } else {
        ""
    };
    let start: String = text.chars().take(MOST).collect();
    format!("{object}  {start}{more}")
}

/// The indent of SQL that is to be pasted: none where it would get into a quoted text.
fn indent(sql: &str) -> &'static str {
    let quoted = |kind| matches!(kind, TokenKind::Literal | TokenKind::Quoted);
    let spans_lines = Tokens::new(sql).any(|token| match token {
        Ok(token) => quoted(token.kind) && token.text.contains('\n'),
        // Advice in plain words may hold an apostrophe: nothing is pasted then.
        Err(_) => false,
    });
    if spans_lines { "" } else { "    " }
}

/// Notes, folded to a line per schema and check; of a check that is folded, to one.
fn write_notes(page: &mut Page, report: &Report, folds: &Folds<'_>) {
    let mut folded: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for note in fold::notes(report) {
        let one = folds.has(Kind::Finding(Severity::Note), note.check);
        let schema = if one {
            "all schemas"
        } else {
            schema(&note.object)
        };
        let key = (note.check, schema);
        folded.entry(key).or_default().push(note);
    }
    if !folded.is_empty() {
        page.end();
    }
    for ((check, schema), notes) in folded {
        let objects = match notes.as_slice() {
            [one] => format!("{}: {}", one.object, one.message),
            several => {
                let number = count(several.len(), "object", "objects");
                format!("{number} in {schema}, as {}", several[0].object)
            }
        };
        page.write(Ink::Bold, "note: ")
            .write(Ink::Plain, &format!("{check} on {objects}"))
            .end();
    }
}

fn write_accepted(page: &mut Page, report: &Report) {
    let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
    let findings = report
        .findings
        .iter()
        .filter(|f| f.accepted && f.acquitted.is_empty());
    let cases = report.inconclusive.iter().filter(|c| c.accepted);
    for check in findings.map(|f| f.check).chain(cases.map(|c| c.check)) {
        *accepted.entry(check).or_default() += 1;
    }
    if accepted.is_empty() {
        return;
    }
    let list: Vec<String> = accepted
        .into_iter()
        .map(|(check, number)| format!("{number} of {check}"))
        .collect();
    page.end();
    page.write(Ink::Bold, "accepted: ")
        .write(Ink::Plain, &list.join(", "))
        .end();
}

/// What leaks by itself, and which tests show that the application guards it.
fn write_acquitted(page: &mut Page, report: &Report) {
    let acquitted = report
        .findings
        .iter()
        .filter(|f| f.accepted && !f.acquitted.is_empty());
    for (number, finding) in acquitted.enumerate() {
        if number == 0 {
            page.end();
        }
        page.write(Ink::Bold, "acquitted: ")
            .write(
                Ink::Plain,
                &format!(
                    "{}, which the application guards, as shown by {}",
                    told(report, &finding.object),
                    finding.acquitted.join(", ")
                ),
            )
            .end();
    }
}
