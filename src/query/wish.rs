//! The rows that queries would like to meet: for each arm of their conditions one that goes through it and through no
//! other. What nobody has shows no leak.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, FromTable, Query as Select, Select as Block, SetExpr, Statement,
    TableFactor, TableWithJoins, UnaryOperator, UpdateTableFromKind, Value, Visit as _, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::expression::{column_of, folded, last, parameter};
use super::infer::readable;
use crate::model::{Catalog, Query, RelationName, Want, Wish};

/// Arms that are told apart in one condition, at most.
const ARMS: usize = 8;

/// The rows that some queries would like to meet.
#[must_use]
pub fn wishes(catalog: &Catalog, queries: &[Query]) -> BTreeSet<Wish> {
    let mut reader = Reader {
        catalog,
        schemas: Vec::new(),
        found: BTreeSet::new(),
    };
    for query in queries.iter().filter(|query| query.problem.is_none()) {
        reader.schemas = query.schemas();
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &readable(&query.sql));
        for statement in parsed.iter().flatten() {
            let _ = statement.visit(&mut reader);
        }
    }
    reader.found
}

/// A condition on one column.
#[derive(Clone, Debug)]
enum Atom {
    Column(Option<String>, String, Want),
    Lonely,
}

/// Conditions that hold together.
type Arm = Vec<Atom>;

struct Reader<'a> {
    catalog: &'a Catalog,
    /// Of the query's `search_path`.
    schemas: Vec<String>,
    found: BTreeSet<Wish>,
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Select) -> ControlFlow<()> {
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Update(update) => {
                let mut from = vec![&update.table];
                if let Some(
                    UpdateTableFromKind::BeforeSet(tables) | UpdateTableFromKind::AfterSet(tables),
                ) = &update.from
                {
                    from.extend(tables);
                }
                self.scope(&from, update.selection.as_ref(), &[]);
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) =
                    &delete.from;
                let from: Vec<&TableWithJoins> =
                    tables.iter().chain(delete.using.iter().flatten()).collect();
                self.scope(&from, delete.selection.as_ref(), &[]);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Reader<'_> {
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(block) => self.block(block),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }

    fn block(&mut self, block: &Block) {
        let from: Vec<&TableWithJoins> = block.from.iter().collect();
        let mut inner = Conditions::default();
        let _ = block.projection.visit(&mut inner);
        self.scope(&from, block.selection.as_ref(), &inner.found);
    }

    /// The wishes of one FROM: of its WHERE, and of it together with each condition that is asked of its rows.
    fn scope(&mut self, from: &[&TableWithJoins], selection: Option<&Expr>, inner: &[Expr]) {
        let mut tables: Vec<(String, RelationName)> = Vec::new();
        for factor in from.iter().flat_map(|one| {
            std::iter::once(&one.relation).chain(one.joins.iter().map(|join| &join.relation))
        }) {
            if let TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } = factor
                && let Some((relation, schema)) = last(name)
                && let Some(table) =
                    self.catalog
                        .table_called(&relation, schema.as_deref(), &self.schemas)
            {
                let called = alias.as_ref().map_or(relation, |alias| folded(&alias.name));
                tables.push((called, table));
            }
        }
        let outer = selection.map_or_else(|| vec![Vec::new()], arms);
        for condition in std::iter::once(None).chain(inner.iter().map(Some)) {
            let further = condition.map_or_else(|| vec![Vec::new()], arms);
            for arm in product(&outer, &further) {
                self.wish(&tables, &arm);
            }
        }
    }

    /// What an arm asks of each table.
    fn wish(&mut self, tables: &[(String, RelationName)], arm: &[Atom]) {
        let lonely = arm.iter().any(|atom| matches!(atom, Atom::Lonely));
        for (called, name) in tables {
            let Some(table) = self.catalog.tables.get(name) else {
                continue;
            };
            let mut wants: BTreeMap<String, Want> = BTreeMap::new();
            for atom in arm {
                let Atom::Column(of, column, want) = atom else {
                    continue;
                };
                let mine = of.as_ref().map_or(tables.len() == 1, |of| of == called);
                let Some(known) = table.column(column).filter(|_| mine) else {
                    continue;
                };
                let nothing = matches!(want, Want::Null | Want::Known) && known.not_null;
                // What is said of a value says more than that there is one.
                if !nothing && !matches!(wants.get(column), Some(Want::Is(_) | Want::Null)) {
                    wants.insert(column.clone(), want.clone());
                }
            }
            let says = wants.values().any(|want| *want != Want::AsFirst);
            if says && (wants.len() > 1 || lonely) {
                self.found.insert(Wish {
                    table: name.clone(),
                    wants,
                    lonely,
                });
            }
        }
    }
}

/// Conditions of CASE and FILTER in what a query returns.
#[derive(Default)]
struct Conditions {
    found: Vec<Expr>,
    depth: usize,
}

impl Visitor for Conditions {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Select) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Select) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.depth > 0 || self.found.len() >= ARMS {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Case {
                operand: None,
                conditions,
                ..
            } => self
                .found
                .extend(conditions.iter().map(|when| when.condition.clone())),
            Expr::Function(function) => self.found.extend(function.filter.as_deref().cloned()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The arms of a condition, each without what goes through another.
fn arms(expr: &Expr) -> Vec<Arm> {
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
        other => vec![atom(other).into_iter().collect()],
    }
}

/// Both at once.
fn product(left: &[Arm], right: &[Arm]) -> Vec<Arm> {
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
                Want::Is(_) | Want::AsFirst => return None,
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
            Expr::Exists { negated: false, .. } => Some(Atom::Lonely),
            _ => None,
        },
        Expr::Exists { negated: true, .. } | Expr::InSubquery { negated: true, .. } => {
            Some(Atom::Lonely)
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => match literal(list.first()?) {
            Some(value) => column(expr, Want::Is(value)),
            None => column(expr, Want::AsFirst),
        },
        Expr::BinaryOp { left, op, right } => {
            let (of, value) = if column_of(left).is_some() {
                (left, right)
            } else {
                (right, left)
            };
            match op {
                BinaryOperator::Eq => match literal(value) {
                    Some(value) => column(of, Want::Is(value)),
                    None => parameter(value).and_then(|_| column(of, Want::AsFirst)),
                },
                BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq => column(of, Want::Known),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A value as it is written.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => literal(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.clone()),
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Boolean(truth) => Some(truth.to_string()),
            _ => None,
        },
        _ => None,
    }
}
