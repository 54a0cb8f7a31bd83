//! `cargo xtask …`: what only this repository needs; everything else is the library's command line.

mod bench;
mod docs;
mod image;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this repository.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "The library's own commands are here too: test-db, doctor, clean, explain (`cargo xtask test-db --help`)."
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds a Postgres image from Debian's packages, for machines that can't pull one
    Image(image::Options),
    /// Measures this repository's own figures: seed, databases, backup, checks, queries
    Bench(bench::Options),
    /// Writes the documents that come from the code; with --check says which are stale
    Docs(docs::Options),
    /// A command of the library: test-db, doctor, clean, …
    #[command(external_subcommand)]
    Library(#[expect(dead_code, reason = "the library reads the arguments itself")] Vec<OsString>),
}

fn main() -> ExitCode {
    match Arguments::parse().task {
        Task::Image(options) => finish(image::build(&options)),
        Task::Bench(options) => finish(bench::run(&options)),
        Task::Docs(options) => finish(docs::run(&options)),
        // It reads the same arguments from the process.
        Task::Library(_) => watertight::cli::main(),
    }
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
