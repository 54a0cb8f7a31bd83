//! Columns that a CHECK wants to be there or not, references among them.

use sqlparser::ast::{BinaryOperator, Expr};

use super::{Repair, bare, told};
use crate::generate::hints::{arguments, plain_column};
use crate::generate::rows::Draft;
use crate::generate::truth::Worth;
use crate::model::Catalog;

/// Whether an expression wants the row not to refer to something.
pub(super) fn takes_back(draft: &Draft<'_>, expr: &Expr) -> bool {
    match bare(expr) {
        Expr::IsNull(inner) => {
            plain_column(inner).is_some_and(|name| draft.table.optional_key(&name).is_some())
        }
        _ => false,
    }
}

/// A column made NULL, or not; a reference is taken back or made.
pub(super) fn absent(draft: &mut Draft<'_>, of: &Expr, wanted: bool) -> Repair {
    match plain_column(of) {
        Some(column) if wanted && can_be_null(draft, &column) => {
            draft.set(&column, None);
            Repair::Done
        }
        Some(column) if wanted && draft.release(&column) => Repair::Done,
        Some(column) if !wanted && draft.table.is_free(&column) => Repair::Choose(column),
        Some(column) if !wanted && draft.table.optional_key(&column).is_some() => {
            Repair::Refer(column)
        }
        _ => Repair::Unknown,
    }
}

/// The columns of `num_nonnulls` and `num_nulls`, and whether those that are there are counted.
pub(super) fn counted(expr: &Expr) -> Option<(Vec<&Expr>, bool)> {
    let Expr::Function(function) = bare(expr) else {
        return None;
    };
    let present = match function.name.to_string().to_lowercase().as_str() {
        "num_nonnulls" => true,
        "num_nulls" => false,
        _ => return None,
    };
    Some((arguments(function), present))
}

/// One more of the columns that are counted, or one less.
pub(super) fn count(
    catalog: &Catalog,
    draft: &mut Draft<'_>,
    list: &Expr,
    op: &BinaryOperator,
    other: &Expr,
    turn: u32,
) -> Repair {
    let (Some((columns, present)), Worth::Number(is), Worth::Number(bound)) = (
        counted(list),
        told(catalog, draft, list),
        told(catalog, draft, other),
    ) else {
        return Repair::Unknown;
    };
    let too_many = match op {
        BinaryOperator::Lt | BinaryOperator::LtEq => true,
        BinaryOperator::Gt | BinaryOperator::GtEq => false,
        _ => is > bound,
    };
    // Each of them has its turn to be the one that stays, or that comes.
    let row = draft.place.row;
    let begin = if too_many == present {
        row + 1
    } else {
        row + turn as usize
    };
    let (first, rest) = columns.split_at(begin % columns.len().max(1));
    for column in rest.iter().chain(first) {
        let is_there = plain_column(column)
            .and_then(|name| draft.get(&name))
            .is_some_and(Option::is_some);
        if is_there != (too_many == present) {
            continue;
        }
        match absent(draft, column, is_there) {
            Repair::Unknown => {}
            done => return done,
        }
    }
    Repair::Unknown
}

/// `(state = 'draft') = (number IS NULL)`: whether the column is there follows the other side, or differs from it.
pub(super) fn agree(
    catalog: &Catalog,
    draft: &mut Draft<'_>,
    (left, right): (&Expr, &Expr),
    alike: bool,
) -> Repair {
    let mut sides = [(left, right), (right, left)];
    // Either side has its turn to follow the other.
    if draft.place.row % 2 == 1 {
        sides.reverse();
    }
    for (side, other) in sides {
        let Worth::Bool(other) = told(catalog, draft, other) else {
            continue;
        };
        let done = match bare(side) {
            Expr::IsNull(inner) => absent(draft, inner, other == alike),
            Expr::IsNotNull(inner) => absent(draft, inner, other != alike),
            _ => Repair::Unknown,
        };
        if !matches!(done, Repair::Unknown) {
            return done;
        }
    }
    Repair::Unknown
}

fn can_be_null(draft: &Draft<'_>, column: &str) -> bool {
    draft.table.is_free(column)
        && draft.table.columns.iter().any(|(known, profile)| {
            known.name == column && !known.not_null && !profile.hints.not_null
        })
}
