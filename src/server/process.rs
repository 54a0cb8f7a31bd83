//! Processes of this machine: the user that servers run as, signals, and finding what a dead run left running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Result;

/// A user to run servers as, where this process is root and they refuse to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Work on files and processes, off the threads that run tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// An unprivileged user of this machine: Postgres's own, else `nobody`.
pub(super) fn unprivileged() -> Option<User> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "_postgres", "nobody"]
        .iter()
        .find_map(|name| user_of(&passwd, name))
}

fn user_of(passwd: &str, name: &str) -> Option<User> {
    // macOS writes nobody's numbers as -2.
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
    };
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let (uid, gid) = (number(fields.nth(1)?)?, number(fields.next()?)?);
        (uid != 0).then_some(User { uid, gid })
    })
}

/// Sends a signal to a process, or with `-` before the number to its group. By the shell, whose own `kill` is
/// there even where the program isn't; the library of Rust knows SIGKILL to one's own children alone.
pub(crate) fn signal(name: &str, target: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\"", name, target])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// A process that leads a group, and whatever it started: ended when this is dropped.
pub(crate) struct Group(Option<u32>);

impl Group {
    /// Of the process with this number, where it has one yet.
    pub(crate) fn of(leader: Option<u32>) -> Self {
        Self(leader)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            signal("KILL", &format!("-{leader}"));
        }
    }
}

/// A Postgres process that works on a folder.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) pid: u32,
    pub(super) program: String,
}

/// The program of the pooler.
pub(super) const POOLER: &str = "pgbouncer";

/// Ends every `postgres`, `initdb` and `pgbouncer` whose files are inside a folder, and waits until they are gone.
/// Nothing else is touched, whatever it does in there.
pub(super) fn end_all_in(folder: &Path) -> Vec<Found> {
    let found = find_in(folder);
    for process in &found {
        // For a postmaster SIGQUIT is immediate shutdown, children and shared memory included; for PgBouncer SIGTERM is.
        let immediate = if process.program == POOLER {
            "TERM"
        } else {
            "QUIT"
        };
        signal(immediate, &process.pid.to_string());
    }
    let started = Instant::now();
    while found.iter().any(|process| works_in(process.pid, folder)) {
        if started.elapsed() > Duration::from_secs(6) {
            for process in found.iter().filter(|process| works_in(process.pid, folder)) {
                signal("KILL", &format!("-{}", process.pid));
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    found
}

/// The Postgres processes whose data folder is inside a folder.
pub(super) fn find_in(folder: &Path) -> Vec<Found> {
    command_lines()
        .into_iter()
        .filter_map(|(pid, words)| {
            let program = program_in(&words, folder)?;
            Some(Found { pid, program })
        })
        .collect()
}

fn works_in(pid: u32, folder: &Path) -> bool {
    command_line(pid).is_some_and(|words| program_in(&words, folder).is_some())
}

/// `postgres -D FOLDER/…`, `initdb -D FOLDER/…` or `pgbouncer FOLDER/…`; not what a server calls its sessions.
fn program_in(words: &[String], folder: &Path) -> Option<String> {
    let program = Path::new(words.first()?).file_name()?.to_str()?;
    let files = if program == POOLER {
        words.get(1)?
    } else {
        words.iter().skip_while(|word| *word != "-D").nth(1)?
    };
    let known = matches!(program, "postgres" | "initdb" | POOLER);
    let ours = known && Path::new(files).starts_with(folder);
    ours.then(|| program.to_owned())
}

#[cfg(target_os = "linux")]
fn command_lines() -> Vec<(u32, Vec<String>)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, command_line(pid)?)))
        .collect()
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
    let words = bytes
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned());
    Some(words.collect())
}

#[cfg(not(target_os = "linux"))]
fn command_lines() -> Vec<(u32, Vec<String>)> {
    listed(&["-axww", "-o", "pid=,args="])
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Option<Vec<String>> {
    listed(&["-ww", "-o", "pid=,args=", "-p", &pid.to_string()])
        .pop()
        .map(|(_, words)| words)
}

/// What `ps` lists; a folder with a space in its name isn't recognised, and so left alone.
#[cfg(not(target_os = "linux"))]
fn listed(arguments: &[&str]) -> Vec<(u32, Vec<String>)> {
    let Ok(output) = Command::new("ps").args(arguments).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((
                words.next()?.parse().ok()?,
                words.map(str::to_owned).collect(),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_in_the_folder_is_ours() {
        let ours = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            program_in(&words, Path::new("/dev/shm/watertight-0/abc"))
        };
        assert_eq!(
            ours("/usr/bin/postgres -D /dev/shm/watertight-0/abc/data").as_deref(),
            Some("postgres")
        );
        assert_eq!(
            ours("/x/initdb --no-sync -D /dev/shm/watertight-0/abc/data").as_deref(),
            Some("initdb")
        );
        assert_eq!(
            ours("/usr/bin/postgres -D /dev/shm/watertight-0/abcdef/data"),
            None
        );
        assert_eq!(
            ours("/usr/bin/postgres -D /var/lib/postgresql/15/main"),
            None
        );
        assert_eq!(
            ours("/usr/sbin/pgbouncer /dev/shm/watertight-0/abc/pgbouncer.ini").as_deref(),
            Some("pgbouncer")
        );
        assert_eq!(ours("pgbouncer /etc/pgbouncer/pgbouncer.ini"), None);
        assert_eq!(ours("tail -f /dev/shm/watertight-0/abc/log"), None);
        assert_eq!(ours("ls -D /dev/shm/watertight-0/abc"), None);
    }

    #[test]
    fn users_are_read_and_root_is_none() {
        let passwd = "root:x:0:0::/root:/bin/sh\nnobody:*:-2:-2:x:/:/bin/false\npostgres:x:101:103::/:/bin/sh\n";
        assert_eq!(
            user_of(passwd, "postgres"),
            Some(User { uid: 101, gid: 103 })
        );
        assert_eq!(
            user_of(passwd, "nobody").map(|user| user.uid),
            Some(u32::MAX - 1)
        );
        assert_eq!(user_of(passwd, "root"), None);
    }
}
