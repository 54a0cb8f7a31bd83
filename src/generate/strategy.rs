//! Worlds as a proptest strategy, for property tests over generated worlds.

use std::fmt;
use std::sync::Arc;

use proptest::arbitrary::any;
use proptest::strategy::{NewTree, Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::{Focus, Generator, Genes, Ground, Seed, WorldsTree};
use crate::model::Worlds;

/// Worlds of 2 to `organisations` tenants with 1 to `rows` rows per table and tenant.
///
/// Numbers and seed are drawn, and the worlds decoded from them; shrinking goes over the rows themselves, which
/// [`WorldsTree`] describes. `instant` is the seed's reference instant, in seconds since 1970.
#[must_use]
pub fn worlds(
    ground: Ground<'_>,
    organisations: usize,
    rows: usize,
    instant: i64,
) -> WorldsStrategy<'_> {
    WorldsStrategy {
        generator: Arc::new(Generator::new(ground)),
        organisations: organisations.max(2),
        rows: rows.max(1),
        instant,
    }
}

/// What [`worlds`] makes.
#[derive(Clone)]
pub struct WorldsStrategy<'a> {
    generator: Arc<Generator<'a>>,
    organisations: usize,
    rows: usize,
    instant: i64,
}

impl fmt::Debug for WorldsStrategy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldsStrategy")
            .field("organisations", &self.organisations)
            .field("rows", &self.rows)
            .field("instant", &self.instant)
            .finish_non_exhaustive()
    }
}

impl<'a> Strategy for WorldsStrategy<'a> {
    type Tree = WorldsTree<'a>;
    type Value = Worlds;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let genes = (2..=self.organisations, 1..=self.rows, any::<u64>());
        let (organisations, rows, number) = genes.new_tree(runner)?.current();
        let seed = Seed {
            number,
            instant: self.instant,
        };
        let worlds = self
            .generator
            .decode(&Genes::new(seed, organisations, rows));
        let generator = Arc::clone(&self.generator);
        Ok(WorldsTree::new(
            generator,
            worlds,
            Focus::default(),
            self.instant,
        ))
    }
}
