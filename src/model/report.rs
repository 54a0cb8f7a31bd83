//! The result of a run, as data; `report` renders it.

use std::collections::BTreeMap;

use super::{Attacked, Explained, Finding, Inconclusive, Satisfied, Severity, Shard};

/// The verdict of a run; the worst of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunVerdict {
    /// Everything that was tried held, or is accepted.
    Held,
    /// Nothing or not enough was checked.
    Inconclusive,
    /// At least one leak (or denied weakness) that is not accepted.
    Leaked,
    /// The harness could not do its work on one of several versions or parts.
    Failed,
}

impl RunVerdict {
    /// The word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Inconclusive => "inconclusive",
            Self::Leaked => "leaked",
            Self::Failed => "error",
        }
    }

    /// The exit status of a run that ends so. (Of a run by itself, 2 is an `Error`.)
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Leaked => 1,
            Self::Failed => 2,
            Self::Inconclusive => 4,
        }
    }
}

/// How a check's cases came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases tried.
    pub cases: usize,
    /// Attacks that were refused, with a control that worked.
    pub held: usize,
    /// Attacks that worked.
    pub leaked: usize,
    /// Cases that could not be judged.
    pub inconclusive: usize,
    /// Cases for which no control can exist.
    pub not_applicable: usize,
    /// Why the held ones held: the reason and how often.
    pub reasons: BTreeMap<String, usize>,
}

/// The server that a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// `docker`, `local`, `external` or `embedded`.
    pub kind: String,
    /// As the server says it: `18.6`.
    pub version: String,
    /// What was chosen and what was passed over and why, in one line.
    pub chosen: String,
}

/// What the schema holds, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaFacts {
    /// Tables; partitions fold into their root.
    pub tables: usize,
    /// Tables that have the tenant column.
    pub scoped: usize,
    /// Tables by class, in words.
    pub classes: BTreeMap<String, usize>,
    /// Columns of all tables.
    pub columns: usize,
    /// Foreign keys; those of partitions fold into their root's.
    pub foreign_keys: usize,
    /// Row-level security policies.
    pub policies: usize,
    /// Queries that were read.
    pub queries: usize,
    /// What made the schema: how many migrations, where, under which convention.
    pub migrations: String,
}

/// How much of the queries was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Parameters of the queries that are judged.
    pub parameters: usize,
    /// Those that were bound by what they are compared with or written to, and not by their type alone.
    pub bound: usize,
    /// Arms of OR, CASE and UNION, optional joins, EXISTS.
    pub branches: usize,
    /// Those without which a query over the acting tenant's rows comes to something else.
    pub met: usize,
    /// The others.
    pub unmet: Vec<UnmetBranch>,
}

/// A branch of a query that made no difference: what it leaks may not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetBranch {
    /// The query.
    pub query: String,
    /// The line in its file, from 1.
    pub line: usize,
    /// What it is, and its text.
    pub branch: String,
}

/// What was seeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatasetFacts {
    /// Organisations in the seeded database.
    pub organisations: usize,
    /// Rows in the seeded database.
    pub rows: usize,
}

/// Where the time went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Starting the server.
    pub server: u64,
    /// Migrating the template.
    pub migrate: u64,
    /// Reading the catalog, generating and loading rows.
    pub seed: u64,
    /// Running and judging the cases.
    pub check: u64,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// With this a run repeats exactly.
    pub seed: String,
    /// The server.
    pub server: ServerFacts,
    /// The schema.
    pub schema: SchemaFacts,
    /// The seeded data.
    pub dataset: DatasetFacts,
    /// By id of the check.
    pub checks: BTreeMap<&'static str, Tally>,
    /// What the checks look for, by their ids.
    pub explained: BTreeMap<&'static str, Explained>,
    /// What was attacked, as whom and how, and what came of it.
    pub attacks: BTreeMap<Attacked, Tally>,
    /// In order of severity, check and object.
    pub findings: Vec<Finding>,
    /// In order of check and object.
    pub inconclusive: Vec<Inconclusive>,
    /// Things to say that fail nothing: a family of checks that is off, what could not be twinned.
    pub remarks: Vec<String>,
    /// How much of the queries was tried.
    pub coverage: Coverage,
    /// How the constraints were met when rows were made.
    pub satisfied: Vec<Satisfied>,
    /// Where the time went.
    pub timings: Timings,
    /// By object, the text of a query whose name says nothing of it.
    pub texts: BTreeMap<String, String>,
    /// By file, the text that findings are places in.
    pub sources: BTreeMap<String, String>,
    /// How to open the kept database: lines for a person.
    pub kept: Vec<String>,
    /// Weaknesses fail the run too.
    pub deny_weakness: bool,
    /// A setting that the run showed to be wrong: the run has failed, whatever it found.
    pub mistake: Option<Mistake>,
    /// The part of the run that this is of.
    pub shard: Option<Shard>,
    /// Why the harness could not do its work: of a run among several, of which the others have something to say.
    pub failure: Option<String>,
    /// What this was merged from: a run for each version, shard or report. They were merged from none.
    pub runs: Vec<Report>,
}

/// A setting that the run showed to be wrong: an `[[allow]]` that matched nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file and line.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Report {
    /// The major version of the server, as findings name it.
    #[must_use]
    pub fn major(&self) -> &str {
        self.server.version.split('.').next().unwrap_or_default()
    }

    /// Whether a finding of this report fails it.
    #[must_use]
    pub fn fails(&self, finding: &Finding) -> bool {
        !finding.accepted
            && match finding.severity {
                Severity::Leak => true,
                Severity::Weakness => self.deny_weakness,
                Severity::Note => false,
            }
    }

    /// The worst of what is not accepted.
    #[must_use]
    pub fn verdict(&self) -> RunVerdict {
        let failed = |report: &Self| report.failure.is_some();
        if failed(self) || self.runs.iter().any(failed) {
            RunVerdict::Failed
        } else if self.findings.iter().any(|finding| self.fails(finding)) {
            RunVerdict::Leaked
        } else if self.inconclusive.iter().any(|case| !case.accepted) {
            RunVerdict::Inconclusive
        } else {
            RunVerdict::Held
        }
    }
}
