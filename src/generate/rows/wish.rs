//! Rows that queries would like to meet and that the acting tenant lacks.

use super::draft::Made;
use super::{Draft, Maker};
use crate::generate::Part;
use crate::generate::plan::TablePlan;
use crate::generate::value::Profile;
use crate::model::{Catalog, Cell, Class, TypeKind, Want, Wish};

/// More rows of a table for what queries ask for, at most.
const MOST: usize = 4;

/// A row that is refused so often, or made in vain, is made without what was asked for.
const SALTS: u32 = 3;
const ATTEMPTS: u32 = 8;

impl<'a> Maker<'a> {
    /// The wishes that none of the rows made so far grants: those whose rows nothing may refer to come last.
    pub(super) fn unmet(&self, table: &TablePlan<'a>) -> Vec<&'a Wish> {
        let owned = matches!(table.class, Class::Scoped { .. } | Class::Derived { .. });
        if !owned || table.one_a_tenant() || table.bounding_parents().next().is_some() {
            return Vec::new();
        }
        let rows = self.rows(Part::Acting, 0, table.number);
        let position = |column: &str| table.columns.iter().position(|(c, _)| c.name == column);
        let met = |wish: &Wish| {
            let cell =
                |made: &'_ Made, column: &str| Some(made.cells.get(position(column)?)?.clone());
            let is_it = |made: &Made| {
                wish.wants.iter().all(|(column, want)| {
                    !grantable(table, column, want)
                        || is_met(
                            want,
                            cell(made, column),
                            rows.first().and_then(|first| cell(first.as_ref()?, column)),
                        )
                })
            };
            // Nothing refers to the last one.
            let skipped = if wish.lonely {
                rows.len().saturating_sub(1)
            } else {
                0
            };
            rows.iter().skip(skipped).flatten().any(|made| is_it(made))
        };
        let wishes = self.genes.wishes.iter();
        let mut found: Vec<&Wish> = wishes
            .filter(|wish| wish.table == table.table.name && !met(wish))
            .collect();
        // What says most first.
        found.sort_by_key(|wish| (wish.lonely, std::cmp::Reverse(wish.wants.len())));
        found.truncate(MOST);
        found
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

    /// How many of the acting tenant's last rows nothing may refer to.
    pub(super) fn lonely(&self, table: usize) -> usize {
        let wishes = self.wished.get(&table).map(|(_, wishes)| wishes.iter());
        wishes.map_or(0, |wishes| wishes.filter(|wish| wish.lonely).count())
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
            if !grantable(table, column, want) {
                continue;
            }
            let Some(position) = table.columns.iter().position(|(c, _)| c.name == *column) else {
                continue;
            };
            let key = table
                .keys
                .iter()
                .position(|key| key.key.columns.contains(column));
            if let Some(number) = key.filter(|_| *want != Want::Null) {
                let parent = first.as_ref().and_then(|first| first.parents[number]);
                self.refer_to(draft, number, &table.keys[number], parent.unwrap_or(0));
                continue;
            }
            let (_, profile) = &table.columns[position];
            match want {
                Want::Null => draft.cells[position] = Some(None),
                Want::Is(text) => draft.cells[position] = self.value(profile, text).map(Some),
                Want::AsFirst => {
                    draft.cells[position] =
                        first.as_ref().map(|first| first.cells[position].clone());
                }
                Want::Known => {}
            }
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
}

/// Whether the generator is free to do so.
fn grantable(table: &TablePlan<'_>, column: &str, want: &Want) -> bool {
    let known = table.columns.iter().find(|(c, _)| c.name == column);
    let is_key = table
        .keys
        .iter()
        .any(|key| key.key.columns.iter().any(|name| name == column));
    known.is_some_and(|(of, profile)| {
        Some(column) != table.tenant_column()
            && !table.is_late(column)
            && match want {
                Want::Null => !of.not_null && !profile.hints.not_null,
                Want::Known => true,
                Want::Is(_) => !is_key && !profile.distinct,
                Want::AsFirst => is_key || !profile.distinct,
            }
    })
}

fn is_met(want: &Want, own: Option<Cell>, first: Option<Cell>) -> bool {
    let Some(own) = own else {
        return false;
    };
    want.is_met(own.as_deref(), first.flatten().as_deref())
}
