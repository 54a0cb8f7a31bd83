//! The arms of a condition: what holds together for a row to go through it.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::name::tables_in;
use crate::model::Want;
use crate::query::expression::{column_of, parameter};
use crate::query::json::literal;

/// Arms that are told apart in one condition, at most.
pub(super) const ARMS: usize = 8;

/// A condition on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    /// Of what, the column, and what it holds.
    Column(Option<String>, String, Want),
    /// No row of these, as they are called, has anything to do with it.
    Without(Vec<String>),
}

/// Conditions that hold together.
pub(super) type Arm = Vec<Atom>;

/// The arms of a condition, each without what goes through another.
pub(super) fn arms(expr: &Expr) -> Vec<Arm> {
    match expr {
        Expr::Nested(inner) => arms(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => product(&arms(left), &arms(right)),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } => {
            let (left, right) = (arms(left), arms(right));
            let mut found = product(&left, &[without(&right)]);
            found.extend(product(&[without(&left)], &right));
            found.truncate(ARMS);
            found
        }
        other => {
            let own: Arm = atom(other).into_iter().collect();
            let tables = tables_in(other);
            if tables.is_empty() {
                return vec![own];
            }
            // What a sub-select finds or does not find is told apart by a row that it finds nothing for.
            let bare = [own.as_slice(), &[Atom::Without(tables)]].concat();
            if finds_nothing(other) {
                vec![bare]
            } else {
                vec![own, bare]
            }
        }
    }
}

/// Both at once.
pub(super) fn product(left: &[Arm], right: &[Arm]) -> Vec<Arm> {
    let pairs = left.iter().flat_map(|left| {
        right
            .iter()
            .map(move |right| [left.as_slice(), right].concat())
    });
    pairs.take(ARMS).collect()
}

/// What goes through none of these arms, as far as that is simple.
fn without(arms: &[Arm]) -> Arm {
    let against = arms.iter().filter_map(|arm| match arm.as_slice() {
        [Atom::Column(of, column, want)] => {
            let want = match want {
                Want::Null => Want::Known,
                Want::Known => Want::Null,
                Want::Is(value) if value == "true" => Want::Is("false".to_owned()),
                Want::Is(value) if value == "false" => Want::Is("true".to_owned()),
                _ => return None,
            };
            Some(Atom::Column(of.clone(), column.clone(), want))
        }
        _ => None,
    });
    against.collect()
}

fn atom(expr: &Expr) -> Option<Atom> {
    let column = |expr: &Expr, want: Want| {
        let (of, name) = column_of(expr)?;
        Some(Atom::Column(of, name, want))
    };
    match expr {
        Expr::IsNull(inner) => column(inner, Want::Null),
        Expr::IsNotNull(inner) => column(inner, Want::Known),
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => column(inner, Want::Is("true".to_owned())),
        Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => {
            column(inner, Want::Is("false".to_owned()))
        }
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            column(expr, Want::Is("true".to_owned()))
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: inner,
        } => match inner.as_ref() {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                column(inner, Want::Is("false".to_owned()))
            }
            _ => None,
        },
        Expr::Between {
            expr,
            negated: false,
            ..
        } => column(expr, Want::Known),
        Expr::InList {
            expr,
            list,
            negated: false,
        } => match literal(list.first()?) {
            Some(value) => column(expr, Want::Is(value)),
            None => column(expr, Want::AsFirst),
        },
        Expr::BinaryOp { left, op, right } => {
            let turned = column_of(left).is_none();
            let (of, value) = if turned { (right, left) } else { (left, right) };
            match op {
                BinaryOperator::Eq => match literal(value) {
                    Some(value) => column(of, Want::Is(value)),
                    None => parameter(value).and_then(|_| column(of, Want::AsFirst)),
                },
                BinaryOperator::NotEq => column(of, Want::Known),
                BinaryOperator::Lt | BinaryOperator::LtEq => {
                    column(of, if turned { Want::Above } else { Want::Below })
                }
                BinaryOperator::Gt | BinaryOperator::GtEq => {
                    column(of, if turned { Want::Below } else { Want::Above })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// It holds where the sub-select in it finds nothing.
fn finds_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Exists { negated, .. } | Expr::InSubquery { negated, .. } => *negated,
        Expr::Nested(inner) => finds_nothing(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => !finds_nothing(expr),
        Expr::IsNull(_) => true,
        Expr::BinaryOp { left, op, right } => {
            let none = |expr: &Expr| literal(expr).as_deref() == Some("0");
            match op {
                BinaryOperator::Eq | BinaryOperator::LtEq => none(right),
                BinaryOperator::GtEq => none(left),
                _ => false,
            }
        }
        _ => false,
    }
}
