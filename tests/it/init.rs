//! `init`: a first file of settings from a schema that nobody has described.

use std::fs;

use crate::command_line::{leaky, refused, test_db, text, watertight};
use crate::folder::Folder;

const INIT: [&str; 3] = ["init", "--server", "local"];

#[test]
fn what_is_written_is_green_until_something_new_leaks() {
    let folder = Folder::new(&[
        ("db/migrations/1_a.sql", &leaky()),
        (
            "db/migrations/2_b.sql",
            "CREATE ROLE application LOGIN; CREATE TABLE kinds (code text PRIMARY KEY);
             GRANT SELECT, INSERT ON people, notes TO application;
             ALTER TABLE people ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON people TO application
                 USING (organisation_id = nullif(current_setting('app.org', true), '')::uuid);",
        ),
    ]);
    let output = watertight(&folder, &INIT, &[]);
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown}{}",
        text(&output.stderr)
    );
    assert!(
        shown.contains("2 migrations in db/migrations (sqlx)"),
        "{shown}"
    );
    assert!(
        shown.contains("would not be checked:\n  public.kinds: "),
        "{shown}"
    );
    let settings = fs::read_to_string(folder.path().join("watertight.toml")).unwrap();
    for line in [
        "path = \"db/migrations\"",
        "column = \"organisation_id\"",
        "table = \"public.organisations\"",
        "# shared = [\"public.kinds\"]",
        "role = \"application\"",
        "context = [\"SELECT set_config('app.org', $1, true)\"]",
    ] {
        assert!(
            settings.contains(&format!("{line}\n")),
            "{line} in: {settings}"
        );
    }
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    folder.write(
        "db/migrations/3_c.sql",
        b"ALTER TABLE notes ADD other uuid CONSTRAINT new_leak REFERENCES people (id)",
    );
    let output = test_db(&folder, &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("new_leak"), "{shown}");
    refused(
        &watertight(&folder, &INIT, &[]),
        &["there is a watertight.toml already"],
    );
}

#[test]
fn a_schema_that_says_nothing_is_asked_about() {
    let folder = Folder::new(&[(
        "schema.sql",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a); CREATE TABLE c (x int); CREATE TABLE d ();",
    )]);
    refused(
        &watertight(&folder, &INIT, &[]),
        &["--tenant-column", "a_id"],
    );
    assert!(!folder.path().join("watertight.toml").exists());
}
