//! sqlx: `<n>_<name>.sql`, or `.up.sql` and `.down.sql`; `-- no-transaction` as the first line.

use std::path::Path;

use super::transaction::refuses_transaction;
use super::{
    Convention, Entry, Fit, History, Label, Transaction, Version, direction, labelled, stem,
};
use crate::error::Result;
use crate::migration::folder::{File, Folder};
use crate::model::{quoted, split_psql};

/// `sqlx migrate`, as of 0.9. Folders below are not looked into, as sqlx doesn't either.
pub(super) struct Sqlx;

fn label(name: &str) -> Option<Label> {
    let (name, part) = direction(stem(name)?);
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

/// Whether sqlx could never run a file: a statement refuses the transaction that it would put around.
fn is_impossible(file: &File) -> bool {
    !file
        .head()
        .trim_start_matches('\u{feff}')
        .starts_with("-- no-transaction")
        && split_psql(file.head()).is_ok_and(|script| script.iter().any(refuses_transaction))
}

impl Convention for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let some = folder.top().any(|file| label(&file.name).is_some());
        let says = some
            && (!folder.around("sqlx.toml").is_empty()
                || folder.project_says("Cargo.toml", "sqlx"));
        match Fit::by_names(folder, label) {
            _ if says => Fit::Project,
            Fit::Names if folder.top().any(is_impossible) => Fit::No,
            fit => fit,
        }
    }

    fn history(&self) -> Option<History> {
        Some(History {
            table: "_sqlx_migrations",
            columns: "version bigint PRIMARY KEY, description text NOT NULL, \
                      installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, \
                      checksum bytea NOT NULL, execution_time bigint NOT NULL",
        })
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        Ok(labelled(folder.top(), label))
    }

    fn transaction(&self, _: &Path) -> Transaction {
        Transaction::Always
    }

    /// `create-schemas` of `sqlx.toml`.
    fn prelude(&self, folder: &Folder) -> String {
        let Some(text) = folder.around("sqlx.toml").into_iter().next() else {
            return String::new();
        };
        let settings: toml::Table = text.parse().unwrap_or_default();
        let migrate = settings.get("migrate").and_then(toml::Value::as_table);
        let schemas = migrate
            .and_then(|m| m.get("create-schemas"))
            .and_then(toml::Value::as_array);
        let names = schemas
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str);
        names.fold(String::new(), |sql, name| {
            sql + "CREATE SCHEMA IF NOT EXISTS " + &quoted(name) + ";\n"
        })
    }

    fn resets_session(&self) -> bool {
        false
    }
}
