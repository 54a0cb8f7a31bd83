//! CHECKs that are asked of the server for values that stand in no row.

use super::Cell;

/// Columns, and the conditions that a row of values for them shall hold.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The columns, with their types as SQL has them.
    pub columns: Vec<(String, String)>,
    /// Columns that are computed from those, with their types and formulas.
    pub computed: Vec<(String, String, String)>,
    /// What must not be false.
    pub conditions: Vec<Condition>,
    /// What columns may be set to before they are judged: the column's position, and an expression over the others.
    pub settings: Vec<(usize, String)>,
}

/// An expression as Postgres prints it.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Over the columns; over `VALUE` where it is a domain's.
    pub expression: String,
    /// Of a domain's: the position of its column.
    pub value: Option<usize>,
}

/// A row of values, one for each column of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The values.
    pub cells: Vec<Cell>,
    /// Which of the question's settings is tried.
    pub setting: Option<usize>,
}

/// What the server says of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Of each condition, whether it holds.
    pub held: Vec<bool>,
    /// The values, with the setting.
    pub cells: Vec<Cell>,
}
