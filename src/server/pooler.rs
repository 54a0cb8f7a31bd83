//! `PgBouncer` in front of a server, in transaction mode: as applications meet it in production.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::claim::Claim;
use super::local::free_port;
use super::process::{POOLER, blocking};
use super::provider::{Address, Boxed, Starting, connected, last_lines};
use super::registry::Registry;
use super::runner::Runner;
use super::{Login, Server, binaries};
use crate::error::{Error, Result};

/// Connections to the server for each database and role: few, so that clients share them as they do under load.
const POOL_SIZE: usize = 5;

/// A connection through it must work by then.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where packages put what an ordinary user's PATH may not have.
const PLACES: [&str; 4] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
];

/// A pooler that runs.
#[derive(Clone, Debug)]
pub struct Pooler {
    address: (String, u16),
    database: String,
}

impl Pooler {
    /// How clients connect: a URL with the password.
    #[must_use]
    pub fn url(&self, login: &Login) -> String {
        let (host, port) = &self.address;
        Address::tcp(host.clone(), *port).url(login, &self.database)
    }

    fn options(&self, login: &Login) -> PgConnectOptions {
        let (host, port) = &self.address;
        let options = Address::tcp(host.clone(), *port).options(login, &self.database);
        options.statement_cache_capacity(0)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.1
    }
}

/// The program of this machine.
///
/// # Errors
/// [`Error::NoServer`] that names the package, where there is none.
pub fn pooler_program() -> Result<PathBuf> {
    binaries::path()
        .into_iter()
        .chain(PLACES.iter().map(PathBuf::from))
        .map(|folder| folder.join(POOLER))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            Error::NoServer(
                "there is no `pgbouncer` on this machine: `apt-get install pgbouncer` (Debian; no service of it is needed), \
                 `dnf install pgbouncer`, `brew install pgbouncer`; or --no-pooler does without"
                    .to_owned(),
            )
        })
}

/// A pooler that ends when this is dropped.
pub struct RunningPooler {
    pooler: Pooler,
    bouncer: Bouncer,
}

impl RunningPooler {
    /// How a client of the harness's own connects.
    #[must_use]
    pub fn options(&self, login: &Login) -> PgConnectOptions {
        self.pooler.options(login)
    }
}

/// Starts one in front of a database, for these logins, with so many connections to the server for each of them.
///
/// # Errors
/// [`Error::NoServer`] where there is no program; [`Error::Server`] where it does not work.
pub async fn start_pooler(
    server: &Server,
    database: &str,
    logins: &[Login],
    connections: usize,
) -> Result<RunningPooler> {
    // Its file takes no other names.
    if !database
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Err(Error::Usage(format!(
            "a database that is called `{database}` can't stand behind a pooler here: letters, digits and _ alone can"
        )));
    }
    let Some(login) = logins.first() else {
        return Err(Error::Usage("a pooler wants somebody to log in".to_owned()));
    };
    let program = pooler_program()?;
    let (host, server_port) = server.tcp();
    let users = users(logins);
    let mut tries = 0;
    loop {
        tries += 1;
        let port = free_port()?;
        let settings = settings(&host, (server_port, port), database, connections);
        let (program, users) = (program.clone(), users.clone());
        let mut bouncer = blocking(move || Bouncer::start(&program, &settings, &users)).await?;
        let pooler = Pooler {
            address: ("127.0.0.1".to_owned(), port),
            database: database.to_owned(),
        };
        match connected(&pooler.options(login), START_LIMIT, &mut bouncer).await {
            Ok(_) => return Ok(RunningPooler { pooler, bouncer }),
            // Somebody else took the port in between.
            Err(error) if tries < 5 && error.to_string().contains("already in use") => {}
            Err(error) => return Err(error),
        }
    }
}

/// Starts one as [`start_pooler`] does, and leaves it running for a purpose: see [`remove_kept`](super::remove_kept).
///
/// # Errors
/// Those of [`start_pooler`].
pub async fn pool(
    server: &Server,
    database: &str,
    logins: &[Login],
    purpose: &str,
) -> Result<Pooler> {
    let running = start_pooler(server, database, logins, POOL_SIZE).await?;
    running.bouncer.keep(purpose)?;
    Ok(running.pooler)
}

/// The process, and the claim on its folder: dropped, it is ended and the folder removed.
struct Bouncer {
    child: Child,
    log: PathBuf,
    claim: Option<Claim>,
}

impl Bouncer {
    fn start(program: &Path, settings: &str, users: &str) -> Result<Self> {
        let registry = Registry::open()?;
        let runner = Runner::new(registry.user())?;
        let mut claim = registry.claim()?;
        let folder = claim.make_folder(registry.root())?;
        let io = |error| Error::io(&folder, error);
        runner.give(&folder).map_err(io)?;
        let file = |name: &str| folder.join(name);
        let users_file = file("users.txt");
        let settings = format!(
            "{settings}auth_file = {}\npidfile = {}\n",
            users_file.display(),
            file("pid").display()
        );
        runner.write(&users_file, users)?;
        fs::set_permissions(&users_file, fs::Permissions::from_mode(0o600)).map_err(io)?;
        runner.write(&file("pgbouncer.ini"), &settings)?;
        let log = file("log");
        let out = File::create(&log).map_err(io)?;
        let err = out.try_clone().map_err(io)?;
        let child = runner
            .command(program)
            .arg(file("pgbouncer.ini"))
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| runner.refused(program, &error))?;
        Ok(Self {
            child,
            log,
            claim: Some(claim),
        })
    }

    /// Leaves it running.
    fn keep(mut self, purpose: &str) -> Result<()> {
        if let Some(claim) = &mut self.claim {
            claim.keep(Some(purpose))?;
        }
        self.claim = None;
        Ok(())
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // Without its claim it was left on purpose.
        if self.claim.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Starting for Bouncer {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        let result = match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::Server(format!(
                "pgbouncer ended while starting ({status}):\n{}",
                last_lines(&fs::read(&self.log).unwrap_or_default())
            ))),
            Err(error) => Err(Error::Server(format!(
                "pgbouncer can't be waited for: {error}"
            ))),
        };
        Box::pin(std::future::ready(result))
    }
}

fn settings(
    host: &str,
    (server_port, port): (u16, u16),
    database: &str,
    connections: usize,
) -> String {
    format!(
        "[databases]\n{database} = host={host} port={server_port} dbname={database}\n\n[pgbouncer]\n\
         listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n\
         pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 200\n\
         ignore_startup_parameters = extra_float_digits,options\n"
    )
}

/// Passwords as they are: it logs in with them, too.
fn users(logins: &[Login]) -> String {
    let line = |login: &Login| {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let password = login.password.as_deref().unwrap_or_default();
        format!("{} {}\n", quoted(&login.role), quoted(password))
    };
    logins.iter().map(line).collect()
}
