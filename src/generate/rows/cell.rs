//! The value of a cell that no key fills.

use super::{ATTEMPTS, Draft, Maker};
use crate::generate::dice::{hash, mixed};
use crate::generate::value::{self, Absence, Profile};
use crate::generate::{Part, RowKey, poison};
use crate::model::{Canary, Cell, Column};

impl<'a> Maker<'a> {
    /// A value for a column that no key fills.
    pub(super) fn cell(
        &mut self,
        draft: &Draft<'a>,
        column: &Column,
        profile: &Profile,
    ) -> Result<Cell, String> {
        let mut dice = draft.dice(self.genes.seed.number, &column.name);
        let narrowed = self.narrowed(draft, column, profile);
        let profile = narrowed.as_ref().unwrap_or(profile);
        if profile.hints.null {
            return Ok(None);
        }
        let nullable = !column.not_null && !profile.hints.not_null;
        // What marks a row as gone is rare, and on two rows for certain: what looks for such rows meets one, also where it
        // wants more of them. Other gaps are rarer; the first row has none.
        let absence = Absence::of(self.ground.catalog, profile);
        if nullable
            && (if draft.again > 0 || draft.loose {
                dice.one_in(2)
            } else if absence == Absence::Gone {
                let certain = matches!(draft.place.row, 3 | 5);
                draft.place.row == 0 || (!dice.one_in(4) && !certain)
            } else if absence == Absence::Event {
                // Two rows with it, two without, and the other way round when the states begin anew: with each of them, and
                // with what is so in every other row, it meets in both ways.
                let states = draft.table.states.max(2);
                let (round, state) = (draft.place.row / states, draft.place.row % states);
                (state.div_ceil(2) + round) % 2 == 1
            } else {
                draft.place.row > 0 && dice.one_in(8)
            })
        {
            return Ok(None);
        }
        let place = &draft.place;
        if place.part == Part::Poisoned
            && let Some(poison) = self.poison(draft, column, profile)
        {
            return Ok(Some(self.with_queried(draft, column, poison)));
        }
        let beyond = 4 + 2 * self.genes.organisations;
        let block = match place.part {
            Part::Shared => 0,
            Part::Acting => 1,
            Part::Spare => 2 + place.tenant,
            Part::Different => 4 + 2 * place.tenant,
            Part::Twins => 5 + 2 * place.tenant,
            Part::Poisoned => beyond + 2 * place.tenant,
            Part::Many => beyond + 1 + 2 * place.tenant,
        };
        let ordinal = block as u64 * 1_000_000
            + u64::from(draft.salt * ATTEMPTS + draft.attempt) * 1_000
            + place.row as u64;
        let token = (place.tenant > 0).then(|| canary_token(dice.word()));
        let made = value::value(
            self.ground.catalog,
            profile,
            &value::Cell {
                instant: self.genes.seed.instant,
                ordinal,
                counted: false,
                canary: token.as_deref(),
                turn: shift(self.genes.seed.number, place, &column.name),
                // States keep their turn as long as other columns may mend the row.
                salt: draft.salt + draft.attempt + draft.again / 8,
                row: draft.dice(self.genes.seed.number, "").word(),
            },
            &mut dice,
        )
        .map_err(|why| format!("column {}: {why}", place.table.object(&column.name)))?;
        let made = self.under_its_company(draft, column, ordinal, made);
        let made = self.with_queried(draft, column, made);
        if let Some(token) = token.filter(|token| made.contains(token)) {
            self.canaries.insert(
                token,
                Canary {
                    tenant: place.tenant,
                    table: place.table.clone(),
                    column: column.name.clone(),
                    row: place.row,
                },
            );
        }
        Ok(Some(made))
    }

    /// A SIRET of the company that the row refers to, where it refers to one; anything else as it is.
    fn under_its_company(
        &self,
        draft: &Draft<'a>,
        column: &Column,
        ordinal: u64,
        made: String,
    ) -> String {
        let siret = draft.table.siret.map(|at| draft.table.columns[at].0);
        if siret.is_none_or(|siret| siret.name != column.name) {
            return made;
        }
        self.siren_of_parent(draft)
            .and_then(|siren| value::establishment(&siren, ordinal))
            .filter(|siret| siret.len() == made.len())
            .unwrap_or(made)
    }

    /// A value that breaks what is evaluated on it too early, as long as the row was not refused for one: then every
    /// other column has one, and at last none.
    fn poison(&self, draft: &Draft<'a>, column: &Column, profile: &Profile) -> Option<String> {
        let place = &draft.place;
        let mut dice = draft.dice(self.genes.seed.number, &column.name);
        let harmless = draft.attempt > 0
            || draft.again > 0
            || draft.salt > 6
            || (draft.salt > 0 && !dice.one_in(1 + u64::from(draft.salt)));
        let bounded = draft.table.bounds.iter();
        let known = !column.samples.is_empty();
        if harmless || known || bounded.flatten().any(|(name, _)| *name == column.name) {
            return None;
        }
        poison::value(self.ground.catalog, profile, place.row + place.tenant)
    }

    /// The column's profile within the bounds of the partition that the row goes to: one after the other.
    fn narrowed(&self, draft: &Draft<'a>, column: &Column, profile: &Profile) -> Option<Profile> {
        let bounds = &draft.table.bounds;
        let place = &draft.place;
        let turn = shift(self.genes.seed.number, place, "")
            + u64::from(draft.salt + draft.attempt + draft.again);
        let chosen = usize::try_from(turn % (bounds.len().max(1) as u64)).unwrap_or(0);
        let hints = bounds.get(chosen)?.get(&column.name)?;
        let mut narrowed = profile.clone();
        narrowed.hints.narrow(hints);
        Some(narrowed)
    }
}

/// The row's number, shifted for other tenants by what the seed says for column and tenant. The acting tenant's first
/// rows have the first values whatever the seed: the states that queries ask for must not come and go with it.
pub(super) fn shift(seed: u64, place: &RowKey, column: &str) -> u64 {
    if place.tenant == 0 {
        return place.row as u64;
    }
    let seed = mixed(seed, place.tenant as u64);
    (hash(seed, &[&place.table.schema, &place.table.name, column]) % 1_000) + place.row as u64
}

/// Twelve letters and digits that no other text has.
fn canary_token(mut word: u64) -> String {
    let mut token = String::from("wtq");
    for _ in 0..9 {
        let digit = u8::try_from(word % 36).unwrap_or(0);
        token.push(char::from(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        }));
        word /= 36;
    }
    token
}
