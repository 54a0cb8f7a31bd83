//! Values chosen again until a row holds the CHECKs that can be read.

use sqlparser::ast::{BinaryOperator, Expr};

use super::hints::plain_column;
use super::plan::{CheckPlan, TablePlan};
use super::rows::Draft;
use super::truth::{NOW, Worth, worth};
use crate::model::{Catalog, Cell};

/// A row of a table, wherever its cells are.
pub(super) struct View<'v, 't> {
    pub(super) catalog: &'v Catalog,
    pub(super) table: &'t TablePlan<'t>,
    /// What CHECKs take for the present, in seconds since 1970.
    pub(super) instant: i64,
    /// A column's cell; `None` where nothing was decided yet.
    pub(super) get: &'v dyn Fn(&str) -> Option<&'v Cell>,
}

impl<'t> View<'_, 't> {
    /// What a column is worth; unknown where nothing was decided yet.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
    pub(super) fn worth(&self, column: &str) -> Worth {
        if column == NOW {
            return Worth::Number(self.instant as f64);
        }
        match (self.get)(column) {
            None => Worth::Unknown,
            Some(None) => Worth::Null,
            Some(Some(text)) => match kind(self.catalog, self.table, column) {
                "bool" => Worth::Bool(text.starts_with('t')),
                "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => {
                    text.parse().map_or(Worth::Unknown, Worth::Number)
                }
                _ => Worth::Text(text.clone()),
            },
        }
    }

    /// What a CHECK comes to.
    fn outcome(&self, check: &CheckPlan) -> Worth {
        worth(&check.expr, &|column| self.worth(column))
    }

    /// The first CHECK that the row breaks for certain.
    pub(super) fn broken(&self) -> Option<&'t CheckPlan> {
        let mut checks = self.table.checks.iter();
        checks.find(|check| self.outcome(check) == Worth::Bool(false))
    }

    /// Whether a CHECK speaks of the column that can't be told here: a regular expression, a function.
    pub(super) fn is_open(&self, column: &str) -> bool {
        self.table.checks.iter().any(|check| {
            check.columns.iter().any(|name| name == column) && self.outcome(check) == Worth::Unknown
        })
    }
}

/// The draft as a row.
pub(super) fn view<'v, 't>(
    catalog: &'v Catalog,
    draft: &'v Draft<'t>,
    get: &'v dyn Fn(&str) -> Option<&'v Cell>,
) -> View<'v, 't> {
    View {
        catalog,
        table: draft.table,
        instant: draft.instant,
        get,
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

/// Sets a column to what an equation wants: `total = quantity * price`. Returns whether there was one.
pub(super) fn solve(catalog: &Catalog, draft: &mut Draft<'_>, check: &CheckPlan) -> bool {
    let mut equations = Vec::new();
    conjuncts(&check.expr, &mut equations);
    for (column, other) in equations {
        if !draft.table.is_free(&column) {
            continue;
        }
        let wanted = {
            let get = |name: &str| draft.get(name);
            let view = view(catalog, draft, &get);
            worth(other, &|name| view.worth(name))
        };
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
