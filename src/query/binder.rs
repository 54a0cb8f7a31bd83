//! Values for a query's parameters, by what is known of each.

use std::collections::{BTreeMap, BTreeSet};

use super::infer::{Inferred, Source};
use super::plain::{array, beyond, by_type, category, element, greatest, least, within};
use crate::model::{Catalog, Cell, Class, Dataset, Query, RelationName, Tenancy, TypeKind, Worlds};

/// So many of the acting tenant's rows are tried.
const ROWS: usize = 4;

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
}

impl<'a> Binder<'a> {
    /// The tables whose rows the parameters name.
    pub(super) fn groups(&self) -> Vec<&'a RelationName> {
        let mut tables: Vec<&RelationName> = self
            .inferred
            .sources
            .iter()
            .filter(|(number, _)| Some(**number) != self.tenant)
            .flat_map(|(_, sources)| sources)
            .filter_map(|source| match source {
                Source::Column { table, by: '=', .. } => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// The parameters that look for rows of a table by their id.
    pub(super) fn of_group(&self, group: &RelationName) -> Vec<usize> {
        let looks = |source: &Source| matches!(source, Source::Column { table, by: '=', .. } if table == group);
        let sources = self.inferred.sources.iter();
        let of = sources
            .filter(|(number, sources)| Some(**number) != self.tenant && sources.iter().any(looks));
        of.map(|(number, _)| *number).collect()
    }

    /// The tables to which a parameter writes a part of a unique key, or whose the row is.
    pub(super) fn seized(&self) -> Vec<&'a RelationName> {
        let written = self.inferred.sources.values().flatten();
        let mut tables: Vec<&RelationName> = written
            .filter_map(|source| match source {
                Source::Column {
                    table,
                    column,
                    by: ':',
                } if self.is_key(table, column) => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Part of a unique key, and not the tenant; or of the key that says whose a derived row is.
    fn is_key(&self, table: &RelationName, column: &str) -> bool {
        let Some(known) = self.catalog.tables.get(table) else {
            return false;
        };
        if let Some(Class::Derived { foreign_key }) = self.tenancy.classes.get(table) {
            let mut defining = known.foreign_keys.iter();
            let defining = defining.find(|key| key.name == *foreign_key);
            if defining.is_some_and(|key| key.columns.iter().any(|name| name == column)) {
                return true;
            }
        }
        let mut unique = known.indexes.iter().filter(|index| index.unique);
        self.tenancy.tenant_column(table) != Some(column)
            && unique.any(|index| index.plain_columns().contains(&column))
    }

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
                let row = referred().unwrap_or_else(|| row + self.turn(number, row));
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
            .or_else(|| by_type(kind))
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
        if above {
            greatest(&values).map(|value| beyond(&value, 1))
        } else {
            least(&values).map(|value| beyond(&value, -1))
        }
    }

    /// A column's value as the parameter wants it: one, where the column has ranges or arrays; several, where the column
    /// has one.
    fn shaped(
        &self,
        kind: &str,
        table: &RelationName,
        column: &str,
        value: String,
        second: Option<String>,
    ) -> Cell {
        let wants_array = kind.ends_with("[]");
        let has_array = matches!(self.kind_of(table, column), Some(TypeKind::Array(_)));
        if wants_array && !has_array {
            return Some(array([Some(value), second].iter().flatten()));
        }
        if !wants_array && has_array {
            return Some(element(&value));
        }
        if !kind.ends_with("range") && self.is_range(table, column) {
            return within(&value).or(Some(value));
        }
        Some(value)
    }

    /// The type that the server gave a parameter.
    fn kind(&self, number: usize) -> &'a str {
        self.query.types.get(number - 1).map_or("", String::as_str)
    }

    fn kind_of(&self, table: &RelationName, column: &str) -> Option<&'a TypeKind> {
        let column = self.catalog.tables.get(table)?.column(column)?;
        let base = self.catalog.base_type(column.type_oid);
        Some(&self.catalog.types.get(&base)?.kind)
    }

    fn is_range(&self, table: &RelationName, column: &str) -> bool {
        matches!(self.kind_of(table, column), Some(TypeKind::Range(_)))
    }

    /// A column's values are of the kind that the parameter wants: `created_at > now() - $1` wants no time.
    fn fits(&self, kind: &str, table: &RelationName, column: &str) -> bool {
        let of = |oid: u32| {
            let base = self.catalog.types.get(&self.catalog.base_type(oid))?;
            match base.kind {
                TypeKind::Array(element) | TypeKind::Range(element) => {
                    category(&self.catalog.types.get(&element)?.printed)
                }
                _ => category(&base.printed),
            }
        };
        let held = self
            .catalog
            .tables
            .get(table)
            .and_then(|table| of(table.column(column)?.type_oid));
        match (category(kind.trim_end_matches("[]")), held) {
            (Some("text") | None, _) => true,
            (wanted, held) => wanted == held,
        }
    }

    /// A word of one of the query's texts: of the first text column first, then of the next.
    fn word(&self, row: usize) -> Option<String> {
        let tables = self.inferred.tables.iter();
        let texts: Vec<(&RelationName, &str)> = tables
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("text"))
            .map(|(table, column)| (&table.name, column.name.as_str()))
            .filter(|(table, column)| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let (table, column) = texts.get(row % texts.len().max(1))?;
        let values = column_values(self.dataset(table), table, column);
        // The longest says most.
        let words = values
            .get(row / texts.len())?
            .split(|c: char| !c.is_alphabetic());
        let longest = words.max_by_key(|word| word.chars().count());
        longest.filter(|word| !word.is_empty()).map(str::to_owned)
    }

    /// A time that is compared with nothing, as in `generate_series($1, $2)`: from the earliest that the query's
    /// tables know to the latest.
    fn by_time(&self, number: usize, kind: &str) -> Option<String> {
        if category(kind) != Some("time") {
            return None;
        }
        let values: Vec<String> = self
            .inferred
            .tables
            .iter()
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("time"))
            .flat_map(|(table, column)| {
                column_values(self.dataset(&table.name), &table.name, &column.name)
            })
            .collect();
        let open = |other: &usize| {
            let known = self.inferred.sources.get(other);
            known.is_none_or(Vec::is_empty)
                && self.query.types.get(other - 1).is_some_and(|k| k == kind)
        };
        let before = (1..number).filter(open).count();
        let after = (number + 1..=self.query.types.len()).any(|other| open(&other));
        if before % 2 == 0 && after {
            values.into_iter().min()
        } else {
            values.into_iter().max()
        }
    }

