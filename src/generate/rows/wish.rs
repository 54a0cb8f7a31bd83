//! Rows that queries would like to meet and that the acting tenant lacks, or that others have and it lacks.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::draft::{Made, model_cell};
use super::{Draft, Maker};
use crate::generate::plan::{KeyPlan, TablePlan};
use crate::generate::value::Profile;
use crate::generate::{Part, reach};
use crate::model::{Catalog, Cell, Class, RelationName, TypeKind, Want, Whose, Wish};

/// More rows of a table for what queries ask for, at most: for arms of conditions,
const MOST: usize = 4;

/// for what agrees with another table's row,
const MEETING: usize = 3;

/// for what has no children,
const BARE: usize = 3;

/// and for what others have.
const OTHERS: usize = 8;

/// Of what the acting tenant's rows lack, so much is in other hands.
const LACKED: usize = 4;

/// A row that is refused so often, or made in vain, is made without what was asked for.
const SALTS: u32 = 3;
const ATTEMPTS: u32 = 8;

/// A row in other hands that the acting tenant's row lacks.
pub(super) struct Lacked<'a> {
    wish: &'a Wish,
    /// What the acting tenant has in the column that is compared, and not in this one.
    mate: (&'a String, Mate),
}

enum Mate {
    /// The row of this number, by this key.
    Parent(usize, usize),
    Value(String),
}

