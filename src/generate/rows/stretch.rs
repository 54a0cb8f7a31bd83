//! Stretches of time or numbers between two columns that must not overlap: `tstzrange(starts_at, ends_at) WITH &&`.

use sqlparser::ast::Expr;

use super::Draft;
use crate::generate::Part;
use crate::generate::clock;
use crate::generate::hints::{arguments, plain_column};
use crate::generate::mend::kind;
use crate::generate::unique::{Operator, Value};
use crate::model::{Catalog, Cell};

/// Beyond what the rows that are loaded take.
const SPARE: i64 = 400;

/// Gives the row a stretch of its own between the two columns: an hour of every other day, a day where they are dates.
pub(super) fn lay_out(catalog: &Catalog, draft: &mut Draft<'_>) {
    let table = draft.table;
    for term in table.uniques.iter().flat_map(|unique| &unique.terms) {
        let Some((low, high)) = ends(&term.value).filter(|_| term.operator == Operator::Overlaps)
        else {
            continue;
        };
        if !(table.is_free(&low) && table.is_free(&high)) {
            continue;
        }
        let number = i64::try_from(draft.place.row).unwrap_or(0);
        let spare = if draft.place.part == Part::Spare {
            SPARE
        } else {
            0
        };
        let day = 2 * (number + spare) - 6 + 7 * i64::from(draft.attempt + draft.salt);
        let start = draft.instant.div_euclid(clock::DAY) * clock::DAY + day * clock::DAY;
        let hour = |hour: i64| start + hour * 3_600;
        let ends: [Cell; 2] = match kind(catalog, table, &low) {
            "date" => [start, start + clock::DAY].map(|at| Some(clock::date(at))),
            "timestamp" => [hour(9), hour(10)].map(|at| Some(clock::timestamp(at))),
            "timestamptz" => [hour(9), hour(10)].map(|at| Some(clock::instant(at))),
            "int2" | "int4" | "int8" | "numeric" => {
                [4 * (number + spare), 4 * (number + spare) + 1].map(|n| Some(n.to_string()))
            }
            _ => continue,
        };
        let [from, to] = ends;
        draft.set(&low, from);
        draft.set(&high, to);
    }
}

/// The two columns that a range is made of.
fn ends(value: &Value<'_>) -> Option<(String, String)> {
    let Value::Expression(expr) = value else {
        return None;
    };
    let Expr::Function(function) = expr.as_ref() else {
        return None;
    };
    let arguments = arguments(function);
    let (low, high) = (arguments.first()?, arguments.get(1)?);
    function.name.to_string().ends_with("range").then_some(())?;
    Some((plain_column(low)?, plain_column(high)?))
}
