//! Conventions: what files of migrations there are, in which order, and what in them is for the way up. A new one is one file
//! here and one line in [`CONVENTIONS`].

mod atlas;
mod cut;
mod dbmate;
mod diesel;
mod drizzle;
mod flyway;
mod golang_migrate;
mod goose;
mod hasura;
mod liquibase;
mod named;
mod node_pg_migrate;
mod numbered;
mod placeholders;
mod prisma;
mod refinery;
mod sqitch;
mod sqlx;
mod supabase;
mod transaction;

use std::path::{Path, PathBuf};

pub(super) use cut::{Cut, only};
pub(super) use transaction::Transaction;

use super::folder::{File, Folder};
use super::set::Reading;
use crate::error::Result;

/// The conventions, the most particular first: of those that know a folder's files by their names alone, the first is taken.
pub(super) static CONVENTIONS: &[&dyn Convention] = &[
    &sqitch::Sqitch,
    &drizzle::Drizzle,
    &prisma::Prisma,
    &dbmate::Dbmate,
    &goose::Goose,
    &node_pg_migrate::NodePgMigrate,
    &liquibase::Liquibase,
    &atlas::Atlas,
    &supabase::Supabase,
    &refinery::Refinery,
    &flyway::Flyway,
    &diesel::Diesel,
    &hasura::Hasura,
    &sqlx::Sqlx,
    &golang_migrate::GolangMigrate,
    &numbered::Numbered,
    &named::Named,
];

/// A way to name, to order and to run files of migrations.
pub(super) trait Convention: Sync {
    /// Its name, fit for "migrations (…)"; in lower case and with hyphens it is what `--convention` takes.
    fn name(&self) -> &'static str;

    /// How sure it is that the folder follows it.
    fn fit(&self, folder: &Folder) -> Fit;

    /// The files that count and what each is for.
    ///
    /// # Errors
    /// A list of migrations that can't be read, or names a file that is not there.
    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>>;

    /// What of a file's text is for which way.
    ///
    /// # Errors
    /// The line that is wrong, and what is wrong with it.
    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        Ok(Cut::whole(text))
    }

    /// How the statements of a file share a transaction, where the file itself doesn't say.
    fn transaction(&self, path: &Path) -> Transaction {
        let _ = path;
        Transaction::AsStatementsAllow
    }

    /// The text with the values of its placeholders.
    ///
    /// # Errors
    /// The line and the name of one that has no value.
    fn fill(
        &self,
        text: String,
        folder: &Folder,
        reading: &Reading,
    ) -> std::result::Result<String, (usize, String)> {
        let _ = (folder, reading);
        Ok(text)
    }

    /// What has to be there before the first migration, as SQL.
    fn prelude(&self, folder: &Folder) -> String {
        let _ = folder;
        String::new()
    }

    /// The tool's own table of what it has applied: migrations may name it, as one that puts a trigger on it does.
    fn history(&self) -> Option<History> {
        None
    }

    /// Whether each file has a session of its own.
    fn resets_session(&self) -> bool {
        true
    }
}

/// A table in which a tool remembers what it has applied.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    pub(super) table: &'static str,
    /// Its columns and constraints, as SQL.
    pub(super) columns: &'static str,
}

/// How sure a convention is of a folder; the surest is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// Its files are others.
    No,
    /// All names are as it has them; other conventions have such names too.
    Names,
    /// The project around the folder uses it.
    Project,
    /// What stands in the files, or a file that no other convention has.
    Content,
}

impl Fit {
    /// By a line that only files of the convention have.
    fn by_mark(folder: &Folder, mark: &str) -> Self {
        if folder.marked(mark) {
            Self::Content
        } else {
            Self::No
        }
    }

    /// By the names of all SQL files of the folder itself.
    fn by_names(folder: &Folder, label: impl Fn(&str) -> Option<Label>) -> Self {
        let mut any = false;
        for file in folder.top() {
            any = true;
            if label(&file.name).is_none() {
                return Self::No;
            }
        }
        if any { Self::Names } else { Self::No }
    }

    /// That, or something surer where it holds and some name fits.
    fn or(self, surer: Self, holds: bool) -> Self {
        if holds { surer.max(self) } else { self }
    }
}

/// A file, and what it is for.
pub(super) struct Entry {
    pub(super) label: Label,
    pub(super) path: PathBuf,
}

/// The files of a folder that the function has labels for.
fn labelled<'f>(
    files: impl Iterator<Item = &'f File>,
    label: impl Fn(&str) -> Option<Label>,
) -> Vec<Entry> {
    files
        .filter_map(|file| {
            Some(Entry {
                label: label(&file.name)?,
                path: file.path.clone(),
            })
        })
        .collect()
}

/// Folders for a migration each, at a depth: the files in them that the function knows by name, labelled by the folder.
fn in_folders(
    folder: &Folder,
    depth: usize,
    part: impl Fn(&str) -> Option<Part>,
) -> Result<Vec<Entry>> {
    folder.refuse_circle()?;
    let label = |file: &File| {
        let name = file.below.last().filter(|_| file.below.len() == depth)?;
        Some(Entry {
            label: Label {
                part: part(&file.name)?,
                version: None,
                name: name.clone(),
            },
            path: file.path.clone(),
        })
    };
    Ok(folder.files.iter().filter_map(label).collect())
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
    /// The place in a list.
    fn place(index: usize) -> Self {
        let digits = index.to_string();
        Self(vec![(digits.len(), digits)])
    }

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
}
