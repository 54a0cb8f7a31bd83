//! How rows differ where they must: a bijection from a row's number to what carries it.

use std::collections::BTreeSet;

use super::sheet::{Distinct, Sheet, Slot, Source};
use super::{Bulk, prepare};
use crate::generate::dice::{hash, shuffled};
use crate::generate::plan::{CheckPlan, TablePlan, mentions};
use crate::generate::truth;
use crate::generate::value::Maker;
use crate::model::{Index, IndexKey};

/// Beyond so many values a column needs no help: it counts by itself, or is random without end.
const ENDLESS: u128 = 1 << 30;

/// Plans the digits of every unique key, and takes away the rows that the keys leave no room for.
pub(super) fn plan(sheet: &mut Sheet, table: &TablePlan<'_>, bulk: &Bulk) {
    let mut indexes: Vec<&Index> = table
        .table
        .indexes
        .iter()
        .filter(|index| index.unique || index.exclusion)
        .collect();
    // Whole ones first, then narrow ones: what holds for few columns holds for more.
    indexes.sort_by_key(|index| (index.predicate.is_some(), index.keys.len(), &index.name));
    let mut held: Vec<BTreeSet<usize>> = Vec::new();
    for index in indexes {
        let columns = columns(index, sheet);
        let is_held = held
            .iter()
            .any(|set| set.iter().all(|at| columns.contains(at)));
        if is_held || columns.is_empty() {
            continue;
        }
        let by_tenant = columns
            .iter()
            .any(|at| sheet.fields[*at].source == Source::Tenant);
        let Some(distinct) = digits(sheet, table, bulk, index, &columns, by_tenant) else {
            continue;
        };
        if index.predicate.is_none() {
            held.push(columns);
            cap(sheet, &distinct, index);
        }
        for (slot, _) in &distinct.digits {
            settle(sheet, *slot, index.nulls_not_distinct);
        }
        sheet.distinct.push(distinct);
    }
}

/// The columns of the key, also those in expressions.
fn columns(index: &Index, sheet: &Sheet) -> BTreeSet<usize> {
    let takes = |key: &IndexKey, column: &String| match key {
        IndexKey::Column(name) => name == column,
        IndexKey::Expression { text } => mentions(text, column),
    };
    let all = sheet.columns.iter().enumerate();
    all.filter(|(_, column)| index.keys.iter().any(|key| takes(key, column)))
        .map(|(at, _)| at)
        .collect()
}

/// The digits of a key: of one column that has room for all rows, else of all that have a known number of values.
/// `None` where the server must judge.
fn digits(
    sheet: &Sheet,
    table: &TablePlan<'_>,
    bulk: &Bulk,
    index: &Index,
    columns: &BTreeSet<usize>,
    by_tenant: bool,
) -> Option<Distinct> {
    let taken = |slot: Slot| {
        let mut all = sheet.distinct.iter().flat_map(|distinct| &distinct.digits);
        all.any(|(other, _)| *other == slot)
    };
    let all = if by_tenant { sheet.each } else { sheet.rows() };
    let mut slots: Vec<(Slot, u128)> = Vec::new();
    for at in columns {
        let field = &sheet.fields[*at];
        if field.source == Source::Free
            && let Some(room) = field.makers.iter().filter_map(Maker::room).min()
            && field.makers.len() == 1
        {
            slots.push((Slot::Field(*at), room));
        }
    }
    let mut by_tenant = by_tenant;
    let widest = slots
        .iter()
        .filter(|(slot, _)| !taken(*slot))
        .max_by_key(|(_, room)| *room);
    let chosen: Vec<(Slot, u128)> = match widest {
        Some((slot, room)) if *room >= u128::from(all) => vec![(*slot, *room)],
        _ => {
            for (at, key) in sheet.keys.iter().enumerate() {
                let fills = |(column, _): &(usize, usize)| {
                    columns.contains(column) && sheet.fields[*column].source == Source::Key
                };
                if key.pairs.iter().any(fills) && !key.own {
                    let parents = super::refer::parents(bulk, sheet, key, 0);
                    // A parent is its tenant's own, so rows of two tenants never meet.
                    by_tenant |= bulk
                        .sheet(&key.target)
                        .is_some_and(|target| target.tenants > 1);
                    slots.push((Slot::Key(at), u128::from(parents)));
                }
            }
            slots
        }
    };
    if chosen.is_empty() || chosen.iter().any(|(slot, _)| taken(*slot)) {
        return None;
    }
    let digits: Vec<(Slot, u64)> = chosen
        .into_iter()
        .map(|(slot, room)| (slot, u64::try_from(room.min(ENDLESS)).unwrap_or(1).max(1)))
        .collect();
    let mut room = digits
        .iter()
        .fold(1, |all: u64, (_, room)| all.saturating_mul(*room));
    let by_parent = digits.iter().any(|(slot, _)| matches!(slot, Slot::Key(_)));
    if index.predicate.is_some() && by_parent {
        // The other half of the rows lacks what the predicate asks for, and may choose its parents.
        room = room.min(all / 2).max(1);
    }
    Some(Distinct {
        by_tenant,
        digits,
        room,
        seed: hash(sheet.seed, &[&index.name]),
        predicate: predicate(sheet, table, index),
    })
}

