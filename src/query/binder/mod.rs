//! Values for a query's parameters, by what is known of each.

mod computed;
mod foreign;
mod free;
mod json;
mod meeting;
mod shape;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use super::infer::{Inferred, Source};
use super::plain::{array, by_type, category, element, farther, within};
use crate::model::{Catalog, Cell, Dataset, Query, RelationName, Tenancy, Worlds};

/// So many of the acting tenant's rows are tried.
const ROWS: usize = 5;

/// Whose row some parameters name instead of the organisation's own.
#[derive(Clone, Copy)]
pub(super) struct Foreign<'a> {
    pub(super) rows: &'a Dataset,
    pub(super) table: &'a RelationName,
    /// Only what is written is theirs, as when a row of one's own is moved to them.
    pub(super) written: bool,
}

/// Finds values in the rows of the worlds.
pub(super) struct Binder<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) tenancy: &'a Tenancy,
    pub(super) worlds: &'a Worlds,
    pub(super) query: &'a Query,
    pub(super) inferred: &'a Inferred,
    pub(super) tenant: Option<usize>,
    /// Of tables that are compared without a key: which rows find most in the others, these first.
    pub(super) order: BTreeMap<RelationName, Vec<usize>>,
}

impl<'a> Binder<'a> {
    /// One value for each parameter.
    pub(super) fn values(&self, row: usize, wide: bool, foreign: Option<Foreign<'_>>) -> Vec<Cell> {
        (1..=self.query.parameters.len())
            .map(|number| {
                if Some(number) == self.tenant {
                    let tenant = self.worlds.acting_tenant();
                    return Some(match self.kind(number) {
                        kind if kind.ends_with("[]") => array([tenant]),
                        _ => tenant.to_owned(),
                    });
                }
                self.value(number, row, wide, foreign)
            })
            .collect()
    }

    fn value(&self, number: usize, row: usize, wide: bool, foreign: Option<Foreign<'_>>) -> Cell {
        let none = Vec::new();
        let sources = self.inferred.sources.get(&number).unwrap_or(&none);
        let kind = self.kind(number);
        if let Some(record) = self.record(number, row, wide, foreign) {
            return Some(record);
        }
        if sources.contains(&Source::Limit) {
            return Some("50".to_owned());
        }
        if sources.contains(&Source::Offset) {
            return Some("0".to_owned());
        }
        if sources.contains(&Source::Words)
            && let Some(word) = self.word(row)
        {
            return Some(word);
        }
        if sources.contains(&Source::Zone) {
            return Some(["UTC", "Europe/Paris"][row % 2].to_owned());
        }
        if sources.contains(&Source::Unit) {
            return Some(["day", "month", "hour", "year"][row % 4].to_owned());
        }
        let computed = self.computed(number, row, wide, foreign);
        if let Some(found) = computed.or_else(|| self.inside(sources, row, wide, foreign)) {
            let list = kind.ends_with("[]");
            return Some(if list { array([found]) } else { found });
        }
        let by = |wanted: char| {
            sources
                .iter()
                .any(|source| matches!(source, Source::Column { by, .. } if *by == wanted))
        };
        // A pattern that matches all, and one that most texts match.
        if by('~') {
            return Some(if wide { String::new() } else { "e".to_owned() });
        }
        if by('%') {
            return Some(if wide { "%" } else { "%e%" }.to_owned());
        }
        // What is looked for must be there; what is written as well can be anything.
        let (looked_for, others): (Vec<&Source>, Vec<&Source>) = sources
            .iter()
            .partition(|source| matches!(source, Source::Column { by: '=', .. }));
        for source in looked_for.into_iter().chain(others) {
            let Source::Column { table, column, .. } = source else {
                continue;
            };
            if !self.fits(kind, table, column) {
                continue;
            }
            let range = !by('=') && !by(':');
            let (dataset, is_theirs) = match foreign {
                Some(of) if of.table == table && (by(':') || !of.written) => (of.rows, true),
                _ => (self.dataset(table), false),
            };
            let referred = || {
                let of = foreign.filter(|of| !is_theirs && !of.written)?;
                self.referred(of.rows, of.table, row, table)
            };
            let own = || {
                let row =
                    referred().unwrap_or_else(|| self.ranked(table, row + self.turn(number, row)));
                picked(dataset, table, column, row)
            };
            let chosen = if range && (wide || foreign.is_some()) {
                self.far(dataset, table, column, by('<'))
            } else if by(':') && !by('=') && !(is_theirs && self.is_key(table, column)) {
                // What is written is a value of the kind, not one that must be there.
                self.written(table, column, row).or_else(own)
            } else if is_theirs {
                let row = self.stranger(dataset, table, row);
                let rows = dataset.get(table);
                rows.and_then(|rows| rows.cell(row, column)?.clone())
                    .or_else(|| column_values(dataset, table, column).pop())
            } else {
                own()
            };
            if let Some(value) = chosen {
                let second = (wide && !is_theirs && by('='))
                    .then(|| picked(dataset, table, column, row + 1))
                    .flatten();
                return self.shaped(kind, table, column, value, second);
            }
        }
        self.by_name(number, kind, row)
            .or_else(|| self.by_time(number, kind))
            .or_else(|| self.sample(number, row))
            .or_else(|| json::as_cast(sources, kind))
            .or_else(|| {
                // `at > now() - $1` wants a long one, `at < now() - $1` none.
                let none = kind == "interval" && row % 2 == 1;
                none.then(|| "0 days".to_owned()).or_else(|| by_type(kind))
            })
    }

