//! A row that a query would like to meet.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Above, or after, all that the acting tenant has.
    Above,
    /// Below, or before, all that the acting tenant has.
    Below,
    /// What another column holds, which the query compares it with.
    Meets(RelationName, String),
}

/// Whose row is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The acting tenant's: it goes through one arm of a query's conditions and through no other.
    Acting,
    /// Another tenant's: it is what the acting tenant's row lacks. What [`Want::Meets`] names has no match of its own.
    Others,
}

/// A row that goes through one arm of a query's conditions and through no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// Its table.
    pub table: RelationName,
    /// Whose it is.
    pub whose: Whose,
    /// What it holds, by column.
    pub wants: BTreeMap<String, Want>,
    /// Tables of which no row refers to it: the query asks for what has no such children.
    pub without: BTreeSet<RelationName>,
}

impl Wish {
    /// Whether a row that grants this one grants the other as well.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let says = |(column, want): (&String, &Want)| match self.wants.get(column) {
            Some(own) => own == want || (*want == Want::Known && *own != Want::Null),
            None => false,
        };
        self.table == other.table
            && self.whose == other.whose
            && self.without.is_superset(&other.without)
            && other.wants.iter().all(says)
    }
}

impl Want {
    /// Whether a cell is what is asked for; `first` is that of the table's first row. What depends on other rows is
    /// met by none.
    #[must_use]
    pub fn is_met(&self, cell: Option<&str>, first: Option<&str>) -> bool {
        match self {
            Self::Null => cell.is_none(),
            Self::Known => cell.is_some(),
            Self::Is(value) => cell.is_some_and(|cell| same(cell, value)),
            Self::AsFirst => cell.is_some() && cell == first,
            Self::Above | Self::Below | Self::Meets(..) => false,
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
