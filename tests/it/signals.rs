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

/// A run in the foreground of a terminal of its own, whose typist this is.
#[cfg(target_os = "linux")]
struct Terminal {
    child: Child,
    shown: BufReader<ChildStdout>,
    _folder: Folder,
}

#[cfg(target_os = "linux")]
impl Terminal {
    fn of(script: &str) -> Self {
        let folder = Folder::new(&[("migrations/1_a.sql", HELD)]);
        folder.write("command", script.as_bytes());
        let program = env!("CARGO_BIN_EXE_watertight");
        let run = format!("exec '{program}' test-db --server local -- sh command");
        // Of util-linux: it makes a terminal, passes on what comes in, and ends as the run does.
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &run, "/dev/null"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let shown = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            shown,
            _folder: folder,
        }
    }

    fn types(&mut self, keys: &str) {
        let typist = self.child.stdin.as_mut().unwrap();
        std::io::Write::write_all(typist, keys.as_bytes()).unwrap();
    }

    /// What is shown up to a line that ends so, that line included.
    fn until(&mut self, end: &str) -> String {
        let mut shown = String::new();
        while !shown.trim_end().ends_with(end) {
            let read = self.shown.read_line(&mut shown).unwrap();
            assert!(read > 0, "no `{end}` in: {shown}");
        }
        shown
    }

    /// Its status, and what was shown last.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.shown.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_typed_reaches_a_command_once_and_it_may_read() {
    let mut terminal = Terminal::of(
        "trap 'echo told' INT
         echo waiting
         until read line; do :; done
         echo \"read $line\"
         exit 7",
    );
    // What was going on is not in the way of what the command shows.
    let shown = terminal.until("waiting");
    assert!(shown.ends_with("\x1b[2Kwaiting\r\n"), "{shown:?}");
    terminal.types("\u{3}");
    terminal.until("told");
    terminal.types("a line\n");
    let (status, shown) = terminal.ended();
    assert_eq!(status, Some(7), "{shown}");
    assert!(
        shown.contains("read a line") && !shown.contains("told"),
        "{shown}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_sent_to_a_run_in_a_terminal_is_passed_on() {
    let mut terminal = Terminal::of(
        "trap 'echo told; exit 7' TERM
         echo run $PPID waiting
         while :; do sleep 0.05; done",
    );
    let shown = terminal.until("waiting");
    let run = shown.split_whitespace().rev().nth(1).unwrap();
    let status = Command::new("kill").args(["-s", "TERM", run]).status();
    assert!(status.unwrap().success(), "{shown}");
    let (status, shown) = terminal.ended();
    assert_eq!(status, Some(7), "{shown}");
    assert_eq!(shown.matches("told").count(), 1, "{shown}");
}
