//! What is going on, on one line of standard error that the next one overwrites; nothing where no terminal is.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _, stderr};

use super::output::disarmed;

pub(super) struct Progress {
    on: bool,
    /// Whether a line is there to be overwritten.
    shown: Cell<bool>,
}

impl Progress {
    pub(super) fn on_terminal() -> Self {
        Self {
            on: stderr().is_terminal(),
            shown: Cell::new(false),
        }
    }

    /// Shows a stage in place of the one before; nothing for none.
    pub(super) fn show(&self, stage: &str) {
        if stage.is_empty() {
            self.clear();
        } else if self.on {
            // Longer than the line it could not be overwritten: 72 columns are there nearly everywhere.
            let line: String = disarmed(stage)
                .replace('\n', " ")
                .chars()
                .take(72)
                .collect();
            let _ = write!(stderr(), "\r\x1b[2K{line}…");
            self.shown.set(true);
        }
    }

    /// Shows how much of the rows is there.
    pub(super) fn bar(&self, done: u64, all: u64, what: &str) {
        const WIDE: u64 = 24;
        let filled = done.saturating_mul(WIDE) / all.max(1);
        let bar: String = (0..WIDE)
            .map(|at| if at < filled { '#' } else { '.' })
            .collect();
        self.show(&format!("[{bar}] {done} of {all} rows, {what}"));
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.shown.take() {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}

impl Drop for Progress {
    /// Also where the run was interrupted.
    fn drop(&mut self) {
        self.clear();
    }
}
