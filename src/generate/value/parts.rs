//! What is made of parts: arrays and composites.

use super::{Cell, Maker, Profile};
use crate::generate::dice::Dice;
use crate::generate::hints::Hints;
use crate::model::{Catalog, Datum};

/// An array of as many dimensions as it was declared with.
pub(super) struct Array {
    element: u32,
    maker: Box<Maker>,
    low: usize,
    high: usize,
    dimensions: usize,
}

impl Array {
    pub(super) fn new(catalog: &Catalog, profile: &Profile, element: u32) -> Result<Self, String> {
        let low = profile.hints.min_length.unwrap_or(0);
        Ok(Self {
            element,
            maker: Box::new(part(catalog, profile, element, profile.modifier)?),
            low,
            high: profile.hints.max_length.unwrap_or(low.max(2)),
            dimensions: profile.dimensions.clamp(1, 6),
        })
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let count = self.low + dice.below(self.high.saturating_sub(self.low) + 1);
        self.level(self.dimensions, count, cell, dice)
    }

    /// Each row of an array is as long as its neighbours: inner ones have two elements.
    fn level(&self, dimensions: usize, count: usize, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let items = (0..count)
            .map(|_| match dimensions {
                1 => self.maker.make(cell, dice),
                _ => self.level(dimensions - 1, 2, cell, dice),
            })
            .collect();
        Datum::Array {
            element: self.element,
            items,
        }
    }

    pub(super) fn is_binary(&self) -> bool {
        self.maker.is_binary()
    }
}

/// The makers of a composite's fields.
pub(super) fn fields(
    catalog: &Catalog,
    profile: &Profile,
    attributes: &[(String, u32, i32)],
) -> Result<Vec<Maker>, String> {
    attributes
        .iter()
        .map(|(_, oid, modifier)| part(catalog, profile, *oid, *modifier))
        .collect()
}

/// A row of fields, in parentheses.
pub(super) fn row(fields: &[Maker], cell: &Cell<'_>, dice: &mut Dice) -> Datum {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| item(&field.make(cell, dice).to_string()))
        .collect();
    Datum::Literal(format!("({})", fields.join(",")))
}

/// A quoted field of a row or bound of a range.
pub(super) fn item(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A part is like the whole but for its type; CHECKs over the elements are its own.
fn part(catalog: &Catalog, profile: &Profile, oid: u32, modifier: i32) -> Result<Maker, String> {
    let mut inner = Profile {
        name: profile.name.clone(),
        type_oid: oid,
        modifier,
        hints: Hints {
            choices: profile.hints.elements.clone(),
            ..Hints::default()
        },
        ..Profile::default()
    };
    inner.look_through_domains(catalog);
    Maker::new(catalog, &inner)
}
