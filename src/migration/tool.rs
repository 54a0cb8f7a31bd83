//! [`Tool`]: migrations that another program applies.

use std::path::{Path, PathBuf};

use super::set::MigrationSet;
use super::{folder, read};

/// A command that migrates a database: it finds it in `DATABASE_URL` and the `PG…` variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The command, for the shell.
    pub command: String,
    /// Where it runs; empty is the working directory.
    pub folder: PathBuf,
    /// What it may have read can't be known, so what it made is used again in one run of tests alone: this tells them
    /// apart.
    pub session: String,
}

impl MigrationSet {
    /// A database that a command migrates. `path` is where its SQL files may lie: they name the lines of findings, and
    /// what can't be read there is passed over, as the command alone decides what it makes of them.
    #[must_use]
    pub fn by_tool(tool: Tool, path: Option<&Path>) -> Self {
        Self {
            path: path.map(folder::relative).unwrap_or_default(),
            convention: "a command",
            migrations: path.map(read::readable).unwrap_or_default(),
            tool: Some(tool),
            ..Self::default()
        }
    }
}
