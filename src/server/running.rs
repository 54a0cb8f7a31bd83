//! [`Server`]: one that answers, whatever its kind.

use std::fmt;

use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;

use super::choice::ServerRequest;
use super::note::Note;
use super::provider::{Address, Holder, Started};
use super::{Login, OLDEST};
use crate::error::{Doing, Error, Result};

/// A server that answers. Dropped or [stopped](Server::stop), one of our own is gone without a trace; one that
/// was given by URL is left as it is.
pub struct Server {
    kind: &'static str,
    version: String,
    version_number: u32,
    chosen: String,
    origin: String,
    administrator: Login,
    is_superuser: bool,
    maintenance_database: String,
    address: Address,
    holder: Box<dyn Holder>,
}

impl Server {
    /// Asks the server what it is, and refuses one that is not what was asked for.
    pub(super) async fn new(
        kind: &'static str,
        started: Started,
        request: &ServerRequest,
        passed: &[String],
    ) -> Result<Self> {
        let mut connection = started.connection;
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
        // One line: without the log that may follow a reason.
        let reasons: Vec<&str> = passed
            .iter()
            .filter_map(|text| text.lines().next())
            .collect();
        let passed = if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({})", reasons.join("; "))
        };
        Ok(Self {
            kind,
            chosen: format!("{kind} PostgreSQL {version} {}{passed}", started.origin),
            origin: started.origin,
            version,
            version_number,
            administrator: started.administrator,
            is_superuser,
            maintenance_database: started.maintenance_database,
            address: started.address,
            holder: started.holder,
        })
    }

    /// One that somebody else asked what it is, and left with a note of it.
    pub(super) fn noted(kind: &'static str, note: Note, holder: Box<dyn Holder>) -> Self {
        let (address, administrator) = (note.address(), note.administrator());
        let (version, version_number) = note.version;
        Self {
            kind,
            chosen: format!("{kind} PostgreSQL {version} {}", note.origin),
            origin: note.origin,
            version,
            version_number,
            administrator,
            is_superuser: true,
            maintenance_database: note.maintenance_database,
            address,
            holder,
        }
    }

    /// `docker`, `local`, `embedded` or `external`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether it was started for tests: what is in it ends with it.
    #[must_use]
    pub fn is_disposable(&self) -> bool {
        self.kind() != "external"
    }

    /// What no other server of this machine is called, where it is one of our own that has a socket.
    #[must_use]
    pub fn own_name(&self) -> Option<&str> {
        let (folder, _) = self.address.socket.as_ref()?;
        folder
            .file_name()?
            .to_str()
            .filter(|_| self.is_disposable())
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

    /// What other processes are told: `DATABASE_URL`, and the `PG…` variables that `psql` and most drivers read.
    #[must_use]
    pub fn variables(&self, login: &Login, database: &str) -> Vec<(String, String)> {
        let (host, port) = self.tcp();
        let mut list = vec![
            ("DATABASE_URL", self.url(login, database)),
            ("PGHOST", host),
            ("PGPORT", port.to_string()),
            ("PGUSER", login.role.clone()),
            ("PGDATABASE", database.to_owned()),
        ];
        if let Some(password) = &login.password {
            list.push(("PGPASSWORD", password.clone()));
        }
        list.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
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

    /// Leaves a server of our own running when this process ends; only [`clean`](super::clean) removes it then.
    ///
    /// # Errors
    /// Where that can't be written down; the server is removed then.
    pub fn keep(self) -> Result<()> {
        self.holder.keep(None)
    }

    /// As [`Server::keep`]; who knows the purpose, a line of text, can also remove it by
    /// [`remove_kept`](super::remove_kept).
    ///
    /// # Errors
    /// Where that can't be written down; the server is removed then.
    pub fn keep_for(self, purpose: &str) -> Result<()> {
        self.holder.keep(Some(purpose))
    }

    /// Leaves a server of our own to whoever asks for this key.
    pub(super) fn leave(self, key: &str) -> Result<()> {
        let version = (self.version.as_str(), self.version_number);
        let kind = (self.kind, self.origin.as_str(), version);
        let (address, administrator) = (&self.address, &self.administrator);
        let note = Note::new(
            key,
            kind,
            address,
            administrator,
            &self.maintenance_database,
        );
        self.holder.share(&note)
    }

    /// Lets others remove what is left of a shared server that does not answer, while this process lives on.
    pub fn let_go(&self) {
        self.holder.let_go();
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
