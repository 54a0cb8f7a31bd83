//! Companies, and what the French register gives them: all cells of a row are of the same one.

use fake::Fake as _;
use fake::faker::name::raw::LastName;
use fake::locales::{EN, FR_FR};

use super::Cell;
use super::person::slug;
use crate::generate::dice::{Dice, mixed, shuffled};

/// A company's name, without its form, and the form.
pub(super) struct Company {
    pub(super) stem: &'static str,
    pub(super) form: &'static str,
}

impl Company {
    /// The row's own; one in four is English.
    pub(super) fn of(cell: &Cell<'_>) -> Self {
        let mut dice = Dice::new(mixed(cell.row, 2));
        if dice.one_in(4) {
            Self {
                stem: LastName(EN).fake_with_rng(&mut dice),
                form: ["Ltd", "plc", "& Sons", "Partners"][dice.below(4)],
            }
        } else {
            Self {
                stem: LastName(FR_FR).fake_with_rng(&mut dice),
                form: ["SARL", "SAS", "SA", "et Fils"][dice.below(4)],
            }
        }
    }

    /// `dupont-sarl`, for domains and slugs.
    pub(super) fn slug(&self) -> String {
        slug(self.stem)
    }
}

/// Classes of the French nomenclature of activities (NAF rev. 2, of INSEE) that companies in commerce are often in.
pub(super) const NAF: [&str; 16] = [
    "62.01Z", "62.02A", "70.22Z", "47.11F", "56.10A", "43.21A", "41.20A", "68.20B", "69.20Z",
    "71.12B", "73.11Z", "46.90Z", "49.41A", "86.21Z", "85.59A", "96.02A",
];

/// SIRENs, of nine digits with the first one not 0: so many there are.
pub(super) const SIRENS: u128 = 90_000_000;

/// The SIREN of the row's company: different for every ordinal below [`SIRENS`].
pub(super) fn siren(cell: &Cell<'_>) -> String {
    let room = u64::try_from(SIRENS).unwrap_or(u64::MAX);
    let number = 10_000_000 + shuffled(cell.ordinal % room, room, 9);
    with_check_digit(number.to_string())
}

/// A SIRET: that SIREN, and a number of five digits for the establishment.
pub(super) fn siret(cell: &Cell<'_>) -> String {
    let establishment = 1 + cell.ordinal / u64::try_from(SIRENS).unwrap_or(u64::MAX) % 9_999;
    with_check_digit(format!("{}{establishment:04}", siren(cell)))
}

/// The SIRET of an establishment of the company with this SIREN, where it is one.
pub(in crate::generate) fn establishment(siren: &str, ordinal: u64) -> Option<String> {
    let is_siren = siren.len() == 9 && siren.bytes().all(|byte| byte.is_ascii_digit());
    let number = 1 + ordinal % 9_999;
    is_siren.then(|| with_check_digit(format!("{siren}{number:04}")))
}

/// So many digits, the last of which makes the sum of Luhn's formula a multiple of ten.
pub(in crate::generate) fn luhn_digits(length: usize, dice: &mut Dice) -> String {
    let digit = |_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap_or(0));
    with_check_digit((1..length).map(digit).collect())
}

/// Appends the digit that makes the sum of Luhn's formula a multiple of ten.
fn with_check_digit(mut number: String) -> String {
    // From the right, every second digit is doubled, beginning beside the check digit.
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let weighed = u32::from(digit - b'0') * if i % 2 == 0 { 2 } else { 1 };
            weighed / 10 + weighed % 10
        })
        .sum();
    number.push(char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0'));
    number
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn cell(ordinal: u64) -> Cell<'static> {
        Cell {
            instant: 0,
            ordinal,
            counted: false,
            canary: None,
            turn: 0,
            salt: 0,
            row: 7,
        }
    }

    fn luhn(number: &str) -> u32 {
        number
            .bytes()
            .rev()
            .enumerate()
            .map(|(i, digit)| {
                let weighed = u32::from(digit - b'0') * if i % 2 == 1 { 2 } else { 1 };
                weighed / 10 + weighed % 10
            })
            .sum()
    }

    #[test]
    fn a_siret_is_under_its_siren_and_both_pass_luhn() {
        let mut sirens = BTreeSet::new();
        for ordinal in (0..200).chain(1_000_000..1_000_200) {
            let (company, shop) = (siren(&cell(ordinal)), siret(&cell(ordinal)));
            assert!(shop.starts_with(&company), "{shop} is not under {company}");
            assert_eq!((company.len(), shop.len()), (9, 14));
            assert_eq!((luhn(&company) % 10, luhn(&shop) % 10), (0, 0), "{shop}");
            assert!(sirens.insert(company), "one SIREN twice");
        }
    }
}
