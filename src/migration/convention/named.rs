//! Named files: `a.sql`, `b.sql`; in the order of their names.

use std::path::Path;

use super::flyway::Flyway;
use super::numbered::Numbered;
use super::{Convention, Label, direction, stem, transaction_by_statements};
use crate::model::Statement;

/// Plain files without a number. Those of other conventions are none, as their names order them wrongly.
pub(super) struct Named;

impl Convention for Named {
    fn name(&self) -> &'static str {
        "files by name"
    }

    fn label(&self, file_name: &str) -> Option<Label> {
        if Flyway.label(file_name).is_some() || Numbered.label(file_name).is_some() {
            return None;
        }
        let (name, part) = direction(stem(file_name)?);
        Some(Label {
            part,
            version: None,
            name: name.to_owned(),
        })
    }

    fn transaction(&self, _: &Path, text: &str, script: &[Statement]) -> bool {
        transaction_by_statements(text, script)
    }
}
