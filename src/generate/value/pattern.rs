//! Regular expressions as CHECKs have them: texts that match, by number, and whether a text matches.
//!
//! Postgres' dialect and this one's agree in all that CHECKs commonly say; where they don't, the server judges.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

/// What repeats without a bound is repeated at most so many times more than it must be.
const SPREAD: u32 = 8;

/// A regular expression.
pub(in crate::generate) struct Pattern {
    hir: Hir,
    count: u128,
}

impl Pattern {
    /// `None` where the expression is none of this dialect.
    pub(in crate::generate) fn new(text: &str) -> Option<Self> {
        let hir = regex_syntax::parse(text).ok()?;
        let count = count(&hir).max(1);
        Some(Self { hir, count })
    }

    /// How many different texts [`Pattern::nth`] makes, repetitions bounded.
    pub(in crate::generate) fn count(&self) -> u128 {
        self.count
    }

    /// The text of this number, below the count.
    pub(in crate::generate) fn nth(&self, mut number: u128) -> String {
        let mut text = String::new();
        write(&self.hir, &mut number, &mut text);
        text
    }

    /// Whether some part of the text matches.
    pub(in crate::generate) fn matches(&self, text: &str) -> bool {
        let characters: Vec<char> = text.chars().collect();
        let mut steps = 20_000;
        (0..=characters.len())
            .any(|start| match_at(&self.hir, &characters, start, &mut steps, &mut |_, _| true))
    }
}

/// The characters that texts are made of: those of ASCII that can be seen, where the class has any.
fn plain(class: &Class) -> ClassUnicode {
    let class = match class {
        Class::Unicode(class) => class.clone(),
        Class::Bytes(class) => class.to_unicode_class().unwrap_or_else(ClassUnicode::empty),
    };
    // Letters and digits read better than anything else, and stand in more patterns together.
    for ranges in [
        &[('a', 'z'), ('0', '9')][..],
        &[('A', 'Z')],
        &[('!', '~')],
        &[(' ', '~')],
    ] {
        let mut narrowed = ClassUnicode::new(
            ranges
                .iter()
                .map(|(low, high)| ClassUnicodeRange::new(*low, *high)),
        );
        narrowed.intersect(&class);
        if !narrowed.ranges().is_empty() {
            return narrowed;
        }
    }
    class
}

fn size(class: &ClassUnicode) -> u128 {
    class
        .ranges()
        .iter()
        .map(|range| u128::from(u32::from(range.end()) - u32::from(range.start()) + 1))
        .sum()
}

fn bounds(min: u32, max: Option<u32>) -> (u32, u32) {
    (min, max.unwrap_or(u32::MAX).min(min.max(1) + SPREAD))
}

fn count(hir: &Hir) -> u128 {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => 1,
        HirKind::Class(class) => size(&plain(class)),
        HirKind::Repetition(repetition) => {
            let one = count(&repetition.sub);
            let (min, max) = bounds(repetition.min, repetition.max);
            (min..=max).fold(0, |all: u128, n| all.saturating_add(one.saturating_pow(n)))
        }
        HirKind::Capture(capture) => count(&capture.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .fold(1, |all: u128, part| all.saturating_mul(count(part))),
        HirKind::Alternation(parts) => parts
            .iter()
            .fold(0, |all: u128, part| all.saturating_add(count(part))),
    }
}

/// Writes the text of this number; what is left of the number is that of the parts behind.
fn write(hir: &Hir, number: &mut u128, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => {
            let class = plain(class);
            let all = size(&class).max(1);
            let mut rest = *number % all;
            *number /= all;
            for range in class.ranges() {
                let here = u128::from(u32::from(range.end()) - u32::from(range.start()) + 1);
                if rest < here {
                    let code = u32::from(range.start()) + u32::try_from(rest).unwrap_or(0);
                    text.extend(char::from_u32(code));
                    return;
                }
                rest -= here;
            }
        }
        HirKind::Repetition(repetition) => {
            let one = count(&repetition.sub);
            let (min, max) = bounds(repetition.min, repetition.max);
            let all = count(hir).max(1);
            let mut inner = *number % all;
            *number /= all;
            let mut times = min;
            // Short ones first: so many texts there are of each length.
            while times < max && inner >= one.saturating_pow(times) {
                inner -= one.saturating_pow(times);
                times += 1;
            }
            for _ in 0..times {
                write(&repetition.sub, &mut inner, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, number, text),
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, number, text);
            }
        }
        HirKind::Alternation(parts) => {
            let all = count(hir).max(1);
            let mut inner = *number % all;
            *number /= all;
            for part in parts {
                let here = count(part);
                if inner < here {
                    return write(part, &mut inner, text);
                }
                inner -= here;
            }
        }
    }
}

