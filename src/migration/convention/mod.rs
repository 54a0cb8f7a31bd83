//! Conventions: what the names of migration files mean. A new one is one file here and one line in
//! [`CONVENTIONS`].

mod flyway;
mod named;
mod numbered;
mod sqlx;

use std::path::Path;

use crate::model::Statement;

/// The conventions, the most particular first: the first that knows every file of a folder is taken.
pub(super) static CONVENTIONS: &[&dyn Convention] = &[
    &flyway::Flyway,
    &sqlx::Sqlx,
    &numbered::Numbered,
    &named::Named,
];

/// A way to name and to run migration files.
pub(super) trait Convention: Sync {
    /// Its name, fit for "migrations (…)".
    fn name(&self) -> &'static str;

    /// What the name of a file says; nothing where the file is not of this convention.
    fn label(&self, file_name: &str) -> Option<Label>;

    /// Whether the file runs in one transaction, unless it manages its own.
    fn transaction(&self, path: &Path, text: &str, script: &[Statement]) -> bool;

    /// Whether files in folders below count.
    fn nested(&self) -> bool {
        false
    }

    /// Whether each file has a session of its own.
    fn resets_session(&self) -> bool {
        true
    }
}

/// What the name of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// What the file is for.
    pub(super) part: Part,
    /// Its place in the order; files without one are ordered by name.
    pub(super) version: Option<Version>,
    /// The name by which it is remembered.
    pub(super) name: String,
}

/// What a migration file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Stands for every version up to its own.
    Baseline,
    /// Applied once.
    Up,
    /// Applied after the others, again whenever it changes.
    Repeatable,
    /// Undoes the file of the same version.
    Down,
    /// Not for us.
    Ignored,
}

/// A version: numbers of any length, as `1.2` or `20240131120000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<(usize, String)>);

impl Version {
    /// The version in a text of numbers with separators between them; nothing where it is something else.
    fn parse(text: &str, separators: &[char]) -> Option<Self> {
        let mut parts = Vec::new();
        for part in text.split(separators) {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let digits = part.trim_start_matches('0');
            parts.push((digits.len(), digits.to_owned()));
        }
        // 1.0 is 1, as it is for Flyway.
        while parts.last().is_some_and(|(length, _)| *length == 0) {
            parts.pop();
        }
        Some(Self(parts))
    }
}

/// The name without `.sql`, in whatever case.
fn stem(file_name: &str) -> Option<&str> {
    let (stem, ending) = file_name.rsplit_once('.')?;
    (ending.eq_ignore_ascii_case("sql") && !stem.is_empty()).then_some(stem)
}

/// The name without `.up` and `.down`, and which it was.
fn direction(stem: &str) -> (&str, Part) {
    if let Some(name) = stem.strip_suffix(".up") {
        (name, Part::Up)
    } else if let Some(name) = stem.strip_suffix(".down") {
        (name, Part::Down)
    } else {
        (stem, Part::Up)
    }
}

/// sqlx's mark for a file that wants no transaction around it.
fn declines_transaction(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .starts_with("-- no-transaction")
}

/// Whether a statement is refused inside a transaction (by the documentation of Postgres 18).
fn refuses_transaction(statement: &Statement) -> bool {
    const HEADS: [&[&str]; 10] = [
        &["VACUUM"],
        &["CLUSTER"],
        &["DISCARD", "ALL"],
        &["ALTER", "SYSTEM"],
        &["CREATE", "DATABASE"],
        &["DROP", "DATABASE"],
        &["CREATE", "TABLESPACE"],
        &["DROP", "TABLESPACE"],
        &["CREATE", "SUBSCRIPTION"],
        &["DROP", "SUBSCRIPTION"],
    ];
    const CONCURRENT: [&[&str]; 5] = [
        &["CREATE", "INDEX"],
        &["CREATE", "UNIQUE"],
        &["DROP", "INDEX"],
        &["REINDEX"],
        &["ALTER", "TABLE"],
    ];
    let begins = |heads: &[&[&str]]| heads.iter().any(|head| statement.begins_with(head));
    begins(&HEADS)
        || (begins(&CONCURRENT) && statement.tokens().any(|token| token.is("concurrently")))
        || (statement.begins_with(&["REINDEX"])
            && statement
                .tokens()
                .any(|token| token.is("database") || token.is("system") || token.is("schema")))
}

/// The transaction of conventions that leave it to the statements.
fn transaction_by_statements(text: &str, script: &[Statement]) -> bool {
    !declines_transaction(text) && !script.iter().any(refuses_transaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let version = |text| Version::parse(text, &['.', '_']).unwrap();
        assert!(version("2") < version("10"));
        assert!(version("1.9") < version("1_10"));
        assert!(version("1") < version("1.1"));
        assert_eq!(version("001.0"), version("1"));
        assert!(version("9".repeat(60).as_str()) < version(&format!("1{}", "0".repeat(60))));
        assert_eq!(Version::parse("1..2", &['.']), None);
        assert_eq!(Version::parse("", &['.']), None);
        assert_eq!(Version::parse("1a", &['.']), None);
    }

    #[test]
    fn statements_that_refuse_transactions_are_known() {
        let refuses = |text: &str| refuses_transaction(&crate::model::split(text).unwrap()[0]);
        for text in [
            "create unique index concurrently i on t (a)",
            "VACUUM t",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        ] {
            assert!(refuses(text), "{text}");
        }
        for text in [
            "CREATE INDEX i ON t (a)",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "CREATE TABLE vacuum (a int)",
            "REINDEX TABLE t",
        ] {
            assert!(!refuses(text), "{text}");
        }
    }
}
