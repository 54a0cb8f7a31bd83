//! What processes of this user tell those that come after them: small texts, beside the entries of servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::registry::Registry;

/// The ending of their files.
const ENDING: &str = "known";

/// One that nobody has written for so long is removed by the next who writes.
const LONG: Duration = Duration::from_hours(24);

/// What was told under a name, if anything.
pub(crate) fn recalled(name: &str) -> Option<String> {
    fs::read_to_string(file(Registry::open().ok()?.root(), name)).ok()
}

/// Tells something under a name. Whether that works is no matter: others find out for themselves then.
pub(crate) fn remember(name: &str, text: &str) {
    let Ok(registry) = Registry::open() else {
        return;
    };
    let file = file(registry.root(), name);
    // Whole or not at all.
    let aside = file.with_extension(format!("{}.{ENDING}", std::process::id()));
    let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, &file));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    forget_old(registry.root());
}

fn file(root: &Path, name: &str) -> PathBuf {
    root.join(format!("{name}.{ENDING}"))
}

fn forget_old(root: &Path) {
    let is_old = |path: &Path| {
        let written = fs::metadata(path).and_then(|about| about.modified());
        let age = written.ok().and_then(|written| written.elapsed().ok());
        age.is_some_and(|age| age > LONG)
    };
    let files = fs::read_dir(root).into_iter().flatten().flatten();
    let files = files.map(|file| file.path());
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)) {
        if is_old(&path) {
            let _ = fs::remove_file(path);
        }
    }
}
