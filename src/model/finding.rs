//! What is wrong with the user's schema or query, as data.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Counterexample;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// An attack worked that reads, changes, destroys or wrongly links another tenant's rows, or a query's result
    /// depends on them. Fails the run.
    Leak,
    /// Read off the catalog, or reveals only that a guessable value exists, or another layer still stops it.
    /// Fails the run only under `--deny weakness`.
    Weakness,
    /// Worth knowing; never fails a run.
    Note,
}

impl Severity {
    /// The word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Weakness => "weakness",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Where in the user's files an object was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the user would name it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// One defect of one object of the user's schema or queries.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The id of the check that fired.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The object's name, as the report spells it.
    pub object: String,
    /// What was done and what came of it, in a sentence or two.
    pub message: String,
    /// SQL that shows it: pasted into `psql` on the kept database it shows the leak; for what was read off the
    /// catalog, the catalog query.
    pub sql: String,
    /// The server's code, where a refusal is part of the evidence.
    pub sqlstate: Option<String>,
    /// Where the object was made.
    pub place: Option<Place>,
    /// SQL or advice that mends it.
    pub fix: String,
    /// Accepted by `[[allow]]` or the baseline.
    pub accepted: bool,
    /// The tests whose assertions show that the application guards it: it is accepted then.
    pub acquitted: Vec<String>,
    /// The major versions of Postgres on which it was seen.
    pub versions: Vec<String>,
    /// What the smallest worlds show, as a unified diff of their rows and of the results; empty where none were looked for.
    pub difference: String,
    /// The smallest worlds that show it, where they were looked for.
    pub counterexample: Option<Box<Counterexample>>,
}

impl Finding {
    /// Check and object: the same on every run, machine and version.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(self.check, &self.object)
    }
}

/// What could not be judged, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inconclusive {
    /// The id of the check, or `run` for what concerns the run as a whole.
    pub check: &'static str,
    /// The object's name.
    pub object: String,
    /// Why it could not be judged, and what would settle it.
    pub reason: String,
    /// Accepted by `[[allow]]` or the baseline.
    pub accepted: bool,
    /// The major versions of Postgres on which it could not be judged; none says that of every one.
    pub versions: Vec<String>,
}

impl Inconclusive {
    /// Check and object: the same on every run, machine and version.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(self.check, &self.object)
    }
}

fn fingerprint(check: &str, object: &str) -> String {
    format!("{check}:{object}")
}
