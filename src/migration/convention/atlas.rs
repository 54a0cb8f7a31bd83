//! Atlas: `<n>_<name>.sql` and `atlas.sum`, in the order of the names; `-- atlas:txmode none` for no transaction.

use super::cut::{Cut, lines};
use super::{Convention, Entry, Fit, Label, Part, Transaction, labelled, stem};
use crate::error::Result;
use crate::migration::folder::{Folder, begins};

/// As of Atlas 0.3x with its own format; where the files are those of another tool, that one is surer of them.
pub(super) struct Atlas;

impl Convention for Atlas {
    fn name(&self) -> &'static str {
        "Atlas"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let plain = folder.top().all(|file| !file.name.ends_with(".down.sql"));
        let has = folder.at("atlas.sum").is_some();
        if has && plain { Fit::Names } else { Fit::No }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), |name| {
            Some(Label {
                part: Part::Up,
                version: None,
                name: stem(name)?.to_owned(),
            })
        }))
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let mut cut = Cut::whole(text);
        if lines(text).any(|(_, line)| begins(line, "-- atlas:txmode none")) {
            cut.transaction = Some(Transaction::Never);
        }
        Ok(cut)
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::Always
    }

    fn resets_session(&self) -> bool {
        false
    }
}
