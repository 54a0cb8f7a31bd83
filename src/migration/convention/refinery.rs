//! refinery: `V1__name.sql`, and `U2__name.sql` for one that may come later than those of higher numbers.

use std::path::Path;

use super::{Convention, Entry, Fit, Label, Part, Transaction, Version, labelled, stem};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of refinery 0.9. To Flyway `U…` undoes the `V…` of the same number, which refinery would refuse.
pub(super) struct Refinery;

fn label(name: &str) -> Option<Label> {
    let name = stem(name)?;
    let (before, _) = name.split_once("__")?;
    let number = before.strip_prefix(['V', 'U'])?;
    Some(Label {
        part: Part::Up,
        version: Some(Version::parse(number, &[])?),
        name: name.to_owned(),
    })
}

impl Convention for Refinery {
    fn name(&self) -> &'static str {
        "refinery"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        if Fit::by_names(folder, label) == Fit::No {
            return Fit::No;
        }
        let labels: Vec<Label> = folder.top().filter_map(|file| label(&file.name)).collect();
        let version = |l: &Label| l.version.clone();
        let undoes = |u: &Label| {
            labels
                .iter()
                .any(|l| l.name.starts_with('V') && version(l) == version(u))
        };
        let mut others = labels.iter().filter(|l| l.name.starts_with('U'));
        if others.any(|u| !undoes(u)) || folder.project_says("Cargo.toml", "refinery") {
            return Fit::Project;
        }
        Fit::No
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), label))
    }

    fn transaction(&self, _: &Path) -> Transaction {
        Transaction::OneMessage
    }

    fn resets_session(&self) -> bool {
        false
    }
}
