//! Servers from the Postgres binaries of this machine.
//!
//! A data folder made by `initdb` is cached on disk per exact version, and copied for every server, into memory
//! where there is room. The server's process group is its own, so that Ctrl-C at the terminal ends us and not
//! it; it holds none of our standard streams, as test runners wait for those.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::PgConnection;

use super::binaries::{self, Binaries};
use super::choice::ServerRequest;
use super::claim::Claim;
use super::note::Note;
use super::process::blocking;
use super::provider::{Address, Boxed, Holder, Provider, Started, connected, generated_password};
use super::registry::Registry;
use super::runner::{Postmaster, Runner};
use super::{Login, cluster, settings};
use crate::error::{Doing, Error, Result};

/// A connection must work by then.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Paths of sockets: 107 bytes on Linux, 103 on macOS.
const LONGEST_SOCKET: usize = 103;

/// The kind.
pub(super) struct Local;

/// A running postmaster and its folder. The process is ended before the claim removes the folder: fields are
/// dropped in order.
struct LocalServer {
    postmaster: Postmaster,
    claim: Claim,
    folder: PathBuf,
}

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        let (version, folder) = (request.version, request.pg_bin.clone());
        let find = move || binaries::find(version, folder.as_deref());
        Box::pin(start(find, request.records))
    }
}

/// Starts a server from the binaries that are found so, wherever they came from.
pub(super) async fn start(
    find: impl FnOnce() -> Result<Binaries> + Send + 'static,
    records: bool,
) -> Result<Started> {
    let prepared = blocking(move || Prepared::new(find()?, records)).await?;
    let origin = format!("from {}", prepared.binaries.folder.display());
    let (server, address, mut connection) = prepared.launch().await?;
    // The socket's folder is private, so it needs no password; TCP does.
    let password = generated_password();
    let sql = format!("ALTER ROLE {} PASSWORD '{password}'", cluster::SUPERUSER);
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .doing("give the superuser a password")?;
    Ok(Started {
        origin,
        address,
        administrator: Login {
            role: cluster::SUPERUSER.to_owned(),
            password: Some(password),
        },
        maintenance_database: "postgres".to_owned(),
        connection,
        holder: Box::new(server),
    })
}

/// A data folder that no server runs on yet.
struct Prepared {
    binaries: Binaries,
    claim: Claim,
    folder: PathBuf,
    in_memory: bool,
    runner: Runner,
    /// Where statements are written down, where they may have to be.
    log: Option<PathBuf>,
}

impl Prepared {
    fn new(binaries: Binaries, records: bool) -> Result<Self> {
        let registry = Registry::open()?;
        let runner = Runner::new(registry.user())?;
        let parent = registry.roomy()?;
        let mut claim = registry.claim()?;
        let folder = claim.make_folder(&parent)?;
        runner
            .give(&folder)
            .map_err(|error| Error::io(&folder, error))?;
        if folder.join(".s.PGSQL.65535").as_os_str().len() > LONGEST_SOCKET {
            return Err(Error::Server(format!(
                "{} is too long a path for a Unix socket: set TMPDIR to a shorter one",
                folder.display()
            )));
        }
        cluster::make(&binaries, &registry, &mut claim, &folder, runner)?;
        let log = match registry.cache() {
            // On disk: a test suite may send more than there is memory.
            Some(parent) if records => {
                let log = claim.make_folder(&parent)?;
                runner.give(&log).map_err(|error| Error::io(&log, error))?;
                Some(log)
            }
            // Inside the data folder.
            None if records => Some(PathBuf::from("log")),
            _ => None,
        };
        Ok(Self {
            binaries,
            claim,
            in_memory: parent.starts_with("/dev/shm"),
            folder,
            runner,
            log,
        })
    }

    /// Starts the server; a port that somebody else took in between is replaced by another.
    async fn launch(self) -> Result<(LocalServer, Address, PgConnection)> {
        let nobody = Login {
            role: cluster::SUPERUSER.to_owned(),
            password: None,
        };
        let mut tries = 0;
        let (postmaster, address, connection) = loop {
            tries += 1;
            let port = free_port()?;
            self.configure(port)?;
            let mut postmaster = self.runner.spawn(&self.binaries, &self.folder)?;
            let mut address = Address::tcp("127.0.0.1", port);
            address.socket = Some((self.folder.clone(), port));
            let options = address.options(&nobody, "postgres");
            match connected(&options, START_LIMIT, &mut postmaster).await {
                Ok(connection) => break (postmaster, address, connection),
                Err(error) if tries < 5 && error.to_string().contains("could not bind") => {}
                Err(error) => return Err(error),
            }
        };
        let server = LocalServer {
            postmaster,
            claim: self.claim,
            folder: self.folder,
        };
        Ok((server, address, connection))
    }

    fn configure(&self, port: u16) -> Result<()> {
        let folder = self.folder.display();
        // Shared memory inside the data folder, so that nothing of it can outlive the folder. A session that need not load the
        // language of its first function is half a millisecond faster.
        let memory = if self.in_memory { "mmap" } else { "posix" };
        let text = format!(
            "{}listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{folder}'\n\
             unix_socket_permissions = 0700\ndynamic_shared_memory_type = {memory}\n\
             shared_preload_libraries = 'plpgsql'\n",
            settings::lines(self.binaries.major)
        );
        let log = self.log.iter();
        let recording: Vec<String> = log
            .flat_map(|log| settings::recording(&log.display().to_string()))
            .map(|(name, value)| format!("{name} = '{value}'\n"))
            .collect();
        self.runner.write(
            &cluster::data_folder(&self.folder).join("watertight.conf"),
            &(text + &recording.concat()),
        )
    }
}

impl Holder for LocalServer {
    fn stop(self: Box<Self>) -> Boxed<'static, Result<()>> {
        Box::pin(async move {
            let folder = self.folder.clone();
            blocking(move || {
                drop(self);
                Ok(())
            })
            .await?;
            if folder.exists() {
                return Err(Error::Server(format!(
                    "{} could not be removed",
                    folder.display()
                )));
            }
            Ok(())
        })
    }

    fn keep(self: Box<Self>, purpose: Option<&str>) -> Result<()> {
        let Self {
            postmaster,
            mut claim,
            ..
        } = *self;
        claim.keep(purpose)?;
        std::mem::forget(postmaster);
        Ok(())
    }

    fn share(self: Box<Self>, note: &Note) -> Result<()> {
        let Self {
            postmaster,
            mut claim,
            ..
        } = *self;
        claim.share(note)?;
        std::mem::forget(postmaster);
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        self.postmaster.log_tail()
    }
}

pub(super) fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::Server(format!("no free port on 127.0.0.1: {error}")))
}
