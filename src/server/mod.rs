//! The server room: a Postgres server to work on, of our own or of somebody else's, and its removal.
//!
//! A new kind is one file with its [`Provider`] and one line in [`candidates`]'s list.

mod binaries;
mod choice;
mod cluster;
#[cfg(feature = "docker")]
mod docker;
#[cfg(not(feature = "docker"))]
#[path = "docker_absent.rs"]
mod docker;
#[cfg(feature = "docker")]
mod engine;
mod external;
mod leftovers;
mod local;
mod process;
mod provider;
mod registry;
mod settings;

use std::fmt;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

pub use choice::{ServerChoice, ServerRequest};
use provider::{Address, Holder, Provider, Started};

use crate::error::{Doing, Error, Result};

/// The oldest major version that is served.
const OLDEST: u32 = 15;

/// The newest major version known, which is tried where any would do.
#[cfg_attr(
    not(feature = "docker"),
    expect(dead_code, reason = "only images are chosen by it")
)]
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

/// A server that answers. Dropped or [stopped](Server::stop), one of our own is gone without a trace; one that
/// was given by URL is left as it is.
pub struct Server {
    kind: &'static str,
    version: String,
    version_number: u32,
    chosen: String,
    administrator: Login,
    is_superuser: bool,
    maintenance_database: String,
    address: Address,
    holder: Box<dyn Holder>,
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
    leftovers::remove_quietly().await;
    let (candidates, mut passed) = candidates(request)?;
    for provider in &candidates {
        match provider.start(request).await {
            Ok(started) => return Server::new(provider.name(), started, request, &passed).await,
            Err(error) if candidates.len() == 1 && passed.is_empty() => return Err(error),
            Err(error) => passed.push(format!("{} passed over: {error}", provider.name())),
        }
    }
    Err(Error::NoServer(format!(
        "no Postgres server could be had:\n  {}\n\nThree ways to get one:\n  \
         Docker: start its daemon; without a registry in reach, `cargo xtask image --postgres {major}` builds an image\n  \
         Postgres binaries: `apt-get install postgresql-15`, `brew install postgresql@{major}`, or `--pg-bin DIR`\n  \
         a server of your own: `--server postgres://user:password@host:5432/database`",
        passed.join("\n  "),
        major = request.version.unwrap_or(18),
    )))
}

/// Kinds to try, in order; and what is not even tried, with the reason.
type Candidates = (Vec<Box<dyn Provider>>, Vec<String>);

fn candidates(request: &ServerRequest) -> Result<Candidates> {
    let only = |provider: Box<dyn Provider>| Ok((vec![provider], Vec::new()));
    match &request.choice {
        ServerChoice::Docker => only(Box::new(docker::Docker)),
        ServerChoice::Local => only(Box::new(local::Local)),
        ServerChoice::External(url) => only(Box::new(external::External { url: url.clone() })),
        ServerChoice::Embedded => Err(Error::Usage(
            "an embedded server is not built in yet: use --server docker, local or postgres://…"
                .to_owned(),
        )),
        // An option that only one kind knows asks for that kind.
        ServerChoice::Auto => match (&request.image, &request.pg_bin) {
            (Some(_), None) => only(Box::new(docker::Docker)),
            (None, Some(_)) => Ok((
                vec![Box::new(local::Local)],
                vec!["docker passed over: --pg-bin was given".into()],
            )),
            _ => Ok((
                vec![Box::new(docker::Docker), Box::new(local::Local)],
                Vec::new(),
            )),
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

impl Server {
    async fn new(
        kind: &'static str,
        started: Started,
        request: &ServerRequest,
        passed: &[String],
    ) -> Result<Self> {
        let options = started
            .address
            .options(&started.administrator, &started.maintenance_database);
        let mut connection = PgConnection::connect_with(&options)
            .await
            .doing("connect to the server")?;
        let (version, number, is_superuser): (String, String, bool) = sqlx::query_as(
            "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num'),
                    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
        )
        .fetch_one(&mut connection)
        .await
        .doing("ask the server for its version")?;
        connection.close().await.doing("close a connection")?;
        let version = version
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let version_number: u32 = number.parse().unwrap_or_default();
        let major = version_number / 10_000;
        if major < OLDEST {
            return Err(Error::Server(format!(
                "PostgreSQL {version} is too old: {OLDEST} or newer is needed"
            )));
        }
        if let Some(wanted) = request.version.filter(|wanted| *wanted != major) {
            return Err(Error::Usage(format!(
                "PostgreSQL {wanted} was asked for, and the server {} is {version}",
                started.origin
            )));
        }
        let passed = if passed.is_empty() {
            String::new()
        } else {
            format!(" ({})", passed.join("; "))
        };
        Ok(Self {
            kind,
            chosen: format!("{kind} PostgreSQL {version} {}{passed}", started.origin),
            version,
            version_number,
            administrator: started.administrator,
            is_superuser,
            maintenance_database: started.maintenance_database,
            address: started.address,
            holder: started.holder,
        })
    }

    /// `docker`, `local` or `external`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The version without the packager's part: `18.6`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `server_version_num`: 180006.
    #[must_use]
    pub fn version_number(&self) -> u32 {
        self.version_number
    }

    /// One line: what was chosen, and what was passed over and why.
    #[must_use]
    pub fn chosen(&self) -> &str {
        &self.chosen
    }

    /// The superuser, or whom the URL logs in as.
    #[must_use]
    pub fn administrator(&self) -> &Login {
        &self.administrator
    }

    /// Whether the administrator is a superuser.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.is_superuser
    }

    /// The database to connect to when there is no other yet.
    #[must_use]
    pub fn maintenance_database(&self) -> &str {
        &self.maintenance_database
    }

    /// How this process connects: by Unix socket wherever the server has one that can be reached.
    #[must_use]
    pub fn options(&self, login: &Login, database: &str) -> PgConnectOptions {
        self.address.options(login, database)
    }

    /// How other processes connect: a URL over TCP, percent-encoded, with the password.
    #[must_use]
    pub fn url(&self, login: &Login, database: &str) -> String {
        self.address.url(login, database)
    }

    /// The host and port of TCP connections.
    #[must_use]
    pub fn tcp(&self) -> (String, u16) {
        (self.address.host.clone(), self.address.port)
    }

    /// Removes a server of our own and everything of it; nothing of one that was given by URL.
    ///
    /// # Errors
    /// Where something of it could not be removed; the next run tries again.
    pub async fn stop(self) -> Result<()> {
        self.holder.stop().await
    }

    /// Leaves a server of our own running when this process ends; only [`clean`] removes it then.
    ///
    /// # Errors
    /// Where that can't be written down; the server is removed then.
    pub fn keep(self) -> Result<()> {
        self.holder.keep()
    }

    /// The last lines of the server's log, where there is one that can be read.
    #[must_use]
    pub fn log_tail(&self) -> Option<String> {
        self.holder.log_tail()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}
