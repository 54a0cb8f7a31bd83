//! A leak as it is kept in a file, to be tried first by the next run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Catalog, Cell, Counterexample, Dataset, RelationName, Rows, Stage, WorldKind, Worlds};

/// A leak that a run found: the query, the values that were bound, and the few rows that show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// The id of the check.
    pub check: String,
    /// The object's name.
    pub object: String,
    /// The seed of the run that found it.
    pub seed: String,
    /// What everyone else's rows are like, by its word.
    pub others: String,
    /// The physical order of the acting tenant's rows.
    pub layout: usize,
    /// The tenants' ids; the first is the acting one.
    pub organisations: Vec<String>,
    /// The values of the query's parameters.
    pub values: Vec<Cell>,
    /// The rows.
    pub rows: Vec<StoredRow>,
}

/// A row of a [`Regression`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRow {
    /// The number of its organisation from 1, the acting one's; 0 for shared rows.
    pub organisation: usize,
    /// Its table, as Postgres prints the name.
    pub table: String,
    /// Its cells by column.
    pub cells: BTreeMap<String, Cell>,
}

impl Regression {
    /// A leak with its counterexample; `None` where the rows of a world play no part in it.
    #[must_use]
    pub fn of(found: &Counterexample, seed: &str) -> Option<Self> {
        let Stage::World { kind, layout } = found.case.attempts.last()?.stage else {
            return None;
        };
        let worlds = &found.worlds;
        let mut parts = vec![&worlds.shared, &worlds.acting];
        parts.extend(worlds.others(kind));
        let mut rows = Vec::new();
        for (organisation, dataset) in parts.into_iter().enumerate() {
            for (table, of) in worlds
                .order
                .iter()
                .filter_map(|t| Some((t, dataset.get(t)?)))
            {
                rows.extend(of.rows.iter().map(|cells| {
                    StoredRow {
                        organisation,
                        table: table.to_string(),
                        cells: of
                            .columns
                            .iter()
                            .cloned()
                            .zip(cells.iter().cloned())
                            .collect(),
                    }
                }));
            }
        }
        Some(Self {
            check: found.case.check.to_owned(),
            object: found.case.object.clone(),
            seed: seed.to_owned(),
            others: kind.word().to_owned(),
            layout,
            organisations: worlds.tenants.clone(),
            values: found.values.clone(),
            rows,
        })
    }

    /// What everyone else's rows are like.
    #[must_use]
    pub fn kind(&self) -> Option<WorldKind> {
        WorldKind::ALL
            .into_iter()
            .find(|kind| kind.word() == self.others)
    }

    /// The worlds that its rows make; `frame` says the order of tables.
    ///
    /// # Errors
    /// What no longer fits the schema, in a few words.
    pub fn worlds(&self, catalog: &Catalog, frame: &Worlds) -> Result<Worlds, String> {
        let kind = self.kind().ok_or("the kind of world is not known")?;
        if self.organisations.is_empty() {
            return Err("it names no organisation".to_owned());
        }
        let mut parts = vec![Dataset::new(); self.organisations.len() + 1];
        for row in &self.rows {
            let name = RelationName::parse(&row.table)?;
            let table = catalog
                .tables
                .get(&name)
                .filter(|_| frame.order.contains(&name));
            let table = table.ok_or_else(|| format!("there is no table {name}"))?;
            let unknown = row
                .cells
                .keys()
                .find(|column| table.column(column).is_none());
            if let Some(column) = unknown {
                return Err(format!("there is no column {}", name.object(column)));
            }
            let part = parts.get_mut(row.organisation);
            let part = part.ok_or("a row is of an organisation that is not named")?;
            push(part.entry(name).or_default(), &row.cells)?;
        }
        let mut parts = parts.into_iter();
        Ok(Worlds {
            order: frame.order.clone(),
            late: frame.late.clone(),
            circles: frame.circles.clone(),
            tenants: self.organisations.clone(),
            shared: parts.next().unwrap_or_default(),
            acting: parts.next().unwrap_or_default(),
            others: BTreeMap::from([(kind, parts.collect())]),
            ..Worlds::default()
        })
    }
}

fn push(rows: &mut Rows, cells: &BTreeMap<String, Cell>) -> Result<(), String> {
    if rows.rows.is_empty() {
        rows.columns = cells.keys().cloned().collect();
    }
    let known: BTreeSet<&String> = rows.columns.iter().collect();
    if known != cells.keys().collect() {
        return Err("two rows of a table have other columns".to_owned());
    }
    rows.numbers.push(rows.rows.len());
    rows.rows.push(cells.values().cloned().collect());
    Ok(())
}
