//! The row that is being made.

use crate::generate::RowKey;
use crate::generate::dice::{Dice, hash, mixed};
use crate::generate::plan::TablePlan;
use crate::model::Cell;

/// A row and where its references went.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// By position of the column in the plan.
    pub(super) cells: Vec<Cell>,
    /// By position of the key in the plan: the parent's number among the same tenant's rows.
    pub(super) parents: Vec<Option<usize>>,
}

/// The row that is being made.
pub(in crate::generate) struct Draft<'a> {
    pub(in crate::generate) place: RowKey,
    pub(super) salt: u32,
    pub(super) attempt: u32,
    /// How often values were chosen again for a CHECK.
    pub(super) again: u32,
    /// What may be NULL is so as often as not: something was refused before.
    pub(super) loose: bool,
    /// `None` where nothing was decided yet.
    pub(super) cells: Vec<Option<Cell>>,
    pub(super) parents: Vec<Option<usize>>,
    pub(in crate::generate) table: &'a TablePlan<'a>,
    /// The seed's reference instant.
    pub(in crate::generate) instant: i64,
}

impl Draft<'_> {
    fn position(&self, column: &str) -> Option<usize> {
        self.table
            .columns
            .iter()
            .position(|(candidate, _)| candidate.name == column)
    }

    pub(in crate::generate) fn get(&self, column: &str) -> Option<&Cell> {
        self.cells[self.position(column)?].as_ref()
    }

    pub(in crate::generate) fn set(&mut self, column: &str, cell: Cell) {
        if let Some(position) = self.position(column) {
            self.cells[position] = Some(cell);
        }
    }

    /// Takes back what a column of an optional key refers to. Returns whether it was one.
    pub(in crate::generate) fn release(&mut self, column: &str) -> bool {
        let Some(number) = self.table.optional_key(column) else {
            return false;
        };
        for column in &self.table.keys[number].nullable {
            self.set(column, None);
        }
        self.parents[number] = None;
        true
    }

    /// As if nothing was decided yet on a column.
    pub(super) fn forget(&mut self, column: &str) {
        if let Some(position) = self.position(column) {
            self.cells[position] = None;
        }
    }

    pub(super) fn dice(&self, seed: u64, what: &str) -> Dice {
        let place = &self.place;
        let numbers = [
            place.part as u64,
            place.tenant as u64,
            place.row as u64,
            u64::from(self.salt),
            u64::from(self.attempt + self.again * 1_000),
        ];
        let seed = numbers
            .iter()
            .fold(seed, |seed, number| mixed(seed, *number));
        Dice::new(hash(seed, &[&place.table.schema, &place.table.name, what]))
    }

    pub(super) fn finish(self) -> Made {
        Made {
            cells: self.cells.into_iter().map(Option::flatten).collect(),
            parents: self.parents,
        }
    }
}

/// Swaps two values where a CHECK wants them in the other order.
pub(super) fn order_pairs(draft: &mut Draft<'_>) {
    let table = draft.table;
    // Once for each pair: a chain of them needs as many passes.
    for (low, high) in table
        .ascending
        .iter()
        .cycle()
        .take(table.ascending.len().pow(2))
    {
        let kind = |name: &str| table.table.column(name).map(|column| column.type_oid);
        let free = |name: &String| {
            Some(name.as_str()) != table.tenant_column()
                && !table.keys.iter().any(|key| key.key.columns.contains(name))
        };
        if kind(low) == kind(high)
            && free(low)
            && free(high)
            && let (Some(Some(a)), Some(Some(b))) =
                (draft.get(low).cloned(), draft.get(high).cloned())
        {
            let above = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a > b,
                _ => a > b,
            };
            if above {
                draft.set(low, Some(b));
                draft.set(high, Some(a));
            }
        }
    }
}

pub(super) fn model_cell<'m>(
    table: &TablePlan<'_>,
    made: &'m Made,
    column: &str,
) -> Option<&'m Cell> {
    let position = table.columns.iter().position(|(c, _)| c.name == column)?;
    made.cells.get(position)
}
