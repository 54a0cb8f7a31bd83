//! Named files: `a.sql`, `b.sql`; in the order of their names.

use super::{Convention, Entry, Fit, Label, direction, flyway, labelled, numbered, stem};
use crate::error::Result;
use crate::migration::folder::Folder;

/// Plain files without a number. Those of other conventions are none, as their names order them wrongly.
pub(super) struct Named;

fn label(name: &str) -> Option<Label> {
    if flyway::label(name).is_some() || numbered::label(name).is_some() {
        return None;
    }
    let (name, part) = direction(stem(name)?);
    Some(Label {
        part,
        version: None,
        name: name.to_owned(),
    })
}

impl Convention for Named {
    fn name(&self) -> &'static str {
        "files by name"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        Fit::by_names(folder, label)
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), |name| {
            let (name, part) = direction(stem(name)?);
            Some(Label {
                part,
                version: None,
                name: name.to_owned(),
            })
        }))
    }
}
