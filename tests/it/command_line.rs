//! The command line as a process: status, standard output, standard error.

use std::process::{Command, Output};

use crate::folder::Folder;

pub(crate) fn watertight(
    folder: &Folder,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watertight"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WATERTIGHT_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// Ends with status 2, nothing on standard output, and these words on standard error.
pub(crate) fn refused(output: &Output, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(error.contains(word), "`{word}` in: {error}");
    }
}

#[test]
fn what_cannot_be_used_ends_with_status_2_and_says_why() {
    let folder = Folder::new(&[("watertight.toml", "[tenant]\ncolumm = \"a\"\n")]);
    refused(
        &watertight(&folder, &["test-db"], &[]),
        &["error: watertight.toml:2: unknown key `columm` in [tenant]; the nearest is `column`"],
    );
    let folder = Folder::new(&[]);
    refused(
        &watertight(&folder, &["test-db", "--rows", "none"], &[]),
        &[
            "error: --rows: expected a whole number from 1",
            "found `none`",
        ],
    );
    refused(
        &watertight(&folder, &["check"], &[("WATERTIGHT_SHARD", "9/3")]),
        &["error: WATERTIGHT_SHARD: expected I/N"],
    );
    refused(
        &watertight(&folder, &["test-db", "--format", "yaml"], &[]),
        &[
            "error: there is no report format `yaml`",
            "text, json, github",
        ],
    );
    refused(
        &watertight(&folder, &["test-db", "--report", "nope=x"], &[]),
        &["error: there is no report format `nope`"],
    );
    refused(
        &watertight(&folder, &["test-db", "--baseline", "absent.toml"], &[]),
        &["absent.toml", "--write-baseline"],
    );
    refused(
        &watertight(&folder, &["explain", "nonsense\u{1b}[2J"], &[]),
        &["nonsense\u{fffd}[2J"],
    );
    refused(&watertight(&folder, &["heal"], &[]), &["heal"]);
    refused(&watertight(&folder, &[], &[]), &["test-db"]);
}