    /// The row of somebody else's that shows most, or of that rank: the acting tenant lacks what the query looks for in
    /// it, and has the rows, by their ids, that it refers to.
    fn stranger(&self, theirs: &Dataset, table: &RelationName, rank: usize) -> usize {
        let sources = self.inferred.sources.values().flatten();
        let looked_for: BTreeSet<&str> = sources
            .filter_map(|source| match source {
                Source::Column {
                    table: of,
                    column,
                    by: '=' | ':',
                } if of == table => Some(column.as_str()),
                _ => None,
            })
            .collect();
        let keys = self.catalog.tables.get(table).into_iter();
        let referring: BTreeSet<&str> = keys
            .flat_map(|table| table.foreign_keys.iter())
            .flat_map(|key| key.columns.iter().map(String::as_str))
            .filter(|column| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let own = |column: &&str| {
            let values = column_values(self.dataset(table), table, column);
            values.into_iter().collect::<BTreeSet<String>>()
        };
        let owned: BTreeMap<&str, BTreeSet<String>> = looked_for
            .union(&referring)
            .map(|column| (*column, own(column)))
            .collect();
        let Some(rows) = theirs.get(table) else {
            return 0;
        };
        let has = |row: usize, column: &str| -> Option<bool> {
            let value = rows.cell(row, column)?.as_ref()?;
            Some(owned.get(column)?.contains(value))
        };
        let count = |row: usize, columns: &BTreeSet<&str>, wanted: bool| {
            let all = columns.iter();
            all.filter(|column| has(row, column) == Some(wanted))
                .count()
        };
        let mut order: Vec<usize> = (0..rows.rows.len()).rev().collect();
        order.sort_by_key(|row| {
            std::cmp::Reverse((
                count(*row, &looked_for, false),
                count(*row, &referring, true),
            ))
        });
        order.get(rank % order.len().max(1)).copied().unwrap_or(0)
    }

    /// The acting tenant's row that somebody else's row refers to by its ids: what is bound together could meet.
    fn referred(
        &self,
        theirs: &Dataset,
        group: &RelationName,
        rank: usize,
        table: &RelationName,
    ) -> Option<usize> {
        let row = self.stranger(theirs, group, rank);
        let rows = theirs.get(group)?;
        let own = self.dataset(table).get(table)?;
        let tenant = self.tenancy.tenant_column(table);
        let mut keys = self.catalog.tables.get(group)?.foreign_keys.iter();
        keys.find_map(|key| {
            let pairs = || key.pairs().filter(|(_, target)| Some(*target) != tenant);
            if key.target != *table || pairs().next().is_none() {
                return None;
            }
            let meets = |number: &usize| {
                pairs().all(|(column, target)| {
                    let theirs = rows.cell(row, column).and_then(Option::as_ref);
                    theirs.is_some() && own.cell(*number, target).and_then(Option::as_ref) == theirs
                })
            };
            (0..own.rows.len()).find(meets)
        })
    }

    /// The acting tenant's rows, or the shared ones.
    fn dataset(&self, table: &RelationName) -> &'a Dataset {
        if self.worlds.acting.contains_key(table) {
            &self.worlds.acting
        } else {
            &self.worlds.shared
        }
    }

    /// A spare row's value: one that is valid and not there yet.
    fn written(&self, table: &RelationName, column: &str, row: usize) -> Option<String> {
        let spares = column_values(self.worlds.spares.first()?, table, column);
        // Every other time a value that is there: an upsert has two ways to go.
        if row % 2 == 1 {
            None
        } else {
            spares.first().cloned()
        }
    }

    /// A value that a recorded program gave.
    fn sample(&self, number: usize, row: usize) -> Option<String> {
        let samples = self.query.samples.get(number - 1)?;
        samples.get(row % samples.len().max(1)).cloned()
    }

    /// A column of the query's tables that is called like the parameter.
    fn by_name(&self, number: usize, kind: &str, row: usize) -> Option<String> {
        let name = self.query.parameters.get(number - 1)?.as_ref()?;
        self.inferred.tables.iter().find_map(|table| {
            self.catalog.tables.get(table)?.column(name)?;
            let value = picked(self.dataset(table), table, name, row)?;
            self.shaped(kind, table, name, value, None)
        })
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
