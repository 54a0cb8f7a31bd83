//! Which row a key refers to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::cell::shift;
use super::{Draft, Made, Maker};
use crate::generate::Part;
use crate::generate::dice::{Dice, hash};
use crate::generate::plan::{KeyPlan, TablePlan};
use crate::model::{Cell, RelationName};

/// So many rows go to their parents in turn: every state of a parent meets a child, whatever the seed. Of the rows that
/// follow, some parents have many and most have few, as in real data.
const IN_TURN: usize = 24;

impl<'a> Maker<'a> {
    /// Chooses a parent for a key, or none where that is allowed.
    pub(super) fn refer(
        &self,
        draft: &mut Draft<'a>,
        number: usize,
        key: &KeyPlan<'a>,
    ) -> Result<(), String> {
        let known_null = key
            .key
            .columns
            .iter()
            .any(|column| draft.get(column) == Some(&None));
        let must = key.nullable.iter().any(|column| {
            draft
                .table
                .columns
                .iter()
                .any(|(c, profile)| c.name == *column && profile.hints.not_null)
        });
        let mut dice = draft.dice(self.genes.seed.number, &key.key.name);
        let nothing = |draft: &mut Draft<'a>| {
            for column in &key.nullable {
                if draft.get(column).is_none() {
                    draft.set(column, None);
                }
            }
        };
        let skip = if draft.loose {
            // Of columns that exclude each other every one has its turn.
            let turn = draft.place.row + usize::try_from(draft.attempt / 16).unwrap_or(0);
            let optional = || {
                draft
                    .table
                    .keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| !key.nullable.is_empty())
            };
            let kept = optional().nth(turn % optional().count().max(1));
            kept.is_none_or(|(kept, _)| kept != number) && (draft.attempt == 1 || dice.one_in(2))
        } else {
            // The second row refers and the third does not, for certain: what follows the reference meets one, and what
            // looks for `… IS NULL`.
            let row = draft.place.row;
            let bare = row == 2 || (row > 1 && dice.one_in(4));
            bare && draft.place.part != Part::Spare
        };
        if !key.nullable.is_empty() && (known_null || (skip && !must)) {
            nothing(draft);
            return Ok(());
        }
        let parents = self.parents(draft, key);
        let tried = usize::try_from(draft.attempt).unwrap_or(0);
        // One row of a table is referred to by none, as long as there are others: it can be deleted. So are those that a
        // query wishes for without such children.
        if tried == 0
            && let Some(parent) = self.expecting(draft, key)
            && self.refer_to(draft, number, key, parent)
        {
            return Ok(());
        }
        let open = parents.open(draft, number, tried < parents.len());
        // What the server refused may be refused for its parent.
        let start = if tried == 0 && draft.salt == 0 && draft.place.part != Part::Spare {
            self.turn(draft, key, open.count)
        } else {
            dice.below(open.count) + tried
        };
        if parents.give_any(draft, number, key, &open, start) {
            return Ok(());
        }
        if !key.nullable.is_empty() {
            nothing(draft);
            return Ok(());
        }
        if key.key.target == draft.place.table {
            // The first row of a table that must refer to itself: see `refer_to_itself`.
            return Ok(());
        }
        Err(format!(
            "no row of {} could be referred to by {}",
            key.key.target, key.key.name
        ))
    }

    /// Lets a row refer to something by this column of an optional key. Returns whether there was something.
    pub(super) fn refer_after_all(&self, draft: &mut Draft<'a>, column: &str) -> bool {
        let Some(number) = draft.table.optional_key(column) else {
            return false;
        };
        let key = &draft.table.keys[number];
        for column in &key.nullable {
            draft.forget(column);
        }
        let parents = self.parents(draft, key);
        let open = parents.open(draft, number, true);
        let mut dice = draft.dice(self.genes.seed.number, &key.key.name);
        let start = dice.below(open.count.max(1));
        let found = parents.give_any(draft, number, key, &open, start);
        if !found {
            draft.release(column);
        }
        found
    }

    /// Which of so many parents a row refers to at first: all have their turn, so that each state of a parent meets a
    /// child; but not in the order of the rows, or equal states would always meet.
    fn turn(&self, draft: &Draft<'a>, key: &KeyPlan<'a>, parents: usize) -> usize {
        // The greatest step within two thirds that comes to every parent.
        let step = (1..=parents * 2 / 3)
            .rev()
            .find(|step| common_divisor(*step, parents) == 1)
            .unwrap_or(1);
        let turn = shift(self.genes.seed.number, &draft.place, &key.key.name);
        if draft.place.row >= IN_TURN && !is_one_to_one(draft, key) {
            let mut dice = draft.dice(self.genes.seed.number, &key.key.name);
            return long_tailed(&mut dice, parents);
        }
        let first = hash(0, &[&key.key.name]);
        let row = usize::try_from(turn % (parents.max(1) as u64)).unwrap_or(0);
        let first = usize::try_from(first % (parents.max(1) as u64)).unwrap_or(0);
        first + row * step
    }

    /// Refers to the parent of this number among the same tenant's rows. Returns whether it is there and fits.
    pub(super) fn refer_to(
        &self,
        draft: &mut Draft<'a>,
        number: usize,
        key: &KeyPlan<'a>,
        parent: usize,
    ) -> bool {
        let parents = self.parents(draft, key);
        let first = Some(first(draft, number)).filter(|first| *first < parents.len());
        let is_open = parent >= first.unwrap_or(0);
        !parents.shared && is_open && parents.give(draft, number, key, parent)
    }

    /// The SIREN of the company that the row refers to.
    pub(super) fn siren_of_parent(&self, draft: &Draft<'a>) -> Option<String> {
        let keys = draft.table.keys.iter().zip(&draft.parents);
        keys.into_iter().find_map(|(key, parent)| {
            let position = self.plan.tables.get(&key.key.target)?.siren?;
            let parents = self.parents(draft, key);
            parents.made.get((*parent)?)?.as_ref()?.cells[position].clone()
        })
    }

    /// A table whose rows are nobody's.
    pub(super) fn is_shared(&self, table: &RelationName) -> bool {
        let table = self.plan.tables.get(table);
        table.is_some_and(TablePlan::is_shared)
    }

    /// The rows that a key may refer to: the same tenant's, or shared ones.
    fn parents<'m>(&'m self, draft: &Draft<'a>, key: &'m KeyPlan<'a>) -> Parents<'m> {
        let target = &key.key.target;
        let Some(table) = self.plan.tables.get(target) else {
            return Parents::default();
        };
        let shared = self.is_shared(target);
        let (part, tenant) = match draft.place.part {
            _ if shared => (Part::Shared, 0),
            Part::Spare if draft.place.tenant == 0 => (Part::Acting, 0),
            Part::Spare => (Part::Different, draft.place.tenant),
            part => (part, draft.place.tenant),
        };
        let existing = self.ground.existing.get(target).filter(|_| shared);
        let made = self.rows(part, tenant, table.number);
        let existing = existing.map_or(&[][..], Vec::as_slice);
        let count = made.len() + existing.len();
        let bare = match part {
            Part::Acting => self.bare(table.number, count),
            _ => count.checked_sub(1).into_iter().collect(),
        };
        Parents {
            bare,
            made,
            existing,
            shared,
            positions: key.targets.as_slice(),
        }
    }
}

