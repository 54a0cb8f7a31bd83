//! From a path to a [`MigrationSet`]: the files' convention, their order, their statements.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::choose::{self, Chosen};
use super::convention::{CONVENTIONS, Convention, Entry, History, Label, Part, Version, only};
use super::folder::{self, Folder, not_unicode, relative};
use super::set::{Down, Migration, MigrationSet, Reading, checksum};
use super::{failure, foreign};
use crate::error::{Error, Result};
use crate::model::{ScriptError, Statement, split_psql};

/// The largest file that is read, in bytes: a script is held in memory.
const LARGEST: u64 = 100 * 1024 * 1024;

/// By these `pg_dump` is known; Rails takes the first out.
const DUMP: [&str; 2] = [
    "-- PostgreSQL database dump",
    "SELECT pg_catalog.set_config('search_path', '', false);",
];

pub(super) fn read(path: &Path, reading: &Reading) -> Result<MigrationSet> {
    let kind = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::Usage(format!(
            "migrations: there is no `{}`; name a folder or a file with --migrations PATH or `path` under \
             [migrate] in watertight.toml",
            relative(path).display()
        )),
        _ => Error::io(path, e),
    })?;
    if !kind.is_dir() {
        // The plan of sqitch is a file, and what it plans lies beside it.
        return match path.parent() {
            Some(folder) if path.file_name() == Some(OsStr::new("sqitch.plan")) => {
                read_folder(folder, reading)
            }
            _ => single(path, reading),
        };
    }
    read_folder(path, reading)
}

fn read_folder(path: &Path, reading: &Reading) -> Result<MigrationSet> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let folder = Folder::read(path)?;
    match choose::convention(&folder, reading)? {
        Chosen::Nothing => match foreign::in_folder(&folder) {
            Some(answer) => Err(Error::Usage(answer)),
            None => Ok(MigrationSet {
                path: relative(path),
                ..MigrationSet::default()
            }),
        },
        Chosen::Below(name) => read_folder(&path.join(name), reading),
        Chosen::Convention(convention) => by(convention, &folder, reading),
    }
}

/// A folder read as one convention has it.
pub(super) fn by(
    convention: &'static dyn Convention,
    folder: &Folder,
    reading: &Reading,
) -> Result<MigrationSet> {
    let entries = convention.entries(folder)?;
    let source = Source {
        convention,
        folder,
        reading,
    };
    let counted = |path: &Path| entries.iter().any(|entry| entry.path == path);
    let left_out = folder.top().filter(|file| !counted(&file.path));
    let left_out = left_out.map(|file| file.name.clone()).collect();
    let migrations = source.ordered(entries)?;
    let history = convention.history();
    let history = history.filter(|history| wants(history, &migrations));
    let table = history.map_or_else(String::new, |History { table, columns }| {
        format!("CREATE TABLE IF NOT EXISTS {table} ({columns});")
    });
    let prelude = convention.prelude(folder) + &table;
    Ok(MigrationSet {
        path: relative(&folder.path),
        convention: convention.name(),
        prelude: split_psql(&prelude).unwrap_or_default(),
        migrations,
        left_out,
        resets_session: convention.resets_session(),
        ..MigrationSet::default()
    })
}

/// Whether a migration names the tool's own table, and none makes it.
fn wants(history: &History, migrations: &[Migration]) -> bool {
    let statements = migrations.iter().flat_map(|of| &of.script);
    let named: Vec<&Statement> = statements
        .filter(|statement| statement.text.contains(history.table))
        .collect();
    let is_made = || named.iter().any(|of| of.begins_with(&["CREATE", "TABLE"]));
    !named.is_empty() && !is_made()
}

/// The SQL files of a folder and of those below, or one file, to look for objects in; what can't be read is left out.
pub(super) fn readable(path: &Path) -> Vec<Migration> {
    let mut found = Vec::new();
    for path in folder::sql_below(path) {
        let name = relative(&path).display().to_string();
        let reading = Reading::default();
        found.extend(file(&path, name, &reading, plain()));
    }
    found
}

/// The convention that takes files as they are.
fn plain() -> &'static dyn Convention {
    CONVENTIONS[CONVENTIONS.len() - 1]
}

/// One file is one migration, whatever its name; what marks its parts is heeded.
fn single(path: &Path, reading: &Reading) -> Result<MigrationSet> {
    let name = path.file_stem().unwrap_or(OsStr::new("migration"));
    let folder = Folder::of_file(path);
    let convention = choose::by_content(&folder, reading)?.unwrap_or(plain());
    let migration = file(
        path,
        name.to_string_lossy().into_owned(),
        reading,
        convention,
    )?;
    let convention = match (convention.name(), migration.dump) {
        (name, _) if name != plain().name() => name,
        (_, true) => "pg_dump",
        _ => "one file",
    };
    Ok(MigrationSet {
        path: relative(path),
        convention,
        migrations: vec![migration],
        resets_session: true,
        ..MigrationSet::default()
    })
}

