//! Keys that close a circle.

use std::rc::Rc;

use super::{Draft, Maker};
use crate::generate::plan::{KeyPlan, TablePlan};
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
        // They stay where they are meanwhile: a ring is closed among themselves.
        let Some(rows) = self.made.get(&(part, tenant, table.number)).cloned() else {
            return;
        };
        let count = rows.len();
        let ring = ring_columns(table);
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
                for column in &ring {
                    draft.forget(column);
                }
                for number in &late {
                    // Where there must be one, the one of the same number: each is referred to once. Of the own table it is
                    // the next one.
                    let key = &table.keys[*number];
                    let same = if key.key.target == *name {
                        (row + 1) % count
                    } else {
                        row
                    };
                    if key.nullable.is_empty() && self.refer_to(&mut draft, *number, key, same) {
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

/// The columns of keys of a ring in the own table that no other key shares: a CHECK that compares them had a value chosen, which
/// names no row.
fn ring_columns<'a>(table: &TablePlan<'a>) -> Vec<&'a str> {
    let own = |key: &&KeyPlan<'a>| key.late && key.key.target == table.table.name;
    let columns = table.keys.iter().filter(own).flat_map(|key| {
        let columns = key.key.columns.iter().map(String::as_str);
        columns.filter(|column| Some(*column) != table.tenant_column())
    });
    let naming = |column: &str| {
        let keys = table.table.foreign_keys.iter();
        keys.filter(|key| key.columns.iter().any(|name| name == column))
            .count()
    };
    columns.filter(|column| naming(column) == 1).collect()
}
