//! What every kind of server has in common: the seam at which a kind is added.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use super::Login;
use super::choice::{ServerRequest, encoded};
use super::note::Note;
use crate::error::{Error, Result};

/// A future in a box, so that kinds can stand in one list.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of server.
pub(super) trait Provider: Sync {
    /// What `--server` and the reports call it.
    fn name(&self) -> &'static str;

    /// Gets a server that answers. The error says why there is none and what would help, so that it can stand
    /// in the list of what was passed over.
    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>>;
}

/// What holds a server; dropped, it removes all of it as well as it can without waiting long.
pub(super) trait Holder: Send + Sync {
    /// Removes all of it.
    fn stop(self: Box<Self>) -> Boxed<'static, Result<()>>;

    /// Leaves it running, to be removed by `clean`, or by who knows the purpose.
    fn keep(self: Box<Self>, purpose: Option<&str>) -> Result<()>;

    /// Leaves it running, to be found by this note; it ends by itself.
    fn share(self: Box<Self>, note: &Note) -> Result<()>;

    /// Holds what others may remove no longer: the server is gone.
    fn let_go(&self) {}

    /// The end of its log, where there is one that can be read.
    fn log_tail(&self) -> Option<String>;
}

/// A server that is not ours to end; what is held lasts as long as its use.
pub(super) struct Lent<T>(pub(super) T);

impl<T: Send + Sync> Holder for Lent<T> {
    fn stop(self: Box<Self>) -> Boxed<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn keep(self: Box<Self>, _purpose: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn share(self: Box<Self>, _note: &Note) -> Result<()> {
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        None
    }
}

/// A server that answers.
pub(super) struct Started {
    /// What it is and where from, after the version: `from /usr/lib/postgresql/15/bin`.
    pub(super) origin: String,
    pub(super) address: Address,
    pub(super) administrator: Login,
    pub(super) maintenance_database: String,
    /// A session of the administrator there.
    pub(super) connection: PgConnection,
    pub(super) holder: Box<dyn Holder>,
}

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Address {
    /// The host and port that other processes use.
    pub(super) host: String,
    pub(super) port: u16,
    /// The folder and port of its Unix socket, where this process can reach one.
    pub(super) socket: Option<(PathBuf, u16)>,
    /// What the user's own URL said besides; `None` for servers of our own.
    pub(super) url: Option<PgConnectOptions>,
    /// The parameters of the user's own URL that are not about who and where: `sslmode=require`.
    pub(super) parameters: Vec<(String, String)>,
}

impl Address {
    /// The address of a server of our own, reached by TCP alone until it has a socket.
    pub(super) fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            socket: None,
            url: None,
            parameters: Vec::new(),
        }
    }

    /// How this process connects. All is set that can be, so that no `PG…` variable decides it; what `PGOPTIONS`
    /// says can't be taken back, the driver has no way.
    pub(super) fn options(&self, login: &Login, database: &str) -> PgConnectOptions {
        let options = match (&self.url, &self.socket) {
            (Some(url), _) => url.clone(),
            (None, Some((folder, port))) => own_options().socket(folder).port(*port),
            (None, None) => own_options().host(&self.host).port(self.port),
        };
        let options = options.username(&login.role).database(database);
        match &login.password {
            Some(password) => options.password(password),
            None => options,
        }
    }

    /// How other processes connect.
    pub(super) fn url(&self, login: &Login, database: &str) -> String {
        let password = login
            .password
            .as_ref()
            .map_or_else(String::new, |text| format!(":{}", encoded(text)));
        let host = match self.host.as_str() {
            socket if socket.starts_with('/') => encoded(socket),
            six if six.contains(':') && !six.starts_with('[') => format!("[{six}]"),
            host => host.to_owned(),
        };
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        format!(
            "postgres://{}{password}@{host}:{}/{}{mark}{}",
            encoded(&login.role),
            self.port,
            encoded(database),
            parameters.join("&")
        )
    }
}

fn own_options() -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .ssl_mode(PgSslMode::Disable)
        .application_name("watertight")
}

/// A password for a server of our own.
pub(super) fn generated_password() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// What is starting, and may end instead.
pub(super) trait Starting: Send {
    /// An error, with the end of its log, once it is no use to wait longer.
    fn check(&mut self) -> Boxed<'_, Result<()>>;
}

/// Connects as soon as the server takes connections: tried again every few milliseconds while it starts.
pub(super) async fn connected(
    options: &PgConnectOptions,
    limit: Duration,
    starting: &mut dyn Starting,
) -> Result<PgConnection> {
    let started = Instant::now();
    loop {
        let error = match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        starting.check().await?;
        let waited = started.elapsed();
        if !is_starting(&error) || waited > limit {
            return Err(Error::Server(format!(
                "no connection after {:.1} s: {error}",
                waited.as_secs_f32()
            )));
        }
        // A try costs next to nothing before the server listens, and a process of its own from then on.
        let soon = waited < Duration::from_millis(250);
        tokio::time::sleep(Duration::from_millis(if soon { 3 } else { 20 })).await;
    }
}

/// The last 30 lines of a log.
pub(super) fn last_lines(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Whether an error is one that a server gives, or that there is, while it starts.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        // 57P03 cannot_connect_now; 57P01 admin_shutdown, as an image's server for its set-up ends.
        sqlx::Error::Database(database) => {
            matches!(
                database.code().as_deref(),
                Some("57P03" | "57P01" | "57P02")
            )
        }
        // A port that Docker has published takes connections, and drops them, before the server listens.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
