//! Rows one by one, each with whose it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Cell, RelationName, WorldKind};

/// Whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    Shared,
    Acting,
    /// Everyone else's in a world, by position among them.
    Other(WorldKind, usize),
    /// Not loaded; by position.
    Spare(usize),
}

impl Owner {
    /// Whose rows it may refer to: its own first.
    pub(super) fn reaches(self) -> Vec<Self> {
        match self {
            Self::Shared => vec![Self::Shared],
            Self::Acting => vec![self, Self::Shared],
            Self::Other(..) => vec![self, Self::Shared, Self::Acting],
            Self::Spare(0) => vec![self, Self::Acting, Self::Shared],
            Self::Spare(number) => vec![
                self,
                Self::Other(WorldKind::Different, number - 1),
                Self::Shared,
            ],
        }
    }

    /// Whether rows of the two are ever there together.
    pub(super) fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Other(a, _), Self::Other(b, _)) => a == b,
            _ => true,
        }
    }

    pub(super) fn is_else(self) -> bool {
        matches!(self, Self::Other(..))
    }
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) owner: Owner,
    pub(super) table: Arc<RelationName>,
    pub(super) columns: Arc<Vec<String>>,
    /// The generator's number.
    pub(super) number: usize,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The value of a column; `None` for NULL and for what is not given.
    pub(super) fn value(&self, column: &str) -> Option<&str> {
        self.cells[self.position(column)?].as_deref()
    }

    /// The values of columns; `None` where one is NULL.
    pub(super) fn tuple(&self, columns: &[String]) -> Option<Vec<&str>> {
        columns.iter().map(|column| self.value(column)).collect()
    }
}

/// All rows, by number, parents first. Rows are shared between candidates.
pub(super) type State = BTreeMap<usize, Arc<Row>>;
