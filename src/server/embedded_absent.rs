//! In place of `embedded.rs` where the feature `embedded` is off.

use super::choice::ServerRequest;
use super::doctor::Sign;
use super::provider::{Boxed, Provider, Started};
use crate::error::{Error, Result};

/// Postgres in this program, which this build hasn't.
pub(super) struct Embedded;

/// Whether it is in this build.
pub(super) const BUILT_IN: bool = false;

impl Provider for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn start<'a>(&'a self, _request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        Box::pin(async {
            Err(Error::NoServer(
                "an embedded server is not in this build: it needs the crate's feature `embedded` (in this repository, \
                 `cargo xtask-embedded`); or use --server docker, local or postgres://…"
                    .to_owned(),
            ))
        })
    }
}

/// Nothing is to be said of it.
pub(super) fn signs() -> Vec<Sign> {
    Vec::new()
}
