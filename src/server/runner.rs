//! Running Postgres's programs as somebody who may, and ending them.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::binaries::Binaries;
use super::cluster;
use super::process::{self, User};
use super::provider::{Boxed, Starting, last_lines};
use crate::error::{Error, Result};

/// Who owns the server's files and runs its programs: a user of this machine, or this process's own.
#[derive(Clone, Copy)]
pub(super) struct Runner(Option<User>);

/// The process and its log; dropped, it is shut down at once and waited for.
pub(super) struct Postmaster {
    child: Child,
    log: PathBuf,
}

impl Runner {
    /// Root can't run Postgres: an unprivileged user of this machine does it.
    pub(super) fn new(user: u32) -> Result<Self> {
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

    /// The number of the user that is not this process's own.
    pub(super) fn user(self) -> Option<u32> {
        self.0.map(|user| user.uid)
    }

    /// Gives a file or folder of ours to the server's user.
    pub(super) fn give(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some(user) => std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }

    /// Writes a file that the server can read.
    pub(super) fn write(self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text)
            .and_then(|()| self.give(path))
            .map_err(|error| Error::io(path, error))
    }

    /// A program of the binaries, run as the server's user, in a process group of its own, without our standard
    /// streams, and without the variables that would make it do something else.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| misleads(&name.to_string_lossy())) {
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

    /// Why a program could not be run.
    pub(super) fn refused(self, program: &Path, error: &io::Error) -> Error {
        let who = match self.0 {
            Some(user) if error.kind() == io::ErrorKind::PermissionDenied => format!(
                "; it is run as user {}, as Postgres refuses root, who must be able to reach that folder",
                user.uid
            ),
            _ => String::new(),
        };
        Error::Server(format!(
            "{} could not be run: {error}{who}",
            program.display()
        ))
    }

    /// Starts the server of a folder, its log in there too.
    pub(super) fn spawn(self, binaries: &Binaries, folder: &Path) -> Result<Postmaster> {
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
            .map_err(|error| self.refused(&program, &error))?;
        Ok(Postmaster { child, log })
    }
}

/// Whether a variable changes what Postgres's programs do.
fn misleads(variable: &str) -> bool {
    variable.starts_with("PG")
        || variable.starts_with("LC_")
        || matches!(variable, "LANG" | "LANGUAGE")
}

impl Postmaster {
    /// The end of its log.
    pub(super) fn log_tail(&self) -> Option<String> {
        Some(last_lines(&fs::read(&self.log).ok()?))
    }
}

impl Starting for Postmaster {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        let result = match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::Server(format!(
                "postgres ended while starting ({status}):\n{}",
                self.log_tail().unwrap_or_default()
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
