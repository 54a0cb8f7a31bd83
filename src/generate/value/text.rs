//! Texts as people write them where the column's name says what they are; with a canary where there is room.

use super::pattern::Pattern;
use super::topic::Topic;
use super::{Cell, Profile, company};
use crate::generate::dice::{Dice, shuffled};
use crate::generate::hints::{is_like, shortest_like};

/// The longest text where nothing bounds it, in characters.
const LONGEST: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

/// `text`, `varchar`, `char(n)`, `citext` and `name`.
pub(super) struct Text {
    topic: Topic,
    shortest: usize,
    longest: usize,
    patterns: Vec<Pattern>,
    likes: Vec<String>,
    /// The case that is asked for.
    case: Option<Case>,
    distinct: bool,
    binary: bool,
}

impl Text {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let hints = &profile.hints;
        let declared = (profile.modifier >= 4 && matches!(type_name, "varchar" | "bpchar"))
            .then(|| usize::try_from(profile.modifier - 4).unwrap_or(usize::MAX));
        let usual = if type_name == "name" { 63 } else { LONGEST };
        Self {
            topic: Topic::of(profile),
            shortest: hints.min_length.unwrap_or(1),
            longest: match (declared, hints.max_length) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => a.or(b).unwrap_or(usual),
            },
            patterns: hints
                .patterns
                .iter()
                .filter_map(|text| Pattern::new(text))
                .collect(),
            likes: hints.likes.clone(),
            case: match (hints.lower, hints.upper) {
                (true, _) => Some(Case::Lower),
                (_, true) => Some(Case::Upper),
                _ => None,
            },
            distinct: profile.distinct,
            binary: type_name != "refcursor",
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> String {
        // Digits that are right, whatever a pattern would make of them.
        if self.is_registered() {
            return self.topic.make(cell, "", dice);
        }
        let made = self.sized(self.written(cell, dice), cell, dice);
        let Some(wrong) = self.patterns.iter().find(|p| !p.matches(&made)) else {
            return made;
        };
        self.matching(wrong, cell, dice).unwrap_or(made)
    }

    /// As the column's name suggests, in the case and form that is asked for.
    fn written(&self, cell: &Cell<'_>, dice: &mut Dice) -> String {
        let ordinal;
        let tail = match cell.canary {
            Some(canary) => canary,
            None if self.distinct => {
                ordinal = cell.ordinal.to_string();
                &ordinal
            }
            None => "",
        };
        let mut made = self.topic.make(cell, tail, dice);
        for pattern in &self.likes {
            if !is_like(&made, pattern) {
                made = match pattern.strip_suffix('%') {
                    Some(open) => format!("{}{}", shortest_like(open), made.replace(' ', "-")),
                    None => shortest_like(pattern),
                };
            }
        }
        match self.case {
            Some(Case::Lower) => made.to_lowercase(),
            Some(Case::Upper) => made.to_uppercase(),
            None => made,
        }
    }

    fn sized(&self, mut made: String, cell: &Cell<'_>, dice: &mut Dice) -> String {
        let count = made.chars().count();
        if count > self.longest {
            return self.short(cell, dice);
        }
        made.extend((count..self.shortest).map(|_| 'x'));
        made
    }

    /// A text that fits in few characters and still differs from row to row where it must.
    fn short(&self, cell: &Cell<'_>, dice: &mut Dice) -> String {
        if let Some(canary) = cell.canary.filter(|canary| canary.len() <= self.longest) {
            return canary.to_owned();
        }
        let mut number = if self.distinct || cell.counted {
            cell.ordinal
        } else {
            dice.word()
        };
        let first = if self.case == Some(Case::Upper) {
            b'A'
        } else {
            b'a'
        };
        (0..self.longest.min(12))
            .map(|_| {
                let letter = char::from(first + u8::try_from(number % 26).unwrap_or(0));
                number /= 26;
                letter
            })
            .collect()
    }

    /// A text of the right length that matches the pattern: another one for each ordinal where it must differ.
    fn matching(&self, pattern: &Pattern, cell: &Cell<'_>, dice: &mut Dice) -> Option<String> {
        let room = u64::try_from(pattern.count()).unwrap_or(u64::MAX);
        for _ in 0..20 {
            let made = if cell.counted || self.distinct {
                pattern.nth(u128::from(shuffled(cell.ordinal % room.max(1), room, 5)))
            } else {
                pattern.nth(dice.long() % pattern.count())
            };
            let length = made.chars().count();
            if (self.shortest..=self.longest).contains(&length) {
                return Some(made);
            }
            if cell.counted || self.distinct {
                // The length is not the ordinal's to choose: any text of the pattern may do.
                let made = pattern.nth(dice.long() % pattern.count());
                if (self.shortest..=self.longest).contains(&made.chars().count()) {
                    return Some(made);
                }
            }
        }
        None
    }

    /// It is a number of the French register.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.topic, Topic::Siren | Topic::Siret)
    }

    pub(super) fn room(&self) -> u128 {
        let letters = u32::try_from(self.longest.min(12)).unwrap_or(12);
        match self.topic {
            Topic::Siren | Topic::Siret => company::SIRENS,
            Topic::Phone if self.patterns.is_empty() => 100_000_000,
            _ => match self.patterns.first() {
                Some(pattern) => pattern.count(),
                // The ordinal stands at the end where there is room, else all that is left are letters.
                None if self.longest >= 60 => u128::MAX,
                None => 26_u128.pow(letters),
            },
        }
    }

    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }
}
