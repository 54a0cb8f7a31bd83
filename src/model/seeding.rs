//! A world as SQL, and the order in which its rows are loaded.

use std::borrow::Cow;

use super::{Catalog, Cell, Dataset, Rows, Table, WorldKind, Worlds};
use super::{insert, literal, quoted};

/// Data sets in the order in which they are loaded.
pub type Loaded<'w> = Vec<Cow<'w, Dataset>>;

impl Worlds {
    /// The rows of a world in the order in which they are loaded: the shared ones first, then the acting tenant's in one
    /// of several physical orders, then everyone else's.
    #[must_use]
    pub fn loaded(&self, kind: WorldKind, layout: usize) -> Loaded<'_> {
        let mut datasets = vec![Cow::Borrowed(&self.shared)];
        let acting = Cow::Owned(permuted(&self.acting, layout));
        let others = self.others(kind).into_iter().map(Cow::Borrowed);
        if others_first(kind, layout) {
            datasets.extend(others.rev());
            datasets.push(acting);
        } else {
            datasets.push(acting);
            datasets.extend(others);
        }
        datasets
    }

    /// The statements that load a world: for a few rows. What is wrong with a constraint that waits shows at the end.
    #[must_use]
    pub fn script(&self, catalog: &Catalog, kind: WorldKind, layout: usize) -> Vec<String> {
        let mut list = Vec::new();
        let mut waits = false;
        for dataset in self.loaded(kind, layout) {
            let (mut updates, mut pending, mut around) = (Vec::new(), Vec::new(), None);
            for name in &self.order {
                let rows = dataset.get(name).filter(|rows| !rows.rows.is_empty());
                let (Some(rows), Some(table)) = (rows, catalog.tables.get(name)) else {
                    continue;
                };
                waits |= table.foreign_keys.iter().any(|key| key.deferrable);
                let late = late_columns(self.late.get(name), table);
                let insert = insert_given(table, rows, &late);
                let circle = self.circles.iter().position(|circle| circle.contains(name));
                if circle.is_none() || circle != around {
                    list.extend(together(&pending));
                    pending.clear();
                }
                around = circle;
                pending.push(insert);
                updates.extend(
                    (0..rows.rows.len())
                        .filter_map(|number| late_update(table, rows, number, &late)),
                );
            }
            list.extend(together(&pending));
            list.append(&mut updates);
        }
        if waits {
            list.insert(0, "SET CONSTRAINTS ALL DEFERRED".to_owned());
            list.push("SET CONSTRAINTS ALL IMMEDIATE".to_owned());
        }
        list
    }
}

/// Whether everyone else's rows are loaded before the acting tenant's: of rows that tie or that no order is asked of, a
/// LIMIT takes the ones that it meets first, and which these are depends on the plan. The other layouts have them behind.
#[must_use]
pub fn others_first(kind: WorldKind, layout: usize) -> bool {
    layout == 0 && matches!(kind, WorldKind::Different | WorldKind::Twins)
}

/// What the planner is kept from in one layout of the acting tenant's rows alone: an order that another plan would change is
/// then seen to vary by itself. Empty where it plans as it likes.
#[must_use]
pub fn planner(kind: WorldKind, layout: usize) -> &'static str {
    if (kind, layout) == (WorldKind::Absent, 2) {
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
         SET LOCAL enable_hashjoin = off; SET LOCAL enable_hashagg = off"
    } else {
        ""
    }
}

/// INSERTs as one statement, at the end of which the keys between their tables are checked.
#[must_use]
pub fn together(inserts: &[String]) -> Option<String> {
    let (last, others) = inserts.split_last()?;
    if others.is_empty() {
        return Some(last.clone());
    }
    let named: Vec<String> = others
        .iter()
        .enumerate()
        .map(|(number, insert)| format!("w{number} AS ({insert})"))
        .collect();
    Some(format!("WITH {} {last}", named.join(", ")))
}

/// An INSERT of rows, without the columns that are NULL in all of them anyway.
fn insert_given(table: &Table, rows: &Rows, late: &[&str]) -> String {
    let all: Vec<Vec<Cell>> = rows
        .rows
        .iter()
        .map(|row| without(row, &rows.columns, late))
        .collect();
    let is_given = |position: &usize| {
        let by_itself = table
            .column(&rows.columns[*position])
            .is_none_or(|column| column.default.is_some() || column.identity || column.not_null);
        by_itself || all.iter().any(|row| row[*position].is_some())
    };
    let mut given: Vec<usize> = (0..rows.columns.len()).filter(is_given).collect();
    if given.is_empty() {
        given = (0..rows.columns.len()).collect();
    }
    let columns: Vec<String> = given.iter().map(|at| rows.columns[*at].clone()).collect();
    let cells: Vec<Vec<Cell>> = all
        .iter()
        .map(|row| given.iter().map(|at| row[*at].clone()).collect())
        .collect();
    insert(&table.name, &columns, &cells)
}

/// The same rows in another order: as generated, backwards, and from the middle outwards.
#[must_use]
pub fn permuted(dataset: &Dataset, layout: usize) -> Dataset {
    let reorder = |rows: &Rows| {
        let mut order: Vec<usize> = (0..rows.rows.len()).collect();
        match layout % 3 {
            1 => order.reverse(),
            2 => {
                let middle = order.len() / 2;
                order.rotate_left(middle);
                order.get_mut(..middle).unwrap_or_default().reverse();
            }
            _ => {}
        }
        Rows {
            columns: rows.columns.clone(),
            rows: order.iter().map(|i| rows.rows[*i].clone()).collect(),
            numbers: order.iter().map(|i| rows.numbers[*i]).collect(),
        }
    };
    dataset
        .iter()
        .map(|(name, rows)| (name.clone(), reorder(rows)))
        .collect()
}

/// A row with the columns that are set later as NULL.
#[must_use]
pub fn without(row: &[Cell], columns: &[String], late: &[&str]) -> Vec<Cell> {
    row.iter()
        .zip(columns)
        .map(|(cell, column)| {
            if late.contains(&column.as_str()) {
                None
            } else {
                cell.clone()
            }
        })
        .collect()
}

/// The columns of these keys that are NULL at first and set in a second pass.
#[must_use]
pub fn late_columns<'t>(keys: Option<&Vec<String>>, table: &'t Table) -> Vec<&'t str> {
    keys.into_iter()
        .flatten()
        .filter_map(|key| table.foreign_key(key))
        .flat_map(|key| key.columns.iter())
        .filter(|name| table.column(name).is_some_and(|column| !column.not_null))
        .map(String::as_str)
        .collect()
}

/// The UPDATE that sets a row's columns of keys that close a circle; `None` where they stay NULL.
#[must_use]
pub fn late_update(table: &Table, rows: &Rows, number: usize, late: &[&str]) -> Option<String> {
    let pair = |column: &&str| {
        let value = rows.cell(number, column)?.as_ref()?;
        Some(format!("{} = {}", quoted(column), literal(value)))
    };
    let set: Vec<String> = late.iter().filter_map(pair).collect();
    // Without a primary key the row is found by all that it was loaded with.
    let key = table.primary_key();
    let found: Vec<String> = if key.is_empty() {
        let columns = rows.columns.iter().map(String::as_str);
        columns
            .filter(|column| !late.contains(column))
            .filter_map(|column| pair(&column))
            .collect()
    } else {
        key.iter().filter_map(pair).collect()
    };
    (!set.is_empty()).then(|| {
        format!(
            "UPDATE {} SET {} WHERE {}",
            table.name.quoted(),
            set.join(", "),
            found.join(" AND ")
        )
    })
}
