//! One table's rows in bulk: what is known of them before one is made.

use sqlparser::ast::Expr;

use crate::generate::value::{Absence, Maker};
use crate::model::{Datum, Kind, RelationName};

/// A table of rows in bulk. Its rows have numbers from 0, the first tenant's first.
pub struct Sheet {
    /// The table.
    pub name: RelationName,
    /// The columns that are given.
    pub columns: Vec<String>,
    /// The columns of the primary key; empty where there is none.
    pub primary_key: Vec<String>,
    /// Columns that are NULL at first and set once all tables have rows, for keys in a circle.
    pub late: Vec<String>,
    /// Rows go in COPY's binary format.
    pub binary: bool,
    /// Rows that were asked for.
    pub asked: u64,
    /// Why there are fewer.
    pub fewer: Option<String>,
    /// Rows of each tenant.
    pub(super) each: u64,
    /// Tenants with rows here; 1 where the rows are nobody's.
    pub(super) tenants: u64,
    pub(super) seed: u64,
    pub(super) fields: Vec<Field>,
    pub(super) keys: Vec<Reference>,
    pub(super) checks: Vec<Check>,
    /// Positions of columns of which the first must be below the second.
    pub(super) ascending: Vec<(usize, usize)>,
    pub(super) distinct: Vec<Distinct>,
    /// Partitions, which the rows go to in turn; 1 where there are none.
    pub(super) partitions: u64,
    /// Rows that are there already, for keys to refer to: by position of the column in `columns`.
    pub(super) existing: Vec<Vec<Datum>>,
    /// Others refer to columns that a key of this table fills: its keys may not depend on what the server says.
    pub(super) settled: bool,
    /// Values that hold the CHECKs which can't be read.
    pub(super) pool: Option<Drawn>,
}

/// Values that hold together, by the positions of their columns.
pub(super) struct Drawn {
    pub(super) columns: Vec<usize>,
    /// Each as long as `columns`.
    pub(super) tuples: Vec<Vec<Datum>>,
}

impl Sheet {
    /// How many rows there shall be.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.each * self.tenants
    }

    /// A row of it may refer to one before it, which must be there when it comes.
    #[must_use]
    pub fn refers_to_itself(&self) -> bool {
        self.keys.iter().any(|key| key.own && !key.late)
    }

    /// The tenant's number and the row's number among the tenant's.
    pub(super) fn place(&self, row: u64) -> (u64, u64) {
        let each = self.each.max(1);
        (row / each, row % each)
    }

    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

/// A column.
pub(super) struct Field {
    pub(super) source: Source,
    pub(super) seed: u64,
    /// For each partition one, or one for all.
    pub(super) makers: Vec<Maker>,
    /// It carries a digit of this one of the unique keys.
    pub(super) carries: Option<usize>,
    /// When it is NULL; none where it never is.
    pub(super) absence: Option<Absence>,
    /// CHECKs leave nothing but NULL.
    pub(super) always_null: bool,
    /// Others refer to it, it makes rows differ or follows from the parent: what the server or a CHECK says does not
    /// change it.
    pub(super) settled: bool,
    /// What its values are, where that is known better than by their text.
    pub(super) kind: Option<Kind>,
}

/// Where a column's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It names the tenant.
    Tenant,
    /// One of the keys fills it: the parent's value.
    Key,
    /// It has values of its own.
    Free,
}

/// A foreign key.
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) target: RelationName,
    /// Positions of the own columns and of the target's, in pairs.
    pub(super) pairs: Vec<(usize, usize)>,
    /// Positions of the columns that are NULL where there is no reference; empty where there must be one.
    pub(super) nullable: Vec<usize>,
    pub(super) seed: u64,
    /// It carries a digit of this one of the unique keys.
    pub(super) carries: Option<usize>,
    /// The parent is in the own table.
    pub(super) own: bool,
    /// Positions of the own SIRET and of the target's SIREN that it begins with.
    pub(super) siret: Option<(usize, usize)>,
    /// It closes a circle, and is checked once all tables have rows.
    pub(super) deferred: bool,
    /// It closes a circle, and its nullable columns are set once all tables have rows.
    pub(super) late: bool,
}

/// A CHECK that can be read.
pub(super) struct Check {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// Positions of the columns that may be chosen again for it.
    pub(super) free: Vec<usize>,
}

/// How the rows differ in one unique key: the row's number, shuffled, is written in digits.
pub(super) struct Distinct {
    /// Numbers are counted within each tenant, not over all.
    pub(super) by_tenant: bool,
    /// What carries a digit, and how many values it has.
    pub(super) digits: Vec<(Slot, u64)>,
    /// All numbers that the digits give.
    pub(super) room: u64,
    pub(super) seed: u64,
    /// The key of a partial index: rows beyond the room may not hold its predicate.
    pub(super) predicate: Option<Check>,
}

/// What carries a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The column at this position.
    Field(usize),
    /// The key at this position: which parent.
    Key(usize),
}
