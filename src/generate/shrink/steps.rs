//! What is tried, in which order: large cuts first, each list of changes in ever smaller chunks.

use std::collections::{BTreeMap, BTreeSet};

use super::WorldsTree;
use super::rows::{Owner, Row};
use super::simple::{self, Rename};
use crate::model::RelationName;

/// One thing that may be made smaller or simpler.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Rows go.
    Drop(Vec<usize>),
    /// What refers to one row refers to another, and the row goes.
    Merge { from: usize, into: usize },
    /// A cell becomes NULL.
    Null(usize, String),
    /// A value becomes a simpler one.
    Rename(Rename),
}

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Begin,
    Spares,
    Focus,
    Kinds,
    Organisations,
    OthersTables,
    CommonTables,
    OthersRows,
    CommonRows,
    Merges,
    /// The rows that are left once more: what references held is free now.
    Rest,
    Nulls,
    Values,
}

const STAGES: [Stage; 13] = [
    Stage::Begin,
    Stage::Spares,
    Stage::Focus,
    Stage::Kinds,
    Stage::Organisations,
    Stage::OthersTables,
    Stage::CommonTables,
    Stage::OthersRows,
    Stage::CommonRows,
    Stage::Merges,
    Stage::Rest,
    Stage::Nulls,
    Stage::Values,
];

/// A list of changes that is gone through in chunks, each half as large as those before.
#[derive(Debug)]
pub(super) struct Phase {
    stage: Stage,
    changes: Vec<Change>,
    chunk: usize,
    at: usize,
    /// Something was accepted in this pass: another may find more.
    again: bool,
}

impl Phase {
    /// Before the first stage.
    pub(super) fn first() -> Self {
        Self::new(Stage::Begin, Vec::new(), 1)
    }

    fn new(stage: Stage, changes: Vec<Change>, chunk: usize) -> Self {
        Self {
            stage,
            changes,
            chunk: chunk.max(1),
            at: 0,
            again: false,
        }
    }

    pub(super) fn next_stage(&self) -> Option<Stage> {
        let at = STAGES.iter().position(|stage| *stage == self.stage)?;
        STAGES.get(at + 1).copied()
    }

    /// Nothing is left to try; moves on to smaller chunks until then.
    pub(super) fn is_over(&mut self) -> bool {
        while self.at >= self.changes.len() {
            if self.changes.is_empty() || (self.chunk == 1 && !self.again) {
                return true;
            }
            if self.chunk == 1 {
                self.again = false;
            }
            self.chunk = self.chunk.div_ceil(2).min(self.changes.len());
            self.at = 0;
        }
        false
    }

    /// The changes to try next: there are some unless it is over.
    pub(super) fn chunk(&self) -> &[Change] {
        let end = (self.at + self.chunk).min(self.changes.len());
        &self.changes[self.at..end]
    }

    /// These changes are made.
    pub(super) fn accept(&mut self, size: usize) {
        self.again = true;
        self.forget(size);
    }

    /// These changes come to nothing.
    pub(super) fn forget(&mut self, size: usize) {
        self.changes.drain(self.at..self.at + size);
    }

    /// The failure needs one of these.
    pub(super) fn skip(&mut self) {
        self.at += self.chunk;
    }
}

