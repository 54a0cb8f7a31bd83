//! sqlx: `<n>_<name>.sql`, or `.up.sql` and `.down.sql`; `-- no-transaction` as the first line.

use std::path::Path;

use super::{Convention, Label, Version, declines_transaction, direction, stem};
use crate::model::Statement;

/// `sqlx migrate`, as of 0.9. Folders below are not looked into, as sqlx doesn't either; golang-migrate's
/// files have the same names.
pub(super) struct Sqlx;

impl Convention for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn label(&self, file_name: &str) -> Option<Label> {
        let (name, part) = direction(stem(file_name)?);
        let (number, title) = name.split_once('_')?;
        if title.is_empty() {
            return None;
        }
        Some(Label {
            part,
            version: Some(Version::parse(number, &[])?),
            name: name.to_owned(),
        })
    }

    fn transaction(&self, _: &Path, text: &str, _: &[Statement]) -> bool {
        !declines_transaction(text)
    }

    fn resets_session(&self) -> bool {
        false
    }
}
