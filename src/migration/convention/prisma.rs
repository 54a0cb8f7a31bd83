//! Prisma: a folder for each migration with `migration.sql`, in the order of the folders' names.

use super::{Convention, Entry, Fit, Part, Transaction, in_folders};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of Prisma 6, and as newer versions of Drizzle have it. A file is one message to the server.
pub(super) struct Prisma;

const FILE: &str = "migration.sql";

impl Convention for Prisma {
    fn name(&self) -> &'static str {
        "Prisma"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let has = folder
            .sql()
            .any(|file| file.name == FILE && file.below.len() == 1);
        if has { Fit::Content } else { Fit::No }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        in_folders(folder, 1, |name| (name == FILE).then_some(Part::Up))
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::OneMessage
    }

    fn resets_session(&self) -> bool {
        false
    }
}
