//! How each CHECK was met: read off its text, or left to the server.

use super::Ground;
use super::hints::{self, Reading};
use super::mend::View;
use super::plan::{Plan, TablePlan, mentions};
use super::truth::{self, Worth, worth};
use crate::model::{Means, Rows, Satisfied, Type, TypeKind, Worlds};

/// Every CHECK of the tables that rows were made for, and of their columns' domains.
pub(super) fn satisfied(ground: Ground<'_>, plan: &Plan<'_>, worlds: &Worlds) -> Vec<Satisfied> {
    let mut found = Vec::new();
    for (name, table) in &plan.tables {
        let Some(rows) = worlds
            .acting
            .get(*name)
            .or_else(|| worlds.shared.get(*name))
        else {
            continue;
        };
        for check in &table.table.checks {
            found.push(Satisfied {
                object: name.object(&check.name),
                constraint: check.expression.clone(),
                means: means(ground, table, rows, &check.name, &check.expression, None),
            });
        }
        for (column, _) in &table.columns {
            let mut oid = column.type_oid;
            while let Some(Type {
                kind: TypeKind::Domain { base, checks, .. },
                ..
            }) = ground.catalog.types.get(&oid)
            {
                found.extend(checks.iter().map(|check| Satisfied {
                    object: name.object(&column.name),
                    constraint: check.clone(),
                    means: means(ground, table, rows, &column.name, check, Some(&column.name)),
                }));
                oid = *base;
            }
        }
    }
    found
}

/// How a CHECK was met by all rows; `value` stands for the column of a domain.
fn means(
    ground: Ground<'_>,
    table: &TablePlan<'_>,
    rows: &Rows,
    name: &str,
    expression: &str,
    value: Option<&str>,
) -> Means {
    if rows.rows.is_empty() {
        return Means::Unmet;
    }
    let mut given = table
        .columns
        .iter()
        .filter(|(column, _)| !column.samples.is_empty());
    let speaks =
        |column: &str| value == Some(column) || (value.is_none() && mentions(expression, column));
    if given.any(|(column, _)| speaks(&column.name)) {
        return Means::Sampled;
    }
    let pool = ground.pools.of(&table.table.name);
    if pool.is_some_and(|pool| pool.tried.contains(name)) {
        return Means::Tried;
    }
    let Some(expr) = truth::parse(expression) else {
        return Means::Tried;
    };
    if hints::read(expression, &mut Reading::default()) {
        return Means::Parsed;
    }
    let known = (0..rows.rows.len()).all(|row| {
        let get = |column: &str| rows.cell(row, column);
        let view = View {
            catalog: ground.catalog,
            table,
            instant: 0,
            get: &get,
        };
        let of = |name: &str| view.worth(value.filter(|_| name == "value").unwrap_or(name));
        worth(&expr, &of) != Worth::Unknown
    });
    if known { Means::Parsed } else { Means::Tried }
}
