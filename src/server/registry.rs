//! What runs on this machine on our behalf, so that whatever killed its owner, the next run removes it.
//!
//! Every server has an entry `<root>/<id>.lock`, which its owner holds locked (`flock`) for as long as it lives:
//! the system lets go of it however the owner ends. The entry's lines say what else there is: `path PATH`,
//! `container`, `kept`, `shared NOTE`. It is made and locked before anything that it names, and removed after all of it.
//! An entry with a note belongs to nobody: those who use its server hold it locked together.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::claim::{Claim, Dead};
use super::note::Note;
use crate::error::{Error, Result};

/// What a data folder should find free in memory, in KiB; with less, the disk has to do.
pub(super) const ENOUGH_KIB: u64 = 512 * 1024;

/// The folder of entries of this user.
pub(super) struct Registry {
    root: PathBuf,
    user: u32,
}

impl Registry {
    /// The registry in memory (`/dev/shm`), else in the temporary folder; made where it isn't there yet.
    pub(super) fn open() -> Result<Self> {
        let user = current_user()?;
        let mut refused = Vec::new();
        for parent in [
            PathBuf::from("/dev/shm"),
            PathBuf::from("/tmp"),
            std::env::temp_dir(),
        ] {
            match private_folder(&parent, user) {
                Ok(root) => return Ok(Self { root, user }),
                Err(reason) => refused.push(reason),
            }
        }
        Err(Error::Server(format!(
            "no folder for servers could be made: {}",
            refused.join("; ")
        )))
    }

    /// The folder of the entries, for small things beside them.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// This user's number.
    pub(super) fn user(&self) -> u32 {
        self.user
    }

    /// Names this registry to others that see what it registers, as containers do: machine and folder.
    #[cfg_attr(
        not(feature = "docker"),
        expect(dead_code, reason = "containers carry it")
    )]
    pub(super) fn name(&self) -> String {
        let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        format!("{}:{}", machine.trim(), self.root.display())
    }

    /// A new entry, locked, with a folder's path that nothing is at yet.
    pub(super) fn claim(&self) -> Result<Claim> {
        loop {
            let id = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
            let entry = self.entry(&id);
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&entry);
            let lock = match opened {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                other => other.map_err(|error| Error::io(&entry, error))?,
            };
            // Between its making and its locking a sweep may have taken it for a dead one's: then another.
            if lock.try_lock().is_err() || !entry.exists() {
                continue;
            }
            return Ok(Claim::new(id, entry, lock));
        }
    }

    /// Where the data of a server goes: here where there is room in memory, else in the temporary folder.
    pub(super) fn roomy(&self) -> Result<PathBuf> {
        if free_kib(&self.root).is_some_and(|free| free >= ENOUGH_KIB) {
            return Ok(self.root.clone());
        }
        private_folder(&std::env::temp_dir(), self.user).map_err(Error::Server)
    }

    /// The folder for what is worth keeping between runs, on disk; `None` where there is none to be trusted.
    pub(super) fn cache(&self) -> Option<PathBuf> {
        [PathBuf::from("/var/tmp"), std::env::temp_dir()]
            .iter()
            .find_map(|parent| private_folder(parent, self.user).ok())
    }

    /// Entries whose owners are dead, each locked by this process now; kept ones, and those of servers that wait for
    /// their next user, only if asked for.
    pub(super) fn dead(&self, with_kept: bool) -> Vec<Dead> {
        self.entries()
            .filter_map(|entry| lock_if_dead(&entry))
            .filter(|dead| with_kept || !(dead.kept || dead.waits()))
            .collect()
    }

    /// All of those, to be looked at: a sweep at the same time is not kept from them.
    pub(super) fn look(&self) -> Vec<Dead> {
        self.entries()
            .filter_map(|entry| lock_if_dead(&entry).map(Dead::unlocked))
            .collect()
    }

    /// Waits until nobody else looks for a server to share, or starts one; others wait until the file is dropped.
    pub(super) fn gate(&self) -> Result<File> {
        let gate = File::open(&self.root).map_err(|error| Error::io(&self.root, error))?;
        gate.lock().map_err(|error| Error::io(&self.root, error))?;
        Ok(gate)
    }

    /// Whether somebody has what [`Registry::gate`] waits for.
    pub(super) fn gate_is_taken(&self) -> bool {
        File::open(&self.root).is_ok_and(|gate| gate.try_lock().is_err())
    }

    /// Folders that look like servers' and are in no entry.
    pub(super) fn strangers(&self) -> Vec<PathBuf> {
        let mut parents = vec![self.root.clone()];
        parents.extend(self.cache());
        parents.extend(private_folder(&std::env::temp_dir(), self.user));
        parents.sort();
        parents.dedup();
        let files = parents
            .iter()
            .filter_map(|parent| fs::read_dir(parent).ok())
            .flat_map(|files| files.flatten().map(|file| file.path()));
        let stranger = |path: &PathBuf| {
            let id = path.file_name().and_then(|name| name.to_str());
            id.is_some_and(|id| is_id(id) && !self.entry(id).exists()) && path.is_dir()
        };
        files.filter(stranger).collect()
    }

    /// The servers that are shared under a key, or all, each entry locked against its removal until the file is dropped.
    pub(super) fn shared(&self, key: Option<&str>) -> Vec<(Note, File)> {
        self.entries()
            .filter_map(|entry| {
                let text = fs::read_to_string(&entry).ok()?;
                let note = text.lines().find_map(Note::read)?;
                let file = File::open(&entry).ok()?;
                file.lock_shared().ok()?;
                // Whoever had it locked before may have removed it.
                (key.is_none_or(|key| note.key == key) && entry.exists()).then_some((note, file))
            })
            .collect()
    }

    fn entries(&self) -> impl Iterator<Item = PathBuf> {
        let files = fs::read_dir(&self.root).into_iter().flatten().flatten();
        files.map(|file| file.path()).filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "lock")
        })
    }

    /// Whether the owner of an entry is dead: it has none, or its lock is free.
    pub(super) fn is_dead(&self, id: &str) -> bool {
        let entry = self.entry(id);
        !entry.exists() || lock_if_dead(&entry).is_some()
    }

    fn entry(&self, id: &str) -> PathBuf {
        self.root.join(format!("{id}.lock"))
    }
}

