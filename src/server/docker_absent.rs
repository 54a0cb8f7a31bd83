//! In place of `docker.rs` where the feature `docker` is off.

use super::choice::ServerRequest;
use super::doctor::Sign;
use super::provider::{Boxed, Provider, Started};
use super::registry::Registry;
use crate::error::{Error, Result};

/// Servers in containers, which this build can't have.
pub(super) struct Docker;

impl Provider for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn start<'a>(&'a self, _request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        Box::pin(async {
            Err(Error::NoServer(
                "not in this build: it needs the crate's feature `docker`".to_owned(),
            ))
        })
    }
}

/// Containers can't be removed without the client.
#[expect(clippy::unused_async, reason = "as the real one")]
pub(super) async fn remove_container(_id: &str) -> Result<Vec<String>> {
    Err(Error::Server(
        "containers are removed by a build with the feature `docker`".to_owned(),
    ))
}

/// As above.
#[expect(clippy::unused_async, reason = "as the real one")]
pub(super) async fn find_container(_id: &str) -> Result<Vec<String>> {
    Err(Error::Server(
        "containers are found by a build with the feature `docker`".to_owned(),
    ))
}

/// As above.
#[expect(clippy::unused_async, reason = "as the real one")]
pub(super) async fn find_unregistered(_registry: &Registry) -> Vec<String> {
    Vec::new()
}

/// Nothing can be said of it.
#[expect(clippy::unused_async, reason = "as the real one")]
pub(super) async fn signs() -> Vec<Sign> {
    Vec::new()
}

/// As above.
#[expect(clippy::unused_async, reason = "as the real one")]
pub(super) async fn remove_unregistered(_registry: &Registry) -> Vec<String> {
    Vec::new()
}