impl<'a> Maker<'a> {
    /// The wishes that none of the rows made so far grants: those whose rows nothing may refer to come last.
    pub(super) fn unmet(&self, table: &TablePlan<'a>) -> Vec<&'a Wish> {
        if !is_open(table) {
            return Vec::new();
        }
        let rows = self.rows(Part::Acting, 0, table.number);
        let first = rows.first().and_then(Option::as_ref);
        let met = |wish: &Wish| {
            let is_it = |made: &Made| {
                wish.wants.iter().all(|(column, want)| {
                    let own = model_cell(table, made, column);
                    let first = first.and_then(|first| model_cell(table, first, column));
                    !self.grants(table, column, want)
                        || own.is_some_and(|own| self.is_met(want, own, first))
                })
            };
            // Nothing refers to the last one.
            let skipped = if wish.without.is_empty() {
                0
            } else {
                rows.len().saturating_sub(1)
            };
            // What one table refers to and another does not is among none of those.
            !wish.wants.is_empty() && rows.iter().skip(skipped).flatten().any(|made| is_it(made))
        };
        let unmet = || self.wishes(table, Whose::Acting).filter(|wish| !met(wish));
        let is_bare = |wish: &&Wish| !wish.without.is_empty() && !meets(wish);
        let plain = |wish: &&Wish| wish.without.is_empty() && !meets(wish);
        let mut found = most(unmet().filter(plain), MOST);
        // What was not made yet will meet this one.
        let there = |wish: &&Wish| {
            let mut wants = wish.wants.values();
            meets(wish)
                && wants.all(|want| match want {
                    Want::Meets(other, of) => !self.held(other, of).is_empty(),
                    _ => true,
                })
        };
        found.extend(most(unmet().filter(there), MEETING));
        found.extend(most(unmet().filter(is_bare), BARE));
        found
    }

    fn wishes(&self, table: &TablePlan<'a>, whose: Whose) -> impl Iterator<Item = &'a Wish> {
        let name = &table.table.name;
        let wishes = self.genes.wishes.iter();
        wishes.filter(move |wish| wish.table == *name && wish.whose == whose)
    }

    /// What the row that is being made should grant.
    pub(super) fn wish(&self, draft: &Draft<'a>) -> Option<&'a Wish> {
        let place = &draft.place;
        if place.part != Part::Acting || draft.salt >= SALTS || draft.attempt >= ATTEMPTS {
            return None;
        }
        let (first, wishes) = self.wished.get(&draft.table.number)?;
        wishes.get(place.row.checked_sub(*first)?).copied()
    }

    /// Whether no row may refer to the acting tenant's row of this number: the last one that is not wished for can be
    /// deleted, and what has no children is asked for.
    pub(super) fn is_bare(&self, table: usize, row: usize) -> bool {
        let Some((first, wishes)) = self.wished.get(&table) else {
            return false;
        };
        match row.checked_sub(*first) {
            Some(number) => !wishes[number].without.is_empty(),
            None => row + 1 == *first,
        }
    }

    /// The acting tenant's rows that no row may refer to, of so many, in their order.
    pub(super) fn bare(&self, table: usize, count: usize) -> Vec<usize> {
        let Some((first, wishes)) = self.wished.get(&table) else {
            return Vec::new();
        };
        let all = first.saturating_sub(1)..(first + wishes.len()).min(count);
        all.filter(|row| self.is_bare(table, *row)).collect()
    }

    /// The acting tenant's row that one of this table's last rows is to be the child of, by a key: one that is to have no
    /// children of other tables, one that agrees with another table's, and one that two tables' references are compared by.
    pub(super) fn expecting(&self, draft: &Draft<'a>, key: &KeyPlan<'a>) -> Option<usize> {
        let place = &draft.place;
        let rows = self.genes.rows.max(draft.table.states);
        let target = self.plan.tables.get(&key.key.target)?;
        let (first, wishes) = self.wished.get(&target.number)?;
        let is_bare = |wish: &&&Wish| {
            !wish.without.is_empty() && !wish.without.contains(&draft.table.table.name)
        };
        let place_of = |is_it: &dyn Fn(&&&Wish) -> bool| {
            let mut all = wishes.iter().enumerate();
            all.find(|(_, wish)| is_it(wish)).map(|(number, _)| number)
        };
        let number = match rows.checked_sub(place.row) {
            _ if place.part != Part::Acting => None,
            Some(1) => place_of(&|wish| is_bare(wish) && !wish.wants.is_empty()),
            Some(2) => place_of(&|wish| meets(wish)),
            Some(3) => place_of(&|wish| is_bare(wish) && wish.wants.is_empty()),
            _ => None,
        };
        Some(first + number?)
    }

    /// Sets what is asked for, before anything else is decided.
    pub(super) fn grant(&self, draft: &mut Draft<'a>, wish: &Wish) {
        let table = draft.table;
        let first = self
            .rows(Part::Acting, 0, table.number)
            .first()
            .cloned()
            .flatten();
        for (column, want) in &wish.wants {
            let Some(position) = table.columns.iter().position(|(c, _)| c.name == *column) else {
                continue;
            };
            if !self.grants(table, column, want) || draft.cells[position].is_some() {
                continue;
            }
            if let Some(number) = key_of(table, column).filter(|_| *want != Want::Null) {
                let parent = first.as_ref().and_then(|first| first.parents[number]);
                self.refer_to(draft, number, &table.keys[number], parent.unwrap_or(0));
                continue;
            }
            let (of, profile) = &table.columns[position];
            let cells = || {
                let rows = self.rows(Part::Acting, 0, table.number).iter();
                rows.flatten().map(|made| &made.cells[position])
            };
            draft.cells[position] = match want {
                Want::Null => Some(None),
                Want::Is(text) => self.value(profile, text).map(Some),
                Want::AsFirst => first.as_ref().map(|first| first.cells[position].clone()),
                Want::Above | Want::Below => {
                    let far = reach::far(self.ground.catalog, of, *want == Want::Below, cells());
                    far.map(Some)
                }
                // In other hands what is known is known; the acting tenant's is chosen with the rest.
                Want::Known if wish.whose == Whose::Others => {
                    cells().find(|cell| cell.is_some()).cloned()
                }
                Want::Meets(other, of) if wish.whose == Whose::Acting => self
                    .met_by(&table.table.name, column, (other, of))
                    .map(Some),
                Want::Known | Want::Meets(..) => None,
            };
        }
    }

    /// The rows that others have for what the acting tenant's rows lack.
    pub(super) fn lacked(&self, table: &TablePlan<'a>) -> Vec<Lacked<'a>> {
        if !is_open(table) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for wish in most(self.wishes(table, Whose::Others), OTHERS) {
            for (column, want) in &wish.wants {
                let Want::Meets(other, of) = want else {
                    continue;
                };
                let further = wish.wants.iter().filter(|(name, _)| *name != column);
                let says = further
                    .filter(|(name, want)| self.grants(table, name, want))
                    .count();
                // What has no children is in other hands without a wish.
                let known = says == 0 && key_of(table, column).is_some();
                if known || !self.grants(table, column, want) {
                    continue;
                }
                let own = self.held(&table.table.name, column);
                let mut lacking = self.held(other, of);
                // What has no children by a wish comes last.
                lacking.reverse();
                let mut seen = BTreeSet::new();
                lacking.retain(|value| !own.contains(value) && seen.insert(*value));
                let mates = lacking
                    .into_iter()
                    .filter_map(|value| match key_of(table, column) {
                        Some(key) => self.parent(table, key, column, value),
                        None => Some(Mate::Value(value.clone())),
                    });
                let mates = mates.take(LACKED).map(|mate| Lacked {
                    wish,
                    mate: (column, mate),
                });
                found.extend(mates);
            }
        }
        found
    }

    /// Makes a twin what the acting tenant's row lacks.
    pub(super) fn lack(&self, draft: &mut Draft<'a>, lacked: &Lacked<'a>) {
        let table = draft.table;
        match &lacked.mate {
            (_, Mate::Parent(key, parent)) => {
                self.refer_to(draft, *key, &table.keys[*key], *parent);
            }
            (column, Mate::Value(value)) => draft.set(column, Some(value.clone())),
        }
        self.grant(draft, lacked.wish);
    }

    /// The acting tenant's row that a key refers to where its column holds a value.
    fn parent(
        &self,
        table: &TablePlan<'a>,
        number: usize,
        column: &str,
        value: &str,
    ) -> Option<Mate> {
        let key = table.keys[number].key;
        let (_, target) = key.pairs().find(|(own, _)| *own == column)?;
        let plan = self.plan.tables.get(&key.target)?;
        let rows = self.rows(Part::Acting, 0, plan.number);
        let parent = rows.iter().position(|made| {
            let cell = made
                .as_ref()
                .and_then(|made| model_cell(plan, made, target));
            cell.is_some_and(|cell| cell.as_deref() == Some(value))
        })?;
        Some(Mate::Parent(number, parent))
    }

    /// The acting tenant's rows of a table, or everybody's.
    fn known(&self, table: &TablePlan<'a>) -> &[Option<Rc<Made>>] {
        let part = if table.is_shared() {
            Part::Shared
        } else {
            Part::Acting
        };
        self.rows(part, 0, table.number)
    }

    /// The values that the acting tenant has in a column.
    fn held(&self, table: &RelationName, column: &str) -> Vec<&String> {
        let Some(plan) = self.plan.tables.get(table) else {
            return Vec::new();
        };
        let rows = self.known(plan).iter().flatten();
        let cells = rows.filter_map(|made| model_cell(plan, made, column));
        cells.flatten().collect()
    }

    /// What another table's row holds that a column is compared with: of a row that goes through the other's conditions,
    /// where one does.
    fn met_by(
        &self,
        table: &RelationName,
        column: &str,
        (other, of): (&RelationName, &String),
    ) -> Option<String> {
        let plan = self.plan.tables.get(other)?;
        let rows = self.known(plan);
        let back = Want::Meets(table.clone(), column.to_owned());
        let wishes = self.wishes(plan, Whose::Acting);
        let wish = wishes
            .filter(|wish| wish.wants.get(of) == Some(&back))
            .max_by_key(|wish| (wish.without.len(), wish.wants.len()));
        let first = rows.first().and_then(Option::as_ref);
        // What nothing may refer to is what is met, else a DELETE of all that meets is refused.
        let is_bare = |row: usize| {
            wish.is_none_or(|wish| wish.without.is_empty()) || self.is_bare(plan.number, row)
        };
        let fits = |made: &Made| {
            let wants = wish.iter().flat_map(|wish| &wish.wants);
            wants
                .filter(|(name, want)| *name != of && self.grants(plan, name, want))
                .filter(|(name, want)| {
                    let own = model_cell(plan, made, name);
                    let first = first.and_then(|first| model_cell(plan, first, name));
                    own.is_some_and(|own| self.is_met(want, own, first))
                })
                .count()
        };
        let all = rows.iter().enumerate().rev();
        let all = all.filter_map(|(row, made)| Some((row, made.as_ref()?)));
        let holding =
            all.filter(|(_, made)| model_cell(plan, made, of).is_some_and(Option::is_some));
        let (_, best) = holding.max_by_key(|(row, made)| (is_bare(*row), fits(made)))?;
        model_cell(plan, best, of)?.clone()
    }

    fn is_met(&self, want: &Want, own: &Cell, first: Option<&Cell>) -> bool {
        match want {
            Want::Meets(other, of) => own
                .as_ref()
                .is_some_and(|own| self.held(other, of).contains(&own)),
            _ => want.is_met(own.as_deref(), first.and_then(|first| first.as_deref())),
        }
    }

    /// A value as the generator writes it; `None` for types whose values can be written in many ways.
    fn value(&self, profile: &Profile, text: &str) -> Option<String> {
        let catalog: &Catalog = self.ground.catalog;
        let of = catalog.types.get(&profile.type_oid)?;
        if let TypeKind::Enum(_) = of.kind {
            return Some(text.to_owned());
        }
        match (of.name.as_str(), text) {
            ("bool", "true") => Some("t".to_owned()),
            ("bool", "false") => Some("f".to_owned()),
            ("text" | "varchar" | "bpchar" | "citext", _) => Some(text.to_owned()),
            ("int2" | "int4" | "int8" | "numeric", _) => {
                text.parse::<i64>().ok().map(|number| number.to_string())
            }
            _ => None,
        }
    }

    /// Whether the generator is free to do so.
    fn grants(&self, table: &TablePlan<'a>, column: &str, want: &Want) -> bool {
        let known = table.columns.iter().find(|(c, _)| c.name == column);
        let is_key = key_of(table, column).is_some();
        known.is_some_and(|(of, profile)| {
            Some(column) != table.tenant_column()
                && !table.is_late(column)
                && match want {
                    Want::Null => !of.not_null && !profile.hints.not_null,
                    Want::Known => true,
                    Want::Is(_) | Want::Above | Want::Below => !is_key && !profile.distinct,
                    Want::AsFirst => is_key || !profile.distinct,
                    Want::Meets(other, name) => {
                        let catalog: &Catalog = self.ground.catalog;
                        let kind = |oid| catalog.types.get(&catalog.base_type(oid));
                        let other = catalog.tables.get(other);
                        let other = other.and_then(|other| other.column(name));
                        other.is_some_and(|other| {
                            reach::alike(catalog, of, other) && kind(of.type_oid).is_some()
                        })
                    }
                }
        })
    }
}

/// Rows may be added to it: they belong to a tenant, and each stands by itself.
fn is_open(table: &TablePlan<'_>) -> bool {
    let owned = matches!(table.class, Class::Scoped { .. } | Class::Derived { .. });
    owned && !table.one_a_tenant() && table.bounding_parents().next().is_none()
}

/// It agrees with another table's row.
fn meets(wish: &Wish) -> bool {
    wish.wants
        .values()
        .any(|want| matches!(want, Want::Meets(..)))
}

/// So many wishes, without those that others cover: those that say most, but first one for each column that is compared.
fn most<'w>(wishes: impl Iterator<Item = &'w Wish>, count: usize) -> Vec<&'w Wish> {
    let mut wishes: Vec<&Wish> = wishes.collect();
    wishes.sort_by_key(|wish| std::cmp::Reverse((wish.wants.len(), wish.without.len())));
    let mut compared = BTreeSet::new();
    let (first, rest): (Vec<&Wish>, Vec<&Wish>) = wishes.into_iter().partition(|wish| {
        let mut wants = wish.wants.iter();
        let meeting = wants.find(|(_, want)| matches!(want, Want::Meets(..)));
        meeting.is_some_and(|meeting| compared.insert(meeting))
    });
    let mut found: Vec<&Wish> = Vec::new();
    for wish in first.into_iter().chain(rest) {
        if found.len() < count && !found.iter().any(|other| other.covers(wish)) {
            found.push(wish);
        }
    }
    found
}

/// The key that a column is part of.
fn key_of(table: &TablePlan<'_>, column: &str) -> Option<usize> {
    let mut keys = table.keys.iter();
    keys.position(|key| key.key.columns.iter().any(|name| name == column))
}
