//! A script with a view of the machine's files of its own: what it mounts is there for it alone, and gone with it.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a script of `sh` in namespaces of its own, where it may mount, root or not. None, said aloud, where the machine lets
/// nobody do that: a container often does not.
pub(crate) fn apart(folder: &Path, script: &str) -> Option<Output> {
    let run = |script: &str| {
        Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-euc", script])
            .current_dir(folder)
            .output()
    };
    let mounts = run("mount -t tmpfs none /mnt").is_ok_and(|output| output.status.success());
    if !mounts {
        eprintln!("SKIPPED: `unshare --map-root-user --mount` can't mount on this machine");
        return None;
    }
    Some(run(script).unwrap())
}
