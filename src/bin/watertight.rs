//! The command line for projects in any language: `watertight test-db`.

use std::process::ExitCode;

fn main() -> ExitCode {
    watertight::cli::main()
}
