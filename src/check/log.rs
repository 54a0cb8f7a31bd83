//! Tables of a log, whose entries may name what is no more.

use super::nouns::words;
use super::{Scene, policy, reference};
use crate::model::{Column, Table};

/// What a table of a log is called.
const LOGS: [&str; 9] = [
    "log", "logs", "audit", "audits", "history", "journal", "trail", "archive", "outbox",
];

/// A table of entries. They may outlive what they name, and are not to be led astray by a key then.
#[derive(Clone, Copy)]
pub(super) struct Log {
    /// Called so, and not only one that the application adds to and never changes.
    by_name: bool,
    /// It has keys to rows in reach, so that its entries do not outlive those.
    keyed: bool,
}

impl Log {
    /// The table as one of entries: by its name, or as the application may add to it and change nothing.
    pub(super) fn of(scene: Scene<'_>, table: &Table) -> Option<Self> {
        let may = |privilege| policy::may(scene, table, privilege);
        let grows =
            scene.tenancy.access.is_some() && may("INSERT") && !may("UPDATE") && !may("DELETE");
        let words = words(&table.name.name);
        let by_name = words.iter().any(|word| LOGS.contains(&word.as_str()));
        let keyed = reference::refers(scene, table);
        (by_name || grows).then_some(Self { by_name, keyed })
    }

    /// Whether its entries are to name rows that are there by this column nevertheless.
    pub(super) fn names(self, column: &Column) -> bool {
        self.keyed || (!self.by_name && column.not_null)
    }
}