fn file(
    path: &Path,
    name: String,
    reading: &Reading,
    convention: &'static dyn Convention,
) -> Result<Migration> {
    let source = Source {
        convention,
        folder: &Folder::of_file(path),
        reading,
    };
    let label = Label {
        part: Part::Up,
        version: None,
        name,
    };
    source.migration(path, label)
}

/// What files are read by.
struct Source<'a> {
    convention: &'static dyn Convention,
    folder: &'a Folder,
    reading: &'a Reading,
}

impl Source<'_> {
    fn ordered(&self, mut entries: Vec<Entry>) -> Result<Vec<Migration>> {
        entries.retain(|entry| entry.label.part != Part::Ignored);
        refuse_duplicates(&entries)?;
        let baseline: Option<Version> = entries
            .iter()
            .filter(|entry| entry.label.part == Part::Baseline)
            .filter_map(|entry| entry.label.version.clone())
            .max();
        entries.retain(|Entry { label, .. }| match label.part {
            Part::Baseline => label.version == baseline,
            Part::Up => baseline.is_none() || label.version > baseline,
            _ => true,
        });
        entries.sort_by(|Entry { label: a, .. }, Entry { label: b, .. }| {
            (a.part, &a.version, &a.name).cmp(&(b.part, &b.version, &b.name))
        });
        let mut migrations: Vec<Migration> = Vec::new();
        let mut places = BTreeMap::new();
        for Entry { label, path } in entries {
            let key = key(&label);
            if label.part != Part::Down {
                places.insert(key, migrations.len());
                migrations.push(self.migration(&path, label)?);
            } else if let Some(place) = places.get(&key) {
                let down = self.migration(&path, label)?;
                migrations[*place].down = Some(Down {
                    file: down.file,
                    transaction: down.transaction,
                    script: down.script,
                });
            } else {
                return Err(Error::Usage(format!(
                    "migrations: `{}` undoes a migration that is not there",
                    relative(&path).display()
                )));
            }
        }
        Ok(migrations)
    }

    fn migration(&self, path: &Path, label: Label) -> Result<Migration> {
        let shown = relative(path);
        let text = text(path)?;
        let wrong = |text: &str, (line, message): (usize, String)| {
            failure::unreadable(&shown, text, &ScriptError { line, message })
        };
        let filled = self
            .convention
            .fill(text.clone(), self.folder, self.reading);
        let text = filled.map_err(|why| wrong(&text, why))?;
        let cut = self
            .convention
            .cut(&text)
            .map_err(|why| wrong(&text, why))?;
        let script = |ranges: &[std::ops::Range<usize>]| -> Result<Vec<Statement>> {
            let part = only(&text, ranges);
            split_psql(&part).map_err(|error| failure::unreadable(&shown, &text, &error))
        };
        let usual = self.convention.transaction(path);
        let up = script(&cut.up)?;
        let down = if cut.down.is_empty() {
            None
        } else {
            let script = script(&cut.down)?;
            Some(Down {
                file: shown.clone(),
                transaction: cut.down_transaction.unwrap_or(usual).wraps(&script),
                script,
            })
        };
        Ok(Migration {
            transaction: cut.transaction.unwrap_or(usual).wraps(&up),
            name: label.name,
            repeatable: label.part == Part::Repeatable,
            script: up,
            checksum: checksum(text.as_bytes()),
            dump: DUMP.iter().any(|mark| text.contains(mark)),
            down,
            file: shown,
        })
    }
}

/// What two files of the same part may not share.
fn key(label: &Label) -> (Option<Version>, String) {
    match &label.version {
        Some(version) => (Some(version.clone()), String::new()),
        None => (None, label.name.clone()),
    }
}

fn refuse_duplicates(entries: &[Entry]) -> Result<()> {
    let mut seen: BTreeMap<_, &PathBuf> = BTreeMap::new();
    for Entry { label, path } in entries {
        if let Some(other) = seen.insert((label.part, key(label)), path) {
            return Err(Error::Usage(format!(
                "migrations: `{}` and `{}` have the same version, so their order is unknown; rename one of them",
                relative(other).display(),
                relative(path).display()
            )));
        }
    }
    Ok(())
}

/// The text of a file.
fn text(path: &Path) -> Result<String> {
    let shown = relative(path);
    let io = |e| Error::io(&shown, e);
    let kind = fs::metadata(path).map_err(io)?;
    if !kind.is_file() || kind.len() > LARGEST {
        let what = if kind.is_file() {
            "is larger than 100 MB: split it, or load its data with `command` under [migrate]"
        } else {
            "is no regular file"
        };
        return Err(Error::Usage(format!(
            "migrations: `{}` {what}",
            shown.display()
        )));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    file.take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
        let line = 1 + valid.matches('\n').count();
        not_unicode(path, &format!("line {line}"))
    })
}
