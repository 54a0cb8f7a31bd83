//! Hasura: `<database>/<n>_<name>/up.sql` and `down.sql`, in the order of the folders' names.

use super::diesel::up_or_down;
use super::{Convention, Entry, Fit, Transaction, in_folders};
use crate::error::{Error, Result};
use crate::migration::folder::Folder;

/// As of Hasura 2: a folder for each database, or none where there is but one.
pub(super) struct Hasura;

impl Hasura {
    /// The databases that have a folder.
    fn databases(folder: &Folder) -> Vec<&str> {
        let mut names: Vec<&str> = folder
            .sql()
            .filter(|file| file.below.len() == 2 && file.name == "up.sql")
            .map(|file| file.below[0].as_str())
            .collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Convention for Hasura {
    fn name(&self) -> &'static str {
        "Hasura"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        if folder.top().next().is_some() {
            return Fit::No;
        }
        if !Self::databases(folder).is_empty() {
            return Fit::Names;
        }
        let flat = folder
            .sql()
            .any(|f| f.name == "up.sql" && f.below.len() == 1);
        let says = folder.project_says("config.yaml", "metadata_directory");
        if flat && says { Fit::Content } else { Fit::No }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        match Self::databases(folder).as_slice() {
            [] => in_folders(folder, 1, up_or_down),
            [_] => in_folders(folder, 2, up_or_down),
            several => Err(Error::Usage(format!(
                "migrations: `{}` has migrations of several databases, {}; name the folder of one",
                folder.path.display(),
                several.join(" and ")
            ))),
        }
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::OneMessage
    }
}
