//! [`MigrationSet`]: what is to be applied, in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::stub;
use super::tool::Tool;
use crate::error::Result;
use crate::model::{Statement, StubRoles, hexadecimal};

/// How long a statement may take where nothing else was said.
const LIMIT: Duration = Duration::from_mins(5);

/// How a folder is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The convention's name; found where it isn't said.
    pub convention: Option<String>,
    /// Values of placeholders in the migrations' texts.
    pub placeholders: BTreeMap<String, String>,
}

/// The migrations of a folder or a file, in the order in which they are applied; or a command that applies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationSet {
    /// Where they were read from, as it was given.
    pub path: PathBuf,
    /// The name of the convention that the files follow; `none` for a folder without SQL files.
    pub convention: &'static str,
    /// What is made before them as it was asked for: roles, and what Supabase's projects have.
    pub stubs: Vec<Statement>,
    /// What the convention has run before them.
    pub prelude: Vec<Statement>,
    /// Whether roles that a migration names and that are missing are made.
    pub stubs_roles: bool,
    /// The migrations. Empty where there are no SQL files: it is for the caller to say that nothing is proved.
    pub migrations: Vec<Migration>,
    /// SQL files of the folder that are none of them, by the convention.
    pub left_out: Vec<String>,
    /// Whether the convention gives each migration a session with settings of its own (`search_path` …), as
    /// running `psql` for each file does. With the others a `SET` reaches the files after it.
    pub resets_session: bool,
    /// What applies them instead of us; the migrations then only name the lines of findings.
    pub tool: Option<Tool>,
    /// How long a statement, or the command, may take.
    pub limit: Duration,
}

impl Default for MigrationSet {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            convention: "none",
            stubs: Vec::new(),
            prelude: Vec::new(),
            stubs_roles: false,
            migrations: Vec::new(),
            left_out: Vec::new(),
            resets_session: false,
            tool: None,
            limit: LIMIT,
        }
    }
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file, relative to the working directory where it lies below it.
    pub file: PathBuf,
    /// The name by which the database remembers it: the file's, without its ending.
    pub name: String,
    /// Its statements.
    pub script: Vec<Statement>,
    /// Whether the statements run in one transaction. Otherwise each commits by itself, and those that open
    /// and end transactions do so.
    pub transaction: bool,
    /// Whether it runs again when its text has changed (Flyway's `R__…`).
    pub repeatable: bool,
    /// Whether `pg_dump` wrote it: then what only the server that it came from has is passed over.
    pub dump: bool,
    /// The SHA-256 of the file with the values of its placeholders, in hexadecimal.
    pub checksum: String,
    /// What undoes it, where there is something.
    pub down: Option<Down>,
}

/// The other direction of a [`Migration`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The file, relative to the working directory where it lies below it.
    pub file: PathBuf,
    /// Its statements.
    pub script: Vec<Statement>,
    /// Whether the statements run in one transaction.
    pub transaction: bool,
}

impl MigrationSet {
    /// Reads a folder of migrations, or one file. The convention is found by what stands in the files, by the project around
    /// them, and by their names.
    ///
    /// # Errors
    /// A path that is not there, files that follow no one convention, two with the same version, a file that
    /// can't be read or split into statements. The message names the files.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_as(path, &Reading::default())
    }

    /// As [`MigrationSet::read`], with something said of how.
    ///
    /// # Errors
    /// As [`MigrationSet::read`]; a convention that is not known, a placeholder without a value.
    pub fn read_as(path: &Path, reading: &Reading) -> Result<Self> {
        super::read::read(path, reading)
    }

    /// Has what migrations take for granted made first: the roles, and what Supabase's projects have.
    pub fn stub(&mut self, roles: &StubRoles, supabase: bool) {
        let mut first = if supabase {
            stub::supabase()
        } else {
            Vec::new()
        };
        first.extend(stub::roles(roles.names.iter().map(String::as_str)));
        self.stubs = first;
        self.stubs_roles = roles.all;
    }

    /// The SHA-256, in hexadecimal, of what is applied: any edited, added or renamed migration changes it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        if let Some(tool) = &self.tool {
            hash.update(format!("{tool:?}"));
            return hexadecimal(&hash.finalize());
        }
        for statement in self.stubs.iter().chain(&self.prelude) {
            hash.update(&statement.text);
        }
        for migration in &self.migrations {
            let line = format!(
                "{:?} {} {}\n",
                migration.name, migration.checksum, migration.transaction
            );
            hash.update(line.as_bytes());
        }
        hash.update([u8::from(self.resets_session), u8::from(self.stubs_roles)]);
        hexadecimal(&hash.finalize())
    }

    /// What a seed of rows may be made from: as the digest, but for a command the same in every run.
    #[must_use]
    pub fn identity(&self) -> String {
        match &self.tool {
            Some(tool) => checksum(tool.command.as_bytes()),
            None => self.digest(),
        }
    }

    /// One line: how many, where, under which convention.
    #[must_use]
    pub fn describe(&self) -> String {
        if let Some(tool) = &self.tool {
            return format!("by `{}`", tool.command);
        }
        let path = self.path.display();
        let left_out = match self.left_out.as_slice() {
            [] => String::new(),
            names => format!("; not of them: {}", names.join(", ")),
        };
        match self.migrations.len() {
            0 => format!("no migrations in {path}"),
            1 => format!("1 migration in {path} ({}){left_out}", self.convention),
            count => format!(
                "{count} migrations in {path} ({}){left_out}",
                self.convention
            ),
        }
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(super) fn checksum(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}
