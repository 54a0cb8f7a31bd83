//! Rows that hold the CHECKs that can be read, by choosing again what is free.

use sqlparser::ast::{BinaryOperator, Expr};

use super::sheet::{Check, Sheet, Source};
use super::{Bulk, row};
use crate::generate::hints::plain_column;
use crate::generate::truth::{NOW, Worth, worth};
use crate::model::Datum;

/// Values are chosen again so often for a row's CHECKs.
const MENDS: u32 = 64;

/// Swaps two values that are in the wrong order.
pub(super) fn order(sheet: &Sheet, cells: &mut [Datum]) {
    // Once for each pair: a chain of them needs as many passes.
    let pairs = sheet.ascending.iter().cycle();
    for (low, high) in pairs.take(sheet.ascending.len().pow(2)) {
        let settled =
            |at: usize| sheet.fields[at].settled || sheet.fields[at].source != Source::Free;
        if settled(*low) || settled(*high) || sheet.fields[*low].kind != sheet.fields[*high].kind {
            continue;
        }
        let above = match (value(&cells[*low]), value(&cells[*high])) {
            (Worth::Number(low), Worth::Number(high)) => low > high,
            (Worth::Text(low), Worth::Text(high)) => low > high,
            _ => false,
        };
        if above {
            cells.swap(*low, *high);
        }
    }
}

/// Chooses values again until no CHECK is broken for certain.
pub(super) fn hold(
    bulk: &Bulk,
    sheet: &Sheet,
    row: u64,
    salt: u32,
    cells: &mut [Datum],
) -> Result<(), String> {
    for again in 1..=MENDS {
        let Some(broken) = broken(bulk, sheet, row, cells) else {
            return Ok(());
        };
        let (check, wanted) = broken;
        if check.free.is_empty() {
            // It may have been read wrongly: the server judges.
            return Ok(());
        }
        if wanted && solve(bulk, sheet, check, cells) {
            continue;
        }
        for column in &check.free {
            cells[*column] = row::made(bulk, sheet, *column, row, salt, again);
        }
        order(sheet, cells);
    }
    match broken(bulk, sheet, row, cells) {
        Some((check, _)) => Err(format!("no values were found that hold {}", check.name)),
        None => Ok(()),
    }
}

/// The first CHECK that the row breaks, and that it must hold; or the predicate of a partial key that it may not hold.
fn broken<'s>(
    bulk: &Bulk,
    sheet: &'s Sheet,
    row: u64,
    cells: &[Datum],
) -> Option<(&'s Check, bool)> {
    let comes_to = |check: &Check| evaluate(bulk, sheet, &check.expr, cells);
    let checks = sheet.checks.iter().map(|check| (check, true));
    let keys = sheet.distinct.iter().filter_map(|distinct| {
        let beyond = distinct.number(sheet, row).is_none();
        Some((distinct.predicate.as_ref().filter(|_| beyond)?, false))
    });
    checks
        .chain(keys)
        .find(|(check, wanted)| comes_to(check) == Worth::Bool(!wanted))
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
fn evaluate(bulk: &Bulk, sheet: &Sheet, expr: &Expr, cells: &[Datum]) -> Worth {
    worth(expr, &|column| {
        if column == NOW {
            return Worth::Number(bulk.amount.seed.instant as f64);
        }
        let at = sheet.position(column);
        at.map_or(Worth::Unknown, |at| value(&cells[at]))
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is compared is far below what a float holds exactly; the server judges the rest"
)]
fn value(datum: &Datum) -> Worth {
    match datum {
        Datum::Null => Worth::Null,
        Datum::Bool(value) => Worth::Bool(*value),
        Datum::Int2(value) => Worth::Number((*value).into()),
        Datum::Int4(value) => Worth::Number((*value).into()),
        Datum::Int8(value) => Worth::Number(*value as f64),
        Datum::Float4(value) => Worth::Number((*value).into()),
        Datum::Float8(value) => Worth::Number(*value),
        Datum::Numeric { units, scale } => {
            Worth::Number(*units as f64 / 10_f64.powi(i32::from(*scale)))
        }
        Datum::Text(text) | Datum::Jsonb(text) | Datum::Literal(text) => Worth::Text(text.clone()),
        other => Worth::Text(other.to_string()),
    }
}

/// Sets a column to what an equation wants: `total = quantity * price`. Returns whether there was one.
fn solve(bulk: &Bulk, sheet: &Sheet, check: &Check, cells: &mut [Datum]) -> bool {
    let mut found = Vec::new();
    equations(&check.expr, &mut found);
    for (column, other) in found {
        let Some(at) = sheet.position(&column).filter(|at| check.free.contains(at)) else {
            continue;
        };
        let text = match evaluate(bulk, sheet, other, cells) {
            Worth::Number(value) => value.to_string(),
            Worth::Text(text) => text,
            Worth::Bool(value) => value.to_string(),
            Worth::Null | Worth::Unknown => continue,
        };
        let read = sheet.fields[at].kind.and_then(|kind| kind.read(&text));
        if let Some(wanted) = read.filter(|wanted| *wanted != cells[at]) {
            cells[at] = wanted;
            return true;
        }
    }
    false
}

/// The equations between a column and anything else that must all hold.
fn equations<'e>(expr: &'e Expr, into: &mut Vec<(String, &'e Expr)>) {
    match expr {
        Expr::Nested(inner) => equations(inner, into),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            equations(left, into);
            equations(right, into);
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
