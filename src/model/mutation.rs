//! What came of mutants, as data; `report` renders it.

use super::{Mistake, ServerFacts, Severity};

/// How a defect was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// By a finding of this severity.
    Finding(Severity),
    /// By a refusal to run at all, which names the defect.
    Refusal,
    /// By a case that could not be judged any more: the run is not green.
    Inconclusive,
}

impl Notice {
    /// The word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Finding(severity) => severity.word(),
            Self::Refusal => "refusal",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The checks noticed it.
    Killed(Notice),
    /// Nothing noticed it, and no row can cross by it: why.
    Equivalent(String),
    /// Nothing noticed it.
    Survived,
    /// It could not be made: what the server said.
    Unmade(String),
    /// The harness could not do its work with it: why. What would have noticed it is not known.
    Failed(String),
}

/// How well a defect was named, for one that a finding noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// All findings blame one object, and that is what was changed.
    pub object: bool,
    /// And they name the file and line where it was made.
    pub place: bool,
    /// The first finding's fix, applied to the mutant, silenced it, and what held before holds again; `None` where that
    /// was not tried.
    pub mended: Option<bool>,
    /// Why it did not.
    pub why_not: String,
}

/// A mutant and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What was done: the word for it.
    pub operator: &'static str,
    /// To what.
    pub object: String,
    /// Which of several.
    pub detail: String,
    /// What became of it.
    pub fate: Fate,
    /// What noticed it: check and object.
    pub noticed: Vec<(String, String)>,
    /// How well it was named, where findings noticed it.
    pub named: Option<Named>,
    /// How long it took, in milliseconds; nothing of queries, which are tried together.
    pub took_ms: u64,
}

impl Tried {
    /// Whether it is of a query, and not of the schema or a role.
    #[must_use]
    pub fn is_of_query(&self) -> bool {
        self.operator.starts_with("query-")
    }
}

/// A mutant that is said to be equivalent: `[[equivalent]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivalent {
    /// A glob over what was done.
    pub mutant: String,
    /// A glob over the object's name.
    pub object: String,
    /// A glob over which of several.
    pub detail: String,
    /// Why no row can cross by it.
    pub reason: String,
    /// Where it stands: file and line.
    pub place: String,
}

/// What came of all mutants.
#[derive(Clone, Debug, Default)]
pub struct Mutation {
    /// The seed that repeats the run.
    pub seed: String,
    /// The server that was used.
    pub server: ServerFacts,
    /// The mutants in their order.
    pub tried: Vec<Tried>,
    /// What was left out, a line each.
    pub remarks: Vec<String>,
    /// An `[[equivalent]]` that no mutant needed in a full run.
    pub mistake: Option<Mistake>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Mutation {
    /// How many came to an end that fits.
    #[must_use]
    pub fn count(&self, fits: impl Fn(&Fate) -> bool) -> usize {
        self.tried.iter().filter(|one| fits(&one.fate)).count()
    }

    /// Those that were made.
    #[must_use]
    pub fn made(&self) -> usize {
        self.count(|fate| !matches!(fate, Fate::Unmade(_)))
    }

    /// Those that were noticed.
    #[must_use]
    pub fn killed(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Killed(_)))
    }

    /// Those by which no row can cross.
    #[must_use]
    pub fn equivalent(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Equivalent(_)))
    }

    /// Those that were not noticed.
    #[must_use]
    pub fn survived(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Survived))
    }

    /// Those that kept the harness from its work.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Failed(_)))
    }

    /// All that are not equivalent were noticed, and there were some.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.survived() == 0 && self.failed() == 0 && self.killed() > 0
    }
}
