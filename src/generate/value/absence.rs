//! Why a cell may be empty, and how often it is.

use super::Profile;
use crate::model::Catalog;

/// What a gap in a column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::generate) enum Absence {
    /// It marks a row as gone: most rows lack it.
    Gone,
    /// The time of something that may not have happened yet (sent, locked, read, due): half of the rows lack it.
    Event,
    /// Nobody knew it: a few rows lack it.
    Gap,
}

impl Absence {
    /// As the column's name and type suggest.
    pub(in crate::generate) fn of(catalog: &Catalog, profile: &Profile) -> Self {
        let begins = |words: &[&str]| words.iter().any(|word| profile.name.starts_with(word));
        let is_time = catalog
            .types
            .get(&profile.type_oid)
            .is_some_and(|of| ["date", "timestamp", "timestamptz"].contains(&of.name.as_str()));
        if begins(&[
            "deleted",
            "archived",
            "removed",
            "retracted",
            "revoked",
            "disabled",
            "cancel",
        ]) {
            Self::Gone
        } else if is_time && !begins(&["creat", "insert", "updat", "modif"]) {
            Self::Event
        } else {
            Self::Gap
        }
    }
}
