//! Which row a key refers to: computed from the row's number, so that nothing is remembered.

use super::sheet::{Reference, Sheet, Slot, Source};
use super::{Bulk, row};
use crate::generate::dice::{Dice, mixed, shuffled};
use crate::generate::value;
use crate::model::Datum;

/// Parents are tried so often until one fits what other keys have set.
const TRIES: u64 = 12;

/// How many rows a key may refer to, as one tenant.
pub(super) fn parents(bulk: &Bulk, sheet: &Sheet, key: &Reference, row: u64) -> u64 {
    if key.own {
        // Those before it.
        return sheet.place(row).1;
    }
    match bulk.sheet(&key.target) {
        Some(target) => target.each + target.existing.len() as u64,
        // It closes a circle: as many as are asked for.
        None => bulk.amount.rows,
    }
}

impl Bulk {
    /// Sets the columns of the row's keys, or says which of them finds no parent. Keys that wait are left out, or are
    /// the only ones.
    pub(super) fn refer(
        &self,
        sheet: &Sheet,
        row: u64,
        salt: u32,
        late: bool,
        cells: &mut [Option<Datum>],
    ) -> Result<(), String> {
        let salt = if sheet.settled { 0 } else { salt };
        for (at, key) in sheet.keys.iter().enumerate() {
            if key.late != late {
                continue;
            }
            if !self.refer_by(sheet, at, key, row, salt, cells) {
                return Err(format!(
                    "no row of {} could be referred to by {}",
                    key.target, key.name
                ));
            }
        }
        Ok(())
    }

    /// One key. Returns whether it has its parent, or may do without.
    fn refer_by(
        &self,
        sheet: &Sheet,
        at: usize,
        key: &Reference,
        row: u64,
        salt: u32,
        cells: &mut [Option<Datum>],
    ) -> bool {
        let nothing = |cells: &mut [Option<Datum>]| {
            for column in &key.nullable {
                cells[*column].get_or_insert(Datum::Null);
            }
        };
        let mut dice = Dice::new(mixed(mixed(key.seed, row), salt.into()));
        let is_null = |column: &usize| cells[*column] == Some(Datum::Null);
        let digit = key
            .carries
            .and_then(|unique| sheet.distinct[unique].digit(sheet, Slot::Key(at), row));
        let (_, number) = sheet.place(row);
        let skip = number > 0 && dice.one_in(4) && digit.is_none();
        if !key.nullable.is_empty() && (skip || key.pairs.iter().any(|(own, _)| is_null(own))) {
            nothing(cells);
            return true;
        }
        let count = parents(self, sheet, key, row);
        if count == 0 && key.own && key.nullable.is_empty() {
            return self.refer_to_itself(sheet, key, row, cells);
        }
        for attempt in 0..TRIES {
            // Which parent, and which of its establishments. The first, 0, is for companies without a SIREN, whose
            // establishments have numbers of their own.
            let (parent, turn) = match digit {
                Some(digit) if attempt == 0 => (digit, Some(1)),
                None if attempt + u64::from(salt) == 0 && key.siret.is_some() && count > 0 => {
                    let parent = shuffled(number % count, count, key.seed);
                    (parent, Some(2 + number / count))
                }
                _ => (chosen(key, count, &mut dice), None),
            };
            if parent < count && self.set(sheet, key, row, parent, cells) {
                if key.siret.is_some() {
                    let turn = turn.unwrap_or_else(|| dice.word());
                    self.set_siret(sheet, key, row, (parent, turn), cells);
                }
                return true;
            }
        }
        nothing(cells);
        !key.nullable.is_empty()
    }

    /// Sets the key's columns to those of a parent, where it fits what is set already.
    fn set(
        &self,
        sheet: &Sheet,
        key: &Reference,
        row: u64,
        parent: u64,
        cells: &mut [Option<Datum>],
    ) -> bool {
        let Some(target) = self.sheet(&key.target).or(key.own.then_some(sheet)) else {
            return false;
        };
        let (tenant, _) = sheet.place(row);
        let mut found = Vec::with_capacity(key.pairs.len());
        for (own, theirs) in &key.pairs {
            let Some(value) = self.of_parent(target, *theirs, tenant, parent) else {
                return false;
            };
            let value = match sheet.fields[*own].kind {
                Some(kind) => kind.cast(value),
                None => value,
            };
            if cells[*own].as_ref().is_some_and(|cell| *cell != value) {
                return false;
            }
            found.push((*own, value));
        }
        for (own, value) in found {
            cells[own] = Some(value);
        }
        true
    }

    /// What a parent's column holds, where it is not NULL: of those that are made, else of those that were there.
    fn of_parent(&self, target: &Sheet, column: usize, tenant: u64, parent: u64) -> Option<Datum> {
        let value = if parent < target.each {
            let base = if target.tenants > 1 {
                tenant * target.each
            } else {
                0
            };
            self.cell(target, column, base + parent)
        } else {
            let left = usize::try_from(parent - target.each).unwrap_or(usize::MAX);
            target.existing.get(left).map(|row| row[column].clone())
        };
        value.filter(|value| !value.is_null())
    }

    /// Gives an establishment a SIRET of its company: the number in it follows from `turn`, which differs between the
    /// rows of one parent.
    fn set_siret(
        &self,
        sheet: &Sheet,
        key: &Reference,
        row: u64,
        (parent, turn): (u64, u64),
        cells: &mut [Option<Datum>],
    ) {
        let (Some((own, theirs)), Some(target)) = (key.siret, self.sheet(&key.target)) else {
            return;
        };
        let (tenant, _) = sheet.place(row);
        if let Some(Datum::Text(siren)) = self.of_parent(target, theirs, tenant, parent)
            && let Some(siret) = value::establishment(&siren, turn)
        {
            cells[own] = Some(Datum::Text(siret));
        }
    }

    /// The first row of a table whose rows must refer to one of it.
    fn refer_to_itself(
        &self,
        sheet: &Sheet,
        key: &Reference,
        row: u64,
        cells: &mut [Option<Datum>],
    ) -> bool {
        for (own, theirs) in &key.pairs {
            if own != theirs && cells[*own].is_none() {
                cells[*own] = self.cell(sheet, *theirs, row);
            }
        }
        key.pairs
            .iter()
            .all(|(own, theirs)| own == theirs || cells[*own].is_some())
    }

    /// What another row's column holds, which is settled: no refusal changes it.
    fn cell(&self, sheet: &Sheet, column: usize, row: u64) -> Option<Datum> {
        let field = sheet.fields.get(column)?;
        let (tenant, _) = sheet.place(row);
        match field.source {
            Source::Tenant => self.tenants.get(usize::try_from(tenant).ok()?).cloned(),
            Source::Free => Some(row::made(self, sheet, column, row, 0, 0)),
            Source::Key => {
                let mut cells = vec![None; sheet.fields.len()];
                row::set_tenant(self, sheet, row, &mut cells);
                self.refer(sheet, row, 0, false, &mut cells).ok()?;
                cells.swap_remove(column)
            }
        }
    }
}

/// A parent by number: a few have many children, most have few.
fn chosen(key: &Reference, count: u64, dice: &mut Dice) -> u64 {
    if count == 0 {
        return 0;
    }
    let share = dice.word() >> 32;
    let squared = (share * share) >> 32;
    let cubed = (squared * share) >> 32;
    let number = u64::try_from((u128::from(cubed) * u128::from(count)) >> 32).unwrap_or(0);
    if key.own {
        // The first rows have most of the others below them.
        return number;
    }
    shuffled(number, count, key.seed)
}
