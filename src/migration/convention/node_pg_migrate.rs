//! node-pg-migrate: `<n>_<name>.sql` with `-- Up Migration` and `-- Down Migration`, in the order of the numbers.

use std::path::Path;

use super::{Convention, Cut, Entry, Fit, Label, Part, Transaction, labelled, stem};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of node-pg-migrate 8, for migrations in SQL; in JavaScript they want its own command.
pub(super) struct NodePgMigrate;

const UP: &str = "-- Up Migration";
const DOWN: &str = "-- Down Migration";

impl Convention for NodePgMigrate {
    fn name(&self) -> &'static str {
        "node-pg-migrate"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        Fit::by_mark(folder, UP)
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), |name| {
            let name = stem(name)?;
            Some(Label {
                part: Part::Up,
                version: None,
                name: name.to_owned(),
            })
        }))
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let cut = Cut::by_marks(text, UP, DOWN);
        // Without marks all of it is for the way up.
        Ok(if cut.up.is_empty() {
            Cut::whole(text)
        } else {
            cut
        })
    }

    fn transaction(&self, _: &Path) -> Transaction {
        Transaction::Always
    }

    fn resets_session(&self) -> bool {
        false
    }
}
