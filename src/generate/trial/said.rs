//! What CHECKs ask for: those of a table and of its columns' domains, whole and in parts.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr};

use crate::generate::Ground;
use crate::generate::hints::{self, Reading};
use crate::generate::plan::{TablePlan, mentions};
use crate::generate::truth;
use crate::generate::value::Pattern;
use crate::model::{Type, TypeKind};

/// A CHECK of a table, or of the domain of one of its columns.
pub(super) struct Said<'a> {
    pub(super) name: String,
    pub(super) expression: Cow<'a, str>,
    pub(super) parsed: Option<Expr>,
    /// The column of the domain.
    pub(super) value: Option<String>,
    /// It is one of those that another one asks for together.
    pub(super) part: bool,
}

impl<'a> Said<'a> {
    /// What it asks for together, one by one; none where it asks for one thing.
    fn parts(&self) -> Vec<Said<'a>> {
        let mut list = Vec::new();
        if let Some(expr) = &self.parsed {
            conjuncts(expr, &mut list);
        }
        if list.len() < 2 {
            return Vec::new();
        }
        let part = |expr: &Expr| Said {
            name: self.name.clone(),
            expression: Cow::Owned(expr.to_string()),
            parsed: Some(expr.clone()),
            value: self.value.clone(),
            part: true,
        };
        list.into_iter().map(part).collect()
    }

    pub(super) fn mentions(&self, column: &str) -> bool {
        self.value.is_none() && mentions(&self.expression, column)
    }

    /// The columns that it speaks of, through computed ones too.
    pub(super) fn columns<'t>(&self, table: &'t TablePlan<'_>) -> BTreeSet<&'t str> {
        let all = &table.table.columns;
        let names = all.iter().map(|column| column.name.as_str());
        let of = |name: &&str| {
            if let Some(own) = &self.value {
                own == name
            } else {
                let mut computed = all
                    .iter()
                    .filter_map(|column| Some((column, column.formula.as_deref()?)));
                self.mentions(name)
                    || computed.any(|(column, formula)| {
                        self.mentions(&column.name) && mentions(formula, name)
                    })
            }
        };
        names.filter(of).collect()
    }

    /// What it says is known of its columns before a value is made.
    pub(super) fn is_plain(&self, table: &TablePlan<'_>) -> bool {
        let mut reading = Reading::default();
        hints::read(&self.expression, &mut reading)
            && self.columns(table).iter().all(|column| {
                table.known(column).is_none_or(|(_, profile)| {
                    let hints = &profile.hints;
                    hints.patterns.len() + hints.likes.len() < 2
                        && hints
                            .patterns
                            .iter()
                            .all(|text| Pattern::new(text).is_some())
                })
            })
    }
}

fn conjuncts<'e>(expr: &'e Expr, into: &mut Vec<&'e Expr>) {
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
        other => into.push(other),
    }
}

/// All that is asked of the rows of a table; the parts of what asks for several things come last.
pub(super) fn conditions<'a>(ground: Ground<'a>, table: &TablePlan<'a>) -> Vec<Said<'a>> {
    let mut found: Vec<Said<'a>> = table
        .table
        .checks
        .iter()
        .map(|check| Said {
            name: check.name.clone(),
            parsed: truth::parse(&check.expression),
            expression: Cow::Borrowed(&check.expression),
            value: None,
            part: false,
        })
        .collect();
    for (column, _) in &table.columns {
        let mut oid = column.type_oid;
        while let Some(Type {
            kind: TypeKind::Domain { base, checks, .. },
            ..
        }) = ground.catalog.types.get(&oid)
        {
            found.extend(checks.iter().map(|check| Said {
                name: column.name.clone(),
                parsed: truth::parse(check),
                expression: Cow::Borrowed(check),
                value: Some(column.name.clone()),
                part: false,
            }));
            oid = *base;
        }
    }
    let parts: Vec<Said<'a>> = found.iter().flat_map(Said::parts).collect();
    found.extend(parts);
    found
}

/// What a column may be set to so that an expression holds, wherever in it the two are compared.
pub(super) fn equations(
    ground: Ground<'_>,
    table: &TablePlan<'_>,
    expr: &Expr,
    into: &mut dyn FnMut(&str, String, bool),
) {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq};
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => {
            equations(ground, table, inner, into);
        }
        Expr::BinaryOp {
            left,
            op: op @ (Eq | Lt | LtEq | Gt | GtEq),
            right,
        } => {
            for (side, other, more) in [(left, right, *op == Gt), (right, left, *op == Lt)] {
                let Some(name) = hints::column(side) else {
                    continue;
                };
                let beside = if matches!(op, Lt | Gt) {
                    let oid = table
                        .table
                        .column(&name)
                        .map_or(0, |column| column.type_oid);
                    let of = ground.catalog.types.get(&ground.catalog.base_type(oid));
                    match (of.map_or("", |of| of.name.as_str()), more) {
                        ("timestamp" | "timestamptz" | "time", true) => " + '00:15:00'::interval",
                        ("timestamp" | "timestamptz" | "time", false) => " - '00:15:00'::interval",
                        (_, true) => " + 1",
                        (_, false) => " - 1",
                    }
                } else {
                    ""
                };
                into(&name, format!("({other}){beside}"), *op == Eq);
            }
        }
        Expr::BinaryOp { left, right, .. } => {
            equations(ground, table, left, into);
            equations(ground, table, right, into);
        }
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter().map(|branch| &branch.result);
            for result in results.chain(else_result.as_deref()) {
                equations(ground, table, result, into);
            }
        }
        _ => {}
    }
}
