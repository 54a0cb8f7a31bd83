//! What servers of the harness's own depend on, on this machine, and how it stands.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde::Serialize;

use super::binaries::{self, Binaries};
use super::leftovers;
use super::process::blocking;
use super::registry::{ENOUGH_KIB, Registry, free_kib};
use super::runner::Runner;
use super::{OLDEST, docker, embedded};
use crate::error::Result;

/// One thing that servers depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// What it is about: `binaries`, `docker`, `folder`, `locks` …
    pub subject: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub says: String,
    /// How to mend it, where something is to be mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// How a thing stands; worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Well,
    /// Slower or less than it could be; a run works nevertheless.
    Note,
    /// No run will work.
    Broken,
}

impl Sign {
    /// As it should be.
    #[must_use]
    pub fn well(subject: &'static str, says: impl Into<String>) -> Self {
        Self {
            subject,
            state: State::Well,
            says: says.into(),
            mend: None,
        }
    }

    /// Something to know, and what to do about it.
    #[must_use]
    pub fn note(
        subject: &'static str,
        says: impl Into<String>,
        mend: impl Into<Option<String>>,
    ) -> Self {
        Self {
            subject,
            state: State::Note,
            says: says.into(),
            mend: mend.into(),
        }
    }

    fn broken(subject: &'static str, says: impl Into<String>, mend: &str) -> Self {
        Self {
            subject,
            state: State::Broken,
            says: says.into(),
            mend: Some(mend.to_owned()),
        }
    }
}

/// Looks at binaries, Docker, folders, locks, ports and what earlier runs left. Changes nothing.
///
/// # Errors
/// None of what it finds is one: only a thread that can't be had.
pub async fn examine() -> Result<Vec<Sign>> {
    let mut signs = blocking(|| Ok(of_binaries(binaries::search()))).await?;
    signs.extend(docker::signs().await);
    signs.extend(embedded::signs());
    // What can't be had is no harm where there is another kind.
    if signs.iter().all(|sign| sign.state != State::Well) {
        signs.push(Sign::broken(
            "server",
            "neither usable binaries nor a Docker daemon that answers",
            "install PostgreSQL, start Docker, or name a server of your own by --server postgres://…",
        ));
    }
    let registry = match Registry::open() {
        Ok(registry) => registry,
        Err(error) => {
            let mend = "make /dev/shm or TMPDIR a folder that this user can write in";
            signs.push(Sign::broken("folder", error.to_string(), mend));
            return Ok(signs);
        }
    };
    let (of_machine, registry) = blocking(move || Ok((of_machine(&registry), registry))).await?;
    signs.extend(of_machine);
    signs.extend(leftovers::signs(&registry).await);
    Ok(signs)
}

fn of_binaries(found: Vec<Binaries>) -> Vec<Sign> {
    if found.is_empty() {
        return vec![Sign::note(
            "binaries",
            "no `postgres` and `initdb` in one folder, on PATH or in the usual places",
            "`apt-get install postgresql` or `brew install postgresql`, or --pg-bin DIR".to_owned(),
        )];
    }
    let sign = |binaries: Binaries| {
        let says = format!(
            "PostgreSQL {} in {}",
            binaries.version,
            binaries.folder.display()
        );
        if binaries.major < OLDEST {
            let mend = format!("{OLDEST} or newer is needed");
            return Sign::note("binaries", says, mend);
        }
        Sign::well("binaries", says)
    };
    found.into_iter().map(sign).collect()
}

fn of_machine(registry: &Registry) -> Vec<Sign> {
    let mut signs = vec![of_user(registry)];
    signs.extend(of_folder(registry));
    signs.push(of_locks(registry));
    signs.push(of_sockets(registry));
    signs
}

