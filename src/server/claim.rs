//! Entries of the registry: those of this process, and those whose owner is dead.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::note::Note;
use crate::error::{Error, Result};

/// An entry of this process; dropped, everything that it names is removed, and then the entry.
pub(super) struct Claim {
    id: String,
    entry: PathBuf,
    lock: File,
    paths: Vec<PathBuf>,
    /// Something is there that others remove, or that stays: then the entry stays as well.
    stays: bool,
    kept: bool,
}

/// An entry whose owner is dead, locked by this process for as long as it is to be removed.
pub(super) struct Dead {
    /// The entry's id.
    pub(super) id: String,
    /// What the owner had made or was about to make.
    pub(super) paths: Vec<PathBuf>,
    /// Whether there may be a container with the id in its label.
    pub(super) container: bool,
    /// Whether its owner left it on purpose.
    pub(super) kept: bool,
    /// What it was left for.
    pub(super) purpose: Option<String>,
    /// How the server is found that its owner left to others.
    pub(super) shared: Option<Note>,
    entry: PathBuf,
    _lock: Option<File>,
}

impl Claim {
    /// The entry that a lock is on.
    pub(super) fn new(id: String, entry: PathBuf, lock: File) -> Self {
        Self {
            id,
            entry,
            lock,
            paths: Vec::new(),
            stays: false,
            kept: false,
        }
    }

    /// The entry's id: 12 hexadecimal digits.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Writes down a file or folder, which must have the id in its name, before it is made.
    pub(super) fn note(&mut self, path: &Path) -> Result<()> {
        self.write(&format!("path {}", path.display()))?;
        self.paths.push(path.to_owned());
        Ok(())
    }

    /// Makes a folder `<parent>/<id>` that is open to its owner alone.
    pub(super) fn make_folder(&mut self, parent: &Path) -> Result<PathBuf> {
        let folder = parent.join(&self.id);
        self.note(&folder)?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| Error::io(&folder, error))?;
        Ok(folder)
    }

    /// Writes down that there will be a container with this id in its label. The entry then outlives this
    /// process until somebody has seen that there is none.
    #[cfg_attr(
        not(feature = "docker"),
        expect(dead_code, reason = "containers are noted")
    )]
    pub(super) fn note_container(&mut self) -> Result<()> {
        self.stays = true;
        self.write("container")
    }

    /// The container is gone for sure.
    #[cfg_attr(
        not(feature = "docker"),
        expect(dead_code, reason = "containers are noted")
    )]
    pub(super) fn container_is_gone(&mut self) {
        self.stays = false;
    }

    /// Leaves everything where it is, to be removed by `clean`, or by who knows the purpose, a line of text.
    pub(super) fn keep(&mut self, purpose: Option<&str>) -> Result<()> {
        if let Some(purpose) = purpose {
            self.write(&format!("for {purpose}"))?;
        }
        self.write("kept")?;
        self.kept = true;
        Ok(())
    }

    /// Leaves everything to whoever finds it by this note; it is removed once the server has ended, or by `clean`
    /// where nobody uses it.
    pub(super) fn share(&mut self, note: &Note) -> Result<()> {
        self.write(&note.line())?;
        self.kept = true;
        Ok(())
    }

    fn write(&mut self, line: &str) -> Result<()> {
        writeln!(self.lock, "{line}").map_err(|error| Error::io(&self.entry, error))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let gone = self.paths.iter().all(|path| remove(path).is_ok());
        // What could not be removed stays registered: the next run tries again.
        if gone && !self.stays {
            let _ = fs::remove_file(&self.entry);
        }
    }
}

impl Dead {
    /// Reads an entry whose lock this process has; `None` where it is gone by now.
    pub(super) fn read(id: String, entry: PathBuf, lock: File) -> Option<Self> {
        let text = fs::read_to_string(&entry).ok()?;
        let mut paths: Vec<PathBuf> = text
            .lines()
            .filter_map(|line| line.strip_prefix("path "))
            .map(PathBuf::from)
            .filter(|path| carries(path, &id))
            .collect();
        // Its owner may have been killed while it wrote that down.
        let usual = entry.with_extension("");
        if !paths.contains(&usual) {
            paths.push(usual);
        }
        let says = |word: &str| text.lines().any(|line| line == word);
        Some(Self {
            paths,
            container: says("container"),
            kept: says("kept"),
            purpose: text
                .lines()
                .find_map(|line| line.strip_prefix("for "))
                .map(str::to_owned),
            shared: text.lines().find_map(Note::read),
            id,
            entry,
            _lock: Some(lock),
        })
    }

    /// To be looked at and not removed: others may remove it meanwhile.
    pub(super) fn unlocked(self) -> Self {
        Self {
            _lock: None,
            ..self
        }
    }

    /// Whether it is a server that waits for its next user.
    pub(super) fn waits(&self) -> bool {
        self.shared.as_ref().is_some_and(Note::answers)
    }

    /// Removes the files and folders and then the entry; a line for each that was there.
    pub(super) fn remove(self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in &self.paths {
            match (path.exists(), remove(path)) {
                (true, Ok(())) => lines.push(format!("removed {}", path.display())),
                (false, Ok(())) => {}
                (_, Err(error)) => {
                    lines.push(format!("could not remove {}: {error}", path.display()));
                    return lines;
                }
            }
        }
        let _ = fs::remove_file(&self.entry);
        lines
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Nothing is ever removed that does not carry the id of the entry that names it.
fn carries(path: &Path, id: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !id.is_empty() && name.ends_with(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_nothing_but_its_own() {
        assert!(carries(
            Path::new("/dev/shm/watertight-0/0ae430dfd64b"),
            "0ae430dfd64b"
        ));
        assert!(carries(
            Path::new("/var/tmp/watertight-0/making-0ae430dfd64b"),
            "0ae430dfd64b"
        ));
        for other in [
            "/",
            "/home",
            "/dev/shm/watertight-0",
            "/dev/shm/watertight-0/0ae430dfd64b/..",
            "",
        ] {
            assert!(!carries(Path::new(other), "0ae430dfd64b"), "{other}");
        }
    }
}