/// Whether this is how entries are called.
fn is_id(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn lock_if_dead(entry: &Path) -> Option<Dead> {
    let id = entry
        .file_name()?
        .to_str()?
        .strip_suffix(".lock")?
        .to_owned();
    let lock = File::open(entry).ok()?;
    lock.try_lock().ok()?;
    Dead::read(id, entry.to_owned(), lock)
}

/// `<parent>/watertight-<user>`, ours and nobody else's to write in: the name can be foreseen, so that somebody
/// else may have made it first.
fn private_folder(parent: &Path, user: u32) -> std::result::Result<PathBuf, String> {
    let folder = parent.join(format!("watertight-{user}"));
    // Root's servers run as another user, who must be able to pass through.
    let mode = if user == 0 { 0o711 } else { 0o700 };
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    match fs::DirBuilder::new().mode(0o700).create(&folder) {
        // A mask may have taken away what root's needs.
        Ok(()) => fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).map_err(said)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(said(error)),
    }
    let found = fs::symlink_metadata(&folder).map_err(said)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o022 != 0 {
        return Err(format!(
            "{}: not a folder that only user {user} can write in",
            folder.display()
        ));
    }
    Ok(folder)
}

/// The user that this process acts as: the owner of a file that it makes. Found out once.
fn current_user() -> Result<u32> {
    static USER: OnceLock<u32> = OnceLock::new();
    if let Some(user) = USER.get() {
        return Ok(*user);
    }
    let probe = std::env::temp_dir().join(format!("watertight-{}", uuid::Uuid::new_v4().simple()));
    let user = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .and_then(|file| file.metadata())
        .map(|metadata| metadata.uid())
        .map_err(|error| Error::io(&probe, error));
    let _ = fs::remove_file(&probe);
    user.inspect(|user| {
        let _ = USER.set(*user);
    })
}

/// The room on a folder's file system, by `df`, as the library of Rust has no call for it.
pub(super) fn free_kib(folder: &Path) -> Option<u64> {
    let output = std::process::Command::new("df")
        .arg("-Pk")
        .arg(folder)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}
