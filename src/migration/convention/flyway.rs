//! Flyway: `V1.2__name.sql`, then `R__name.sql` in the order of their names; folders below count.

use std::path::Path;

use super::{Convention, Label, Part, Version, stem, transaction_by_statements};
use crate::model::Statement;

/// Flyway's names with its default prefixes and separator. `U…` (undo) is ignored; the last `B…` (baseline)
/// stands for the versions up to its own, as on any new database.
pub(super) struct Flyway;

impl Convention for Flyway {
    fn name(&self) -> &'static str {
        "Flyway"
    }

    fn label(&self, file_name: &str) -> Option<Label> {
        let name = stem(file_name)?;
        let (before, _) = name.split_once("__")?;
        let part = match before.get(..1)? {
            "V" => Part::Up,
            "B" => Part::Baseline,
            "U" => Part::Ignored,
            "R" if before.len() == 1 => {
                return Some(Label {
                    part: Part::Repeatable,
                    version: None,
                    name: name.to_owned(),
                });
            }
            _ => return None,
        };
        Some(Label {
            part,
            version: Some(Version::parse(&before[1..], &['.', '_'])?),
            name: name.to_owned(),
        })
    }

    fn transaction(&self, path: &Path, text: &str, script: &[Statement]) -> bool {
        transaction_by_statements(text, script) && !configured_without(path)
    }

    fn nested(&self) -> bool {
        true
    }
}

/// Whether `<file>.conf` beside it says `executeInTransaction=false`.
fn configured_without(path: &Path) -> bool {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".conf");
    let Ok(settings) = std::fs::read_to_string(beside) else {
        return false;
    };
    settings.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim() == "executeInTransaction" && value.trim() == "false"
        })
    })
}
