//! Supabase: `supabase/migrations/<n>_<name>.sql`.

use super::{Convention, Entry, Fit, Label, Part, Version, labelled, stem};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of its command line 2. What only a project of theirs has (roles, `auth`, `storage`) is made by `--supabase`.
pub(super) struct Supabase;

fn label(name: &str) -> Option<Label> {
    let name = stem(name)?;
    let (number, _) = name.split_once('_')?;
    Some(Label {
        part: Part::Up,
        version: Some(Version::parse(number, &[])?),
        name: name.to_owned(),
    })
}

impl Convention for Supabase {
    fn name(&self) -> &'static str {
        "Supabase"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let names = Fit::by_names(folder, label);
        match names {
            Fit::No => Fit::No,
            _ if folder.is_in("supabase") => Fit::Content,
            _ => Fit::No,
        }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), label))
    }
}