/// The predicate of a partial index, where it can be read.
fn predicate(sheet: &Sheet, table: &TablePlan<'_>, index: &Index) -> Option<super::sheet::Check> {
    let text = index.predicate.as_ref()?;
    let columns = table.table.columns.iter().map(|column| column.name.clone());
    let check = CheckPlan {
        name: index.name.clone(),
        expr: truth::parse(text)?,
        columns: columns
            .filter(|name| text.contains(name.as_str()))
            .collect(),
    };
    Some(prepare::of_check(&check, &sheet.columns, &sheet.fields))
}

/// What carries a digit stays as it is, and is there.
fn settle(sheet: &mut Sheet, slot: Slot, nulls_are_equal: bool) {
    let number = sheet.distinct.len();
    match slot {
        Slot::Field(at) => {
            sheet.fields[at].carries = Some(number);
            sheet.fields[at].settled = true;
            if nulls_are_equal {
                sheet.fields[at].absence = None;
            }
        }
        Slot::Key(at) => sheet.keys[at].carries = Some(number),
    }
    let unsettled: Vec<bool> = sheet.fields.iter().map(|field| !field.settled).collect();
    for check in &mut sheet.checks {
        check.free.retain(|at| unsettled[*at]);
    }
}

/// No more rows than the key has numbers for.
fn cap(sheet: &mut Sheet, distinct: &Distinct, index: &Index) {
    let room = if distinct.by_tenant {
        distinct.room
    } else {
        distinct.room / sheet.tenants.max(1)
    };
    if room < sheet.each {
        sheet.each = room;
        sheet.fewer = Some(format!(
            "{} leaves {} rows",
            index.name,
            room * sheet.tenants
        ));
    }
}

impl Distinct {
    /// The number that a row's digits are written from; none where its numbers are used up.
    pub(super) fn number(&self, sheet: &Sheet, row: u64) -> Option<u64> {
        let number = if self.by_tenant {
            sheet.place(row).1
        } else {
            row
        };
        if number >= self.room {
            return None;
        }
        // What counts without end begins at its beginning; the rest is mixed.
        if u128::from(self.room) >= ENDLESS {
            return Some(number);
        }
        Some(shuffled(number, self.room, self.seed))
    }

    /// The digit of a row that a slot carries; none where the numbers are used up.
    pub(super) fn digit(&self, sheet: &Sheet, slot: Slot, row: u64) -> Option<u64> {
        let mut number = self.number(sheet, row)?;
        for (other, room) in &self.digits {
            if *other == slot {
                return Some(number % room);
            }
            number /= room;
        }
        None
    }
}
