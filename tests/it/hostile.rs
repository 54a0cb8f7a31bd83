//! Migrations that mean harm, or are none: a clear error or a bounded run.

use std::fs::File;
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::command_line::{HELD, refused, test_db, text};
use crate::folder::Folder;

/// Ends with status 2 and these words before long.
fn ends(folder: &Folder, more: &[&str], words: &[&str]) {
    let started = Instant::now();
    refused(&test_db(folder, more), words);
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[test]
fn files_that_are_no_text_are_named() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    folder.write(
        "migrations/2_b.sql",
        b"SELECT 1;\n\x7fELF\x02\x01\x00\xff\xfe",
    );
    ends(&folder, &[], &["migrations/2_b.sql`: line 2 is not UTF-8"]);
    folder.write("migrations/2_b.sql", b"SELECT 1;\nSELECT '\0'");
    ends(&folder, &[], &["migrations/2_b.sql:2", "NUL"]);
    // One that is not SQL is not looked at.
    folder.write("migrations/2_b.sql", b"SELECT 1");
    folder.write("migrations/picture.png", b"\x89PNG\0\xff");
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_file_of_a_hundred_megabytes_is_refused_or_read_in_time() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    let big = |bytes| {
        let file = File::create(folder.path().join("migrations/2_big.sql")).unwrap();
        file.set_len(bytes).unwrap();
    };
    big(101 * 1024 * 1024);
    ends(&folder, &[], &["2_big.sql` is larger than 100 MB"]);
    // Of NUL characters.
    big(100 * 1024 * 1024);
    ends(&folder, &[], &["2_big.sql:1", "NUL"]);
    let comments =
        "-- a line that says nothing at all, and there are very many of them\n".repeat(1_400_000);
    folder.write("migrations/2_big.sql", comments.as_bytes());
    let started = Instant::now();
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(started.elapsed() < Duration::from_mins(2));
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_are_named_or_not_followed() {
    let folder = Folder::new(&[
        ("migrations/V1__a.sql", HELD),
        ("migrations/below/V2__b.sql", ""),
    ]);
    std::os::unix::fs::symlink("..", folder.path().join("migrations/below/round")).unwrap();
    ends(&folder, &[], &["below/round", "symbolic link"]);
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    std::os::unix::fs::symlink(".", folder.path().join("migrations/round")).unwrap();
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn names_are_never_sql() {
    let name = "migrations/1_o'hara\"; DROP TABLE notes; --$$.sql";
    let folder = Folder::new(&[(name, HELD)]);
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("covered  3 tables"));
    folder.write(name, b"SELEC");
    ends(&folder, &[], &["o'hara\"; DROP TABLE notes; --$$.sql:1"]);
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    let role = "--stub-roles=x\"; DROP TABLE notes,y'";
    let output = test_db(&folder, &[role]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn programs_of_the_server_are_out_of_reach() {
    let folder = Folder::new(&[
        ("migrations/1_a.sql", HELD),
        (
            "migrations/2_b.sql",
            "SELECT 1;\nCOPY people TO PROGRAM 'touch /tmp/watertight-was-here';",
        ),
    ]);
    ends(
        &folder,
        &[],
        &["2_b.sql:2", "42501", "pg_execute_server_program"],
    );
    assert!(!std::path::Path::new("/tmp/watertight-was-here").exists());
}

#[test]
fn what_a_superuser_alone_may_do_is_said_with_the_way_out() {
    let folder = Folder::new(&[
        ("migrations/1_a.sql", HELD),
        (
            "migrations/2_b.sql",
            "ALTER TABLE notes DISABLE TRIGGER ALL",
        ),
    ]);
    ends(
        &folder,
        &[],
        &["2_b.sql:1", "42501", "--migrate-as superuser"],
    );
    let output = test_db(&folder, &["--migrate-as", "superuser"]);
    assert_ne!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn what_never_ends_is_ended() {
    let endless = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOOP PERFORM 1; END LOOP; END $$;\nSELECT f();";
    let folder = Folder::new(&[("migrations/1_a.sql", endless)]);
    ends(
        &folder,
        &["--migrate-timeout", "1"],
        &["1_a.sql:2", "statement timeout", "--migrate-timeout"],
    );
    // One that lifts the server's limit is ended from here.
    folder.write(
        "migrations/1_a.sql",
        format!("SET statement_timeout = 0;\n{endless}").as_bytes(),
    );
    ends(
        &folder,
        &["--migrate-timeout", "1"],
        &["1_a.sql:3", "did not end within 1 s"],
    );
}

const ENDLESS: &str = "CREATE FUNCTION endless() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN LOOP PERFORM 1; END LOOP; END $$;\n";

/// A run over the schema with this in it, in which a statement may take a second: how it ends, and what it says.
fn with(sql: &str) -> (Option<i32>, String) {
    let role = "CREATE ROLE app_of_endless; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_of_endless;";
    let folder = Folder::new(&[
        ("schema.sql", &format!("{HELD}\n{ENDLESS}{sql};\n{role}")),
        (
            "watertight.toml",
            "[access]\nrole = \"app_of_endless\"\ncontext = [\"SELECT set_config('app.o', $1, true)\"]\n",
        ),
    ]);
    let started = Instant::now();
    let output = test_db(&folder, &["--migrations", "schema.sql", "--timeout", "1"]);
    assert!(started.elapsed() < Duration::from_mins(1), "{sql}");
    (
        output.status.code(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[rstest]
#[case::trigger(
    "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM endless(); RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION t()"
)]
#[case::check("ALTER TABLE notes ADD CHECK (endless())")]
#[case::computed(
    "CREATE FUNCTION e(id uuid) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN LOOP PERFORM 1; END LOOP; END $$; ALTER TABLE notes ADD slow text GENERATED ALWAYS AS (e(id)) STORED"
)]
fn what_keeps_rows_from_being_made_is_named(#[case] sql: &str) {
    let (status, said) = with(sql);
    // Policies are missing: a leak is told beside it.
    assert!(matches!(status, Some(1 | 4)), "{said}");
    assert!(said.contains("public.notes"), "{said}");
    assert!(said.contains("no rows could be made for it"), "{said}");
}

#[rstest]
#[case::policy(
    "ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON notes USING (endless())"
)]
#[case::view("CREATE VIEW v AS SELECT * FROM notes WHERE endless()")]
#[case::materialized("CREATE MATERIALIZED VIEW v AS SELECT * FROM notes WHERE endless()")]
fn what_reads_without_end_is_bounded(#[case] sql: &str) {
    let (status, said) = with(sql);
    assert!(matches!(status, Some(1 | 4)), "{said}");
}
