//! A project for each convention of migrations, run as it is; and once broken, where the error names file and line.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::command_line::{refused, test_db, text, watertight};
use crate::folder::Folder;

/// A copy: a run leaves nothing in the repository, and a broken one is broken there alone.
fn copy(project: &Path) -> Folder {
    let folder = Folder::new(&[]);
    for (path, bytes) in files(project) {
        folder.write(&path, &bytes);
    }
    folder
}

/// The files of a project: their paths below it, and what is in them.
fn files(project: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![project.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(project).unwrap().to_str().unwrap();
                found.push((below.to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// The convention that its settings name in their first line.
fn convention(project: &Path) -> String {
    let settings = fs::read_to_string(project.join("watertight.toml")).unwrap();
    settings
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("# ")
        .to_owned()
}

#[rstest]
fn a_project_of_each_convention_runs_as_it_is(
    #[files("fixtures/projects/*/watertight.toml")] settings: PathBuf,
) {
    let project = settings.parent().unwrap();
    let output = test_db(&copy(project), &[]);
    let shown = text(&output.stdout);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}{error}");
    let name = format!(" ({})", convention(project));
    assert!(shown.contains(&name), "{name} in: {shown}");
    // The key of the last table was tried: its migration was run, and nothing that undoes it.
    assert!(shown.contains("cross-tenant-reference"), "{shown}");
}

/// Conventions whose files say how they are undone.
const UNDONE: [&str; 8] = [
    "dbmate",
    "Diesel",
    "golang-migrate",
    "goose",
    "Hasura",
    "node-pg-migrate",
    "sqitch",
    "sqlx",
];

#[rstest]
fn migrations_of_each_convention_may_be_run_again(
    #[files("fixtures/projects/*/watertight.toml")] settings: PathBuf,
) {
    let project = settings.parent().unwrap();
    let arguments = ["migrate", "--check", "--server", "local"];
    let output = watertight(&copy(project), &arguments, &[]);
    let shown = text(&output.stdout);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}{error}");
    let undone = if UNDONE.contains(&convention(project).as_str()) {
        "held      up, down and up leaves the schema as it was, each of"
    } else {
        "untried   nothing undoes the migrations"
    };
    let again = "held      a second run applies nothing";
    let changed = "held      a changed file is refused by its name, each of";
    for words in [again, changed, undone] {
        assert!(shown.contains(words), "{words} in: {shown}");
    }
}

#[rstest]
fn a_broken_migration_of_each_convention_is_named_by_file_and_line(
    #[files("fixtures/projects/*/watertight.toml")] settings: PathBuf,
) {
    const RIGHT: &str = "people (organisation_id, id)\n";
    let project = settings.parent().unwrap();
    let folder = copy(project);
    let right = |(path, bytes): (String, Vec<u8>)| {
        let text = String::from_utf8(bytes).ok()?;
        text.contains(RIGHT).then_some((path, text))
    };
    let (path, right) = files(project).into_iter().find_map(right).unwrap();
    let line = 1 + right[..right.find(RIGHT).unwrap()].matches('\n').count();
    folder.write(
        &path,
        right
            .replace(RIGHT, "people (organisation_id, nothing)\n")
            .as_bytes(),
    );
    let output = test_db(&folder, &[]);
    refused(&output, &[&format!("{path}:"), "SQLSTATE 42703", "nothing"]);
    // The server points at no place in a key's columns: the line is that of its statement.
    let error = text(&output.stderr);
    let (_, after) = error.split_once(&format!("{path}:")).unwrap();
    let named: usize = after.split(':').next().unwrap().parse().unwrap();
    let statement = right.lines().nth(named - 1).unwrap();
    assert!(
        named <= line && statement.starts_with("CREATE TABLE"),
        "{named}: {statement}"
    );
}
