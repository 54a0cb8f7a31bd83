//! Talking to the Docker engine: whether it answers, and removing what dead runs left.

use std::collections::HashMap;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::models::ContainerSummary;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers_modules::testcontainers::core::client::docker_client_instance;

use super::docker::{OWNER, REGISTRY};
use super::registry::Registry;
use crate::error::{Error, Result};

/// An engine that answers, or a proxy before one that doesn't, has this long to say so.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// An engine that answers.
pub(super) struct Engine(pub(super) Docker);

impl Engine {
    pub(super) async fn connect() -> Result<Self> {
        let none = |reason: String| {
            Error::NoServer(format!(
                "no Docker daemon answers ({reason}); start it, or set DOCKER_HOST"
            ))
        };
        let client = docker_client_instance()
            .await
            .map_err(|error| none(error.to_string()))?;
        match tokio::time::timeout(PATIENCE, client.ping()).await {
            Ok(Ok(_)) => Ok(Self(client)),
            Ok(Err(error)) => Err(none(root_cause(&error))),
            Err(_) => Err(none(format!("silent for {} s", PATIENCE.as_secs()))),
        }
    }

    async fn containers(&self, label: String) -> Result<Vec<ContainerSummary>> {
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        self.0
            .list_containers(Some(options))
            .await
            .map_err(|error| Error::Server(format!("Docker does not list containers: {error}")))
    }

    /// Containers of this registry whose entry is gone or whose owner is dead.
    async fn unregistered(&self, registry: &Registry) -> Vec<ContainerSummary> {
        let label = format!("{REGISTRY}={}", registry.name());
        let mut containers = self.containers(label).await.unwrap_or_default();
        containers.retain(|container| {
            let labels = container.labels.as_ref();
            let owner = labels.and_then(|labels| labels.get(OWNER));
            owner.is_none_or(|owner| registry.is_dead(owner))
        });
        containers
    }

    async fn remove(&self, container: &ContainerSummary) -> Result<String> {
        let id = container.id.clone().unwrap_or_default();
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        match self.0.remove_container(&id, Some(options)).await {
            // 409: somebody else is removing it.
            Ok(())
            | Err(EngineError::DockerResponseServerError {
                status_code: 404 | 409,
                ..
            }) => Ok(format!("removed {}", named(container))),
            Err(error) => Err(Error::Server(format!(
                "container {id} could not be removed: {error}"
            ))),
        }
    }
}

/// What an error comes from at last: the client's own words stop at `client error (Connect)`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let deepest = std::iter::successors(Some(error), |error| error.source()).last();
    deepest.map(ToString::to_string).unwrap_or_default()
}

/// Removes the container of a dead owner's entry. Returns a line for each, of which there is one or none.
///
/// # Errors
/// Where the engine doesn't answer or doesn't do it.
pub(super) async fn remove_container(id: &str) -> Result<Vec<String>> {
    let engine = Engine::connect().await?;
    let mut lines = Vec::new();
    for container in engine.containers(format!("{OWNER}={id}")).await? {
        lines.push(engine.remove(&container).await?);
    }
    Ok(lines)
}

/// Removes containers of this registry whose entry is gone or whose owner is dead: the engine may have made one
/// just when its owner was killed. Nothing where no engine answers.
pub(super) async fn remove_unregistered(registry: &Registry) -> Vec<String> {
    let Ok(engine) = Engine::connect().await else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for container in engine.unregistered(registry).await {
        let removed = engine.remove(&container).await;
        lines.push(removed.unwrap_or_else(|error| error.to_string()));
    }
    lines
}

/// What [`remove_container`] would remove.
///
/// # Errors
/// Where the engine doesn't answer.
pub(super) async fn find_container(id: &str) -> Result<Vec<String>> {
    let engine = Engine::connect().await?;
    let found = engine.containers(format!("{OWNER}={id}")).await?;
    Ok(found.iter().map(named).collect())
}

/// What [`remove_unregistered`] would remove.
pub(super) async fn find_unregistered(registry: &Registry) -> Vec<String> {
    let Ok(engine) = Engine::connect().await else {
        return Vec::new();
    };
    engine
        .unregistered(registry)
        .await
        .iter()
        .map(named)
        .collect()
}

/// `container 0123456789ab of image postgres:18`.
fn named(container: &ContainerSummary) -> String {
    let id = container.id.as_deref().unwrap_or_default();
    format!(
        "container {} of image {}",
        &id[..id.len().min(12)],
        container.image.as_deref().unwrap_or_default()
    )
}
