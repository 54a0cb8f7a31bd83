//! Runs `pg_dump`, `pg_restore` and `psql`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::server::{Group, Login, Server, programs};

/// The last lines of a failed program's words that are shown.
const LINES: usize = 12;

/// The client programs of a server's own version, on a database of it.
pub(super) struct Programs<'s> {
    folder: PathBuf,
    server: &'s Server,
}

impl<'s> Programs<'s> {
    /// Finds them; `folder` is where they must be, if given.
    pub(super) fn of(server: &'s Server, folder: Option<&Path>) -> Result<Self> {
        let folder = programs(server.version_number() / 10_000, folder)?;
        Ok(Self { folder, server })
    }

    /// Runs one on a database as the server's administrator, to its end. The password goes by the environment: other users
    /// of the machine see arguments. Dropped, it is ended.
    pub(super) async fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        database: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<()> {
        let path = self.folder.join(program);
        let login = self.server.administrator();
        let nameless = Login {
            role: login.role.clone(),
            password: None,
        };
        let mut command = Command::new(&path);
        for (name, _) in std::env::vars_os().filter(|(name, _)| misleads(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
            .arg("--dbname")
            .arg(self.server.url(&nameless, database))
            .arg("--no-password")
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        if let Some(password) = &login.password {
            command.env("PGPASSWORD", password);
        }
        let child = command
            .spawn()
            .map_err(|error| Error::Operation(format!("{}: {error}", path.display())))?;
        // With the processes that it starts for parallel work.
        let group = Group::of(child.id());
        let output = child.wait_with_output().await;
        drop(group);
        let output =
            output.map_err(|error| Error::Operation(format!("{}: {error}", path.display())))?;
        if output.status.success() {
            return Ok(());
        }
        let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Some(password) = login.password.as_deref().filter(|text| !text.is_empty()) {
            said = said.replace(password, "***");
        }
        let lines: Vec<&str> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LINES)..];
        Err(Error::Operation(format!(
            "{program} {}\n  {}",
            ended(output.status),
            tail.join("\n  ")
        )))
    }
}

fn ended(status: ExitStatus) -> String {
    status.code().map_or_else(
        || format!("was ended by {status}"),
        |code| format!("failed with status {code}:"),
    )
}

/// Variables that would lead to another server or change what a program does; certificates and `.pgpass` count.
fn misleads(variable: &str) -> bool {
    variable.starts_with("PG") && !variable.starts_with("PGSSL") && variable != "PGPASSFILE"
}