type Then<'a> = dyn FnMut(usize, &mut u32) -> bool + 'a;

/// Whether the text matches from here on, by trying (as long as there are steps left), and then the rest does.
fn match_at(hir: &Hir, text: &[char], at: usize, steps: &mut u32, then: &mut Then<'_>) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    match hir.kind() {
        HirKind::Empty => then(at, steps),
        HirKind::Look(look) => {
            let holds = match look {
                Look::Start | Look::StartLF | Look::StartCRLF => at == 0,
                Look::End | Look::EndLF | Look::EndCRLF => at == text.len(),
                // Words' bounds: the server judges.
                _ => true,
            };
            holds && then(at, steps)
        }
        HirKind::Literal(literal) => {
            let literal: Vec<char> = String::from_utf8_lossy(&literal.0).chars().collect();
            text[at..].starts_with(&literal) && then(at + literal.len(), steps)
        }
        HirKind::Class(class) => {
            let fits = text.get(at).is_some_and(|c| match class {
                Class::Unicode(class) => class
                    .ranges()
                    .iter()
                    .any(|range| (range.start()..=range.end()).contains(c)),
                Class::Bytes(_) => false,
            });
            fits && then(at + 1, steps)
        }
        HirKind::Repetition(repetition) => repeated(
            &repetition.sub,
            (repetition.min, repetition.max.unwrap_or(u32::MAX)),
            text,
            at,
            steps,
            then,
        ),
        HirKind::Capture(capture) => match_at(&capture.sub, text, at, steps, then),
        HirKind::Concat(parts) => all_of(parts, text, at, steps, then),
        HirKind::Alternation(parts) => parts
            .iter()
            .any(|part| match_at(part, text, at, steps, then)),
    }
}

fn all_of(parts: &[Hir], text: &[char], at: usize, steps: &mut u32, then: &mut Then<'_>) -> bool {
    match parts.split_first() {
        None => then(at, steps),
        Some((first, rest)) => match_at(first, text, at, steps, &mut |at, steps| {
            all_of(rest, text, at, steps, then)
        }),
    }
}

/// As often as can be first.
fn repeated(
    of: &Hir,
    (min, max): (u32, u32),
    text: &[char],
    at: usize,
    steps: &mut u32,
    then: &mut Then<'_>,
) -> bool {
    let again = max > 0
        && match_at(of, text, at, steps, &mut |next, steps| {
            // What matches nothing would do so for ever.
            next > at
                && repeated(
                    of,
                    (min.saturating_sub(1), max - 1),
                    text,
                    next,
                    steps,
                    then,
                )
        });
    again || (min == 0 && then(at, steps))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_gives_a_text_of_its_own_that_matches() {
        for text in [
            "^[A-Z]{2}[0-9]{3}$",
            "^(ab|c[0-9])x?$",
            "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$",
            "^[0-9]{2}\\.[0-9]{2}[A-Z]$",
            "^#[0-9a-f]{6}$",
        ] {
            let pattern = Pattern::new(text).unwrap();
            let numbers = 0..pattern.count().min(500);
            let made: BTreeSet<String> = numbers.clone().map(|n| pattern.nth(n)).collect();
            assert_eq!(made.len() as u128, numbers.end, "{text}: {made:?}");
            for made in made {
                assert!(pattern.matches(&made), "{text}: {made}");
            }
        }
        assert_eq!(Pattern::new("^(ab|c[0-9])x?$").unwrap().count(), 22);
    }

    #[test]
    fn what_does_not_match_is_told() {
        let pattern = Pattern::new("^[a-z]+(-[a-z]+)*$").unwrap();
        assert!(pattern.matches("ab-c-d"));
        assert!(!pattern.matches("ab-"));
        assert!(!pattern.matches("Ab"));
        assert!(Pattern::new("b").unwrap().matches("abc"));
        assert!(Pattern::new("^(?!x)").is_none());
    }
}