#[test]
fn shells_complete_what_the_command_line_has() {
    let folder = Folder::new(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = watertight(&folder, &["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for word in ["watertight", "test-db", "write-baseline"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = watertight(&folder, &["completions", "bash", "--name", "xt"], &[]);
    assert!(text(&script.stdout).contains("complete -F _xt"));
    // The shell itself finds no fault with it, and completes by it.
    let asked = "eval \"$SCRIPT\"; COMP_WORDS=(xt test-db --write-b); COMP_CWORD=2; _xt xt --write-b test-db; echo \"${COMPREPLY[@]}\"";
    let answer = std::process::Command::new("bash")
        .args(["-c", asked])
        .env("SCRIPT", text(&script.stdout))
        .output()
        .unwrap();
    assert_eq!(text(&answer.stdout).trim(), "--write-baseline");
    let hostile = ["completions", "bash", "--name", "x; touch y"];
    refused(
        &watertight(&folder, &hostile, &[]),
        &["is no command's name"],
    );
}

#[test]
fn help_is_no_error() {
    let folder = Folder::new(&[]);
    for arguments in [&["--help"][..], &["test-db", "--help"], &["--version"]] {
        let output = watertight(&folder, arguments, &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
    let help = watertight(&folder, &["test-db", "--help"], &[]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in [
        "--server",
        "--write-baseline",
        "WATERTIGHT_ROWS",
        "[COMMAND]...",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

pub(crate) const HELD: &str = "CREATE TABLE organisations (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    PRIMARY KEY (organisation_id, id)
);
CREATE TABLE notes (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid,
    PRIMARY KEY (organisation_id, id),
    CONSTRAINT notes_person FOREIGN KEY (organisation_id, person_id) REFERENCES people (organisation_id, id)
);
";

/// The same with a key that leaks, on line 12.
pub(crate) fn leaky() -> String {
    let leaky = HELD.replace(
        "(organisation_id, person_id) REFERENCES people (organisation_id, id)",
        "(person_id) REFERENCES people (id)",
    );
    assert_ne!(leaky, HELD);
    leaky
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const TEST_DB: [&str; 3] = ["test-db", "--server", "local"];

pub(crate) fn test_db(folder: &Folder, more: &[&str]) -> Output {
    let arguments: Vec<&str> = TEST_DB.iter().chain(more).copied().collect();
    watertight(
        folder,
        &arguments,
        &[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/never_used")],
    )
}

#[test]
fn a_schema_that_holds_ends_with_status_0() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    let output = test_db(&folder, &["--report", "json=out/report.json"]);
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown}{}",
        text(&output.stderr)
    );
    assert!(
        shown.starts_with("HELD: no row crossed between organisations in "),
        "{shown}"
    );
    assert!(!shown.contains('\x1b'), "no colours where no terminal is");
    assert!(output.stderr.is_empty(), "no progress where no terminal is");
    let json = std::fs::read(folder.path().join("out/report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["verdict"], "held");
    assert_eq!(json["schema"]["tables"], 3);
}

#[test]
fn a_leak_ends_with_status_1_and_is_named_with_its_line() {
    let folder = Folder::new(&[("migrations/1_a.sql", &leaky())]);
    let output = test_db(&folder, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let leaks: Vec<&serde_json::Value> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "leak")
        .collect();
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0]["object"], "public.notes.notes_person");
    assert_eq!(leaks[0]["file"], "migrations/1_a.sql");
    assert_eq!(leaks[0]["line"], 12);

    folder.write("one.json", &output.stdout);
    let merge = |files: &[&str]| {
        let arguments = ["report", "merge", "--report", "tap=merged.tap"].iter();
        let arguments: Vec<&str> = arguments.chain(files).copied().collect();
        watertight(&folder, &arguments, &[])
    };
    let merged = merge(&["one.json"]);
    assert_eq!(merged.status.code(), Some(1), "{}", text(&merged.stderr));
    let tap = std::fs::read_to_string(folder.path().join("merged.tap")).unwrap();
    assert!(
        tap.contains("leak: cross-tenant-reference on public.notes.notes_person"),
        "{tap}"
    );
    refused(&merge(&["one.json", "absent.json"]), &["absent.json"]);
    folder.write("other.json", b"{\"format\": 1}");
    refused(
        &merge(&["other.json"]),
        &["other.json: it is no JSON report"],
    );

    let again = test_db(
        &folder,
        &["--format", "json", "--seed", json["seed"].as_str().unwrap()],
    );
    let mut again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    again["timings_ms"] = json["timings_ms"].clone();
    assert_eq!(again, json, "with its seed a run repeats exactly");
}

#[test]
fn what_is_known_or_allowed_does_not_fail() {
    let folder = Folder::new(&[("migrations/1_a.sql", &leaky())]);
    let written = test_db(&folder, &["--baseline", "known.toml", "--write-baseline"]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stdout));
    let known = test_db(&folder, &["--baseline", "known.toml"]);
    assert_eq!(known.status.code(), Some(0));
    assert!(text(&known.stdout).contains("accepted: 1 of cross-tenant-reference"));

    let allow = "[[allow]]\ncheck = \"cross-*\"\nobject = \"*.notes_person\"\nreason = \"known\"\n";
    folder.write("watertight.toml", allow.as_bytes());
    assert_eq!(test_db(&folder, &[]).status.code(), Some(0));

    folder.write("migrations/1_a.sql", HELD.as_bytes());
    let unused = test_db(&folder, &[]);
    assert_eq!(unused.status.code(), Some(2));
    assert!(
        text(&unused.stdout).starts_with("HELD"),
        "the report is shown all the same"
    );
    assert!(
        text(&unused.stderr)
            .starts_with("error: watertight.toml:1: this [[allow]] matched nothing")
    );
}

#[test]
fn nothing_to_check_is_never_green() {
    let folder = Folder::new(&[("migrations/README.md", "")]);
    let output = test_db(&folder, &[]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("INCONCLUSIVE"));
    let folder = Folder::new(&[]);
    refused(
        &test_db(&folder, &[]),
        &["error: no migrations", "--migrations PATH"],
    );
}

#[test]
fn a_migration_that_fails_is_named_by_file_and_line() {
    let folder = Folder::new(&[
        ("migrations/1_a.sql", HELD),
        ("migrations/2_b.sql", "SELECT 1;"),
        (
            "migrations/3_c.sql",
            "SELECT 1;\n\nALTER TABLE people\n  ADD COLUM x int;",
        ),
    ]);
    refused(
        &test_db(&folder, &[]),
        &[
            "error: migrations/3_c.sql:4: migration failed (SQLSTATE 42",
            "4 |   ADD COLUM x int",
        ],
    );
}

#[test]
fn a_command_is_given_the_database_and_gives_its_status() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    let output = test_db(
        &folder,
        &["--", "sh", "-c", "echo $DATABASE_URL $PGDATABASE; exit 7"],
    );
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("postgres://") && !shown.contains("never_used"),
        "{shown}"
    );
}
