//! Drizzle: SQL files in the order of `meta/_journal.json`.

use serde::Deserialize;

use super::{Convention, Entry, Fit, Label, Part, Transaction, Version};
use crate::error::{Error, Result};
use crate::migration::folder::{Folder, relative};

/// As `drizzle-kit` writes them: `--> statement-breakpoint` is a comment to SQL.
pub(super) struct Drizzle;

const JOURNAL: &str = "meta/_journal.json";

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Migration>,
}

#[derive(Deserialize)]
struct Migration {
    tag: String,
}

impl Convention for Drizzle {
    fn name(&self) -> &'static str {
        "Drizzle"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        if folder.at(JOURNAL).is_some() {
            Fit::Content
        } else {
            Fit::No
        }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        let path = folder.path.join(JOURNAL);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(relative(&path), e))?;
        let journal: Journal = serde_json::from_str(&text).map_err(|error| {
            Error::Usage(format!(
                "migrations: `{}`: {error}",
                relative(&path).display()
            ))
        })?;
        let entry = |(index, migration): (usize, Migration)| {
            let file = folder
                .at(&format!("{}.sql", migration.tag))
                .ok_or_else(|| {
                    Error::Usage(format!(
                        "migrations: `{}` names `{}.sql`, and there is no such file",
                        relative(&path).display(),
                        migration.tag
                    ))
                })?;
            Ok(Entry {
                label: Label {
                    part: Part::Up,
                    version: Some(Version::place(index)),
                    name: migration.tag,
                },
                path: file.path.clone(),
            })
        };
        journal.entries.into_iter().enumerate().map(entry).collect()
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::Always
    }

    fn resets_session(&self) -> bool {
        false
    }
}
