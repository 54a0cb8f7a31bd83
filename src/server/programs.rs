//! Postgres' client programs of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::binaries::{folders, version_of};
use crate::error::{Error, Result};

/// What a folder must have; the first one says the version.
const PROGRAMS: [&str; 3] = ["pg_dump", "pg_restore", "psql"];

/// The folder of `pg_dump`, `pg_restore` and `psql` of a major version: this one, or the first of the machine that has
/// them.
///
/// # Errors
/// [`Error::Usage`] for a folder without them, or of another version; [`Error::NoServer`] where the machine has none: what
/// there is, and how to get them.
pub fn programs(major: u32, folder: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = folder {
        let found = look(folder)
            .map_err(|reason| Error::Usage(format!("--pg-bin {}: {reason}", folder.display())))?;
        return if found == major {
            Ok(folder.to_owned())
        } else {
            Err(Error::Usage(format!(
                "--pg-bin {}: its pg_dump is of PostgreSQL {found}, and the server is {major}: each server wants the \
                 programs of its own version",
                folder.display()
            )))
        };
    }
    let mut others = Vec::new();
    for folder in folders() {
        match look(&folder) {
            Ok(found) if found == major => return Ok(folder),
            Ok(found) => others.push(format!("{found} in {}", folder.display())),
            Err(_) => {}
        }
    }
    let there = if others.is_empty() {
        String::new()
    } else {
        format!(", only {}", others.join(", "))
    };
    Err(Error::NoServer(format!(
        "no pg_dump, pg_restore and psql of PostgreSQL {major} on this machine{there}; \
         `apt-get install postgresql-client-{major}` (Debian; other majors from apt.postgresql.org), \
         `dnf install postgresql{major}` (PGDG), `brew install postgresql@{major}`, or --pg-bin DIR"
    )))
}

/// The major version of a folder's programs, or why it has none.
fn look(folder: &Path) -> std::result::Result<u32, String> {
    for program in PROGRAMS {
        let path = folder.join(program);
        let file = fs::canonicalize(&path).map_err(|_| format!("there is no `{program}` in it"))?;
        // Debian's wrapper chooses a version by itself.
        if file.file_name().is_some_and(|name| name == "pg_wrapper") {
            return Err(format!(
                "`{program}` in it is a wrapper around several versions"
            ));
        }
    }
    version_of(folder, PROGRAMS[0]).map(|(_, _, major)| major)
}
