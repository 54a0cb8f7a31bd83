//! A fixture of a check: one SQL file that says by itself how it is run and what must be found.
//!
//! It is a migration. In comments at the beginnings of its lines stand
//! - `--! …`: a line of `watertight.toml`;
//! - `--= SEVERITY CHECK OBJECT`: a finding that must be there (or `inconclusive CHECK OBJECT`), and no other;
//! - `--> …`: a line that `psql` prints when the first finding's SQL is pasted into it, in their order;
//! - `--! queries`: the end of the migration, and the beginning of a file of queries;
//! - `--< FILE`: settings and migration are those of that fixture beside it, and only queries and findings its own.

use std::fs;
use std::path::Path;

use watertight::config::{self, CommandLine};
use watertight::model::{Report, Settings};

use crate::folder::Folder;

/// Fixed, so that a failure is there again in the next run.
pub(crate) const SEED: &str = "527665f628864d49@1795368799";

const QUERIES: &str = "--! queries\n";

pub(crate) struct Fixture {
    folder: Folder,
    /// The findings that must be there, sorted.
    pub(crate) expected: Vec<String>,
    /// Lines of `psql`.
    pub(crate) shown: Vec<String>,
}

impl Fixture {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (migration, queries) = text
            .split_once(QUERIES)
            .map_or((text.as_str(), None), |(sql, queries)| (sql, Some(queries)));
        let mut expected = marked(migration, "--= ");
        expected.sort();
        let shown = marked(migration, "--> ");
        let shared = marked(migration, "--< ").first().map(|file| {
            let text = fs::read_to_string(path.with_file_name(file)).unwrap();
            let end = text.find(QUERIES).unwrap_or(text.len());
            text[..end].to_owned()
        });
        let migration = shared.as_deref().unwrap_or(migration);
        let mut settings = marked(migration, "--! ").join("\n");
        if queries.is_some() {
            settings.push_str("\n[run]\nqueries = \"queries\"\n");
        }
        let folder = Folder::new(&[
            ("watertight.toml", &settings),
            ("migrations/0001_fixture.sql", migration),
        ]);
        if let Some(queries) = queries {
            folder.write("queries/queries.sql", queries.as_bytes());
        }
        Self {
            folder,
            expected,
            shown,
        }
    }

    /// For a run on a server like this one (`--server`).
    pub(crate) fn settings(&self, server: &str) -> Settings {
        settings(&self.folder.path().join("watertight.toml"), server)
    }
}

/// The settings of a file, for a run that repeats, on a server like this one (`--server`).
pub(crate) fn settings(file: &Path, server: &str) -> Settings {
    config::load(CommandLine {
        config: Some(file.to_owned()),
        options: vec![
            ("server", vec![server.to_owned()]),
            ("seed", vec![SEED.to_owned()]),
        ],
        command: Vec::new(),
    })
    .unwrap()
}

/// What a report found and could not judge, a line each, sorted; what is accepted is left out.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let findings = report
        .findings
        .iter()
        .filter(|finding| !finding.accepted)
        .map(|finding| format!("{} {} {}", finding.severity, finding.check, finding.object));
    let inconclusive = report
        .inconclusive
        .iter()
        .filter(|case| !case.accepted)
        .map(|case| format!("inconclusive {} {}", case.check, case.object));
    let mut lines: Vec<String> = findings.chain(inconclusive).collect();
    lines.sort();
    lines
}

fn marked(text: &str, mark: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix(mark))
        .map(str::to_owned)
        .collect()
}
