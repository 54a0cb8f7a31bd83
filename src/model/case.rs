//! One attempt of a check on one object, as a script that can be run and repeated.

use super::{Finding, Severity, WorldKind};

/// Who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// The owner of the schema, with row-level security out of the way.
    Owner,
    /// The application's role.
    Application,
}

/// The tenant context that a session sets before its statements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// None is set: as the session begins.
    Unset,
    /// The statements of `[access]` with this text as `$1`.
    Tenant(String),
}

/// Which rows are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The seeded database, as `--keep` leaves it.
    Seeded,
    /// The seeded database with policies of the harness's own in place of the user's.
    Shadowed,
    /// A copy of the seeded database that is thrown away, where the attempt begins and ends transactions itself. Of the
    /// owner: what is committed stays. Of the application: a session for each attempt, which commits no rows.
    Thrown,
    /// As the last, of the application: the statements up to the first COMMIT are of another client, who stays connected.
    Beside {
        /// Who that is.
        first: Session,
        /// Both come through a pooler in transaction mode with one connection to the server.
        pooled: bool,
    },
    /// The acting tenant's rows and everyone else's as in this world, loaded in one of several physical orders.
    World {
        /// What everyone else's rows are like.
        kind: WorldKind,
        /// The order in which the acting tenant's rows were loaded: 0 is as generated.
        layout: usize,
    },
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Must work, or the case is inconclusive.
    Control,
    /// Must be refused.
    Attack,
    /// Is compared with others.
    Probe,
}

/// Statements that run in one transaction of their own (or a subtransaction) that is always rolled back.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What it is for.
    pub purpose: Purpose,
    /// A few words: "by INSERT".
    pub label: String,
    /// Who is logged in.
    pub session: Session,
    /// The tenant context.
    pub context: Context,
    /// Which rows are there.
    pub stage: Stage,
    /// The statements in order. They stop at the first that fails.
    pub statements: Vec<String>,
    /// A query over what must be the same after the statements as before them.
    pub witness: Option<String>,
}

/// One attempt of a check on one object.
#[derive(Clone, Debug)]
pub struct Case {
    /// The check's id.
    pub check: &'static str,
    /// The object's name.
    pub object: String,
    /// What the check needs to know again when it judges; its own business.
    pub subject: String,
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// A result set and what the server said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Rows in text form.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows returned or changed, as the command tag has it.
    pub affected: u64,
}

impl Output {
    /// Rows that are read of one statement: seeded databases have some hundred of a table, so that only what makes rows of
    /// nothing, or all pairs and triples, returns more.
    pub const MOST_ROWS: usize = 50_000;

    /// Rows were left out.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.rows.len() >= Self::MOST_ROWS && self.affected > self.rows.len() as u64
    }
}

/// The server's refusal of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Which statement of the attempt, from 0.
    pub statement: usize,
    /// The code of the error.
    pub sqlstate: String,
    /// The message, in English.
    pub message: String,
    /// Its detail.
    pub detail: Option<String>,
    /// The constraint that it names.
    pub constraint: Option<String>,
}

impl Refusal {
    /// The code of a statement that took longer than it may.
    pub const TIMED_OUT: &str = "57014";
    /// The harness's own, of a statement that returned more than [`Output::MOST_ROWS`].
    pub const TOO_MANY_ROWS: &str = "WT001";
    /// The harness's own, of an attempt that wants a pooler where there is none; the message says why.
    pub const NO_POOLER: &str = "WT002";
}

/// What came of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// One for each statement that worked.
    pub outputs: Vec<Output>,
    /// The statement that did not, if any.
    pub refusal: Option<Refusal>,
    /// What the witness said before the statements, and after them where all of them worked.
    pub witnessed: Option<Box<(Output, Output)>>,
}

impl Observation {
    /// Every statement worked.
    #[must_use]
    pub fn worked(&self) -> bool {
        self.refusal.is_none()
    }

    /// The first cell of a statement's first row.
    #[must_use]
    pub fn scalar(&self, statement: usize) -> Option<&str> {
        self.outputs
            .get(statement)?
            .rows
            .first()?
            .first()?
            .as_deref()
    }

    /// The number in the first cell of a statement's first row.
    #[must_use]
    pub fn number(&self, statement: usize) -> Option<u64> {
        self.scalar(statement)?.parse().ok()
    }

    /// The rows that a statement returned or changed; 0 where it did not run.
    #[must_use]
    pub fn affected(&self, statement: usize) -> u64 {
        self.outputs
            .get(statement)
            .map_or(0, |output| output.affected)
    }
}

/// The verdict of a case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The control worked and the attack did not; why.
    Held(String),
    /// The attack worked, or the catalog shows a defect.
    Leaked(Box<Defect>),
    /// It could not be judged; why, and what would settle it.
    Inconclusive(String),
    /// No control can exist; why.
    NotApplicable(String),
    /// It depends on what comes of this case, which is run and judged in its place.
    FollowUp(Box<Case>),
}

/// What a check says of a defect; the harness makes it a [`Finding`].
#[derive(Clone, Debug)]
pub struct Defect {
    /// The object to blame, where it is another than the case's: the policy of a table.
    pub object: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What was done and what came of it.
    pub message: String,
    /// SQL that shows it.
    pub sql: String,
    /// The server's code, where a refusal is part of the evidence.
    pub sqlstate: Option<String>,
    /// SQL or advice that mends it.
    pub fix: String,
}

impl Defect {
    /// The finding on this object; the harness fills in where it was made and on which versions it was seen.
    #[must_use]
    pub fn into_finding(self, check: &'static str, object: String) -> Finding {
        Finding {
            check,
            severity: self.severity,
            object: self.object.unwrap_or(object),
            message: self.message,
            sql: self.sql,
            sqlstate: self.sqlstate,
            place: None,
            fix: self.fix,
            accepted: false,
            acquitted: Vec::new(),
            versions: Vec::new(),
            difference: String::new(),
            counterexample: None,
        }
    }
}
