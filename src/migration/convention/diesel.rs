//! Diesel: a folder for each migration with `up.sql` and `down.sql`, in the order of the folders' names.

use std::path::Path;

use super::{Convention, Entry, Fit, History, Part, Transaction, Version, in_folders};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of Diesel 2. `run_in_transaction = false` in a `metadata.toml` beside the files is heeded.
pub(super) struct Diesel;

impl Convention for Diesel {
    fn name(&self) -> &'static str {
        "Diesel"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let up = |depth| {
            folder
                .sql()
                .any(|f| f.name == "up.sql" && f.below.len() == depth)
        };
        if !up(1) || folder.top().next().is_some() {
            return Fit::No;
        }
        let says =
            !folder.around("diesel.toml").is_empty() || folder.project_says("Cargo.toml", "diesel");
        Fit::Names.or(Fit::Project, says)
    }

    fn history(&self) -> Option<History> {
        Some(History {
            table: "__diesel_schema_migrations",
            columns: "version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP",
        })
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        let mut entries = in_folders(folder, 1, up_or_down)?;
        for entry in &mut entries {
            // `2024-01-31-120000_name` and `20240131120000_name` may stand side by side.
            let version = entry.label.name.split('_').next().unwrap_or_default();
            entry.label.version = Version::parse(&version.replace('-', ""), &[]);
        }
        Ok(entries)
    }

    fn transaction(&self, path: &Path) -> Transaction {
        let beside = path.with_file_name("metadata.toml");
        let says = std::fs::read_to_string(beside).unwrap_or_default();
        let none = says.lines().any(|line| {
            line.split_once('=').is_some_and(|(key, value)| {
                key.trim() == "run_in_transaction" && value.trim() == "false"
            })
        });
        if none {
            Transaction::Never
        } else {
            Transaction::Always
        }
    }

    fn resets_session(&self) -> bool {
        false
    }
}

/// What the two files of a folder are for.
pub(super) fn up_or_down(name: &str) -> Option<Part> {
    match name {
        "up.sql" => Some(Part::Up),
        "down.sql" => Some(Part::Down),
        _ => None,
    }
}
