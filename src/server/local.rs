//! Servers from the Postgres binaries of this machine.
//!
//! A data folder made by `initdb` is cached on disk per exact version, and copied for every server, into memory
//! where there is room. The server's process group is its own, so that Ctrl-C at the terminal ends us and not
//! it; it holds none of our standard streams, as test runners wait for those.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::binaries::{self, Binaries};
use super::choice::ServerRequest;
use super::cluster;
use super::process::{self, User};
use super::provider::{
    Address, Boxed, Holder, Provider, Started, Starting, connected, generated_password,
};
use super::registry::{Claim, Registry};
use super::settings;
use super::{Login, OLDEST};
use crate::error::{Doing, Error, Result};

/// A connection must work by then.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Paths of sockets: 107 bytes on Linux, 103 on macOS.
const LONGEST_SOCKET: usize = 103;

/// The kind.
pub(super) struct Local;

/// Who makes and runs the server's files.
#[derive(Clone, Copy)]
pub(super) struct Runner(Option<User>);

/// A running postmaster and its folder. The process is ended before the claim removes the folder: fields are
/// dropped in order.
struct LocalServer {
    postmaster: Postmaster,
    claim: Claim,
    folder: PathBuf,
}

/// The process and its log; dropped, it is shut down at once and waited for.
struct Postmaster {
    child: Child,
    log: PathBuf,
}

impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        Box::pin(start(request))
    }
}

async fn start(request: &ServerRequest) -> Result<Started> {
    debug_assert!(request.version.is_none_or(|version| version >= OLDEST));
    let (version, folder) = (request.version, request.pg_bin.clone());
    let (binaries, prepared) = blocking(move || {
        let binaries = binaries::find(version, folder.as_deref())?;
        let prepared = Prepared::new(&binaries)?;
        Ok((binaries, prepared))
    })
    .await?;
    let origin = format!("from {}", binaries.folder.display());
    let (server, address) = prepared.launch(&binaries).await?;
    Ok(Started {
        origin,
        administrator: Login {
            role: cluster::SUPERUSER.to_owned(),
            password: Some(server.1),
        },
        maintenance_database: "postgres".to_owned(),
        address,
        holder: Box::new(server.0),
    })
}

/// A data folder that no server runs on yet.
struct Prepared {
    claim: Claim,
    folder: PathBuf,
    in_memory: bool,
    runner: Runner,
}

impl Prepared {
    fn new(binaries: &Binaries) -> Result<Self> {
        let registry = Registry::open()?;
        let runner = Runner::new(registry.user())?;
        let mut claim = registry.claim()?;
        let parent = registry.roomy()?;
        let folder = claim.make_folder(&parent)?;
        runner.give(&folder)?;
        if socket_path(&folder, u16::MAX).as_os_str().len() > LONGEST_SOCKET {
            return Err(Error::Server(format!(
                "{} is too long a path for a Unix socket: set TMPDIR to a shorter one",
                folder.display()
            )));
        }
        cluster::make(binaries, &registry, &mut claim, &folder, runner)?;
        Ok(Self {
            claim,
            in_memory: parent.starts_with("/dev/shm"),
            folder,
            runner,
        })
    }

