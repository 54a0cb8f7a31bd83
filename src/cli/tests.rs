//! From arguments to settings, and from reports to accepted ones.

use clap::{CommandFactory as _, Parser as _};

use super::arguments::{Arguments, Command};
use super::*;
use crate::config::CommandLine;
use crate::model::{Allow, Finding, Report, RunVerdict, Settings, Severity};

fn command_line(arguments: &[&str]) -> CommandLine {
    let all = ["watertight"].iter().chain(arguments);
    match Arguments::try_parse_from(all).unwrap().command {
        Command::TestDb(options) => options.into_command_line(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_arguments_are_well_formed() {
    Arguments::command().debug_assert();
}

#[test]
fn every_option_of_the_command_line_is_one_of_the_settings() {
    let command = Arguments::command();
    let test_db = command.find_subcommand("test-db").unwrap();
    let mut options: Vec<String> = test_db
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|long| !["config", "help"].contains(long))
        .map(|long| long.replace('-', "_"))
        .collect();
    options.sort();
    let mut keys: Vec<&str> = crate::config::option_keys().collect();
    keys.sort_unstable();
    assert_eq!(options, keys);
}

#[test]
fn options_reach_the_settings_by_their_keys() {
    let line = command_line(&[
        "check",
        "--rows",
        "9",
        "--only",
        "a",
        "--only",
        "b:c,d",
        "--keep",
        "--config",
        "x.toml",
        "--postgres",
        "15,17",
        "--",
        "cargo",
        "test",
        "--",
        "--nocapture",
    ]);
    assert_eq!(line.config, Some("x.toml".into()));
    assert_eq!(line.command, ["cargo", "test", "--", "--nocapture"]);
    let mut options = line.options;
    options.sort();
    let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        options,
        [
            ("keep", texts(&["true"])),
            ("only", texts(&["a", "b:c,d"])),
            ("postgres", texts(&["15,17"])),
            ("rows", texts(&["9"])),
        ]
    );
    assert!(command_line(&["test-db"]).options.is_empty());
}

#[test]
fn unknown_commands_and_options_are_usage_errors() {
    for arguments in [
        &["doctor"][..],
        &["test-db", "--row", "1"],
        &["explain"],
        &[],
    ] {
        let all = ["watertight"].iter().chain(arguments);
        let error = Arguments::try_parse_from(all).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{arguments:?}");
    }
    let help = Arguments::try_parse_from(["watertight", "--help"]).unwrap_err();
    assert_eq!(help.exit_code(), 0);
}

fn report() -> Report {
    Report {
        findings: vec![Finding {
            check: "reference",
            severity: Severity::Leak,
            object: "crm.a.a_fkey".into(),
            message: String::new(),
            sql: String::new(),
            sqlstate: None,
            place: None,
            fix: String::new(),
            accepted: false,
            versions: Vec::new(),
        }],
        ..Report::default()
    }
}

#[test]
fn a_baseline_is_written_and_then_accepts_what_it_knows() {
    let path =
        std::env::temp_dir().join(format!("watertight-{}/baseline.toml", std::process::id()));
    let mut settings = Settings::default();
    settings.run.write_baseline = true;
    let error = accepted::read_baseline(&settings).unwrap_err().to_string();
    assert!(error.contains("--baseline FILE"), "{error}");

    settings.run.baseline = Some(path.clone());
    let none = accepted::read_baseline(&settings).unwrap();
    assert_eq!(none, None);
    let mut first = report();
    accepted::accept_and_write(&settings, none, &mut first).unwrap();
    assert_eq!(first.verdict(), RunVerdict::Held);

    settings.run.write_baseline = false;
    let known = accepted::read_baseline(&settings).unwrap();
    let mut second = report();
    second.findings.push(Finding {
        object: "crm.b.b_fkey".into(),
        ..report().findings.remove(0)
    });
    accepted::accept_and_write(&settings, known.clone(), &mut second).unwrap();
    let open: Vec<&str> = second
        .findings
        .iter()
        .filter(|f| !f.accepted)
        .map(|f| f.object.as_str())
        .collect();
    assert_eq!(open, ["crm.b.b_fkey"]);

    let mut third = Report::default();
    accepted::accept_and_write(&settings, known, &mut third).unwrap();
    assert!(
        third.remarks[0].contains("1 that are gone"),
        "{:?}",
        third.remarks
    );
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let error = accepted::read_baseline(&settings).unwrap_err().to_string();
    assert!(error.contains("--write-baseline"), "{error}");
}

#[test]
fn an_unused_allow_is_an_error_in_a_full_run_only() {
    let mut settings = Settings::default();
    settings.allow.push(Allow {
        check: "policy".into(),
        object: "*".into(),
        reason: "none".into(),
        place: "watertight.toml:9".into(),
    });
    let error = accepted::accept_and_write(&settings, None, &mut report())
        .unwrap()
        .unwrap();
    let error = error.to_string();
    assert!(
        error.starts_with("watertight.toml:9: ") && error.contains("matched nothing"),
        "{error}"
    );
    settings.run.only.push("reference".into());
    assert!(
        accepted::accept_and_write(&settings, None, &mut report())
            .unwrap()
            .is_none()
    );
}
