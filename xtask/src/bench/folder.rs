//! A folder for what a benchmark writes.

use std::path::PathBuf;

use super::fixture::said;

/// A folder that is gone when it is done with.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self, String> {
        let name = format!("watertight-bench-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).map_err(said)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
