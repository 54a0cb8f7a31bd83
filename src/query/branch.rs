//! The branches of a query, each as the query without it.
//!
//! What no row goes through shows no leak. A branch was met where the query without it returns or changes something
//! else: so any branch is tried wherever it stands, in a sub-select or in a CTE.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, Query as Select, Select as Block, SetExpr,
    SetOperator, Spanned as _, Value, VisitorMut,
};

use super::numbered::{Changes, Numbered, places};
use crate::model::Query;

/// A branch of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What it is, and its text: `OR t.state = 'locked'`.
    pub label: String,
    /// The line in the query's file, from 1.
    pub line: usize,
    /// The query without it.
    pub without: String,
}

/// The arms of every OR, CASE and UNION, the optional joins and the EXISTS of a query. None where the parser does not
/// understand the query as it stands.
#[must_use]
pub fn branches(query: &Query) -> Vec<Branch> {
    let found = places(query, &Cutter::default()).into_iter();
    found
        .map(|place| Branch {
            label: format!("{} {}", place.kind, place.text)
                .trim_end()
                .to_owned(),
            line: place.line,
            without: place.sql,
        })
        .collect()
}

/// Takes out the branch that is wanted.
#[derive(Clone, Default)]
struct Cutter {
    numbered: Numbered,
}

impl Changes for Cutter {
    fn numbered(&mut self) -> &mut Numbered {
        &mut self.numbered
    }
}

impl Cutter {
    fn arm(&mut self, kind: &'static str, arm: &mut Expr, instead: Value) {
        if self
            .numbered
            .meet(kind, &arm.to_string(), arm.span().start.line)
        {
            *arm = Expr::Value(instead.into());
        }
    }

    /// The arms of a UNION, EXCEPT or INTERSECT.
    fn arms(&mut self, body: &mut SetExpr) {
        let SetExpr::SetOperation {
            left, right, op, ..
        } = body
        else {
            return;
        };
        let word = match op {
            SetOperator::Union => "UNION",
            SetOperator::Except => "EXCEPT",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Minus => "MINUS",
        };
        for arm in [left, right] {
            match arm.as_mut() {
                SetExpr::Select(block) => {
                    if self
                        .numbered
                        .meet(word, &block.to_string(), block.span().start.line)
                    {
                        block.selection = Some(Expr::Value(Value::Boolean(false).into()));
                    }
                }
                other => self.arms(other),
            }
        }
    }
}

impl VisitorMut for Cutter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Select) -> ControlFlow<()> {
        self.arms(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, block: &mut Block) -> ControlFlow<()> {
        for join in block.from.iter_mut().flat_map(|from| &mut from.joins) {
            let text = join.relation.to_string();
            let line = join.relation.span().start.line;
            if let JoinOperator::Left(JoinConstraint::On(on))
            | JoinOperator::LeftOuter(JoinConstraint::On(on)) = &mut join.join_operator
                && self.numbered.meet("LEFT JOIN", &text, line)
            {
                *on = Expr::Value(Value::Boolean(false).into());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Or,
                right,
            } => {
                for arm in [left, right] {
                    if !is_or(arm) {
                        self.arm("OR", arm, Value::Boolean(false));
                    }
                }
            }
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                for when in conditions {
                    let never = match operand {
                        Some(_) => Value::Null,
                        None => Value::Boolean(false),
                    };
                    self.arm("WHEN", &mut when.condition, never);
                }
                if let Some(otherwise) = else_result {
                    self.arm("ELSE", otherwise, Value::Null);
                }
            }
            Expr::Exists { negated, .. } => {
                let (kind, instead) = if *negated {
                    ("without", Value::Boolean(true))
                } else {
                    ("with", Value::Boolean(false))
                };
                self.arm(kind, expr, instead);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_or(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_or(inner),
        Expr::BinaryOp { op, .. } => *op == BinaryOperator::Or,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_branch_is_taken_out_by_itself() {
        let sql = "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t\nLEFT JOIN u ON u.id = t.id\n\
                   WHERE t.b = $1 AND (t.c OR EXISTS (SELECT FROM v))";
        let query = crate::query::read("q.sql", sql).unwrap().remove(0);
        let found = branches(&query);
        let labels: Vec<(&str, usize)> = found
            .iter()
            .map(|one| (one.label.as_str(), one.line))
            .collect();
        assert_eq!(
            labels,
            [
                ("LEFT JOIN u", 2),
                ("WHEN a", 1),
                ("ELSE 2", 1),
                ("OR t.c", 3),
                ("OR EXISTS (SELECT FROM v)", 3),
                ("with EXISTS (SELECT FROM v)", 3),
            ]
        );
        assert!(
            found[0].without.contains("LEFT JOIN u ON false"),
            "{}",
            found[0].without
        );
        assert!(
            found[3].without.contains("(false OR EXISTS"),
            "{}",
            found[3].without
        );
        assert!(
            found[4].without.contains("(t.c OR false)"),
            "{}",
            found[4].without
        );
    }
}
