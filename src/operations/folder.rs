//! [`Backup`]: a folder with a dump, what belongs to it, and the checksums of all; complete or not there.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::manifest::{FORMAT, Kind, Manifest};
use crate::error::{Error, Result};
use crate::model::hexadecimal;

/// `pg_dump`'s file, in its custom format.
pub(super) const DUMP: &str = "database.dump";
/// Beside rows alone: the schema to try them on.
pub(super) const SCHEMA: &str = "schema.dump";
/// The roles, for `psql`.
pub(super) const ROLES: &str = "roles.sql";
/// The database's settings and privileges, for `psql`.
pub(super) const PROPERTIES: &str = "database.sql";
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";
const LOCK: &str = ".watertight.lock";

/// What is not complete, or being removed, begins with this.
const ASIDE: &str = ".watertight-partial-";

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A complete backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its folder.
    pub folder: PathBuf,
    /// What the database held.
    pub manifest: Manifest,
}

impl Backup {
    /// Opens a backup; every file must be what it was when it was written.
    ///
    /// # Errors
    /// [`Error::Operation`] for a folder that is no backup, a file that is missing, longer, shorter or changed.
    pub fn open(folder: &Path) -> Result<Self> {
        // The dump names its backup as well.
        let folder = match folder.file_name() {
            Some(name) if name == DUMP => folder.parent().unwrap_or(Path::new(".")),
            _ => folder,
        };
        let sums = folder.join(SUMS);
        let list = fs::read_to_string(&sums).map_err(|error| {
            Error::Operation(format!(
                "{} is no complete backup: {SUMS}: {error}",
                folder.display()
            ))
        })?;
        let manifest = Self::manifest(folder)?;
        for name in names(manifest.kind) {
            let expected = list
                .lines()
                .filter_map(|line| line.split_once("  "))
                .find(|(_, file)| *file == name)
                .map(|(sum, _)| sum);
            let file = folder.join(name);
            let found = sum(&file).map_err(|error| damaged(&file, &error.to_string()))?;
            if expected != Some(found.as_str()) {
                return Err(damaged(
                    &file,
                    "its SHA-256 is not the one that was written beside it: it was changed, or cut short",
                ));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    fn manifest(folder: &Path) -> Result<Manifest> {
        let file = folder.join(MANIFEST);
        let text = fs::read_to_string(&file).map_err(|error| damaged(&file, &error.to_string()))?;
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| damaged(&file, &error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(Error::Operation(format!(
                "{}: format {}, and this version reads {FORMAT}",
                file.display(),
                manifest.format
            )));
        }
        Ok(manifest)
    }

    /// One of its files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn damaged(file: &Path, why: &str) -> Error {
    Error::Operation(format!("{} is damaged: {why}", file.display()))
}

/// The files of a backup, but for the sums.
fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let schema = (kind == Kind::Data).then_some(SCHEMA);
    [DUMP, ROLES, PROPERTIES, MANIFEST]
        .into_iter()
        .chain(schema)
}

fn sum(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// A folder of backups, which nobody else writes to meanwhile.
pub(super) struct Shelf {
    folder: PathBuf,
    /// Held until this is dropped, or the process ends.
    _lock: File,
}

impl Shelf {
    /// Locks the folder, makes it where it is missing, and removes what a killed backup left.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let path = folder.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Error::io(&path, error))?;
        lock.try_lock().map_err(|_| {
            Error::Operation(format!(
                "another backup is being written to {}: this one was not begun",
                folder.display()
            ))
        })?;
        for entry in entries(folder)? {
            let name = entry.file_name().map(|name| name.to_string_lossy());
            if name.is_some_and(|name| name.starts_with(ASIDE)) {
                fs::remove_dir_all(&entry).map_err(|error| Error::io(&entry, error))?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// A place to write a backup to.
    pub(super) fn aside(&self, manifest: &Manifest) -> Result<Aside> {
        let plain = |c: char| {
            if c.is_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let database: String = manifest.database.chars().map(plain).collect();
        let name = format!("{database}-{}-{}", manifest.kind.word(), manifest.stamp);
        let aside = self.folder.join(format!("{ASIDE}{name}"));
        let mut builder = fs::DirBuilder::new();
        // It holds everybody's rows.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&aside)
            .map_err(|error| Error::io(&aside, error))?;
        Ok(Aside {
            folder: aside,
            complete: self.folder.join(name),
        })
    }

    /// Removes backups of the same database and kind that are so many days older than this one; their names. Whatever
    /// else lies here stays.
    pub(super) fn prune(&self, newest: &Manifest, days: u32) -> Result<Vec<PathBuf>> {
        let mut pruned = Vec::new();
        for entry in entries(&self.folder)? {
            // What can't be read is not known to be old.
            let Ok(manifest) = Backup::manifest(&entry) else {
                continue;
            };
            let same = (&manifest.database, &manifest.server, manifest.kind)
                == (&newest.database, &newest.server, newest.kind);
            if !same || newest.taken_at - manifest.taken_at <= i64::from(days) * DAY {
                continue;
            }
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            let aside = self.folder.join(format!("{ASIDE}{name}"));
            // What is half removed must not look like a backup.
            fs::rename(&entry, &aside)
                .and_then(|()| fs::remove_dir_all(&aside))
                .map_err(|error| Error::io(&entry, error))?;
            pruned.push(entry);
        }
        Ok(pruned)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// A backup that is being written; dropped before it is complete, it is gone.
pub(super) struct Aside {
    folder: PathBuf,
    complete: PathBuf,
}

impl Aside {
    /// The path of one of its files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes one of its files.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.file(name);
        fs::write(&file, text).map_err(|error| Error::io(&file, error))
    }

    /// Writes manifest and sums, has all of it reach the disk, and gives it its name.
    pub(super) fn complete(self, manifest: Manifest) -> Result<Backup> {
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|error| Error::Operation(format!("{MANIFEST}: {error}")))?;
        self.write(MANIFEST, &text)?;
        let mut sums = String::new();
        for name in names(manifest.kind) {
            let file = self.file(name);
            let sum = sum(&file).map_err(|error| Error::io(&file, error))?;
            let _ = writeln!(sums, "{sum}  {name}");
        }
        self.write(SUMS, &sums)?;
        for name in names(manifest.kind).chain([SUMS]) {
            synced(&self.file(name))?;
        }
        synced(&self.folder)?;
        fs::rename(&self.folder, &self.complete)
            .map_err(|error| Error::io(&self.complete, error))?;
        synced(self.complete.parent().unwrap_or(Path::new(".")))?;
        Ok(Backup {
            folder: self.complete.clone(),
            manifest,
        })
    }
}

fn synced(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io(path, error))
}

impl Drop for Aside {
    fn drop(&mut self) {
        // A complete one has another name by now.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
