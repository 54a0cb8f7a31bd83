//! The words of CHECKs: literals, numbers and patterns that stand in them and in the functions that they call.

use std::collections::BTreeSet;

use crate::generate::dice::Dice;
use crate::generate::plan::mentions;
use crate::generate::value::Pattern;
use crate::model::{Catalog, TokenKind, Tokens};

/// Functions that call functions are followed so far.
const DEPTH: usize = 3;

/// More words than this help nobody.
const MOST: usize = 64;

/// Marks between the beginning of a text, that says what it names, and the rest.
const JOINTS: [char; 6] = ['_', '-', ':', '.', '/', '#'];

/// What the CHECKs of a column say by name.
#[derive(Default)]
pub(super) struct Words {
    literals: Vec<String>,
    numbers: Vec<f64>,
    patterns: Vec<Pattern>,
    /// Literals of letters and digits alone, and the marks that stand in others: `cus` and `_`, for `cus_4ab2`.
    beginnings: Vec<String>,
    joints: Vec<char>,
    /// What may be the key of a document, or one of a list: the words within literals.
    pub(super) keys: Vec<String>,
}

impl Words {
    /// The words of expressions, and of the functions in them.
    pub(super) fn of<'e>(catalog: &Catalog, expressions: impl Iterator<Item = &'e str>) -> Self {
        let (mut literals, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for expression in expressions {
            collect(catalog, expression, DEPTH, &mut literals, &mut numbers);
        }
        let keys: BTreeSet<&str> = literals
            .iter()
            .flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_')))
            .filter(|word| word.chars().any(char::is_alphabetic))
            .collect();
        let keys = keys.into_iter().take(MOST).map(str::to_owned).collect();
        let special = |text: &&String| text.contains(['[', '(', '\\', '^', '$', '*', '+', '?']);
        let joints: BTreeSet<char> = literals.iter().flat_map(|text| text.chars()).collect();
        Self {
            keys,
            beginnings: literals
                .iter()
                .filter(|text| !text.is_empty() && text.chars().all(char::is_alphanumeric))
                .cloned()
                .collect(),
            joints: JOINTS.into_iter().filter(|c| joints.contains(c)).collect(),
            patterns: literals
                .iter()
                .filter(special)
                .filter_map(|text| Pattern::new(text))
                .collect(),
            numbers: numbers
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            literals: literals.into_iter().take(MOST).collect(),
        }
    }

    pub(super) fn literal(&self, dice: &mut Dice) -> Option<String> {
        self.literals.get(dice.below(self.literals.len())).cloned()
    }

    /// What ids of one kind begin with: a literal and a mark, one that the CHECKs name where they name any.
    pub(super) fn beginning(&self, dice: &mut Dice) -> Option<String> {
        let word = self.beginnings.get(dice.below(self.beginnings.len()))?;
        let joints = if self.joints.is_empty() {
            &JOINTS[..]
        } else {
            &self.joints
        };
        Some(format!("{word}{}", joints[dice.below(joints.len())]))
    }

    pub(super) fn number(&self, dice: &mut Dice) -> Option<f64> {
        self.numbers.get(dice.below(self.numbers.len())).copied()
    }

    /// A text that one of the patterns matches.
    pub(super) fn matching(&self, dice: &mut Dice) -> Option<String> {
        let pattern = self.patterns.get(dice.below(self.patterns.len()))?;
        // Numbers begin with short texts.
        let room = if dice.one_in(2) {
            pattern.count().min(400)
        } else {
            pattern.count()
        };
        Some(pattern.nth(dice.long() % room))
    }
}

fn collect(
    catalog: &Catalog,
    text: &str,
    depth: usize,
    literals: &mut BTreeSet<String>,
    numbers: &mut BTreeSet<String>,
) {
    for token in Tokens::new(text).map_while(Result::ok) {
        match token.kind {
            TokenKind::Literal => literals.extend(unquoted(token.text)),
            TokenKind::Number => drop(numbers.insert(token.text.to_owned())),
            _ => {}
        }
    }
    if depth > 0 {
        let called = catalog
            .functions
            .iter()
            .filter(|(name, _)| mentions(text, name));
        for (_, source) in called {
            collect(catalog, source, depth - 1, literals, numbers);
        }
    }
}

/// A literal's text, quotes taken off.
fn unquoted(literal: &str) -> Option<String> {
    let escapes = literal.starts_with(['E', 'e']);
    let inside = literal.get(literal.find('\'')? + 1..)?.strip_suffix('\'')?;
    let text = inside.replace("''", "'");
    Some(if escapes {
        text.replace("\\\\", "\\")
    } else {
        text
    })
}
