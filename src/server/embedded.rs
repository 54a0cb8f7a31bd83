//! Servers from Postgres binaries that are inside of this program: they are put on the disk once, and then it is as with
//! those of the machine.

use std::path::PathBuf;

use super::binaries;
use super::choice::ServerRequest;
use super::doctor::Sign;
use super::local;
use super::provider::{Boxed, Provider, Started};
use super::registry::Registry;
use crate::error::{Error, Result};

/// The kind.
pub(super) struct Embedded;

/// Whether it is in this build.
pub(super) const BUILT_IN: bool = true;

impl Provider for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        let version = request.version;
        let find = move || {
            let folder = unpacked()?;
            binaries::in_folder(&folder, version)
        };
        Box::pin(local::start(find, request.records))
    }
}

/// The folder of the programs, which are unpacked first where they aren't yet: on disk, since memory may be mounted so that
/// no program runs from it.
fn unpacked() -> Result<PathBuf> {
    let cache = Registry::open()?.cache().ok_or_else(|| {
        Error::NoServer(
            "there is no folder to unpack it in that nobody else can write in: /var/tmp or TMPDIR must let this user \
             make one"
                .to_owned(),
        )
    })?;
    let folder = cache.join(format!("postgres-{}", watertight_embedded::DIGEST));
    watertight_embedded::unpack(&folder).map_err(|error| Error::io(&folder, error))
}

/// That it is there.
pub(super) fn signs() -> Vec<Sign> {
    vec![Sign::well("embedded", "Postgres is in this program")]
}
