//! The lines of files around what is wrong: of a whole file, and of the few that a report from JSON brings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Finding, Report};

/// A line that is longer is no line to show: a file that a program wrote.
pub(super) const WIDEST: usize = 240;

/// A file that is shown has no more lines: those before are made up where only some are known.
const MOST: usize = 1 << 20;

/// A line of a file, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Line {
    line: usize,
    text: String,
}

/// Whether a line is shown beside one that is marked.
pub(super) fn is_near(line: usize, marked: usize) -> bool {
    line.abs_diff(marked) <= 1
}

/// The lines around the place of a finding; none where they are not known, or nobody could read them.
pub(super) fn around(report: &Report, finding: &Finding) -> Vec<Line> {
    let Some(place) = &finding.place else {
        return Vec::new();
    };
    let Some(text) = report.sources.get(&place.file) else {
        return Vec::new();
    };
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text));
    let near: Vec<Line> = lines
        .filter(|(line, _)| is_near(*line, place.line))
        .map(|(line, text)| Line {
            line,
            text: text.to_owned(),
        })
        .collect();
    if near.iter().any(|line| line.text.len() > WIDEST) {
        return Vec::new();
    }
    near
}

/// Enters lines of a file among those that are known of it; the others are empty.
pub(super) fn enter(sources: &mut BTreeMap<String, String>, file: &str, lines: &[Line]) {
    let last = lines.iter().map(|line| line.line).max().unwrap_or_default();
    if last == 0 || last > MOST {
        return;
    }
    let mut text = vec![""; last];
    for line in lines.iter().filter(|line| line.line > 0) {
        text[line.line - 1] = &line.text;
    }
    join(sources, file, &text.join("\n"));
}

/// What another report knows of a file beside what is known: each line from whichever has it.
pub(super) fn join(sources: &mut BTreeMap<String, String>, file: &str, text: &str) {
    let known = sources.entry(file.to_owned()).or_default();
    if known.is_empty() || known == text {
        text.clone_into(known);
        return;
    }
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (known.lines().collect(), text.lines().collect());
    let line = |number: usize| {
        let ours = ours.get(number).copied().filter(|line| !line.is_empty());
        ours.or(theirs.get(number).copied()).unwrap_or_default()
    };
    let all = ours.len().max(theirs.len());
    let joined = (0..all).map(line).collect::<Vec<_>>().join("\n");
    *known = joined;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_reports_are_one_file() {
        let line = |line, text: &str| Line {
            line,
            text: text.to_owned(),
        };
        let mut sources = BTreeMap::new();
        enter(&mut sources, "a.sql", &[line(2, "two"), line(3, "three")]);
        enter(&mut sources, "a.sql", &[line(5, "five")]);
        enter(&mut sources, "a.sql", &[line(1 << 40, "far")]);
        assert_eq!(sources["a.sql"], "\ntwo\nthree\n\nfive");
    }
}
