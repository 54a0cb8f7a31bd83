//! A row that a query would like to meet.

use std::collections::BTreeMap;

use super::RelationName;

/// What a column should hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// NULL.
    Null,
    /// Anything but NULL.
    Known,
    /// This value, as a query writes it.
    Is(String),
    /// What the first row of the table has: a parameter is bound to it.
    AsFirst,
}

/// A row that goes through one arm of a query's conditions and through no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// Its table.
    pub table: RelationName,
    /// What it holds, by column.
    pub wants: BTreeMap<String, Want>,
    /// Nothing refers to it: the query asks for what has no children.
    pub lonely: bool,
}

impl Want {
    /// Whether a cell is what is asked for; `first` is that of the table's first row.
    #[must_use]
    pub fn is_met(&self, cell: Option<&str>, first: Option<&str>) -> bool {
        match self {
            Self::Null => cell.is_none(),
            Self::Known => cell.is_some(),
            Self::Is(value) => cell.is_some_and(|cell| same(cell, value)),
            Self::AsFirst => cell.is_some() && cell == first,
        }
    }
}

/// Booleans are written in several ways.
fn same(a: &str, b: &str) -> bool {
    let plain = |text: &str| match text {
        "true" => "t".to_owned(),
        "false" => "f".to_owned(),
        other => other.to_owned(),
    };
    plain(a) == plain(b)
}
