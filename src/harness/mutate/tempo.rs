//! How fast mutants are tried: the line of progress.

use std::cell::Cell;
use std::time::Instant;

use crate::model::{Fate, Tried};
use crate::mutate::Mutant;

/// What was done since when.
pub(super) struct Tempo {
    started: Instant,
    all: usize,
    done: Cell<usize>,
    killed: Cell<usize>,
}

impl Tempo {
    pub(super) fn new(all: usize) -> Self {
        Self {
            started: Instant::now(),
            all,
            done: Cell::new(0),
            killed: Cell::new(0),
        }
    }

    pub(super) fn done(&self, one: &Tried) {
        self.done.set(self.done.get() + 1);
        let killed = matches!(one.fate, Fate::Killed(_));
        self.killed.set(self.killed.get() + usize::from(killed));
    }

    /// What is there, how fast it came, and what is tried next.
    pub(super) fn line(&self, next: &Mutant) -> String {
        let (done, all) = (self.done.get(), self.all);
        let milliseconds = usize::try_from(self.started.elapsed().as_millis()).unwrap_or(1);
        // In tenths.
        let rate = done * 10_000 / milliseconds.max(1);
        format!(
            "mutants: {done} of {all}, {} killed, {}.{}/s: {} {}",
            self.killed.get(),
            rate / 10,
            rate % 10,
            next.operator,
            next.object
        )
    }
}
