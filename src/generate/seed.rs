//! The seed of a run, as people pass it on.

use std::fmt;
use std::str::FromStr;

/// A number and the instant that generated times are offsets from, so that a run repeats exactly on another day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The number.
    pub number: u64,
    /// Seconds since 1970.
    pub instant: i64,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}@{}", self.number, self.instant)
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a seed: it looks like 00000000000000ff@1795363445, as a run prints it"
            )
        };
        let (number, instant) = text.split_once('@').ok_or_else(wrong)?;
        let instant: i64 = instant.parse().map_err(|_| wrong())?;
        // Beyond these years times no longer fit the types that Postgres keeps them in.
        if !(0..=32_000_000_000).contains(&instant) {
            return Err(wrong());
        }
        Ok(Self {
            number: u64::from_str_radix(number, 16).map_err(|_| wrong())?,
            instant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_it_is_printed() {
        let seed = Seed {
            number: 255,
            instant: 1_795_363_445,
        };
        assert_eq!(seed.to_string().parse(), Ok(seed));
        assert!("255".parse::<Seed>().is_err());
        assert!("ff@-1".parse::<Seed>().is_err());
    }
}
