//! Worlds without their rows, which come and go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rows::{Owner, Row, State};
use crate::model::{Dataset, RelationName, Rows, Worlds};

/// Worlds without rows.
pub(super) struct Frame(Worlds);

impl Frame {
    /// Takes the rows out of worlds, in the order of the tables.
    pub(super) fn take(mut worlds: Worlds) -> (Self, State) {
        let mut state = State::new();
        let order = worlds.order.clone();
        for name in &order {
            let table = Arc::new(name.clone());
            let mut take = |owner: Owner, dataset: &mut Dataset| {
                let Some(rows) = dataset.remove(name) else {
                    return;
                };
                let columns = Arc::new(rows.columns);
                for (cells, number) in rows.rows.into_iter().zip(rows.numbers) {
                    let row = Row {
                        owner,
                        table: Arc::clone(&table),
                        columns: Arc::clone(&columns),
                        number,
                        cells,
                    };
                    state.insert(state.len(), Arc::new(row));
                }
            };
            take(Owner::Shared, &mut worlds.shared);
            take(Owner::Acting, &mut worlds.acting);
            for (kind, datasets) in &mut worlds.others {
                for (number, dataset) in datasets.iter_mut().enumerate() {
                    take(Owner::Other(*kind, number), dataset);
                }
            }
            for (number, dataset) in worlds.spares.iter_mut().enumerate() {
                take(Owner::Spare(number), dataset);
            }
        }
        (Self(worlds), state)
    }

    /// Worlds with these rows. Organisations keep their places: one without rows has an empty data set.
    pub(super) fn fill(&self, state: &State) -> Worlds {
        let mut worlds = self.0.clone();
        let mut datasets: BTreeMap<Owner, Dataset> = BTreeMap::new();
        for row in state.values() {
            let dataset = datasets.entry(row.owner).or_default();
            let rows = entry(dataset, &row.table, &row.columns);
            rows.rows.push(row.cells.clone());
            rows.numbers.push(row.number);
        }
        for (owner, dataset) in datasets {
            match owner {
                Owner::Shared => worlds.shared = dataset,
                Owner::Acting => worlds.acting = dataset,
                Owner::Other(kind, number) => {
                    if let Some(place) = worlds
                        .others
                        .get_mut(&kind)
                        .and_then(|all| all.get_mut(number))
                    {
                        *place = dataset;
                    }
                }
                Owner::Spare(number) => {
                    if let Some(place) = worlds.spares.get_mut(number) {
                        *place = dataset;
                    }
                }
            }
        }
        worlds
    }

    /// Every tenant's id.
    pub(super) fn tenants(&self) -> &[String] {
        &self.0.tenants
    }
}

fn entry<'d>(
    dataset: &'d mut Dataset,
    table: &RelationName,
    columns: &Arc<Vec<String>>,
) -> &'d mut Rows {
    dataset.entry(table.clone()).or_insert_with(|| Rows {
        columns: columns.to_vec(),
        rows: Vec::new(),
        numbers: Vec::new(),
    })
}
