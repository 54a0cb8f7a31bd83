//! Worlds as a proptest strategy, for property tests over generated worlds.

use proptest::prelude::{Strategy, any};

use super::{Generator, Genes, Ground, Seed};
use crate::model::Worlds;

/// Worlds of 2 to `organisations` tenants with 1 to `rows` rows per table and tenant.
///
/// The strategy is over the genes; the worlds are decoded from them, so that shrinking goes over a few small
/// numbers and not over a tree of rows.
pub fn worlds(
    ground: Ground<'_>,
    organisations: usize,
    rows: usize,
    instant: i64,
) -> impl Strategy<Value = Worlds> {
    let generator = Generator::new(ground);
    (2..=organisations.max(2), 1..=rows.max(1), any::<u64>()).prop_map(
        move |(organisations, rows, number)| {
            generator.decode(&Genes::new(Seed { number, instant }, organisations, rows))
        },
    )
}
