//! Simpler values: a value is replaced wherever it stands, so that what was equal stays equal, and references hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::WorldsTree;
use super::rows::{Row, State};
use crate::generate::clock::{self, DAY};
use crate::model::{Column, TypeKind};

/// Midnight of 2020-01-01 in UTC, in seconds since 1970.
const FIRST_DAY: i64 = 18_262 * DAY;

/// One value of a type for another, everywhere.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    /// The cells: rows and positions.
    cells: Vec<(usize, usize)>,
    to: String,
}

impl Rename {
    pub(super) fn apply(&self, state: &mut State, touched: &mut BTreeSet<usize>) {
        for (id, position) in &self.cells {
            if let Some(row) = state.get_mut(id)
                && row.cells[*position].as_ref() != Some(&self.to)
            {
                Arc::make_mut(row).cells[*position] = Some(self.to.clone());
                touched.insert(*id);
            }
        }
    }
}

/// What a type's values are replaced by.
#[derive(Clone, Copy, Debug)]
enum Simple {
    Letters,
    Numbers,
    Uuids,
    Dates,
    Timestamps,
    Instants,
    /// All by the same.
    Constant(&'static str),
}

impl Simple {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "text" | "varchar" | "bpchar" | "citext" | "name" => Self::Letters,
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => Self::Numbers,
            "uuid" => Self::Uuids,
            "date" => Self::Dates,
            "timestamp" => Self::Timestamps,
            "timestamptz" => Self::Instants,
            "json" | "jsonb" => Self::Constant("{}"),
            _ => return None,
        })
    }

    /// Orders values as the server does, near enough: what is below stays below.
    fn sort(self, values: &mut [&str]) {
        match self {
            Self::Numbers => values.sort_by(|a, b| {
                let of = |text: &str| text.parse::<f64>().unwrap_or(f64::MAX);
                of(a).total_cmp(&of(b))
            }),
            _ => values.sort_unstable(),
        }
    }

    /// The simple value of this rank; beyond the alphabet there is no simple text.
    fn value(self, rank: usize) -> Option<String> {
        let days = i64::try_from(rank).ok()?.checked_mul(DAY)? + FIRST_DAY;
        Some(match self {
            Self::Letters => char::from_digit(u32::try_from(rank).ok()? + 10, 36)?.to_string(),
            Self::Numbers => (rank + 1).to_string(),
            Self::Uuids => format!("00000000-0000-4000-8000-{:012x}", rank + 1),
            Self::Dates => clock::date(days),
            Self::Timestamps => clock::timestamp(days),
            Self::Instants => clock::instant(days),
            Self::Constant(text) => text.to_owned(),
        })
    }

    /// Whether it is simpler to read.
    fn improves(self, from: &str, to: &str) -> bool {
        match self {
            Self::Letters => to.len() < from.len(),
            Self::Numbers => {
                let of = |text: &str| text.parse::<f64>().map_or(f64::MAX, f64::abs);
                of(to) < of(from)
            }
            Self::Uuids => !from.starts_with("00000000-0000-4000-8000-0000"),
            Self::Dates | Self::Timestamps | Self::Instants => !from.starts_with("2020-0"),
            Self::Constant(text) => from != text,
        }
    }
}

/// Simpler values for all that are there, by type. Tenants' ids, values that the focus names and those of rows that
/// migrations left behind stay.
pub(super) fn renames(tree: &WorldsTree<'_>) -> Vec<Rename> {
    let mut found = Vec::new();
    for (oid, values) in values(tree) {
        let catalog = tree.generator.ground.catalog;
        let Some(of) = catalog.types.get(&oid) else {
            continue;
        };
        let simple = match of.kind {
            TypeKind::Array(_) => Some(Simple::Constant("{}")),
            _ => Simple::of(&of.name),
        };
        let Some(simple) = simple else { continue };
        let mut texts: Vec<&str> = values.keys().map(String::as_str).collect();
        simple.sort(&mut texts);
        for (rank, text) in texts.into_iter().enumerate() {
            let is_constant = matches!(simple, Simple::Constant(_));
            let Some(to) = simple.value(rank) else { break };
            let Some(cells) = &values[text] else { continue };
            if simple.improves(text, &to) && (is_constant || !values.contains_key(&to)) {
                let cells = cells.clone();
                found.push(Rename { cells, to });
            }
        }
    }
    found
}

/// Something that can't be told here wants the value to be as it is: a regular expression, a domain.
fn is_bound(tree: &WorldsTree<'_>, row: &Row, column: &Column) -> bool {
    let catalog = tree.generator.ground.catalog;
    let is_domain = catalog.base_type(column.type_oid) != column.type_oid;
    is_domain
        || tree
            .viewed(row, |view| view.is_open(&column.name))
            .unwrap_or(true)
}

/// The cells of each value.
type Values = BTreeMap<String, Option<Vec<(usize, usize)>>>;

/// The values that are there by type; `None` for one that must stay.
fn values(tree: &WorldsTree<'_>) -> BTreeMap<u32, Values> {
    let catalog = tree.generator.ground.catalog;
    let tenants = tree.frame.tenants();
    let mut found: BTreeMap<u32, Values> = BTreeMap::new();
    for (id, row) in &tree.best {
        let Some(table) = catalog.tables.get(row.table.as_ref()) else {
            continue;
        };
        let linked: BTreeSet<usize> = tree
            .links
            .parents(*id)
            .iter()
            .map(|(key, _)| *key)
            .collect();
        for (position, (column, cell)) in row.columns.iter().zip(&row.cells).enumerate() {
            let (Some(text), Some(known)) = (cell, table.column(column)) else {
                continue;
            };
            // It names a row that is not ours to change.
            let outward = table.foreign_keys.iter().enumerate().any(|(number, key)| {
                !linked.contains(&number)
                    && key.columns.contains(column)
                    && row.tuple(&key.columns).is_some()
            });
            let stays = outward
                || tenants.contains(text)
                || tree.focus.text.contains(text.as_str())
                || is_bound(tree, row, known);
            let cells = found
                .entry(catalog.base_type(known.type_oid))
                .or_default()
                .entry(text.clone())
                .or_insert_with(|| Some(Vec::new()));
            match cells {
                Some(cells) if !stays => cells.push((*id, position)),
                _ => *cells = None,
            }
        }
    }
    found
}
