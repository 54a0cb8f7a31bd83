//! Catalog → worlds: realistic rows for several organisations that hold the schema's constraints.
//!
//! Generation is a pure function of the catalog and the [`Genes`]: every cell has a seed of its own, hashed from
//! the run's seed, the table, the tenant, the row and the column, so that adding a column leaves the other cells as
//! they were. What only the database can judge (a CHECK that calls a function, a trigger, an exclusion) comes back
//! through the harness as a new salt for the rows that it refused.

mod bulk;
mod clock;
mod dice;
mod hints;
mod mend;
mod order;
mod plan;
mod poison;
mod pool;
mod reach;
mod rows;
mod satisfied;
mod seed;
mod shrink;
mod strategy;
mod tenant;
mod trial;
mod truth;
mod unique;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use bulk::{Amount, Bulk, Sheet, Written};
pub use pool::Pools;
pub use seed::Seed;
pub use shrink::{Focus, WorldsTree};
pub use strategy::{WorldsStrategy, worlds};
pub use trial::{Trial, Trials};

use serde::{Deserialize, Serialize};

use crate::model::{
    Catalog, Cell, JsonPaths, RelationName, Satisfied, Tenancy, Wish, WorldKind, Worlds,
};

/// What generation stands on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// Rows that migrations left in tables that others refer to: column → value.
    pub existing: &'a BTreeMap<RelationName, Vec<BTreeMap<String, Cell>>>,
    /// Values that hold the CHECKs which can't be read.
    pub pools: &'a Pools,
}

/// Which of the worlds' rows a row is among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// Shared reference data.
    Shared,
    /// The acting tenant's.
    Acting,
    /// Everyone else's, with nothing in common.
    Different,
    /// Everyone else's, as twins.
    Twins,
    /// Valid and not loaded.
    Spare,
    /// Everyone else's, poisoned.
    Poisoned,
    /// Everyone else's, a hundred times as many.
    Many,
}

impl Part {
    /// Everyone else's rows in a world of this kind; there are none where nobody else is.
    #[must_use]
    pub fn of(kind: WorldKind) -> Option<Self> {
        match kind {
            WorldKind::Absent => None,
            WorldKind::Different => Some(Self::Different),
            WorldKind::Twins => Some(Self::Twins),
            WorldKind::Poisoned => Some(Self::Poisoned),
            WorldKind::Many => Some(Self::Many),
        }
    }
}

/// A row's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowKey {
    /// The table.
    pub table: RelationName,
    /// Which of the worlds' rows.
    pub part: Part,
    /// The tenant's number.
    pub tenant: usize,
    /// The row's number.
    pub row: usize,
}

/// Everything that the worlds follow from, in a form that is easily shrunk.
#[derive(Clone, Debug)]
pub struct Genes {
    /// The run's seed.
    pub seed: Seed,
    /// Tenants: at least two.
    pub organisations: usize,
    /// Rows per table and tenant: at least one.
    pub rows: usize,
    /// What everyone else's rows are like in the worlds that are made.
    pub kinds: BTreeSet<WorldKind>,
    /// Rows that queries would like to meet.
    pub wishes: BTreeSet<Wish>,
    /// What queries look at inside of JSON columns, by table and column.
    pub json: BTreeMap<(RelationName, String), JsonPaths>,
    /// Rows that the server refused, and how often: each time they are made anew.
    pub salts: BTreeMap<RowKey, u32>,
    /// Rows that the server refused too often.
    pub dropped: BTreeSet<RowKey>,
}

impl Genes {
    /// Genes that nothing was refused of yet, of worlds where the others are different and where they are twins.
    #[must_use]
    pub fn new(seed: Seed, organisations: usize, rows: usize) -> Self {
        Self {
            seed,
            organisations: organisations.max(2),
            rows: rows.max(1),
            kinds: BTreeSet::from([WorldKind::Different, WorldKind::Twins]),
            wishes: BTreeSet::new(),
            json: BTreeMap::new(),
            salts: BTreeMap::new(),
            dropped: BTreeSet::new(),
        }
    }
}

/// Makes worlds for one schema; what it reads off the catalog is read once.
pub struct Generator<'a> {
    ground: Ground<'a>,
    plan: plan::Plan<'a>,
}

impl<'a> Generator<'a> {
    /// Reads the catalog: the order of tables, what the CHECKs say, what must differ.
    #[must_use]
    pub fn new(ground: Ground<'a>) -> Self {
        Self {
            ground,
            plan: plan::Plan::new(ground.catalog, ground.tenancy),
        }
    }

    /// Makes the worlds that the genes stand for.
    #[must_use]
    pub fn decode(&self, genes: &Genes) -> Worlds {
        rows::decode(self.ground, &self.plan, genes)
    }

    /// How the constraints of the tables were met in worlds that the server has accepted, in order of the tables.
    #[must_use]
    pub fn satisfied(&self, worlds: &Worlds) -> Vec<Satisfied> {
        satisfied::satisfied(self.ground, &self.plan, worlds)
    }
}
