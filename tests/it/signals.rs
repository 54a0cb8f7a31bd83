//! `test-db -- COMMAND` that is asked to end: the command is told and waited for, and nothing of it or of us stays.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::command_line::{HELD, text};
use crate::folder::Folder;
use crate::server::{becomes, runs};

/// A run that is in the middle of its command.
struct Run {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The server's.
    port: u16,
    /// A process that the command started.
    other: u32,
    _folder: Folder,
}

impl Run {
    /// Of a script, which begins when the run is known.
    fn of(script: &str) -> Self {
        let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
        let script = format!("sleep 600 & echo $PGPORT $!; {script}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_watertight"))
            .args(["test-db", "--server", "local", "--", "sh", "-c", &script])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (port, other) = line.trim().split_once(' ').unwrap();
        let run = Self {
            child,
            stdout,
            port: port.parse().unwrap(),
            other: other.parse().unwrap(),
            _folder: folder,
        };
        assert!(TcpStream::connect(("127.0.0.1", run.port)).is_ok());
        run
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Its status, what was still printed, and what it said; nothing of it is left.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let mut rest = String::new();
        // The end of its output is that of the command's processes too.
        self.stdout.read_to_string(&mut rest).unwrap();
        let output = self.child.wait_with_output().unwrap();
        assert!(
            TcpStream::connect(("127.0.0.1", self.port)).is_err(),
            "the server is gone"
        );
        assert!(
            becomes(|| !runs(self.other)),
            "what the command started is gone"
        );
        (output.status.code(), rest, text(&output.stderr))
    }
}

#[test]
fn a_command_is_told_and_has_the_database_until_it_ends() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut run = Run::of(
            r#"trap 'psql -XAtc "SELECT count(*) FROM people" "$DATABASE_URL" > counted; echo told; cat counted; exit 7' INT TERM HUP
               echo waiting; while :; do sleep 0.05; done"#,
        );
        assert_eq!(run.line(), "waiting\n");
        run.signal(signal);
        let (status, rest, said) = run.ended();
        assert_eq!(status, Some(7), "{said}");
        let counted: u32 = rest.strip_prefix("told\n").unwrap().trim().parse().unwrap();
        assert!(counted > 0 && !said.contains("stopped"), "{said}");
    }
}

#[test]
fn a_command_that_a_signal_ends_has_its_status() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let run = Run::of("exec sleep 600");
        run.signal(signal);
        assert_eq!(run.ended().0, Some(status));
    }
}

#[test]
fn a_command_that_does_not_end_is_ended_by_the_second_signal() {
    let mut run = Run::of("trap 'echo not yet' TERM; echo waiting; while :; do sleep 0.05; done");
    assert_eq!(run.line(), "waiting\n");
    run.signal("TERM");
    assert_eq!(run.line(), "not yet\n");
    run.signal("TERM");
    let (status, _, said) = run.ended();
    assert_eq!(status, Some(2));
    assert!(
        said.contains("stopped by SIGTERM; what was started has been removed"),
        "{said}"
    );
}

/// Before there is a command the run itself ends.
#[test]
fn a_run_that_has_no_command_yet_ends() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
    let migrate = "echo $PGPORT > port.new; mv port.new port; sleep 600";
    let child = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args([
            "test-db",
            "--server",
            "local",
            "--migrate-command",
            migrate,
            "--",
            "true",
        ])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file = folder.path().join("port");
    assert!(becomes(|| file.exists()));
    let port = std::fs::read_to_string(file).unwrap();
    let id = child.id().to_string();
    let status = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(status.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("stopped by SIGTERM"));
    let port: u16 = port.trim().parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
