//! Values chosen again until a row holds the CHECKs that can be read.

mod absence;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use self::absence::{absent, agree, count, counted, takes_back};
use super::clock;
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
                // Their text is not what a CHECK measures and compares.
                "bytea" | "json" | "jsonb" | "bit" | "varbit" => Worth::Unknown,
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
pub(super) fn kind<'c>(catalog: &'c Catalog, table: &TablePlan<'_>, column: &str) -> &'c str {
    let oid = table.table.column(column).map_or(0, |c| c.type_oid);
    catalog
        .types
        .get(&catalog.base_type(oid))
        .map_or("", |of| of.name.as_str())
}

/// What an expression over the draft comes to.
fn told(catalog: &Catalog, draft: &Draft<'_>, expr: &Expr) -> Worth {
    let get = |name: &str| draft.get(name);
    let view = view(catalog, draft, &get);
    worth(expr, &|name| view.worth(name))
}

/// What was done for a CHECK that the draft breaks.
pub(super) enum Repair {
    /// A column was set to what the CHECK wants.
    Done,
    /// This column wants another value, and one that is not NULL.
    Choose(String),
    /// This column of a key wants to refer to something.
    Refer(String),
    /// Nothing that could be read off the CHECK.
    Unknown,
}

/// Changes one column so that less of a broken expression is broken: `total = quantity * price` says what a total is,
/// `ends_at <= starts_at + '8 hours'` where an end is at the latest, and one arm of an OR is enough, each in its turn.
pub(super) fn repair(catalog: &Catalog, draft: &mut Draft<'_>, expr: &Expr, turn: u32) -> Repair {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    match expr {
        Expr::Nested(inner) => repair(catalog, draft, inner, turn),
        Expr::BinaryOp {
            left,
            op: And,
            right,
        } => {
            let broken = told(catalog, draft, left) == Worth::Bool(false);
            let first = if broken { left } else { right };
            repair(catalog, draft, first, turn)
        }
        Expr::BinaryOp {
            left,
            op: Or,
            right,
        } => {
            let mut arms = if turn.is_multiple_of(2) {
                [left, right]
            } else {
                [right, left]
            };
            if arms.iter().all(|arm| takes_back(draft, arm)) && draft.place.row % 2 == 1 {
                arms.reverse();
            }
            // What holds of a row in its state, rather than another state: states have their turns. And references are
            // what the rows are there for.
            arms.sort_by_key(|arm| {
                (
                    asks_for_another(catalog, draft, arm),
                    takes_back(draft, arm),
                )
            });
            match repair(catalog, draft, arms[0], turn / 2) {
                Repair::Unknown => repair(catalog, draft, arms[1], turn / 2),
                done => done,
            }
        }
        Expr::BinaryOp {
            left,
            op: op @ (Eq | Lt | LtEq | Gt | GtEq),
            right,
        } => {
            let turned = match op {
                Lt => Gt,
                LtEq => GtEq,
                Gt => Lt,
                GtEq => LtEq,
                _ => Eq,
            };
            let sides = [(left, op.clone(), right), (right, turned, left)];
            let sides = if turn.is_multiple_of(2) {
                sides
            } else {
                let [a, b] = sides;
                [b, a]
            };
            for (column, op, other) in sides {
                if let Some(column) = plain_column(column)
                    && set(catalog, draft, &column, &op, other)
                {
                    return Repair::Done;
                }
                match count(catalog, draft, column, &op, other, turn) {
                    Repair::Unknown => {}
                    done => return done,
                }
            }
            agree(catalog, draft, (left, right), true)
        }
        Expr::BinaryOp {
            left,
            op: NotEq,
            right,
        } => agree(catalog, draft, (left, right), false),
        Expr::IsNull(inner) => absent(draft, inner, true),
        Expr::IsNotNull(inner) => absent(draft, inner, false),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => truth(catalog, draft, expr, "false"),
        _ => truth(catalog, draft, expr, "true"),
    }
}

/// Whether a part of what must hold together wants another constant of a column than the draft has.
fn asks_for_another(catalog: &Catalog, draft: &Draft<'_>, expr: &Expr) -> bool {
    let another = |part: &Expr| asks_for_another(catalog, draft, part);
    match expr {
        Expr::Nested(inner) => another(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => another(left) || another(right),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } => another(left) && another(right),
        // How many columns are there is no state.
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq | BinaryOperator::NotEq,
            right,
        } if counted(left).is_none() && counted(right).is_none() => {
            told(catalog, draft, expr) == Worth::Bool(false)
        }
        Expr::AnyOp { .. } => told(catalog, draft, expr) == Worth::Bool(false),
        _ => false,
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// A boolean column by itself, set to this.
fn truth(catalog: &Catalog, draft: &mut Draft<'_>, expr: &Expr, to: &str) -> Repair {
    match plain_column(expr) {
        Some(column)
            if draft.table.is_free(&column) && kind(catalog, draft.table, &column) == "bool" =>
        {
            draft.set(&column, Some(to.to_owned()));
            Repair::Done
        }
        _ => Repair::Unknown,
    }
}

/// Sets a column to what it is compared with, or to what lies right beside it. Returns whether that is something new.
fn set(
    catalog: &Catalog,
    draft: &mut Draft<'_>,
    column: &str,
    op: &BinaryOperator,
    other: &Expr,
) -> bool {
    if !draft.table.is_free(column) {
        return false;
    }
    let beside = match op {
        BinaryOperator::Lt => -1.0,
        BinaryOperator::Gt => 1.0,
        _ => 0.0,
    };
    let of = kind(catalog, draft.table, column);
    let cell: Cell = match told(catalog, draft, other) {
        Worth::Number(value) => printed(of, value, beside),
        Worth::Text(text) => match clock::seconds(&text) {
            Some(seconds) if clock::is_time(of) => printed(of, seconds, beside),
            _ if beside == 0.0 => Some(text),
            _ => None,
        },
        Worth::Bool(value) if beside == 0.0 => Some(value.to_string()),
        _ => None,
    };
    let new = cell.is_some() && draft.get(column) != Some(&cell);
    if new {
        draft.set(column, cell);
    }
    new
}

/// A number (or seconds since 1970) as a value of this type, a step further where it is not the number itself.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seconds and numbers of a row that the generator made"
)]
fn printed(of: &str, value: f64, beside: f64) -> Cell {
    let seconds = value as i64 + beside as i64;
    Some(match of {
        "date" => clock::date(value as i64 + beside as i64 * clock::DAY),
        "timestamp" => clock::timestamp(seconds),
        "timestamptz" => clock::instant(seconds),
        _ if of.starts_with("int") => {
            if value.fract() != 0.0 && beside == 0.0 {
                return None;
            }
            let whole = if beside < 0.0 {
                value.ceil()
            } else {
                value.floor()
            };
            (whole + beside).to_string()
        }
        _ => (value + beside).to_string(),
    })
}