/// Rows that a key may refer to: those that were made, and those that migrations left.
#[derive(Default)]
struct Parents<'m> {
    made: &'m [Option<Rc<Made>>],
    existing: &'m [BTreeMap<String, Cell>],
    /// Those that nothing may refer to, in their order.
    bare: Vec<usize>,
    /// They are everybody's: they have no number among the tenant's rows.
    shared: bool,
    /// Of the columns that are referred to, in the plan of their table; `None` for what is computed.
    positions: &'m [Option<usize>],
}

impl Parents<'_> {
    fn len(&self) -> usize {
        self.made.len() + self.existing.len()
    }

    /// Those that have their turn: without the bare ones, where these are to be spared and there are others. What is joined
    /// to another row of its table stands after that, as long as there is one.
    fn open(&self, draft: &Draft<'_>, number: usize, sparing: bool) -> Open {
        let all = self.len();
        let mut open = Open::without(0..all, if sparing { &self.bare } else { &[] });
        if open.count == 0 {
            open = Open::without(0..all, &[]);
        }
        let first = first(draft, number);
        if first >= all {
            return open;
        }
        let mut after = Open::without(first..all, &open.spared);
        if after.count == 0 {
            return Open::without(first..all, &[]);
        }
        // Each of those that come behind leaves one to the next.
        let keys = draft.table.keys.iter();
        let behind = keys.filter(|key| key.beyond.contains(&number)).count();
        after.count = after.count.saturating_sub(behind).max(1);
        after
    }

    /// Lets the draft refer to one of these, the `start`th before the others. Returns whether one fits.
    fn give_any(
        &self,
        draft: &mut Draft<'_>,
        number: usize,
        key: &KeyPlan<'_>,
        open: &Open,
        start: usize,
    ) -> bool {
        (0..open.count).any(|step| {
            let parent = open.parent((start + step) % open.count);
            self.give(draft, number, key, parent)
        })
    }

    /// Lets the draft refer to the parent of this number. Returns whether the parent is there and fits what was decided
    /// before.
    fn give(&self, draft: &mut Draft<'_>, number: usize, key: &KeyPlan<'_>, parent: usize) -> bool {
        let made = self.made.get(parent);
        if made.is_some_and(Option::is_none) {
            return false;
        }
        let existing = self.existing.get(parent.wrapping_sub(self.made.len()));
        let value = |place: usize| -> Option<&Cell> {
            match made {
                Some(made) => made.as_ref()?.cells.get(self.positions[place]?),
                None => existing?.get(&key.key.target_columns[place]),
            }
        };
        let fits = key.key.columns.iter().enumerate().all(|(place, column)| {
            value(place).is_some_and(|value| {
                value.is_some() && draft.get(column).is_none_or(|cell| cell == value)
            })
        });
        if fits {
            for (place, column) in key.key.columns.iter().enumerate() {
                draft.set(column, value(place).cloned().flatten());
            }
            draft.parents[number] = (!self.shared).then_some(parent);
        }
        fits
    }
}

