//! Expressions over a table's columns that parameters are compared with: `date_trunc('month', created_at) = $2`.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query as Select, Value, Visit as _, Visitor};

use super::Reader;
use crate::query::expression::{Name, bare, column_of, first_argument, last};
use crate::query::infer::Source;

/// What of a column is as good as the column: the parameter says the same of itself.
const ALIKE: [&str; 8] = [
    "lower", "upper", "trim", "btrim", "ltrim", "rtrim", "coalesce", "unaccent",
];

/// An expression and what is compared with it.
pub(super) struct Expression {
    number: usize,
    sql: String,
    columns: Vec<Name>,
    by: char,
}

impl Expression {
    /// Where one side is computed from columns and from nothing else, and the other is a parameter.
    pub(super) fn of(expr: &Expr, value: &Expr, by: char) -> Option<Self> {
        let Expr::Value(value) = bare(value) else {
            return None;
        };
        let Value::Placeholder(text) = &value.value else {
            return None;
        };
        let number = text.trim_start_matches('$').parse().ok()?;
        let plain = match bare(expr) {
            Expr::Function(function) => {
                let alike =
                    last(&function.name).is_some_and(|(name, _)| ALIKE.contains(&name.as_str()));
                alike && first_argument(function).and_then(column_of).is_some()
            }
            other => column_of(other).is_some(),
        };
        let mut found = Columns::default();
        let whole = expr.visit(&mut found).is_continue();
        (!plain && whole && !found.names.is_empty()).then(|| Self {
            number,
            sql: expr.to_string(),
            columns: found.names,
            by,
        })
    }
}

impl Reader<'_> {
    /// Finds the tables of the expressions, now that all aliases are known.
    pub(super) fn resolve_expressions(&mut self) {
        for one in std::mem::take(&mut self.expressions) {
            let mut tables = one
                .columns
                .iter()
                .map(|name| Some((self.owner(name, false)?, name.0.clone())));
            let Some(Some((table, of))) = tables.next() else {
                continue;
            };
            if !tables.all(|other| other.is_some_and(|(other, as_)| other == table && as_ == of)) {
                continue;
            }
            let alias = of.unwrap_or_else(|| table.name.clone());
            let source = Source::Computed {
                table,
                alias,
                sql: one.sql,
                by: one.by,
            };
            self.source(one.number, source);
        }
    }
}

/// The columns of an expression; broken off at what is none of the row's own.
#[derive(Default)]
struct Columns {
    names: Vec<Name>,
}

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Select) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                return ControlFlow::Break(());
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.names.extend(column_of(expr)),
            // Over several rows.
            Expr::Function(function) if function.over.is_some() => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
