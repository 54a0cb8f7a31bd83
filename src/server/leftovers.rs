//! What dead owners left: finding it, and removing it.

use std::path::PathBuf;

use super::claim::Dead;
use super::doctor::Sign;
use super::registry::Registry;
use super::{docker, process};
use crate::error::Result;

/// Before a start: what can't be removed now is tried again by the next one.
pub(super) async fn remove_quietly() {
    let _ = remove(false).await;
}

/// Removes processes, containers and folders of dead owners; with `all`, what was kept on purpose too, and
/// containers that are in no registry any more. Returns a line for each thing.
pub(super) async fn remove(all: bool) -> Result<Vec<String>> {
    let registry = Registry::open()?;
    let mut lines = Vec::new();
    for dead in registry.dead(all) {
        lines.extend(remove_one(dead).await);
    }
    if all {
        lines.extend(docker::remove_unregistered(&registry).await);
    }
    Ok(lines)
}

/// Removes what was kept for a purpose, and nothing else; a line for each thing.
pub(super) async fn remove_for(purpose: &str) -> Result<Vec<String>> {
    let registry = Registry::open()?;
    let mut lines = Vec::new();
    for dead in registry.dead(true) {
        if dead.purpose.as_deref() == Some(purpose) {
            lines.extend(remove_one(dead).await);
        }
    }
    Ok(lines)
}

/// Whether something is kept for a purpose.
pub(super) fn is_kept_for(purpose: &str) -> Result<bool> {
    let kept = Registry::open()?.look();
    Ok(kept
        .iter()
        .any(|dead| dead.purpose.as_deref() == Some(purpose)))
}

/// What [`remove`] would remove with `all`, a line for each thing.
pub(super) async fn find() -> Result<Vec<String>> {
    let registry = Registry::open()?;
    let mut lines = Vec::new();
    for dead in registry.look() {
        lines.extend(find_one(&dead).await);
    }
    lines.extend(docker::find_unregistered(&registry).await);
    Ok(lines)
}

/// What is there that nobody uses, as signs: left by the dead, kept on purpose, and in no registry.
pub(super) async fn signs(registry: &Registry) -> Vec<Sign> {
    let mut signs = Vec::new();
    for dead in registry.look() {
        if dead.waits() {
            continue;
        }
        let (what, mend) = if dead.kept {
            ("kept", "`clean` removes it when it has served its purpose")
        } else {
            ("left", "the next run removes it, or `clean`")
        };
        for line in find_one(&dead).await {
            signs.push(Sign::note(
                "leftovers",
                format!("{what}: {line}"),
                mend.to_owned(),
            ));
        }
    }
    for line in docker::find_unregistered(registry).await {
        let mend = "`clean` removes it".to_owned();
        signs.push(Sign::note("leftovers", format!("left: {line}"), mend));
    }
    for folder in registry.strangers() {
        signs.push(Sign::note(
            "leftovers",
            format!("in no registry: {}", folder.display()),
            "nothing here touches it: remove it by hand if it is nobody's".to_owned(),
        ));
    }
    if signs.is_empty() {
        signs.push(Sign::well(
            "leftovers",
            format!("none in {}", registry.root().display()),
        ));
    }
    signs
}

async fn find_one(dead: &Dead) -> Vec<String> {
    let mut lines = Vec::new();
    if dead.container {
        match docker::find_container(&dead.id).await {
            Ok(found) => lines.extend(found),
            Err(error) => lines.push(format!("maybe the container of {}: {error}", dead.id)),
        }
    }
    let paths: Vec<PathBuf> = dead.paths.clone();
    let found = tokio::task::spawn_blocking(move || {
        let processes = paths.iter().flat_map(|folder| process::find_in(folder));
        let mut lines: Vec<String> = processes
            .map(|found| format!("process {} {}", found.program, found.pid))
            .collect();
        let there = paths.iter().filter(|path| path.exists());
        lines.extend(there.map(|path| path.display().to_string()));
        lines
    });
    lines.extend(found.await.unwrap_or_default());
    lines
}

async fn remove_one(dead: Dead) -> Vec<String> {
    let mut lines = Vec::new();
    if dead.container {
        match docker::remove_container(&dead.id).await {
            Ok(removed) => lines.extend(removed),
            // The entry stays, so that a run that reaches Docker removes it.
            Err(error) => {
                return vec![format!(
                    "could not remove the container of {}: {error}",
                    dead.id
                )];
            }
        }
    }
    let ended = tokio::task::spawn_blocking(move || {
        let mut lines: Vec<String> = dead
            .paths
            .iter()
            .flat_map(|folder| process::end_all_in(folder))
            .map(|found| format!("ended {} {}", found.program, found.pid))
            .collect();
        lines.extend(dead.remove());
        lines
    });
    lines.extend(ended.await.unwrap_or_default());
    lines
}
