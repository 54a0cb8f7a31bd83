//! Randomness that depends on the seed and the cell alone, on every machine and in every version of a library.

use std::convert::Infallible;

use fake::rand::TryRng;

/// Changes whenever a generated value would change for the same seed; part of every cell's seed.
const GENERATOR_VERSION: u64 = 2;

/// A number that depends on the texts alone: FNV-1a with a finalizer (splitmix64), so that near texts give far
/// numbers.
pub(super) fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed ^ GENERATOR_VERSION.rotate_left(32);
    for part in parts {
        for byte in part.as_bytes() {
            state = (state ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        state = (state ^ 0xff).wrapping_mul(PRIME);
    }
    mix(state.wrapping_add(STEP))
}

/// FNV-1a's, for 64 bits.
const PRIME: u64 = 0x0100_0000_01b3;

/// The step of splitmix64: the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators").
fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A seed and a number, mixed.
pub(super) fn mixed(seed: u64, number: u64) -> u64 {
    mix(seed.wrapping_add(STEP).rotate_left(17) ^ number.wrapping_mul(STEP))
}

/// One of the numbers below `room` for each of them, in an order that looks like none: a Feistel network over the bits
/// that `room` needs, walked until it comes out below.
pub(super) fn shuffled(number: u64, room: u64, key: u64) -> u64 {
    if room < 2 {
        return 0;
    }
    let half = (64 - (room - 1).leading_zeros()).div_ceil(2);
    let mask = (1_u64 << half) - 1;
    let mut now = number;
    loop {
        let (mut left, mut right) = (now >> half & mask, now & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (mixed(key ^ round << 56, right) & mask));
        }
        now = left << half | right;
        if now < room {
            return now;
        }
    }
}

/// The dice of one cell: splitmix64, since a cell wants a few numbers and there are many cells.
pub(super) struct Dice(u64);

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::try_from(self.word() >> 32).unwrap_or(0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.word())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            let word = self.word().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
        Ok(())
    }
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// 128 random bits.
    pub(super) fn long(&mut self) -> u128 {
        (u128::from(self.word()) << 64) | u128::from(self.word())
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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_shuffle_loses_no_number() {
        for room in [1, 2, 3, 10, 255, 256, 257, 5_000] {
            let all: BTreeSet<u64> = (0..room).map(|n| shuffled(n, room, 42)).collect();
            assert_eq!(all.len() as u64, room);
            assert!(all.into_iter().eq(0..room));
        }
        assert_ne!(shuffled(1, 5_000, 1), shuffled(1, 5_000, 2));
        assert!(shuffled(u64::MAX - 1, u64::MAX, 3) < u64::MAX);
    }
}