/// Parents that a key may refer to: of a range, the first so many that are not spared.
struct Open {
    rows: Range<usize>,
    /// In their order.
    spared: Vec<usize>,
    count: usize,
}

impl Open {
    fn without(rows: Range<usize>, spared: &[usize]) -> Self {
        let spared = spared.iter().copied().filter(|row| rows.contains(row));
        let spared: Vec<usize> = spared.collect();
        Self {
            count: rows.len() - spared.len(),
            rows,
            spared,
        }
    }

    /// The parent's number of the `at`th of them.
    fn parent(&self, at: usize) -> usize {
        let row = self.rows.start + at;
        // Each that is spared before it moves it on by one.
        self.spared
            .iter()
            .fold(row, |row, spared| row + usize::from(*spared <= row))
    }
}

/// The first parent that a key may refer to: after those of the keys that it comes behind.
fn first(draft: &Draft<'_>, number: usize) -> usize {
    let before = draft.table.keys[number].beyond.iter();
    let last = before.filter_map(|key| draft.parents[*key]).max();
    last.map_or(0, |parent| parent + 1)
}

/// A column of a reference to the own table that must be there and found no row: it will name the row itself.
pub(super) fn waits_for_itself(draft: &Draft<'_>, column: &str) -> bool {
    draft
        .table
        .keys
        .iter()
        .zip(&draft.parents)
        .any(|(key, parent)| {
            key.key.target == draft.place.table
                && key.nullable.is_empty()
                && parent.is_none()
                && key
                    .key
                    .pairs()
                    .any(|(own, target)| own == column && target != column)
                && !key.key.target_columns.iter().any(|name| name == column)
        })
}

/// A reference to the own table that found no row before this one refers to the row itself.
pub(super) fn refer_to_itself(draft: &mut Draft<'_>) {
    let table = draft.table;
    for key in &table.keys {
        if key.key.target == draft.place.table {
            for (column, target) in key.key.pairs() {
                if draft.get(column).is_none_or(Option::is_none)
                    && key.nullable.is_empty()
                    && let Some(own) = draft.get(target).cloned()
                {
                    draft.set(column, own);
                }
            }
        }
    }
}

/// No two rows of a tenant may refer to the same parent.
fn is_one_to_one(draft: &Draft<'_>, key: &KeyPlan<'_>) -> bool {
    let of_key = |column: &&str| key.key.columns.iter().any(|own| own == column);
    let uniques = &draft.table.uniques;
    uniques
        .iter()
        .any(|unique| unique.columns.iter().all(of_key))
}

/// One of so many, the first ones far more often: two thirds of all choices fall on an eighth.
fn long_tailed(dice: &mut Dice, parents: usize) -> usize {
    let mut choice = parents;
    for _ in 0..3 {
        choice = dice.below(choice.max(1)) + 1;
    }
    choice - 1
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
