//! Removing what dead owners left.

use super::claim::Dead;
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
