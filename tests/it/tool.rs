//! Migrations by another tool's command: `psql` stands for the tool here, as it is on every machine that has a server.

use std::time::{Duration, Instant};

use watertight::fixtures::TestDatabase;

use crate::command_line::{HELD, leaky, refused, test_db, text};
use crate::folder::Folder;

/// Two files and a command that applies them in an order that no convention has.
fn project(command: &str, second: &str) -> Folder {
    let (first, rest) = second.split_once("CREATE TABLE notes").unwrap();
    let settings = format!("[migrate]\npath = \"sql\"\ncommand = {command:?}\n");
    Folder::new(&[
        ("watertight.toml", &settings),
        ("sql/z first.sql", first),
        ("sql/a second.sql", &format!("CREATE TABLE notes{rest}")),
    ])
}

const PSQL: &str = "psql -v ON_ERROR_STOP=1 -q -f 'sql/z first.sql' && psql -v ON_ERROR_STOP=1 -q \"$DATABASE_URL\" \
                    -f 'sql/a second.sql'";

#[test]
fn a_command_migrates_and_its_files_name_the_lines() {
    let output = test_db(&project(PSQL, HELD), &[]);
    let shown = text(&output.stdout);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}{error}");
    assert!(shown.contains("migrated by `psql"), "{shown}");
    assert!(shown.contains("covered  3 tables"), "{shown}");

    let output = test_db(&project(PSQL, &leaky()), &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("sql/a second.sql:6"), "{shown}");
}

#[test]
fn the_command_line_names_a_command_too() {
    let folder = Folder::new(&[("one.sql", HELD)]);
    let output = test_db(&folder, &["--migrate-command", "psql -q -f one.sql"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let folder = project("false", HELD);
    let output = test_db(&folder, &["--migrations", "sql/z first.sql"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("1 migration in sql/z first.sql"), "{shown}");
}

#[test]
fn a_command_that_fails_is_shown_with_its_status_and_its_words() {
    let said =
        "echo on its way; echo \"password $PGPASSWORD as $PGUSER\"; echo no such thing >&2; exit 3";
    let output = test_db(&project(said, HELD), &[]);
    refused(
        &output,
        &[
            "ended with status 3",
            "\n  on its way",
            "\n  no such thing",
            "password *** as watertight_owner",
        ],
    );
    let output = test_db(&project("no-such-program-here", HELD), &[]);
    refused(
        &output,
        &["`no-such-program-here`", "there is no such program"],
    );
}

#[test]
fn a_command_that_does_not_end_is_stopped_with_all_that_it_started() {
    let started = Instant::now();
    let settings = "(sleep 600; echo never) & sleep 600";
    let output = test_db(&project(settings, HELD), &["--migrate-timeout", "1"]);
    refused(&output, &["did not end within 1 s", "--migrate-timeout S"]);
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_command_that_makes_nothing_is_never_green() {
    let output = test_db(&project("true", HELD), &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(shown.contains("the migrations make no table"), "{shown}");
}

#[tokio::test]
async fn a_database_of_a_test_is_migrated_by_a_command() {
    let folder = project(PSQL, HELD);
    let config = folder.path().join("watertight.toml");
    let build = || {
        TestDatabase::builder()
            .config(&config)
            .server("local")
            .build()
    };
    let (one, other) = (build().await.unwrap(), build().await.unwrap());
    assert_ne!(one.url(), other.url());
    for database in [&one, &other] {
        let people: i64 = watertight::sqlx::query_scalar("SELECT count(*) FROM people")
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert!(people > 0);
    }
}
