//! One row in bulk.

use super::Bulk;
use super::check;
use super::sheet::{Field, Sheet, Slot, Source};
use crate::generate::dice::{Dice, mixed};
use crate::generate::value::{Absence, Cell};
use crate::model::Datum;

impl Bulk {
    /// Makes a row; `salt` is how often the server refused it, and leaves what is settled as it is.
    ///
    /// # Errors
    /// Why there can be none: a key finds no parent, or no values hold a CHECK.
    pub(super) fn row(&self, sheet: &Sheet, row: u64, salt: u32) -> Result<Vec<Datum>, String> {
        let mut cells: Vec<Option<Datum>> = vec![None; sheet.fields.len()];
        set_tenant(self, sheet, row, &mut cells);
        self.refer(sheet, row, salt, false, &mut cells)?;
        draw(sheet, row, salt, &mut cells);
        let mut row_cells = Vec::with_capacity(cells.len());
        for (column, cell) in cells.into_iter().enumerate() {
            row_cells.push(match (cell, sheet.fields[column].source) {
                (Some(cell), _) => cell,
                (None, Source::Free) => made(self, sheet, column, row, salt, 0),
                // It waits for a parent that is made later.
                (None, _) => Datum::Null,
            });
        }
        check::order(sheet, &mut row_cells);
        check::hold(self, sheet, row, salt, &mut row_cells)?;
        Ok(row_cells)
    }

    /// The primary key and the columns of keys that close a circle; `None` where they stay NULL.
    pub(super) fn late_row(&self, sheet: &Sheet, row: u64) -> Option<Vec<Datum>> {
        let mut cells: Vec<Option<Datum>> = vec![None; sheet.fields.len()];
        set_tenant(self, sheet, row, &mut cells);
        self.refer(sheet, row, 0, false, &mut cells).ok()?;
        self.refer(sheet, row, 0, true, &mut cells).ok()?;
        let columns = sheet.primary_key.iter().chain(&sheet.late);
        let mut found = Vec::new();
        for name in columns {
            let column = sheet.position(name)?;
            found.push(match cells[column].take() {
                Some(cell) => cell,
                None if sheet.fields[column].source == Source::Free => {
                    made(self, sheet, column, row, 0, 0)
                }
                None => Datum::Null,
            });
        }
        let late = &found[sheet.primary_key.len()..];
        (!late.iter().all(Datum::is_null)).then_some(found)
    }
}

/// Gives the row values of the table's pool: of those that agree with which of its references are there. What is settled
/// keeps its own value; the server judges whether they go together.
fn draw(sheet: &Sheet, row: u64, salt: u32, cells: &mut [Option<Datum>]) {
    let Some(pool) = &sheet.pool else {
        return;
    };
    let is_free = |at: usize| sheet.fields[at].source == Source::Free;
    let fits = |tuple: &&Vec<Datum>| {
        let mut pairs = pool.columns.iter().zip(*tuple);
        pairs.all(|(at, cell)| {
            let own = cells[*at].as_ref().filter(|_| !is_free(*at));
            own.is_none_or(|own| own.is_null() == cell.is_null())
        })
    };
    let mut dice = Dice::new(mixed(mixed(sheet.seed, row), u64::from(salt) + 7));
    let start = dice.below(pool.tuples.len());
    let (behind, ahead) = pool.tuples.split_at(start);
    let Some(tuple) = ahead.iter().chain(behind).find(fits) else {
        return;
    };
    let found: Vec<(usize, Datum)> = pool.columns.iter().copied().zip(tuple.clone()).collect();
    for (at, cell) in found {
        if is_free(at) && !sheet.fields[at].settled {
            cells[at] = Some(cell);
        }
    }
}

pub(super) fn set_tenant(bulk: &Bulk, sheet: &Sheet, row: u64, cells: &mut [Option<Datum>]) {
    let (tenant, _) = sheet.place(row);
    let id = usize::try_from(tenant)
        .ok()
        .and_then(|at| bulk.tenants.get(at));
    for (cell, field) in cells.iter_mut().zip(&sheet.fields) {
        if field.source == Source::Tenant {
            *cell = id.cloned();
        }
    }
}

/// A value of its own for a column. It is made anew by `salt` (the server refused the row) and `again` (a CHECK did),
/// unless it is settled.
pub(super) fn made(
    bulk: &Bulk,
    sheet: &Sheet,
    column: usize,
    row: u64,
    salt: u32,
    again: u32,
) -> Datum {
    let field = &sheet.fields[column];
    if field.always_null {
        return Datum::Null;
    }
    let (salt, again) = if field.settled { (0, 0) } else { (salt, again) };
    let (tenant, number) = sheet.place(row);
    let seed = mixed(field.seed, row);
    let mut dice = Dice::new(if salt + again > 0 {
        mixed(seed, u64::from(salt) << 32 | u64::from(again))
    } else {
        seed
    });
    let digit = field
        .carries
        .and_then(|unique| sheet.distinct[unique].digit(sheet, Slot::Field(column), row));
    if digit.is_none() && is_absent(field, number, again + salt, &mut dice) {
        return Datum::Null;
    }
    let partition = usize::try_from(number % sheet.partitions).unwrap_or(0);
    let maker = field.makers.get(partition).or(field.makers.first());
    let cell = Cell {
        instant: bulk.amount.seed.instant,
        ordinal: digit.unwrap_or(row),
        counted: digit.is_some(),
        canary: None,
        turn: number.wrapping_add(field.seed.wrapping_mul(tenant + 1) % 1_000),
        salt: salt + again / 8,
        row: mixed(sheet.seed, row),
    };
    maker.map_or(Datum::Null, |maker| maker.make(&cell, &mut dice))
}

/// The first row has no gaps, but for what marks it as gone.
fn is_absent(field: &Field, number: u64, again: u32, dice: &mut Dice) -> bool {
    match field.absence {
        None => false,
        Some(_) if again > 0 => dice.one_in(2),
        Some(Absence::Gone) => number == 0 || !dice.one_in(4),
        Some(Absence::Event) => number > 0 && dice.one_in(2),
        Some(Absence::Gap) => number > 0 && dice.one_in(8),
    }
}
