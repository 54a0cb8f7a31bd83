//! Keys that close a circle.

use std::rc::Rc;

use super::{Draft, Maker};
use crate::generate::plan::TablePlan;
use crate::generate::{Part, RowKey};

impl<'a> Maker<'a> {
    /// Sets the keys that close a circle, now that every table has rows.
    pub(super) fn close_circles(&mut self, table: &'a TablePlan<'a>, part: Part, tenant: usize) {
        let late: Vec<usize> = (0..table.keys.len())
            .filter(|n| table.keys[*n].late)
            .collect();
        if late.is_empty() {
            return;
        }
        let name = &table.table.name;
        let Some(rows) = self.made.remove(&(part, tenant, table.number)) else {
            return;
        };
        let closed = rows
            .into_iter()
            .enumerate()
            .map(|(row, made)| {
                let made = Rc::unwrap_or_clone(made?);
                let place = RowKey {
                    table: name.clone(),
                    part,
                    tenant,
                    row,
                };
                let salt = self.genes.salts.get(&place).copied().unwrap_or(0);
                let waiting: Vec<bool> = table
                    .columns
                    .iter()
                    .map(|(column, _)| {
                        table.is_late(&column.name)
                            && Some(column.name.as_str()) != table.tenant_column()
                    })
                    .collect();
                let mut draft = Draft {
                    place,
                    salt,
                    attempt: 0,
                    again: 0,
                    loose: salt % 2 == 1,
                    cells: made
                        .cells
                        .into_iter()
                        .zip(waiting)
                        .map(|(cell, waits)| {
                            if waits && cell.is_none() {
                                None
                            } else {
                                Some(cell)
                            }
                        })
                        .collect(),
                    parents: made.parents,
                    table,
                    instant: self.genes.seed.instant,
                };
                for number in &late {
                    // Where there must be one, the one of the same number: each is referred to once.
                    let key = &table.keys[*number];
                    if key.nullable.is_empty() && self.refer_to(&mut draft, *number, key, row) {
                        continue;
                    }
                    // A row that finds no parent keeps NULL; where that is not allowed, the server will say so.
                    let _ = self.refer(&mut draft, *number, &table.keys[*number]);
                }
                Some(Rc::new(draft.finish()))
            })
            .collect();
        self.made.insert((part, tenant, table.number), closed);
    }
}
