//! Randomness that depends on the seed and the cell alone, on every machine and in every version of a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Changes whenever a generated value would change for the same seed; part of every cell's seed.
const GENERATOR_VERSION: u64 = 1;

/// A number that depends on the texts alone: FNV-1a with a finalizer (splitmix64), so that near texts give far
/// numbers.
pub(super) fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed ^ GENERATOR_VERSION.rotate_left(32);
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The dice of one cell.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The source for libraries that want one.
    pub(super) fn source(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below `bound`; 0 where that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.word() % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i128, high: i128) -> i128 {
        let span = high.saturating_sub(low).max(0).saturating_add(1);
        low + i128::from(self.word()) % span
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.word().is_multiple_of(n)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        (!of.is_empty()).then(|| &of[self.below(of.len())])
    }
}