    /// Starts the server; a port that somebody else took in between is replaced by another.
    async fn launch(self, binaries: &Binaries) -> Result<((LocalServer, String), Address)> {
        let mut tries = 0;
        let (postmaster, address, mut connection) = loop {
            tries += 1;
            let port = free_port()?;
            self.configure(binaries, port)?;
            let mut postmaster = self.runner.spawn(binaries, &self.folder)?;
            let mut address = Address::tcp("127.0.0.1", port);
            address.socket = Some((self.folder.clone(), port));
            let nobody = Login {
                role: cluster::SUPERUSER.to_owned(),
                password: None,
            };
            let options = address.options(&nobody, "postgres");
            match connected(&options, START_LIMIT, &mut postmaster).await {
                Ok(connection) => break (postmaster, address, connection),
                Err(error) if tries < 5 && error.to_string().contains("could not bind") => {}
                Err(error) => return Err(error),
            }
        };
        // The socket's folder is private, so it needs no password; TCP does.
        let password = generated_password();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "ALTER ROLE {} PASSWORD '{password}'",
            cluster::SUPERUSER
        )))
        .execute(&mut connection)
        .await
        .doing("give the superuser a password")?;
        let server = LocalServer {
            postmaster,
            claim: self.claim,
            folder: self.folder,
        };
        Ok(((server, password), address))
    }

    fn configure(&self, binaries: &Binaries, port: u16) -> Result<()> {
        let folder = self.folder.display();
        // Shared memory inside the data folder, so that nothing of it can outlive the folder.
        let memory = if self.in_memory { "mmap" } else { "posix" };
        let text = format!(
            "{}listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{folder}'\n\
             unix_socket_permissions = 0700\ndynamic_shared_memory_type = {memory}\n",
            settings::lines(binaries.major)
        );
        self.runner.write(
            &cluster::data_folder(&self.folder).join("watertight.conf"),
            &text,
        )
    }
}

impl Runner {
    /// Root can't run Postgres: an unprivileged user of this machine does it.
    fn new(user: u32) -> Result<Self> {
        if user != 0 {
            return Ok(Self(None));
        }
        process::unprivileged().map(|user| Self(Some(user))).ok_or_else(|| {
            Error::NoServer(
                "Postgres does not run as root, and this machine has neither a user `postgres` nor `nobody` to run \
                 it as"
                    .to_owned(),
            )
        })
    }

    /// For files that stay ours.
    pub(super) fn ourselves() -> Self {
        Self(None)
    }

    /// Gives a file or folder of ours to the server's user.
    pub(super) fn give(self, path: &Path) -> Result<()> {
        let Some(user) = self.0 else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))
            .map_err(|error| Error::io(path, error))
    }

    /// Writes a file that the server can read.
    pub(super) fn write(self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).map_err(|error| Error::io(path, error))?;
        self.give(path)
    }

    /// A program of the binaries, run as the server's user, in a process group of its own, without our standard
    /// streams, and without the variables that would make it do something else.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("PG")
                || name.starts_with("LC_")
                || name == "LANG"
                || name == "LANGUAGE"
        }) {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(user) = self.0 {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn spawn(self, binaries: &Binaries, folder: &Path) -> Result<Postmaster> {
        let (program, log) = (binaries.folder.join("postgres"), folder.join("log"));
        let out = File::create(&log).map_err(|error| Error::io(&log, error))?;
        let err = out.try_clone().map_err(|error| Error::io(&log, error))?;
        let child = self
            .command(&program)
            .arg("-D")
            .arg(cluster::data_folder(folder))
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| Error::io(program, error))?;
        Ok(Postmaster { child, log })
    }
}

impl Starting for Postmaster {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        let result = match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::Server(format!(
                "postgres ended while starting ({status}):\n{}",
                tail(&self.log).unwrap_or_default()
            ))),
            Err(error) => Err(Error::Server(format!(
                "postgres can't be waited for: {error}"
            ))),
        };
        Box::pin(std::future::ready(result))
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        let started = Instant::now();
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Immediate shutdown: nothing is worth saving, and it takes its children and its shared memory along.
        process::signal("QUIT", &self.child.id().to_string());
        while started.elapsed() < Duration::from_secs(6) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
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

    fn keep(self: Box<Self>) -> Result<()> {
        let Self {
            postmaster, claim, ..
        } = *self;
        claim.keep()?;
        std::mem::forget(postmaster);
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        tail(&self.postmaster.log)
    }
}

/// The last 30 lines of a file.
fn tail(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(log).ok()?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    Some(lines[lines.len().saturating_sub(30)..].join("\n"))
}

fn socket_path(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::Server(format!("no free port on 127.0.0.1: {error}")))
}

/// Work on files and processes, off the threads that run tasks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
