//! How constraints were met when rows were made.

/// How the generated rows came to hold a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Means {
    /// It was read, and the rows were made to hold it.
    Parsed,
    /// It can't be read: values were tried on the server until it took them.
    Tried,
    /// The settings have values for its columns.
    Sampled,
    /// No row was found that holds it.
    Unmet,
}

impl Means {
    /// The word for it in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Tried => "tried on the server",
            Self::Sampled => "sampled from the settings",
            Self::Unmet => "not met",
        }
    }
}

/// A constraint and how it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Satisfied {
    /// `schema.table.constraint`, or `schema.table.column` where the constraint is that of the column's domain.
    pub object: String,
    /// The constraint, as Postgres prints it.
    pub constraint: String,
    /// How it was met.
    pub means: Means,
}
