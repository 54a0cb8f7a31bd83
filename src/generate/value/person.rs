//! People, French and English: all cells of a row are of the same one.

use fake::Fake as _;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{EN, FR_FR};

use super::Cell;
use crate::generate::dice::{Dice, mixed};

/// First and last name.
pub(super) struct Person {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
}

impl Person {
    /// The row's own; one in four is English.
    pub(super) fn of(cell: &Cell<'_>) -> Self {
        let mut dice = Dice::new(mixed(cell.row, 1));
        if dice.one_in(4) {
            Self {
                first: FirstName(EN).fake_with_rng(&mut dice),
                last: LastName(EN).fake_with_rng(&mut dice),
            }
        } else {
            Self {
                first: FirstName(FR_FR).fake_with_rng(&mut dice),
                last: LastName(FR_FR).fake_with_rng(&mut dice),
            }
        }
    }

    /// What stands before the @ of an e-mail.
    pub(super) fn mailbox(&self) -> String {
        format!("{}.{}", slug(self.first), slug(self.last))
    }
}

/// In lower case, accents taken off, anything else as a hyphen.
pub(super) fn slug(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'à' | 'â' | 'ä' | 'À' | 'Â' => 'a',
            'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' | 'Ë' => 'e',
            'î' | 'ï' | 'Î' | 'Ï' => 'i',
            'ô' | 'ö' | 'Ô' => 'o',
            'ù' | 'û' | 'ü' => 'u',
            'ç' | 'Ç' => 'c',
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '-',
        })
        .collect()
}
