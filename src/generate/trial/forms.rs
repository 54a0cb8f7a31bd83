//! Texts in the forms that other people's schemas ask for: numbers with check digits, addresses, codes.

use fake::Fake as _;
use fake::faker::lorem::raw::{Sentence, Word};
use fake::locales::FR_FR;

use super::words::Words;
use crate::generate::dice::Dice;
use crate::generate::value::{luhn_digits, uuid};
use crate::model::Cell;

/// A text with one of its numbers changed: to one more, or to the first one of another cell or the one after that.
pub(super) fn spliced(value: &str, cells: &[Cell], dice: &mut Dice) -> Option<String> {
    let own = numbers(value);
    let (start, digits) = own.get(dice.below(own.len()))?;
    let other = cells
        .get(dice.below(cells.len()))?
        .as_deref()
        .unwrap_or(value);
    let from = numbers(other)
        .first()
        .map_or(*digits, |(_, digits)| *digits);
    let from = if dice.one_in(3) { digits } else { from };
    let number = from
        .parse::<u64>()
        .ok()?
        .saturating_add(u64::from(dice.one_in(2)));
    let (before, behind) = (&value[..*start], &value[start + digits.len()..]);
    Some(format!(
        "{before}{number:0width$}{behind}",
        width = digits.len()
    ))
}

/// A text with one of its words in the place of another.
pub(super) fn renamed(value: &str, words: &Words, dice: &mut Dice) -> Option<String> {
    let own = runs(value, |c| c.is_ascii_alphabetic());
    let (start, word) = own.get(dice.below(own.len()))?;
    let (before, behind) = (&value[..*start], &value[start + word.len()..]);
    Some(format!("{before}{}{behind}", words.literal(dice)?))
}

/// The numbers in a text, and where they begin.
fn numbers(text: &str) -> Vec<(usize, &str)> {
    runs(text, |c| c.is_ascii_digit())
}

/// The parts of a text that are of such characters alone, and where they begin.
fn runs(text: &str, of: fn(char) -> bool) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for part in text.split(|c: char| !of(c)) {
        if !part.is_empty() {
            found.push((at, part));
        }
        at += part.len()
            + text[at + part.len()..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
    }
    found
}

/// A length that a CHECK names.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is above zero, and small"
)]
pub(super) fn usize_of(length: f64) -> usize {
    length as usize
}

/// Letters or digits, so many; behind a beginning that the CHECKs name.
fn filled(words: &Words, dice: &mut Dice) -> String {
    let class = [
        "0123456789",
        "abcdefghijklmnopqrstuvwxyz",
        "ABCDEFGHJKLMNPQRSTUVWXYZ",
        "0123456789abcdef",
    ];
    let class = class[dice.below(4)].as_bytes();
    let mut made = words
        .literal(dice)
        .filter(|_| dice.one_in(3))
        .unwrap_or_default();
    let named = words
        .number(dice)
        .filter(|length| (1.0..=200.0).contains(length));
    let length = match named.filter(|_| !dice.one_in(3)) {
        Some(length) => usize_of(length),
        None => 1 + dice.below(24),
    };
    while made.chars().count() < length {
        made.push(char::from(class[dice.below(class.len())]));
    }
    made
}

pub(super) fn text(words: &Words, dice: &mut Dice) -> String {
    let word: &str = Word(FR_FR).fake_with_rng(dice);
    let word = word.to_lowercase();
    let number = dice.below(100_000);
    match dice.below(31) {
        0..=4 => words.literal(dice).unwrap_or(word),
        5..=9 => words.matching(dice).unwrap_or_else(|| filled(words, dice)),
        10..=12 => filled(words, dice),
        13 => luhn_digits([9, 11, 14, 15, 16][dice.below(5)], dice),
        14 => article_number([8, 12, 13, 14][dice.below(4)], dice),
        15 => format!("{word}.{number}@example.org"),
        16 => format!("https://www.example.org/{word}/{number}"),
        17 => format!("+336{:08}", dice.below(100_000_000)),
        18 => iban(dice),
        19 => uuid(dice.word(), dice.word()).to_string(),
        20 => format!(
            "20{:02}-{:02}-{:02}",
            dice.below(40),
            1 + dice.below(12),
            1 + dice.below(28)
        ),
        21 => format!("{}.{}.{}", dice.below(10), dice.below(20), dice.below(20)),
        22 => [
            "Europe/Paris",
            "UTC",
            "FR",
            "fr",
            "fr-FR",
            "EUR",
            "en",
            "US",
        ][dice.below(8)]
        .to_owned(),
        23 => Sentence(FR_FR, 6..12).fake_with_rng(dice),
        24 => format!("/{word}/{number}/"),
        25 => format!(
            "{}{} {number}",
            word.get(..1).unwrap_or("A").to_uppercase(),
            word.get(1..).unwrap_or("")
        ),
        26 => format!("{}_{number}", word.to_uppercase()),
        27..=29 => match words.beginning(dice) {
            Some(beginning) => format!("{beginning}{:032x}", dice.long())
                .chars()
                .take(beginning.chars().count() + 8 + dice.below(17))
                .collect(),
            None => filled(words, dice),
        },
        _ => format!("192.0.2.{}", 1 + dice.below(250)),
    }
}

/// A number of GS1, as EAN-13 is: with its check digit.
fn article_number(length: usize, dice: &mut Dice) -> String {
    let mut digits: Vec<u32> = (1..length)
        .map(|_| u32::try_from(dice.below(10)).unwrap_or(0))
        .collect();
    let weighed = digits.iter().rev().enumerate();
    let sum: u32 = weighed
        .map(|(i, digit)| digit * if i % 2 == 0 { 3 } else { 1 })
        .sum();
    digits.push((10 - sum % 10) % 10);
    digits
        .into_iter()
        .filter_map(|digit| char::from_digit(digit, 10))
        .collect()
}

/// An IBAN (ISO 13616) of Germany, with its check digits.
fn iban(dice: &mut Dice) -> String {
    let account: String = (0..18)
        .map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap_or(0)))
        .collect();
    // D is 13 and E is 14; the two zeros stand for the check digits.
    let remainder = format!("{account}131400")
        .bytes()
        .fold(0, |sum: u32, digit| {
            (sum * 10 + u32::from(digit - b'0')) % 97
        });
    format!("DE{:02}{account}", 98 - remainder)
}