impl WorldsTree<'_> {
    /// What can be tried in a stage.
    pub(super) fn begin(&self, stage: Stage) -> Phase {
        let changes = match stage {
            Stage::Begin => Vec::new(),
            Stage::Spares => self.drops(|row| matches!(row.owner, Owner::Spare(_)), |_| ()),
            Stage::Focus => self.unfocused(),
            Stage::Kinds => self.drops(
                |row| row.owner.is_else(),
                |row| match row.owner {
                    Owner::Other(kind, _) => Some(kind),
                    _ => None,
                },
            ),
            Stage::Organisations => self.drops(
                |row| row.owner.is_else(),
                |row| match row.owner {
                    Owner::Other(_, number) => Some(number),
                    _ => None,
                },
            ),
            Stage::OthersTables => self.tables(true),
            Stage::CommonTables => self.tables(false),
            Stage::OthersRows => self.singles(|row| row.owner.is_else()),
            Stage::CommonRows => self.singles(|row| !row.owner.is_else()),
            Stage::Merges => self.merges(),
            Stage::Rest => self.singles(|_| true),
            Stage::Nulls => self.nulls(),
            Stage::Values => simple::renames(self)
                .into_iter()
                .map(Change::Rename)
                .collect(),
        };
        let chunk = match stage {
            // All at once: most can go.
            Stage::Nulls | Stage::Values => changes.len(),
            Stage::Focus | Stage::Kinds | Stage::Merges | Stage::Rest => 1,
            _ => changes.len() / 2,
        };
        Phase::new(stage, changes, chunk)
    }

    /// Rows in groups, those that others refer to last.
    fn drops<G: Ord>(
        &self,
        which: impl Fn(&Row) -> bool,
        group: impl Fn(&Row) -> G,
    ) -> Vec<Change> {
        let mut groups: BTreeMap<G, Vec<usize>> = BTreeMap::new();
        for (id, row) in &self.best {
            if which(row) {
                groups.entry(group(row)).or_default().push(*id);
            }
        }
        groups.into_values().rev().map(Change::Drop).collect()
    }

    fn tables(&self, of_others: bool) -> Vec<Change> {
        let order: BTreeMap<_, usize> = self
            .best
            .iter()
            .map(|(id, row)| (row.table.as_ref(), *id))
            .collect();
        self.drops(
            |row| row.owner.is_else() == of_others,
            |row| order[row.table.as_ref()],
        )
    }

    fn singles(&self, which: impl Fn(&Row) -> bool) -> Vec<Change> {
        let rows = self.best.iter().rev().filter(|(_, row)| which(row));
        rows.map(|(id, _)| Change::Drop(vec![*id])).collect()
    }

    /// The rows of tables that the failure is not about, as far as that is known: but for what must be there for the
    /// others, or else but for all that these refer to.
    fn unfocused(&self) -> Vec<Change> {
        if self.focus.tables.is_empty() {
            return Vec::new();
        }
        let catalog = self.generator.ground.catalog;
        let must = |name: &RelationName, key: usize| {
            let table = catalog.tables.get(name);
            let key = table.and_then(|table| Some((table, table.foreign_keys.get(key)?)));
            key.is_none_or(|(table, key)| {
                let mut columns = key.columns.iter();
                !columns.any(|column| self.may_be_null(table, column))
            })
        };
        let beyond = |kept: &BTreeSet<RelationName>| {
            let rows = self
                .best
                .iter()
                .filter(|(_, row)| !kept.contains(row.table.as_ref()));
            Change::Drop(rows.map(|(id, _)| *id).collect())
        };
        let tables = &self.focus.tables;
        vec![
            beyond(&self.links.closure(&self.best, tables, must)),
            beyond(&self.links.closure(&self.best, tables, |_, _| true)),
        ]
    }

    /// References that could meet in one row: two rows that stand for themselves become one.
    fn merges(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for (id, row) in self.best.iter().rev() {
            let sibling = self.best.iter().find(|(other, candidate)| {
                *other != id && candidate.owner == row.owner && candidate.table == row.table
            });
            if let Some((into, _)) = sibling
                && !self.links.children(*id).is_empty()
            {
                found.push(Change::Merge {
                    from: *id,
                    into: *into,
                });
            }
        }
        found
    }

    fn nulls(&self) -> Vec<Change> {
        let catalog = self.generator.ground.catalog;
        let mut found = Vec::new();
        for (id, row) in self.best.iter().rev() {
            let Some(table) = catalog.tables.get(row.table.as_ref()) else {
                continue;
            };
            for (column, cell) in row.columns.iter().zip(&row.cells) {
                if cell.is_some() && self.may_be_null(table, column) {
                    found.push(Change::Null(*id, column.clone()));
                }
            }
        }
        found
    }
}
