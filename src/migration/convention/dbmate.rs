//! dbmate: `<n>_<name>.sql` with `-- migrate:up` and `-- migrate:down`, in the order of the names.

use super::cut::{Cut, lines};
use super::{Convention, Entry, Fit, History, Label, Part, Transaction, labelled, stem};
use crate::error::Result;
use crate::migration::folder::{Folder, begins};

/// As of dbmate 2. `transaction:false` behind a mark has each statement of that part run by itself.
pub(super) struct Dbmate;

const UP: &str = "-- migrate:up";
const DOWN: &str = "-- migrate:down";

impl Convention for Dbmate {
    fn name(&self) -> &'static str {
        "dbmate"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        Fit::by_mark(folder, UP)
    }

    fn history(&self) -> Option<History> {
        Some(History {
            table: "schema_migrations",
            columns: "version varchar PRIMARY KEY",
        })
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), |name| {
            let name = stem(name)?;
            name.starts_with(|c: char| c.is_ascii_digit())
                .then(|| Label {
                    part: Part::Up,
                    version: None,
                    name: name.to_owned(),
                })
        }))
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let mut cut = Cut::by_marks(text, UP, DOWN);
        if cut.up.is_empty() {
            return Err((
                1,
                format!("it has no `{UP}`, as the other files of dbmate have"),
            ));
        }
        for (_, line) in lines(text).filter(|(_, line)| line.contains("transaction:false")) {
            if begins(line, UP) {
                cut.transaction = Some(Transaction::Never);
            } else if begins(line, DOWN) {
                cut.down_transaction = Some(Transaction::Never);
            }
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
