//! From arguments to settings.

use clap::{CommandFactory as _, Parser as _};

use super::arguments::{Arguments, Command};
use crate::config::CommandLine;

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
        &["doctors"][..],
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
