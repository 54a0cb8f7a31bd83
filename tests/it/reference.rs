//! The reference application: it holds, and each of its mutants is found and named.

mod keys;
mod policies;
mod queries;
mod run;
mod shrink;
mod states;
mod unstable;
mod worlds;

use std::fs;
use std::path::Path;

use watertight::model::{Report, Settings};
use watertight::{Harness, Result};

use crate::fixture;
use crate::folder::Folder;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the application's migrations, with these files beside or instead of them.
pub(crate) fn application(files: &[(&str, &str)]) -> Folder {
    let settings = fs::read_to_string(root().join("watertight.toml")).unwrap();
    let folder = Folder::new(&[("watertight.toml", &settings)]);
    for place in ["migrations", "fixtures/queries"] {
        for entry in fs::read_dir(root().join(place)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            folder.write(&format!("{place}/{name}"), &fs::read(&path).unwrap());
        }
    }
    for (path, text) in files {
        folder.write(path, text.as_bytes());
    }
    folder
}

/// Settings for a run of some checks (all where none is named) on a local server.
fn settings(folder: &Folder, only: &[&str]) -> Settings {
    let mut settings = fixture::settings(&folder.path().join("watertight.toml"), "local");
    settings.run.only = only.iter().map(ToString::to_string).collect();
    settings
}

async fn run(settings: Settings) -> Result<Report> {
    Box::pin(Harness::new(settings).run(&|_| {})).await
}

/// A run of some checks on the application with one more migration.
async fn mutant(migration: &str, only: &[&str]) -> Report {
    let folder = application(&[
        ("migrations/0099_mutant.up.sql", migration),
        ("migrations/0099_mutant.down.sql", "SELECT 1;\n"),
    ]);
    run(settings(&folder, only)).await.unwrap()
}

/// The objects that a check named, sorted.
fn named(report: &Report, check: &str) -> Vec<String> {
    let mut objects: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.check == check && !finding.accepted)
        .map(|finding| finding.object.clone())
        .collect();
    objects.sort();
    objects
}