    /// Two parameters that are compared with one column are two rows every other time: `list_id = $2 EXCEPT … list_id =
    /// $3` finds nothing in one. A twin without a model brings together a row and the one after it.
    fn turn(&self, number: usize, row: usize) -> usize {
        let Some(own) = self.compared(number).filter(|_| row % 2 == 1) else {
            return 0;
        };
        let like = |other: &usize| self.compared(*other) == Some(own);
        if row < ROWS {
            (number + 1..=self.query.parameters.len())
                .filter(like)
                .count()
        } else {
            (1..number).filter(like).count()
        }
    }

    /// How many of the acting tenant's rows are tried: more where two of them may be asked for at once.
    pub(super) fn rows(&self) -> usize {
        let all = 1..=self.query.parameters.len();
        let compared: Vec<&Source> = all.filter_map(|number| self.compared(number)).collect();
        let distinct: BTreeSet<&Source> = compared.iter().copied().collect();
        if distinct.len() < compared.len() {
            2 * ROWS
        } else {
            ROWS
        }
    }

    /// The column that a parameter is compared with, where it is not the tenant.
    fn compared(&self, number: usize) -> Option<&'a Source> {
        let sources = self.inferred.sources.get(&number)?;
        let mut columns = sources.iter();
        columns.find(|source| {
            matches!(source, Source::Column { by: '=', .. }) && Some(number) != self.tenant
        })
    }

    /// A value beyond all of a column's, for a comparison that may be strict.
    fn far(
        &self,
        dataset: &Dataset,
        table: &RelationName,
        column: &str,
        above: bool,
    ) -> Option<String> {
        let mut values = column_values(dataset, table, column);
        if self.is_range(table, column) {
            values = values.iter().filter_map(|range| within(range)).collect();
        }
        farther(&values, above)
    }

    /// The type that the server gave a parameter.
    fn kind(&self, number: usize) -> &'a str {
        self.query.types.get(number - 1).map_or("", String::as_str)
    }

    /// The acting tenant's rows, or the shared ones.
    fn dataset(&self, table: &RelationName) -> &'a Dataset {
        if self.worlds.acting.contains_key(table) {
            &self.worlds.acting
        } else {
            &self.worlds.shared
        }
    }
}

/// A row's value, or that of the next row that has one: what is bound together stands together, as far as it goes. An
/// empty array is in nothing.
fn picked(dataset: &Dataset, table: &RelationName, column: &str, row: usize) -> Option<String> {
    let rows = dataset.get(table)?;
    let count = rows.rows.len();
    let all = || (row..row + count).filter_map(|row| rows.cell(row % count, column)?.clone());
    all().find(|value| value != "{}").or_else(|| all().next())
}

pub(super) fn column_values(dataset: &Dataset, table: &RelationName, column: &str) -> Vec<String> {
    dataset.get(table).map_or_else(Vec::new, |rows| {
        (0..rows.rows.len())
            .filter_map(|row| rows.cell(row, column)?.clone())
            .collect()
    })
}
