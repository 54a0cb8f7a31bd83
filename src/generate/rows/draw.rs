//! Values that hold together, from the table's pool.

use super::cell::shift;
use super::{Draft, Maker};
use crate::generate::Part;

impl<'a> Maker<'a> {
    /// Gives the draft values of the table's pool: of those that agree with which of its references are there. The acting
    /// tenant's first rows have the first ones, so that all states are met.
    pub(super) fn draw(&self, draft: &mut Draft<'a>) -> Result<(), String> {
        let table = draft.table;
        let Some(pool) = self.ground.pools.of(&table.table.name) else {
            return Ok(());
        };
        let place = &draft.place;
        let start = if place.part == Part::Acting && draft.salt + draft.attempt == 0 {
            shift(self.genes.seed.number, place, "")
        } else {
            draft.dice(self.genes.seed.number, "pool").word()
        };
        let start = usize::try_from(start % (pool.tuples.len().max(1) as u64)).unwrap_or(0);
        let fixed = |name: &str| {
            let cell = draft.get(name).filter(|_| !table.is_free(name));
            cell.map(Option::is_none)
        };
        let Some(tuple) = pool.from(start, &fixed) else {
            return Err("no values were found for its CHECKs and these references".to_owned());
        };
        for (name, cell) in pool.columns.iter().zip(tuple) {
            if table.is_free(name) && draft.get(name).is_none() {
                draft.set(name, cell.clone());
            }
        }
        Ok(())
    }
}