fn of_user(registry: &Registry) -> Sign {
    match Runner::new(registry.user()) {
        Ok(runner) => Sign::well(
            "user",
            match runner.user() {
                Some(user) => format!("root; servers run as user {user}"),
                None => format!("{}, as servers do", registry.user()),
            },
        ),
        Err(error) => Sign::note(
            "user",
            error.to_string(),
            "run as another user, or with --server docker".to_owned(),
        ),
    }
}

/// Where data goes, whether that is memory, and how much room there is.
fn of_folder(registry: &Registry) -> Vec<Sign> {
    let mut signs = Vec::new();
    match registry.roomy() {
        Ok(folder) => {
            let kind = file_system(&folder);
            let free = free_kib(&folder);
            let says = format!(
                "{} for data{}{}",
                folder.display(),
                kind.as_ref()
                    .map(|kind| format!(", on {kind}"))
                    .unwrap_or_default(),
                free.map(|free| format!(", {} MiB free", free / 1024))
                    .unwrap_or_default()
            );
            let mend = format!(
                "memory makes servers faster: /dev/shm wants {} MiB free (`docker run --shm-size=1g` in a container)",
                ENOUGH_KIB / 1024
            );
            signs.push(if free.is_some_and(|free| free < ENOUGH_KIB / 4) {
                let mend = "make room: a server with its templates and databases wants it";
                Sign::broken("folder", says, mend)
            } else if kind.is_none_or(|kind| kind == "tmpfs") {
                Sign::well("folder", says)
            } else {
                Sign::note("folder", says, mend)
            });
        }
        Err(error) => signs.push(Sign::broken(
            "folder",
            error.to_string(),
            "make the temporary folder (TMPDIR) one that this user can write in",
        )),
    }
    signs.push(match registry.cache() {
        Some(folder) => Sign::well(
            "cache",
            format!("{} for what initdb made", folder.display()),
        ),
        None => Sign::note(
            "cache",
            "no folder that nobody else can write in: initdb runs for every server",
            "remove what is in its place in /var/tmp".to_owned(),
        ),
    });
    signs
}

/// The kind of file system of a folder, where the system tells: of the longest mount point that leads to it.
fn file_system(folder: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (place, kind) = (words.nth(1)?, words.next()?);
            folder
                .starts_with(place)
                .then(|| (place.len(), kind.to_owned()))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

/// Whether a lock keeps others out, as all that is removed is known dead by one.
fn of_locks(registry: &Registry) -> Sign {
    let root = registry.root().display();
    let mend =
        "locks of files (flock) must hold in that folder: it may not be on a network's file system";
    match registry.claim() {
        Ok(claim) if registry.is_dead(claim.id()) => {
            Sign::broken("locks", format!("none holds in {root}"), mend)
        }
        Ok(_) if registry.gate_is_taken() => Sign::well(
            "locks",
            format!("hold in {root}; some process starts a shared server just now"),
        ),
        Ok(_) => Sign::well("locks", format!("hold in {root}")),
        Err(error) => Sign::broken("locks", error.to_string(), mend),
    }
}

fn of_sockets(registry: &Registry) -> Sign {
    let mend =
        "servers of this machine take connections on 127.0.0.1 and by a socket in that folder";
    if let Err(error) = TcpListener::bind(("127.0.0.1", 0)) {
        return Sign::broken("sockets", format!("no port of 127.0.0.1: {error}"), mend);
    }
    let claim = match registry.claim() {
        Ok(claim) => claim,
        Err(error) => return Sign::broken("sockets", error.to_string(), mend),
    };
    // With the entry's id in the name, as all that could be left.
    let path = registry.root().join(claim.id());
    let bound = UnixListener::bind(&path);
    let _ = fs::remove_file(&path);
    match bound {
        Ok(_) => Sign::well(
            "sockets",
            format!(
                "ports of 127.0.0.1 and sockets in {}",
                registry.root().display()
            ),
        ),
        Err(error) => Sign::broken("sockets", format!("{}: {error}", path.display()), mend),
    }
}
