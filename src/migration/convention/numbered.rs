//! Numbered files: `1.sql`, `002-people.sql`, `3.1 fix.sql`; in the order of their numbers.

use super::{Convention, Entry, Fit, Label, Version, direction, labelled, stem};
use crate::error::Result;
use crate::migration::folder::Folder;

/// Plain files that begin with a number.
pub(super) struct Numbered;

pub(super) fn label(name: &str) -> Option<Label> {
    let (name, part) = direction(stem(name)?);
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

impl Convention for Numbered {
    fn name(&self) -> &'static str {
        "numbered files"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        Fit::by_names(folder, label)
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), label))
    }
}
