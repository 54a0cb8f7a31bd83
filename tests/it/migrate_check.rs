//! `migrate --check`: run again, changed, repeated, undone.

use std::process::Output;

use crate::command_line::{HELD, text, watertight};
use crate::folder::Folder;

fn check(folder: &Folder) -> Output {
    watertight(folder, &["migrate", "--check", "--server", "local"], &[])
}

/// Ends with this status, and says these words.
fn says(folder: &Folder, status: i32, words: &[&str]) {
    let output = check(folder);
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{shown}{}",
        text(&output.stderr)
    );
    for word in words {
        assert!(shown.contains(word), "`{word}` in: {shown}");
    }
}

const DOWN: &str = "DROP TABLE notes; DROP TABLE people; DROP TABLE organisations;";

#[test]
fn migrations_that_may_be_run_again_and_undone_hold() {
    let folder = Folder::new(&[
        ("migrations/1_a.up.sql", HELD),
        ("migrations/1_a.down.sql", DOWN),
        (
            "migrations/2_b.up.sql",
            "CREATE ROLE reader; GRANT SELECT ON notes TO reader; ALTER TABLE notes ADD b text;",
        ),
        (
            "migrations/2_b.down.sql",
            "ALTER TABLE notes DROP b; REVOKE SELECT ON notes FROM reader; DROP ROLE reader;",
        ),
    ]);
    says(
        &folder,
        0,
        &[
            "2 migrations in migrations (sqlx)",
            "held      a second run applies nothing",
            "a changed file is refused by its name, each of 2",
            "up, down and up leaves the schema as it was, each of 2",
        ],
    );
}

#[test]
fn a_way_back_that_leads_elsewhere_is_named_with_what_differs() {
    let folder = Folder::new(&[
        ("migrations/1_a.up.sql", HELD),
        ("migrations/1_a.down.sql", DOWN),
        (
            "migrations/2_b.up.sql",
            "CREATE INDEX i ON notes (person_id); CREATE TYPE t AS ENUM ('a')",
        ),
        ("migrations/2_b.down.sql", "DROP INDEX i"),
    ]);
    // The type is still there when it is made again.
    says(
        &folder,
        1,
        &["broken    ", "2_b.up.sql:1", "type \"t\" already exists"],
    );
    folder.write(
        "migrations/2_b.down.sql",
        b"DROP TYPE t; DROP INDEX i; CREATE INDEX other ON notes (id)",
    );
    folder.write("migrations/2_b.up.sql", b"DROP INDEX IF EXISTS other; CREATE INDEX i ON notes (person_id); CREATE TYPE t AS ENUM ('a')");
    says(
        &folder,
        1,
        &[
            "2_b.down.sql: up, down and up",
            "+ index CREATE INDEX other",
        ],
    );
}

#[test]
fn repeatable_ones_are_repeated() {
    let view = "CREATE OR REPLACE VIEW v AS SELECT id FROM notes";
    let folder = Folder::new(&[
        ("migrations/V1__a.sql", HELD),
        ("migrations/R__v.sql", view),
    ]);
    says(
        &folder,
        0,
        &[
            "repeatable ones applied twice",
            "untried   nothing undoes the migrations",
        ],
    );
    folder.write(
        "migrations/R__v.sql",
        b"CREATE VIEW v AS SELECT id FROM notes",
    );
    says(&folder, 1, &["R__v.sql:1", "already exists"]);
    folder.write("migrations/R__v.sql", b"ALTER TABLE notes ADD UNIQUE (id)");
    says(&folder, 1, &["+ constraint", "notes_id_key1"]);
}

#[test]
fn a_command_is_run_twice() {
    let folder = Folder::new(&[
        (
            "watertight.toml",
            "[migrate]\ncommand = \"psql -q -v ON_ERROR_STOP=1 -f one.sql\"\n",
        ),
        ("one.sql", "CREATE TABLE IF NOT EXISTS a (id int);"),
    ]);
    says(
        &folder,
        0,
        &["a second run of the command leaves the schema"],
    );
    folder.write(
        "one.sql",
        b"CREATE TABLE IF NOT EXISTS a (id int); ALTER TABLE a ADD CHECK (id > 0);",
    );
    says(&folder, 1, &["+ constraint", "a_id_check1"]);
    folder.write("one.sql", b"SELECT 1 / 0;");
    let output = check(&folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("division by zero"));
}
