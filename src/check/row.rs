//! SQL over single rows: how a row is found, inserted and changed.

use super::Scene;
use crate::model::{
    Cell, Column, Dataset, IndexKey, RelationName, Rows, Table, Tenancy, Worlds, literal, quoted,
    value,
};

/// A row of a data set.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRef<'a> {
    pub(super) rows: &'a Rows,
    pub(super) number: usize,
}

impl<'a> RowRef<'a> {
    pub(super) fn cell(&self, column: &str) -> Option<&'a str> {
        self.rows.cell(self.number, column)?.as_deref()
    }

    /// The values of some columns; `None` where one is NULL or not given.
    pub(super) fn values(&self, columns: &[String]) -> Option<Vec<&'a str>> {
        columns.iter().map(|column| self.cell(column)).collect()
    }

    /// As [`Self::values`], to be changed.
    pub(super) fn tuple(&self, columns: &[String]) -> Option<Vec<String>> {
        let values = self.values(columns)?;
        Some(values.into_iter().map(str::to_owned).collect())
    }
}

/// A tenant's rows of a table.
pub(super) fn rows<'a>(dataset: &'a Dataset, table: &RelationName) -> Vec<RowRef<'a>> {
    dataset.get(table).map_or_else(Vec::new, |rows| {
        (0..rows.rows.len())
            .map(|number| RowRef { rows, number })
            .collect()
    })
}

/// The acting tenant's rows of a table.
pub(super) fn acting<'a>(worlds: &'a Worlds, table: &RelationName) -> Vec<RowRef<'a>> {
    rows(&worlds.acting, table)
}

/// Everyone else's rows of a table in the seeded database.
pub(super) fn foreign<'a>(worlds: &'a Worlds, table: &RelationName) -> Vec<RowRef<'a>> {
    worlds
        .seeded()
        .into_iter()
        .skip(2)
        .flat_map(|dataset| rows(dataset, table))
        .collect()
}

/// Rows that are valid and not loaded: of the acting tenant (0) or of another (1).
pub(super) fn spare<'a>(
    worlds: &'a Worlds,
    tenant: usize,
    table: &RelationName,
) -> Vec<RowRef<'a>> {
    worlds
        .spares
        .get(tenant)
        .map_or_else(Vec::new, |dataset| rows(dataset, table))
}

/// Whether a unique key that the changes touch has another row's values then.
pub(super) fn is_taken(
    scene: Scene<'_>,
    table: &Table,
    row: RowRef<'_>,
    changed: &[(String, Cell)],
) -> bool {
    let change = |name: &str| changed.iter().find(|(column, _)| column == name);
    let value = |name: &str| match change(name) {
        Some((_, cell)) => cell.as_deref(),
        None => row.cell(name),
    };
    let keys = table.indexes.iter().filter(|index| {
        let columns = index.plain_columns();
        let plain = index.predicate.is_none() && columns.len() == index.keys.len();
        index.unique && plain && columns.iter().any(|name| change(name).is_some())
    });
    let mut keys = keys.map(|index| index.plain_columns());
    let there = || {
        let own = acting(scene.worlds, &table.name).into_iter();
        own.chain(foreign(scene.worlds, &table.name))
    };
    keys.any(|columns| {
        let wanted = columns.iter().map(|name| Some((*name, value(name)?)));
        // A NULL is no other row's.
        let wanted: Option<Vec<(&str, &str)>> = wanted.collect();
        wanted.is_some_and(|wanted| {
            there().any(|other| {
                let itself = std::ptr::eq(other.rows, row.rows) && other.number == row.number;
                let mut wanted = wanted.iter();
                !itself && wanted.all(|(name, value)| other.cell(name) == Some(*value))
            })
        })
    })
}

/// A tenant, or a row that this one refers to, has at most one row of the table: there may be none to add.
pub(super) fn is_one_a_parent(scene: Scene<'_>, table: &Table) -> bool {
    let tenant = scene.tenancy.tenant_column(&table.name);
    table.indexes.iter().any(|index| {
        let columns = index.plain_columns();
        index.unique
            && index.predicate.is_none()
            && columns.len() == index.keys.len()
            && columns.iter().all(|column| {
                Some(*column) == tenant
                    || table
                        .foreign_keys
                        .iter()
                        .any(|key| key.columns.iter().any(|name| name == column))
            })
    })
}

/// A column that can be set to any row's value without touching a key.
pub(super) fn free_column(table: &Table) -> Option<&Column> {
    let in_key = |name: &str| {
        table
            .foreign_keys
            .iter()
            .any(|key| key.columns.iter().any(|column| column == name))
            || table.indexes.iter().any(|index| {
                (index.unique || index.exclusion)
                    && index.keys.iter().any(|key| match key {
                        IndexKey::Column(column) => column == name,
                        IndexKey::Expression { text } => text.contains(name),
                    })
            })
    };
    table
        .writable_columns()
        .filter(|column| !column.identity && !in_key(&column.name))
        .min_by_key(|column| {
            table
                .checks
                .iter()
                .filter(|check| check.expression.contains(&column.name))
                .count()
        })
}

/// A condition that holds for this row alone: by the primary key, else by every value that can be compared.
pub(super) fn predicate(table: &Table, row: RowRef<'_>) -> String {
    let key = table.primary_key();
    let columns: Vec<&str> = if key.is_empty() {
        row.rows.columns.iter().map(String::as_str).collect()
    } else {
        key
    };
    let conditions: Vec<String> = columns
        .iter()
        .filter_map(|column| {
            let value = row.cell(column)?;
            // Types without equality (json, point, xml) are compared as text; keys never need to be.
            Some(if table.primary_key().is_empty() {
                let cast = table
                    .column(column)
                    .map_or("text", |column| column.type_name.as_str());
                format!(
                    "{}::text = {}::{cast}::text",
                    quoted(column),
                    literal(value)
                )
            } else {
                format!("{} = {}", quoted(column), literal(value))
            })
        })
        .collect();
    conditions.join(" AND ")
}

/// An INSERT of a row with some columns changed.
pub(super) fn insert(table: &RelationName, row: RowRef<'_>, changed: &[(String, Cell)]) -> String {
    let columns = &row.rows.columns;
    let cells = columns.iter().map(|column| {
        let other = changed.iter().find(|(name, _)| name == column);
        other.map_or_else(
            || row.cell(column).map(str::to_owned),
            |(_, cell)| cell.clone(),
        )
    });
    crate::model::insert(table, columns, &[cells.collect()])
}

/// An UPDATE of a row.
pub(super) fn update(table: &Table, row: RowRef<'_>, changed: &[(String, Cell)]) -> String {
    let set: Vec<String> = changed
        .iter()
        .map(|(column, cell)| {
            let value = value(cell.as_deref());
            format!("{} = {value}", quoted(column))
        })
        .collect();
    format!(
        "UPDATE {} SET {} WHERE {}",
        table.name.quoted(),
        set.join(", "),
        predicate(table, row)
    )
}

/// Whether this row's tenant, as the tables say it, is the acting one.
pub(super) fn tenant_is(tenancy: &Tenancy, expression: &str, tenant: &str) -> String {
    format!("{expression} = {}::{}", literal(tenant), tenancy.type_name)
}

/// A transaction that is rolled back, for `psql`.
pub(super) fn transaction(statements: &[String]) -> String {
    let body = statements.join(";\n");
    format!("BEGIN;\n{body};\nROLLBACK;\n")
}
