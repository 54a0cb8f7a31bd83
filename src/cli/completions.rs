//! `completions`: a script by which a shell completes commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::{output, usage};
use crate::error::Result;

/// Prints it for the command of this name; by default as this process was called.
pub(super) fn run(shell: Shell, name: Option<String>) -> Result<u8> {
    // Zsh's completion of cargo asks for that of `cargo-xtask`.
    let usual = if super::is_xtask() {
        "cargo-xtask"
    } else {
        "watertight"
    };
    let name = name.unwrap_or_else(|| usual.to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        // It becomes part of a script.
        return Err(usage(format!("--name: `{name}` is no command's name")));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), name, &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
