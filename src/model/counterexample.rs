//! The smallest worlds that were found to show a defect.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Case, Cell, Dataset, Worlds};

/// The smallest pair of worlds that was found to show a defect.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The rows: the acting tenant's, the shared ones, and everyone else's in the one world that shows it. What is
    /// theirs is there in one world of the pair and not in the other.
    pub worlds: Worlds,
    /// What was run in them.
    pub case: Case,
    /// The values that it binds.
    pub values: Vec<Cell>,
    /// How often it was run to find them.
    pub executions: usize,
}

/// How long smaller worlds are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkLimits {
    /// Executions for one finding.
    pub executions: usize,
    /// The time for one finding.
    pub each: Duration,
    /// The time for all findings of a run.
    pub all: Duration,
}

impl Default for ShrinkLimits {
    fn default() -> Self {
        Self {
            executions: 300,
            each: Duration::from_secs(2),
            all: Duration::from_secs(10),
        }
    }
}

impl Worlds {
    /// Whose rows these are and how many of which table, for people: "organisation 1: 1 row of crm.people". Everyone
    /// else's rows are those of all kinds of worlds.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = vec![
            ("shared".to_owned(), &self.shared),
            ("organisation 1".to_owned(), &self.acting),
        ];
        for datasets in self.others.values() {
            for (number, dataset) in datasets.iter().enumerate() {
                parts.push((format!("organisation {}", number + 2), dataset));
            }
        }
        let described: Vec<String> = parts
            .into_iter()
            .filter_map(|(whose, dataset)| Some(format!("{whose}: {}", counted(dataset)?)))
            .collect();
        described.join("; ")
    }
}

/// How many rows of which table; `None` where there are none.
fn counted(dataset: &Dataset) -> Option<String> {
    let mut text = String::new();
    for (table, rows) in dataset.iter().filter(|(_, rows)| !rows.rows.is_empty()) {
        let separator = if text.is_empty() { "" } else { ", " };
        let plural = if rows.rows.len() == 1 { "row" } else { "rows" };
        let _ = write!(text, "{separator}{} {plural} of {table}", rows.rows.len());
    }
    (!text.is_empty()).then_some(text)
}
