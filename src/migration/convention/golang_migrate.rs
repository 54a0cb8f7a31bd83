//! golang-migrate: `<n>_<name>.up.sql` and `.down.sql`, in the order of the numbers.

use std::path::Path;

use super::{
    Convention, Entry, Fit, History, Label, Part, Transaction, Version, direction, labelled, stem,
};
use crate::error::Result;
use crate::migration::folder::Folder;

/// As of golang-migrate 4. A file is one message to the server.
pub(super) struct GolangMigrate;

fn label(name: &str) -> Option<Label> {
    let whole = stem(name)?;
    let (name, part) = direction(whole);
    let (number, _) = name.split_once('_')?;
    if name == whole {
        return None;
    }
    Some(Label {
        part,
        version: Some(Version::parse(number, &[])?),
        name: name.to_owned(),
    })
}

impl Convention for GolangMigrate {
    fn name(&self) -> &'static str {
        "golang-migrate"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let some = folder
            .top()
            .any(|f| label(&f.name).is_some_and(|l| l.part == Part::Up));
        let says = folder.project_says("go.mod", "golang-migrate") && some;
        Fit::by_names(folder, label).or(Fit::Project, says)
    }

    fn history(&self) -> Option<History> {
        Some(History {
            table: "schema_migrations",
            columns: "version bigint PRIMARY KEY, dirty boolean NOT NULL",
        })
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
