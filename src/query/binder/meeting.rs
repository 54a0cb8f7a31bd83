//! Rows that find something in another table, though no foreign key says that they do.

use std::collections::{BTreeMap, BTreeSet};

use super::{Binder, column_values};
use crate::model::RelationName;

impl Binder<'_> {
    /// For each table that the query compares with another one without a key: the numbers of its rows, those first whose
    /// values are in the other one.
    pub(in crate::query) fn meeting(&self) -> BTreeMap<RelationName, Vec<usize>> {
        let mut scores: BTreeMap<&RelationName, Vec<usize>> = BTreeMap::new();
        for [(table, column), (other, of)] in &self.inferred.equal {
            let theirs = column_values(self.dataset(other), other, of);
            let theirs: BTreeSet<&String> = theirs.iter().collect();
            let Some(rows) = self.dataset(table).get(table) else {
                continue;
            };
            let scores = scores
                .entry(table)
                .or_insert_with(|| vec![0; rows.rows.len()]);
            for (row, score) in scores.iter_mut().enumerate() {
                let value = rows.cell(row, column).and_then(Option::as_ref);
                *score += usize::from(value.is_some_and(|value| theirs.contains(value)));
            }
        }
        let order = |scores: Vec<usize>| {
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by_key(|row| std::cmp::Reverse(scores[*row]));
            order
        };
        let all = scores.into_iter();
        all.map(|(table, scores)| (table.clone(), order(scores)))
            .collect()
    }

    /// The number of the row that is tried in this place.
    pub(super) fn ranked(&self, table: &RelationName, place: usize) -> usize {
        match self.order.get(table) {
            Some(order) if !order.is_empty() => order[place % order.len()],
            _ => place,
        }
    }
}
