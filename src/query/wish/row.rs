//! The rows themselves: one of the acting tenant's for what an arm asks of a table, and what it lacks in other hands.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use super::name::Place;
use crate::model::{RelationName, Table, Want, Whose, Wish};

impl Reader<'_> {
    /// A row of the acting tenant's, by itself and with what another table has; `held` is by what it can be kept.
    pub(super) fn own(
        &mut self,
        table: &Table,
        wants: &BTreeMap<String, Want>,
        mut without: BTreeSet<RelationName>,
        held: BTreeSet<RelationName>,
    ) {
        let mut wants = wants.clone();
        for want in wants.values_mut() {
            if matches!(want, Want::Above | Want::Below) {
                *want = Want::Known;
            }
        }
        for ((_, column), others) in &self.compared(table) {
            for (other, of) in others {
                let is_key = |from: &Table, column: &str| {
                    let mut keys = from.foreign_keys.iter();
                    keys.any(|key| key.columns.iter().any(|name| name == column))
                };
                if wants.contains_key(column) || is_key(table, column) || *other == table.name {
                    continue;
                }
                let mut meeting = wants.clone();
                meeting.insert(column.clone(), Want::Meets(other.clone(), of.clone()));
                self.found.insert(Wish {
                    table: table.name.clone(),
                    whose: Whose::Acting,
                    wants: meeting,
                    without: held.clone(),
                });
            }
        }
        without.extend(held);
        let says = wants.values().any(|want| *want != Want::AsFirst);
        if says && (wants.len() > 1 || !without.is_empty()) {
            self.found.insert(Wish {
                table: table.name.clone(),
                whose: Whose::Acting,
                wants,
                without,
            });
        }
    }

    /// A row of others that is what the acting tenant's row lacks.
    pub(super) fn others(&mut self, table: &Table, wants: &BTreeMap<String, Want>) {
        let mut found = Vec::new();
        for ((_, column), others) in &self.compared(table) {
            for (other, of) in others {
                let refers = |from: &Table, column: &str, target: &RelationName, to: &str| {
                    let mut keys = from.foreign_keys.iter();
                    keys.any(|key| {
                        key.target == *target && key.pairs().any(|pair| pair == (column, to))
                    })
                };
                // What refers has what it refers to; and that nothing refers to a row shows without more.
                let has = self.catalog.tables.get(other);
                let has = has.is_some_and(|other| refers(other, of, &table.name, column));
                if has || (wants.is_empty() && refers(table, column, other, of)) {
                    continue;
                }
                let mut meeting = wants.clone();
                meeting.insert(column.clone(), Want::Meets(other.clone(), of.clone()));
                found.push(Wish {
                    table: table.name.clone(),
                    whose: Whose::Others,
                    wants: meeting,
                    without: BTreeSet::new(),
                });
            }
        }
        self.found.extend(found);
    }

    /// Where two tables' references to a third are compared: a row of that one that only one of the two refers to.
    pub(super) fn in_common(&mut self) {
        let target = |(table, column): &Place| {
            let tenant = self.tenancy.tenant_column(table) == Some(column);
            let known = self.catalog.tables.get(table).filter(|_| !tenant)?;
            let keys = known.foreign_keys.iter();
            let mut targets = keys.filter_map(|key| {
                let (_, of) = key.pairs().find(|(own, _)| own == column)?;
                Some((&key.target, of))
            });
            targets.next()
        };
        let mut found = Vec::new();
        for (place, others) in &self.pairs {
            let Some(parent) = target(place) else {
                continue;
            };
            for other in others.iter().filter(|other| other.0 != place.0) {
                if target(other) == Some(parent) {
                    found.push(Wish {
                        table: parent.0.clone(),
                        whose: Whose::Acting,
                        wants: BTreeMap::new(),
                        without: BTreeSet::from([other.0.clone()]),
                    });
                }
            }
        }
        self.found.extend(found);
    }

    /// The table's columns that the statement compares with others.
    fn compared(&self, table: &Table) -> Vec<(Place, Vec<Place>)> {
        let pairs = self.pairs.iter();
        let own = pairs.filter(|((of, _), _)| *of == table.name);
        own.map(|(place, others)| (place.clone(), others.clone()))
            .collect()
    }
}
