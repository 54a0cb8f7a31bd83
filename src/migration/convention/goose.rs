//! goose: `<n>_<name>.sql` with `-- +goose Up` and `-- +goose Down`, in the order of the numbers.

use std::path::Path;

use super::cut::{Cut, lines};
use super::{
    Convention, Entry, Fit, Label, Part, Transaction, Version, labelled, placeholders, stem,
};
use crate::error::{Error, Result};
use crate::migration::folder::{File, Folder, begins, relative};
use crate::migration::set::Reading;

/// As of goose 3. What stands between `StatementBegin` and `StatementEnd` is split as `psql` splits it, which comes to the
/// same.
pub(super) struct Goose;

const UP: &str = "-- +goose Up";
const DOWN: &str = "-- +goose Down";

impl Convention for Goose {
    fn name(&self) -> &'static str {
        "goose"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        Fit::by_mark(folder, UP)
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        let numbered = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
        let mut go = folder.files.iter().filter(|file| file.below.is_empty());
        let is_code = |file: &File| file.path.extension().is_some_and(|ending| ending == "go");
        if let Some(file) = go.find(|file| is_code(file) && numbered(&file.name)) {
            return Err(Error::Usage(format!(
                "migrations: `{}` is a migration in Go, which only its own program runs: set `command` under [migrate] in \
                 watertight.toml to it, or to `goose postgres \"$DATABASE_URL\" up` where that has them all",
                relative(&file.path).display()
            )));
        }
        Ok(labelled(folder.top(), |name| {
            let name = stem(name)?;
            let (number, _) = name.split_once('_')?;
            Some(Label {
                part: Part::Up,
                version: Some(Version::parse(number, &[])?),
                name: name.to_owned(),
            })
        }))
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let mut cut = Cut::by_marks(text, UP, DOWN);
        if cut.up.is_empty() && cut.down.is_empty() {
            return Err((
                1,
                format!("it has no `{UP}`, as the other files of goose have"),
            ));
        }
        if lines(text).any(|(_, line)| begins(line, "-- +goose NO TRANSACTION")) {
            cut.transaction = Some(Transaction::Never);
            cut.down_transaction = Some(Transaction::Never);
        }
        Ok(cut)
    }

    fn fill(
        &self,
        text: String,
        _: &Folder,
        reading: &Reading,
    ) -> std::result::Result<String, (usize, String)> {
        if !lines(&text).any(|(_, line)| begins(line, "-- +goose ENVSUB ON")) {
            return Ok(text);
        }
        let mut filled = String::with_capacity(text.len());
        let mut on = false;
        for (number, (_, line)) in lines(&text).enumerate() {
            if begins(line, "-- +goose ENVSUB") {
                on = begins(line, "-- +goose ENVSUB ON");
            }
            if on && !begins(line, "--") {
                let line = placeholders::environment(line, &reading.placeholders)
                    .map_err(|why| (number + 1, why))?;
                filled.push_str(&line);
            } else {
                filled.push_str(line);
            }
        }
        Ok(filled)
    }

    fn transaction(&self, _: &Path) -> Transaction {
        Transaction::Always
    }

    fn resets_session(&self) -> bool {
        false
    }
}
