//! Numbered files: `1.sql`, `002-people.sql`, `3.1 fix.sql`; in the order of their numbers.

use std::path::Path;

use super::{Convention, Label, Version, direction, stem, transaction_by_statements};
use crate::model::Statement;

/// Plain files that begin with a number.
pub(super) struct Numbered;

impl Convention for Numbered {
    fn name(&self) -> &'static str {
        "numbered files"
    }

    fn label(&self, file_name: &str) -> Option<Label> {
        let (name, part) = direction(stem(file_name)?);
        let end = name
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(name.len());
        let number = name[..end].trim_end_matches('.');
        Some(Label {
            part,
            version: Some(Version::parse(number, &['.'])?),
            name: name.to_owned(),
        })
    }

    fn transaction(&self, _: &Path, text: &str, script: &[Statement]) -> bool {
        transaction_by_statements(text, script)
    }
}
