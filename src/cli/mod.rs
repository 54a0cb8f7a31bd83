//! The command line, for the `watertight` binary and for every workspace's own xtask.

mod activity;
mod arguments;
mod backup;
mod call;
mod completions;
mod doctor;
mod explain;
mod failure;
mod init;
mod migrate;
mod mutate;
mod output;
mod progress;
mod report;
mod restore;
mod seed;
mod show;
mod signal;
mod test_db;
mod up;
mod validate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::error::{Error, Result};
use arguments::{Arguments, Command, DoctorFormat, ReportCommand};

/// The harness could not do its work.
const FAILED: u8 = 2;

/// Runs the command that this process was given, and returns its exit status: `0` held, `1` leaked, `2` the
/// harness could not do its work, `4` inconclusive; that of the command behind `--` where there is one.
///
/// The whole of an xtask that offers it:
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     watertight::cli::main()
/// }
/// ```
#[must_use]
pub fn main() -> ExitCode {
    // A panic is a defect of the harness, and no verdict: it must not end with a status that means one.
    let status = catch_unwind(AssertUnwindSafe(parse_and_run)).unwrap_or_else(|_| {
        eprintln!("error: this is a defect of watertight; please report it with the lines above");
        FAILED
    });
    ExitCode::from(status)
}

fn parse_and_run() -> u8 {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too, with status 0.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(FAILED);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: could not start the runtime: {error}");
            return FAILED;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {}", output::disarmed(&failure::told(&error)));
            FAILED
        }
    }
}

fn parse() -> std::result::Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    // Users of an xtask know it by the name that they type.
    if is_xtask() {
        command = command.bin_name("cargo xtask");
    }
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

/// Whether this is a workspace's own xtask.
fn is_xtask() -> bool {
    let name = std::env::args().next().unwrap_or_default();
    std::path::Path::new(&name)
        .file_stem()
        .is_some_and(|stem| stem == "xtask")
}

async fn run(command: Command) -> Result<u8> {
    match command {
        Command::TestDb(options) => test_db::run(options.into_command_line()).await,
        Command::Mutate(options) => {
            signal::or_interrupted(Box::pin(mutate::run(options.into_command_line()))).await
        }
        Command::Seed(options) => {
            let (command_line, folder) = options.into_command_line();
            signal::or_interrupted(Box::pin(seed::run(command_line, folder))).await
        }
        Command::Report {
            command: ReportCommand::Merge(options),
        } => {
            let (files, command_line) = options.into_command_line();
            report::merge(&files, command_line)
        }
        Command::Init(options) => {
            let work = init::run(options.into_command_line());
            signal::or_interrupted(Box::pin(work)).await
        }
        Command::Migrate(options) => {
            let work = migrate::run(options.into_command_line());
            signal::or_interrupted(Box::pin(work)).await
        }
        Command::Clean { dry_run } => signal::or_interrupted(doctor::clean(dry_run)).await,
        Command::Doctor { format } => {
            let as_json = format == DoctorFormat::Json;
            signal::or_interrupted(Box::pin(doctor::run(as_json))).await
        }
        Command::Activity(options) => signal::or_interrupted(activity::run(options)).await,
        Command::Backup { command } => signal::or_interrupted(Box::pin(backup::run(command))).await,
        Command::Restore(options) => signal::or_interrupted(Box::pin(restore::run(options))).await,
        Command::Up(options) => signal::or_interrupted(Box::pin(up::up(options))).await,
        Command::Down(options) => signal::or_interrupted(Box::pin(up::down(options))).await,
        Command::Validate(options) => {
            signal::or_interrupted(Box::pin(validate::run(options))).await
        }
        Command::Completions { shell, name } => completions::run(shell, name),
        Command::Explain { check } => explain::run(&check),
    }
}

/// An option or an argument that can't be used.
fn usage(message: impl Into<String>) -> Error {
    Error::Usage(message.into())
}

#[cfg(test)]
mod tests;
