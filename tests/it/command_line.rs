//! The command line as a process: status, standard output, standard error.

use std::process::{Command, Output};

use crate::folder::Folder;

fn watertight(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
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
fn refused(output: &Output, words: &[&str]) {
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
    refused(&watertight(&folder, &["doctor"], &[]), &["doctor"]);
    refused(&watertight(&folder, &[], &[]), &["test-db"]);
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
