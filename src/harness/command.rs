//! The user's command on a database of ours.

use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use super::Ground;
use crate::error::{Error, Result};
use crate::server::{Group, Login, Server, signal};

/// What a command is given: the owner's database as `DATABASE_URL` and `PG…`, the application's as
/// `WATERTIGHT_APP_URL`, and as `WATERTIGHT_TENANT` the id of an organisation that has rows.
pub(super) fn environment(
    server: &Server,
    ground: &Ground,
    owner: &Login,
    database: &str,
) -> Vec<(String, String)> {
    let mut list = server.variables(owner, database);
    let tenant = ground.worlds.acting_tenant().to_owned();
    list.push(("WATERTIGHT_TENANT".to_owned(), tenant));
    if let Some(application) = &ground.application {
        list.push((
            "WATERTIGHT_APP_URL".to_owned(),
            server.url(application, database),
        ));
    }
    list
}

/// A command that runs, or none: who is asked to end meanwhile passes that on to it.
///
/// In the foreground of a terminal it is of this process's group, so that it may read from there, and what is typed (Ctrl-C)
/// reaches it by itself. Elsewhere it leads a group of its own: all of that is sent the signal, and what is left of it when
/// the command has ended is ended too.
#[derive(Debug, Default)]
pub struct RunningCommand(Mutex<Option<Target>>);

/// Whom a signal is sent to.
#[derive(Clone, Copy, Debug)]
struct Target {
    pid: u32,
    leads_a_group: bool,
}

impl RunningCommand {
    /// Passes a signal on, as `TERM`; false where no command runs.
    pub fn pass_on(&self, name: &str) -> bool {
        let Some(target) = *self.target() else {
            return false;
        };
        let typed = matches!(name, "INT" | "QUIT");
        match (target.leads_a_group, typed) {
            (true, _) => signal(name, &format!("-{}", target.pid)),
            (false, false) => signal(name, &target.pid.to_string()),
            (false, true) => {}
        }
        true
    }

    /// Runs a command to its end; dropped, it is ended.
    pub(super) async fn run(
        &self,
        command: &[String],
        variables: Vec<(String, String)>,
        stdout: Option<Stdio>,
    ) -> Result<ExitStatus> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| Error::Usage("`--` wants a command after it".to_owned()))?;
        let not_started = |error| Error::Usage(format!("{program}: {error}"));
        let mut start = tokio::process::Command::new(program);
        start.args(arguments).envs(variables).kill_on_drop(true);
        if let Some(stdout) = stdout {
            start.stdout(stdout);
        }
        let leads_a_group = cfg!(unix) && !in_foreground();
        #[cfg(unix)]
        if leads_a_group {
            start.process_group(0);
        }
        let mut child = start.spawn().map_err(not_started)?;
        let group = Group::of(child.id().filter(|_| leads_a_group));
        *self.target() = child.id().map(|pid| Target { pid, leads_a_group });
        let status = child.wait().await;
        *self.target() = None;
        drop(group);
        status.map_err(not_started)
    }

    fn target(&self) -> std::sync::MutexGuard<'_, Option<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what is typed at a terminal is for this process and its group.
fn in_foreground() -> bool {
    // Behind the program's name, which may hold anything: state, parent, group, session, terminal, the terminal's group.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    match (fields.get(2), fields.get(5)) {
        (Some(group), Some(foreground)) => group == foreground,
        _ => std::io::IsTerminal::is_terminal(&std::io::stdin()),
    }
}

/// The status of a process that has ended, as shells have it: what a signal ended is told by its number.
pub(super) fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    status
        .code()
        .or(signal.map(|number| 128 + number))
        .unwrap_or(2)
}
