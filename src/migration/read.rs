//! From a path to a [`MigrationSet`]: the files' convention, their order, their statements.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::convention::{CONVENTIONS, Convention, Label, Part, Version};
use super::failure;
use super::files::{self, File, migration_files, not_unicode, relative};
use super::set::{Down, Migration, MigrationSet, checksum};
use crate::error::{Error, Result};
use crate::model::{Statement, split};

/// The largest file that is read, in bytes: a script is held in memory.
const LARGEST: u64 = 100 * 1024 * 1024;

pub(super) fn read(path: &Path) -> Result<MigrationSet> {
    let shown = relative(path);
    let kind = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::Usage(format!(
            "migrations: there is no `{}`; name a folder or a file with --migrations PATH or `path` under \
             [migrate] in watertight.toml",
            shown.display()
        )),
        _ => Error::io(path, e),
    })?;
    let files = if kind.is_dir() {
        migration_files(path)?
    } else {
        return single(shown);
    };
    let Some(first) = files.first() else {
        return Ok(MigrationSet {
            path: shown,
            ..MigrationSet::default()
        });
    };
    let convention = CONVENTIONS
        .iter()
        .find(|c| files.iter().all(|file| c.label(&file.name).is_some()))
        .ok_or_else(|| mixed(first, &files))?;
    Ok(MigrationSet {
        path: shown,
        convention: convention.name(),
        migrations: ordered(*convention, &files)?,
        resets_session: convention.resets_session(),
        ..MigrationSet::default()
    })
}

/// The SQL files of a folder and of those below, or one file, to look for objects in; what can't be read is left out.
pub(super) fn readable(path: &Path) -> Vec<Migration> {
    let by_name = CONVENTIONS[CONVENTIONS.len() - 1];
    let mut found = Vec::new();
    for path in files::sql_below(path) {
        let label = Label {
            part: Part::Up,
            version: None,
            name: relative(&path).display().to_string(),
        };
        found.extend(migration(by_name, &path, label));
    }
    found
}

/// One file is one migration, whatever its name.
fn single(path: PathBuf) -> Result<MigrationSet> {
    let name = path.file_stem().unwrap_or(OsStr::new("migration"));
    let label = Label {
        part: Part::Up,
        version: None,
        name: name.to_string_lossy().into_owned(),
    };
    // Any convention that leaves the transaction to the statements would do.
    let by_name = CONVENTIONS[CONVENTIONS.len() - 1];
    let migration = migration(by_name, &path, label)?;
    Ok(MigrationSet {
        path,
        convention: "one file",
        migrations: vec![migration],
        resets_session: true,
        ..MigrationSet::default()
    })
}

/// Names two files that don't go together.
fn mixed(first: &File, files: &[File]) -> Error {
    let own = CONVENTIONS.iter().find(|c| c.label(&first.name).is_some());
    let other = files
        .iter()
        .find(|file| own.is_none_or(|c| c.label(&file.name).is_none()))
        .unwrap_or(first);
    Error::Usage(format!(
        "migrations: `{}` and `{}` follow different conventions, so their order is unknown; move one of them \
         out of the folder, or name it as the others",
        relative(&first.path).display(),
        relative(&other.path).display()
    ))
}

fn ordered(convention: &dyn Convention, files: &[File]) -> Result<Vec<Migration>> {
    let mut labelled: Vec<(Label, &Path)> = files
        .iter()
        .filter_map(|file| Some((convention.label(&file.name)?, file.path.as_path())))
        .filter(|(label, _)| label.part != Part::Ignored)
        .collect();
    refuse_duplicates(&labelled)?;
    let baseline: Option<Version> = labelled
        .iter()
        .filter(|(label, _)| label.part == Part::Baseline)
        .filter_map(|(label, _)| label.version.clone())
        .max();
    labelled.retain(|(label, _)| match label.part {
        Part::Baseline => label.version == baseline,
        Part::Up => baseline.is_none() || label.version > baseline,
        _ => true,
    });
    labelled.sort_by(|(a, _), (b, _)| {
        (a.part, &a.version, &a.name).cmp(&(b.part, &b.version, &b.name))
    });
    let mut migrations: Vec<Migration> = Vec::new();
    let mut places = BTreeMap::new();
    for (label, path) in labelled {
        let key = key(&label);
        if label.part != Part::Down {
            places.insert(key, migrations.len());
            migrations.push(migration(convention, path, label)?);
        } else if let Some(place) = places.get(&key) {
            let (text, _, script) = script(path)?;
            migrations[*place].down = Some(Down {
                file: relative(path),
                transaction: convention.transaction(path, &text, &script),
                script,
            });
        } else {
            return Err(Error::Usage(format!(
                "migrations: `{}` undoes a migration that is not there",
                relative(path).display()
            )));
        }
    }
    Ok(migrations)
}

/// What two files of the same part may not share.
fn key(label: &Label) -> (Option<Version>, String) {
    match &label.version {
        Some(version) => (Some(version.clone()), String::new()),
        None => (None, label.name.clone()),
    }
}

fn refuse_duplicates(labelled: &[(Label, &Path)]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (label, path) in labelled {
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

fn migration(convention: &dyn Convention, path: &Path, label: Label) -> Result<Migration> {
    let (text, checksum, script) = script(path)?;
    Ok(Migration {
        file: relative(path),
        name: label.name,
        transaction: convention.transaction(path, &text, &script),
        repeatable: label.part == Part::Repeatable,
        script,
        checksum,
        down: None,
    })
}

/// The text of a file, its checksum, its statements.
fn script(path: &Path) -> Result<(String, String, Vec<Statement>)> {
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
    let checksum = checksum(&bytes);
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
        let line = 1 + valid.matches('\n').count();
        not_unicode(path, &format!("line {line}"))
    })?;
    let script = split(&text).map_err(|error| failure::unreadable(&shown, &text, &error))?;
    Ok((text, checksum, script))
}
