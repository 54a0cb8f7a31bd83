//! What a CHECK says about single columns, as far as it can be read: a range, a set, a length, a pattern.
//!
//! What can't be read is not lost: the server judges every row, and a refused row is made anew. The canonical form
//! that `pg_get_expr` prints (BETWEEN as two comparisons, IN as `= ANY`, LIKE as `~~`) keeps the cases few.

mod arms;
mod expr;
mod like;
mod read;

use std::collections::BTreeMap;

use sqlparser::ast::BinaryOperator;

pub(super) use expr::{arguments, column, plain_column};
pub(super) use like::{is_like, shortest_like};
pub(super) use read::read;

/// What is known of a column's values.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said by a CHECK or not"
)]
pub(super) struct Hints {
    /// Not below.
    pub(super) min: Option<f64>,
    /// Not above.
    pub(super) max: Option<f64>,
    /// `min` itself is refused.
    pub(super) above_min: bool,
    /// `max` itself is refused.
    pub(super) below_max: bool,
    /// One of these.
    pub(super) choices: Option<Vec<String>>,
    /// Matches these regular expressions; the first one is generated from.
    pub(super) patterns: Vec<String>,
    /// Matches these LIKE patterns.
    pub(super) likes: Vec<String>,
    /// At least so many characters (or elements of an array).
    pub(super) min_length: Option<usize>,
    /// At most so many characters (or elements of an array).
    pub(super) max_length: Option<usize>,
    /// Never NULL.
    pub(super) not_null: bool,
    /// Always NULL.
    pub(super) null: bool,
    /// `jsonb_typeof`.
    pub(super) json: Option<String>,
    /// Its lower-case form is itself.
    pub(super) lower: bool,
    /// Its upper-case form is itself.
    pub(super) upper: bool,
    /// The elements of an array are among these.
    pub(super) elements: Option<Vec<String>>,
    /// The keys that a JSON object has, and what `jsonb_typeof` says of them.
    pub(super) keys: BTreeMap<String, Option<String>>,
}

impl Hints {
    /// What both say.
    pub(super) fn narrow(&mut self, other: &Self) {
        if let Some(min) = other.min
            && self.min.is_none_or(|own| min >= own)
        {
            (self.min, self.above_min) = (Some(min), other.above_min);
        }
        if let Some(max) = other.max
            && self.max.is_none_or(|own| max <= own)
        {
            (self.max, self.below_max) = (Some(max), other.below_max);
        }
        if let Some(values) = &other.choices {
            choices(self, values.clone());
        }
        self.patterns.extend(other.patterns.iter().cloned());
        self.likes.extend(other.likes.iter().cloned());
        self.min_length = self.min_length.max(other.min_length);
        self.max_length = match (self.max_length, other.max_length) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.not_null |= other.not_null;
        self.null |= other.null;
        self.json = self.json.take().or_else(|| other.json.clone());
        self.lower |= other.lower;
        self.upper |= other.upper;
        for (key, of) in &other.keys {
            let own = self.keys.entry(key.clone()).or_default();
            *own = own.take().or_else(|| of.clone());
        }
        self.elements = self.elements.take().or_else(|| other.elements.clone());
    }
}

/// Hints by column, and pairs of columns of which the first must be below the second (strictly).
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) columns: BTreeMap<String, Hints>,
    pub(super) ascending: Vec<(String, String)>,
}

impl Reading {
    /// What is below something is below its bounds, too, and the other way round.
    pub(super) fn spread(&mut self) {
        for _ in 0..self.ascending.len() {
            for (low, high) in self.ascending.clone() {
                let (below, above) = (
                    self.columns.get(&low).cloned().unwrap_or_default(),
                    self.columns.get(&high).cloned().unwrap_or_default(),
                );
                if let Some(max) = above
                    .max
                    .filter(|max| below.max.is_none_or(|own| own > *max))
                {
                    let hints = self.columns.entry(low).or_default();
                    (hints.max, hints.below_max) = (Some(max), above.below_max);
                }
                if let Some(min) = below
                    .min
                    .filter(|min| above.min.is_none_or(|own| own < *min))
                {
                    let hints = self.columns.entry(high).or_default();
                    (hints.min, hints.above_min) = (Some(min), below.above_min);
                }
            }
        }
    }
}

/// One of these values, and of those that were said before.
fn choices(hints: &mut Hints, values: Vec<String>) -> bool {
    hints.choices = Some(match hints.choices.take() {
        Some(before) => before
            .into_iter()
            .filter(|value| values.contains(value))
            .collect(),
        None => values,
    });
    true
}

/// A bound, where it is narrower than what was said before.
fn bound(hints: &mut Hints, op: &BinaryOperator, value: &str) -> bool {
    let Some(limit) = value.parse().ok().or_else(|| super::clock::seconds(value)) else {
        return false;
    };
    if matches!(op, BinaryOperator::Gt | BinaryOperator::GtEq) {
        if hints.min.is_none_or(|min| limit >= min) {
            hints.min = Some(limit);
            hints.above_min = *op == BinaryOperator::Gt;
        }
    } else if hints.max.is_none_or(|max| limit <= max) {
        hints.max = Some(limit);
        hints.below_max = *op == BinaryOperator::Lt;
    }
    true
}
