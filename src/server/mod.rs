//! The server room: a Postgres server to work on, of our own or of somebody else's, and its removal.
//!
//! A new kind is one file with its `Provider` and one line in the list of `candidates`.

mod archive;
mod binaries;
mod choice;
mod claim;
mod cluster;
#[cfg(feature = "docker")]
mod container;
#[cfg(feature = "docker")]
mod docker;
#[cfg(not(feature = "docker"))]
#[path = "docker_absent.rs"]
mod docker;
mod doctor;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(not(feature = "embedded"))]
#[path = "embedded_absent.rs"]
mod embedded;
#[cfg(feature = "docker")]
mod engine;
mod external;
#[cfg(feature = "docker")]
mod images;
mod leftovers;
mod local;
mod memory;
mod note;
mod pooler;
mod process;
mod programs;
mod provider;
mod recording;
mod registry;
mod runner;
mod running;
mod settings;
mod shared;
mod watch;

use std::fmt;

pub use choice::{ServerChoice, ServerRequest};
pub use doctor::{Sign, State, examine};
pub(crate) use memory::{recalled, remember};
pub use pooler::{Pooler, RunningPooler, pool, pooler_program, start_pooler};
pub(crate) use process::{Group, signal};
pub use programs::programs;
use provider::Provider;
pub use recording::Recording;
pub use running::Server;
pub use shared::{Running, Shared, running, share, watched};
pub use watch::{unwatched, using};

use crate::error::{Error, Result};

/// The oldest major version that is served.
const OLDEST: u32 = 15;

/// The newest major version known, which is tried where any would do.
const NEWEST: u32 = 18;

/// Who connects: a role and its password. Debugged without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub role: String,
    /// Its password; `None` where the server asks for none, or the environment has it (`.pgpass`).
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Login")
            .field("role", &self.role)
            .field("password", &password)
            .finish()
    }
}

/// Gets a server, after removing what dead runs left.
///
/// # Errors
/// [`Error::NoServer`] where none can be had: what was tried, why not, and the ways to get one.
/// [`Error::Usage`] for a request that can't be met anywhere. [`Error::Server`] for a server that is there and
/// doesn't do as it should.
pub async fn start(request: &ServerRequest) -> Result<Server> {
    if let Some(version) = request.version.filter(|version| *version < OLDEST) {
        return Err(Error::Usage(format!(
            "PostgreSQL {version} is too old: {OLDEST} or newer is needed"
        )));
    }
    if request.records && matches!(request.choice, ServerChoice::External(_)) {
        return Err(Error::Usage(
            "--record reads the server's own log, and so wants a server of the harness's own, whose settings are its: \
             --server local or --server docker"
                .to_owned(),
        ));
    }
    leftovers::remove_quietly().await;
    let (candidates, mut passed) = candidates(request)?;
    for provider in &candidates {
        match provider.start(request).await {
            Ok(started) => return Server::new(provider.name(), started, request, &passed).await,
            Err(error) if candidates.len() == 1 && passed.is_empty() => return Err(error),
            Err(error) => passed.push(format!("{} passed over: {error}", provider.name())),
        }
    }
    let (package, formula) = request.version.map_or(
        ("postgresql".to_owned(), "postgresql".to_owned()),
        |major| (format!("postgresql-{major}"), format!("postgresql@{major}")),
    );
    Err(Error::NoServer(format!(
        "no Postgres server could be had:\n  {}\n\nThree ways to get one:\n  \
         Docker: start its daemon; without a registry in reach, `cargo xtask image --postgres {}` builds an image\n  \
         Postgres binaries: `apt-get install {package}`, `brew install {formula}`, or `--pg-bin DIR`\n  \
         a server of your own: `--server postgres://user:password@host:5432/database`",
        passed.join("\n  "),
        request.version.unwrap_or(NEWEST),
    )))
}

/// Connects to a server by its URL, whatever its role may do there, and says which database the URL names: nothing is asked
/// of the server but to answer. Where that database isn't there, the server's own is connected to.
///
/// # Errors
/// [`Error::NoServer`] where there is no answer; [`Error::Usage`] for what is no URL.
pub async fn reach(url: &str) -> Result<(Server, String)> {
    if !matches!(url.parse::<ServerChoice>()?, ServerChoice::External(_)) {
        return Err(Error::Usage(format!(
            "`{}` names no database: give its URL, as --server postgres://user@host:5432/database",
            choice::masked(url)
        )));
    }
    let (started, database) = external::reach(url).await?;
    let server = Server::new("external", started, &ServerRequest::default(), &[]).await?;
    Ok((server, database))
}

/// Kinds to try, in order; and what is not even tried, with the reason.
type Candidates = (Vec<Box<dyn Provider>>, Vec<String>);

fn candidates(request: &ServerRequest) -> Result<Candidates> {
    let only = |provider: Box<dyn Provider>| Ok((vec![provider], Vec::new()));
    match &request.choice {
        ServerChoice::Docker => only(Box::new(docker::Docker)),
        ServerChoice::Local => only(Box::new(local::Local)),
        ServerChoice::External(url) => only(Box::new(external::External { url: url.clone() })),
        ServerChoice::Embedded => only(Box::new(embedded::Embedded)),
        // An option that only one kind knows asks for that kind.
        ServerChoice::Auto => match (&request.image, &request.pg_bin) {
            (Some(_), None) => only(Box::new(docker::Docker)),
            (None, Some(_)) => Ok((
                vec![Box::new(local::Local)],
                vec!["docker passed over: --pg-bin was given".into()],
            )),
            _ => {
                let mut all: Vec<Box<dyn Provider>> =
                    vec![Box::new(docker::Docker), Box::new(local::Local)];
                // Last: what a machine has is closer to production than what was built in.
                if embedded::BUILT_IN {
                    all.push(Box::new(embedded::Embedded));
                }
                Ok((all, Vec::new()))
            }
        },
    }
}

/// Removes what dead owners left, and servers that were kept on purpose: containers, processes, folders.
/// Returns a line for each thing removed, or that could not be.
///
/// # Errors
/// Where there is no folder to look in.
pub async fn clean() -> Result<Vec<String>> {
    leftovers::remove(true).await
}

/// Removes what was kept for a purpose by [`Server::keep_for`] and [`pool`], and nothing else. Returns a line for each thing
/// removed, or that could not be.
///
/// # Errors
/// Where there is no folder to look in.
pub async fn remove_kept(purpose: &str) -> Result<Vec<String>> {
    leftovers::remove_for(purpose).await
}

/// Whether something is kept for a purpose.
///
/// # Errors
/// Where there is no folder to look in.
pub fn is_kept_for(purpose: &str) -> Result<bool> {
    leftovers::is_kept_for(purpose)
}

/// What [`clean`] would remove: a line for each thing. Changes nothing.
///
/// # Errors
/// Where there is no folder to look in.
pub async fn cleanable() -> Result<Vec<String>> {
    leftovers::find().await
}
