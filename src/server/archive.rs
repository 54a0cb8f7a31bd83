//! A folder in one file: what the cached data folder is kept as, so that it is there whole or not at all, and is
//! read at the speed of one file.
//!
//! The file: a line of magic, then for each entry its path's length (4 bytes), its size (8 bytes, all ones for a
//! folder), the path, the content; at the end a path's length of all ones. Numbers are little-endian.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"watertight folder 1\n";
const FOLDER: u64 = u64::MAX;
const END: u32 = u32::MAX;

/// Threads that write files: more than a few get into each other's way in one file system.
const THREADS: usize = 2;

/// What a packed folder holds, borrowed from the file's bytes.
pub(super) struct Archive<'a> {
    folders: Vec<&'a Path>,
    files: Vec<(&'a Path, &'a [u8])>,
}

/// Packs all files and folders in a folder.
pub(super) fn pack(folder: &Path) -> io::Result<Vec<u8>> {
    let mut packed = MAGIC.to_vec();
    let mut pending = vec![PathBuf::new()];
    while let Some(inside) = pending.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                add(&mut packed, &path, FOLDER, &[]);
                pending.push(path);
            } else {
                let content = fs::read(entry.path())?;
                add(&mut packed, &path, content.len() as u64, &content);
            }
        }
    }
    packed.extend_from_slice(&END.to_le_bytes());
    Ok(packed)
}

fn add(packed: &mut Vec<u8>, path: &Path, size: u64, content: &[u8]) {
    let name = path.as_os_str().as_bytes();
    let length = u32::try_from(name.len()).unwrap_or(END);
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(&size.to_le_bytes());
    packed.extend_from_slice(name);
    packed.extend_from_slice(content);
}

impl<'a> Archive<'a> {
    /// Reads a file's bytes; `None` where they are not a whole folder.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let mut archive = Self {
            folders: Vec::new(),
            files: Vec::new(),
        };
        loop {
            let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
            if length == END {
                return rest.is_empty().then_some(archive);
            }
            let size = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
            let path = Path::new(std::ffi::OsStr::from_bytes(take(
                &mut rest,
                length as usize,
            )?));
            if size == FOLDER {
                archive.folders.push(path);
            } else {
                archive
                    .files
                    .push((path, take(&mut rest, usize::try_from(size).ok()?)?));
            }
        }
    }

    /// Makes the folder, all of it readable by its owner alone. `given` is called with all that was made.
    pub(super) fn unpack(
        &self,
        folder: &Path,
        given: &(impl Fn(&Path) -> io::Result<()> + Sync),
    ) -> io::Result<()> {
        for path in std::iter::once(&Path::new("")).chain(&self.folders) {
            let path = folder.join(path);
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            given(&path)?;
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|first| {
                    scope.spawn(move || {
                        for (path, content) in self.files.iter().skip(first).step_by(THREADS) {
                            let path = folder.join(path);
                            let mut file = OpenOptions::new()
                                .write(true)
                                .create_new(true)
                                .mode(0o600)
                                .open(&path)?;
                            file.write_all(content)?;
                            given(&path)?;
                        }
                        io::Result::Ok(())
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_out_as_it_went_in_and_a_part_of_it_not_at_all() {
        let place =
            std::env::temp_dir().join(format!("watertight-{}", uuid::Uuid::new_v4().simple()));
        let (from, to) = (place.join("from"), place.join("to"));
        fs::create_dir_all(from.join("a/empty")).unwrap();
        fs::write(from.join("a/file"), "text").unwrap();
        fs::write(from.join("nothing"), "").unwrap();
        let packed = pack(&from).unwrap();
        Archive::read(&packed)
            .unwrap()
            .unpack(&to, &|_| Ok(()))
            .unwrap();
        assert_eq!(fs::read_to_string(to.join("a/file")).unwrap(), "text");
        assert_eq!(fs::read(to.join("nothing")).unwrap(), b"");
        assert!(to.join("a/empty").is_dir());
        for end in 0..packed.len() {
            assert!(Archive::read(&packed[..end]).is_none(), "{end}");
        }
        fs::remove_dir_all(place).unwrap();
    }
}
