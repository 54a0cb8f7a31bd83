//! Addresses of hosts, networks and cards; of the ranges that are set aside for examples.

use super::Cell;
use crate::generate::dice::Dice;
use crate::model::Datum;

/// `inet`, `cidr`, `macaddr` and `macaddr8`.
pub(super) enum Network {
    Host,
    Net,
    Card { long: bool },
}

impl Network {
    pub(super) fn new(type_name: &str) -> Self {
        match type_name {
            "inet" => Self::Host,
            "cidr" => Self::Net,
            other => Self::Card {
                long: other == "macaddr8",
            },
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let number = u32::try_from(cell.one_of(self.room(), dice)).unwrap_or(0);
        let [_, high, middle, low] = number.to_be_bytes();
        match self {
            // Counted ones are more than the examples' range has.
            Self::Host if cell.counted => Datum::Inet {
                address: [10, high, middle, low],
                bits: 32,
                network: false,
            },
            Self::Host => Datum::Inet {
                address: [192, 0, 2, 1 + low % 254],
                bits: 32,
                network: false,
            },
            Self::Net => Datum::Inet {
                address: [10, middle, low, 0],
                bits: 24,
                network: true,
            },
            Self::Card { long: false } => Datum::Mac(vec![2, 0, 0, high, middle, low]),
            Self::Card { long: true } => Datum::Mac(vec![2, 0, 0, 0xff, 0xfe, high, middle, low]),
        }
    }

    pub(super) fn room(&self) -> u128 {
        match self {
            Self::Net => 1 << 16,
            _ => 1 << 24,
        }
    }
}
