//! Values chosen again until a row holds the CHECKs that can be read.

use sqlparser::ast::{BinaryOperator, Expr};

use super::hints::plain_column;
use super::plan::{CheckPlan, TablePlan};
use super::rows::Draft;
use super::truth::{NOW, Worth, worth};
use crate::model::{Catalog, Cell};

/// What a column of a row is worth; unknown where nothing was decided yet.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
fn cell_worth<'c>(
    catalog: &Catalog,
    table: &TablePlan<'_>,
    instant: i64,
    get: &dyn Fn(&str) -> Option<&'c Cell>,
    column: &str,
) -> Worth {
    if column == NOW {
        return Worth::Number(instant as f64);
    }
    match get(column) {
        None => Worth::Unknown,
        Some(None) => Worth::Null,
        Some(Some(text)) => match kind(catalog, table, column) {
            "bool" => Worth::Bool(text.starts_with('t')),
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => {
                text.parse().map_or(Worth::Unknown, Worth::Number)
            }
            _ => Worth::Text(text.clone()),
        },
    }
}

/// The name of a column's type, domains taken off.
fn kind<'c>(catalog: &'c Catalog, table: &TablePlan<'_>, column: &str) -> &'c str {
    let oid = table.table.column(column).map_or(0, |c| c.type_oid);
    catalog
        .types
        .get(&catalog.base_type(oid))
        .map_or("", |of| of.name.as_str())
}

/// The first CHECK that a row of the table breaks for certain; `get` gives its cells, `None` where nothing was decided
/// yet.
pub(super) fn broken<'p, 'c>(
    catalog: &Catalog,
    table: &'p TablePlan<'_>,
    instant: i64,
    get: &dyn Fn(&str) -> Option<&'c Cell>,
) -> Option<&'p CheckPlan> {
    table.checks.iter().find(|check| {
        let of = |column: &str| cell_worth(catalog, table, instant, get, column);
        worth(&check.expr, &of) == Worth::Bool(false)
    })
}

/// Whether a CHECK speaks of the column that can't be told of this row: a regular expression, a function.
pub(super) fn is_open<'c>(
    catalog: &Catalog,
    table: &TablePlan<'_>,
    instant: i64,
    get: &dyn Fn(&str) -> Option<&'c Cell>,
    column: &str,
) -> bool {
    table.checks.iter().any(|check| {
        let of = |column: &str| cell_worth(catalog, table, instant, get, column);
        check.columns.iter().any(|name| name == column) && worth(&check.expr, &of) == Worth::Unknown
    })
}

/// Sets a column to what an equation wants: `total = quantity * price`. Returns whether there was one.
pub(super) fn solve(catalog: &Catalog, draft: &mut Draft<'_>, check: &CheckPlan) -> bool {
    let mut equations = Vec::new();
    conjuncts(&check.expr, &mut equations);
    for (column, other) in equations {
        if !draft.table.is_free(&column) {
            continue;
        }
        let get = |name: &str| draft.get(name);
        let of = |name: &str| cell_worth(catalog, draft.table, draft.instant, &get, name);
        let wanted = worth(other, &of);
        let cell: Cell = match wanted {
            Worth::Number(value) => {
                let whole = kind(catalog, draft.table, &column).starts_with("int");
                if whole && value.fract() != 0.0 {
                    continue;
                }
                Some(value.to_string())
            }
            Worth::Text(text) => Some(text),
            Worth::Bool(value) => Some(value.to_string()),
            Worth::Null | Worth::Unknown => continue,
        };
        if draft.get(&column) != Some(&cell) {
            draft.set(&column, cell);
            return true;
        }
    }
    false
}

/// The equations between a column and anything else that must all hold.
fn conjuncts<'e>(expr: &'e Expr, into: &mut Vec<(String, &'e Expr)>) {
    match expr {
        Expr::Nested(inner) => conjuncts(inner, into),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, into);
            conjuncts(right, into);
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            into.extend(plain_column(left).map(|column| (column, right.as_ref())));
            into.extend(plain_column(right).map(|column| (column, left.as_ref())));
        }
        _ => {}
    }
}
