//! Runs the command that migrates a template.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::migration::Tool;
use crate::server::{Group, Login, Server};

/// The last lines of a failed command's output that are shown, and the most of each, in bytes.
const LINES: usize = 60;
const BYTES: u64 = 4_000;

/// What a child of the command may leave open after its end is waited for so long.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the command on a database as this login, to its end or to its limit.
pub(super) async fn run(
    tool: &Tool,
    server: &Server,
    login: &Login,
    database: &str,
    limit: Duration,
) -> Result<()> {
    let mut command = shell(&tool.command);
    if !tool.folder.as_os_str().is_empty() {
        command.current_dir(&tool.folder);
    }
    // A service file or an address of the user's own would lead to another database.
    let misleads = |name: &OsString| name.as_encoded_bytes().starts_with(b"PG");
    for (name, _) in std::env::vars_os().filter(|(name, _)| misleads(name)) {
        command.env_remove(name);
    }
    command
        .envs(server.variables(login, database))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let failed = |ended: String, output: String| Error::MigrationCommand {
        command: tool.command.clone(),
        ended,
        output,
    };
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("could not be started: {error}"), String::new()))?;
    // Whatever it started in turn ends with it, also where this is dropped.
    let group = Group::of(child.id());
    let tail = Tail::default();
    let readers = [
        child.stdout.take().map(|stream| tail.read(stream)),
        child.stderr.take().map(|stream| tail.read(stream)),
    ];
    let ended = tokio::time::timeout(limit, child.wait()).await;
    drop(group);
    for reader in readers.into_iter().flatten() {
        let stop = reader.abort_handle();
        if tokio::time::timeout(DRAIN, reader).await.is_err() {
            stop.abort();
        }
    }
    let output = tail.shown(login.password.as_deref());
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(said(status), output)),
        Ok(Err(error)) => Err(failed(format!("could not be waited for: {error}"), output)),
        Err(_) => Err(failed(
            format!(
                "did not end within {} s and was stopped; --migrate-timeout S gives it longer",
                limit.as_secs()
            ),
            output,
        )),
    }
}

#[cfg(unix)]
fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).process_group(0);
    command
}

#[cfg(not(unix))]
fn shell(text: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", text]);
    command
}

/// How it ended, fit for "the command …".
fn said(status: ExitStatus) -> String {
    match status.code() {
        Some(127) => "ended with status 127: there is no such program".to_owned(),
        Some(code) => format!("ended with status {code}"),
        // By a signal: the system's words have its number.
        None => format!("ended by {status}"),
    }
}

/// The last lines of what a command printed, of both streams as they came.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn read(&self, stream: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let tail = self.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            // A line without an end is taken in pieces: it could fill the memory.
            while let Ok(1..) = (&mut stream).take(BYTES).read_until(b'\n', &mut line).await {
                tail.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        })
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines, indented, without the password that the command was given.
    fn shown(&self, password: Option<&str>) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for line in lines.iter() {
            let line = match password {
                Some(password) if !password.is_empty() => line.replace(password, "***"),
                _ => line.clone(),
            };
            let _ = write!(text, "\n  {line}");
        }
        text
    }
}
