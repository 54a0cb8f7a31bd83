//! A query with one defect: a predicate over the tenant that is gone or moved, parentheses that are dropped, a join that
//! keeps rows which it should not.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Delete, Expr, JoinConstraint, JoinOperator, Select, Spanned as _, Statement,
    TableWithJoins, Update, Value, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::infer::infer;
use super::numbered::{Changes, Numbered, parsed, places};
use super::tenant_parameter;
use crate::model::{Catalog, Query, QueryTenant, Tenancy};

/// A query with one defect.
#[derive(Clone, Debug)]
pub struct Deformed {
    /// What was done: the word for it.
    pub kind: &'static str,
    /// What stood there.
    pub label: String,
    /// The line in the query's file, from 1.
    pub line: usize,
    /// The query.
    pub query: Query,
}

/// A query as the parser prints it, without a defect; `None` where the parser does not understand it.
#[must_use]
pub fn reprinted(query: &Query) -> Option<Query> {
    let statements = parsed(query)?;
    let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
    Some(Query {
        sql: texts.join("; "),
        ..query.clone()
    })
}

/// Every query that one defect makes of this one. None of a query that knows no tenant of itself.
#[must_use]
pub fn deformed(catalog: &Catalog, tenancy: &Tenancy, query: &Query) -> Vec<Deformed> {
    let inferred = infer(catalog, query);
    let given = matches!(
        query.tenant,
        QueryTenant::Inferred | QueryTenant::Parameter(_)
    );
    let Some(tenant) = tenant_parameter(query, &inferred, tenancy).filter(|_| given) else {
        return Vec::new();
    };
    let deformer = Deformer {
        numbered: Numbered::default(),
        columns: tenancy
            .classes
            .keys()
            .filter_map(|table| tenancy.tenant_column(table))
            .filter(|column| Some(*column) != tenancy.root.as_ref().map(|(_, id)| id.as_str()))
            .map(str::to_owned)
            .collect(),
        tenant,
        kept: kept(query, tenant),
    };
    let mut found: Vec<Deformed> = places(query, &deformer)
        .into_iter()
        .map(|place| Deformed {
            kind: place.kind,
            label: place.text,
            line: place.line,
            query: Query {
                sql: place.sql,
                tenant: QueryTenant::Parameter(tenant),
                ..query.clone()
            },
        })
        .collect();
    found.dedup_by(|a, b| a.query.sql == b.query.sql);
    found
}

/// What stands in the place of a predicate: true, with the tenant's parameter in it, whose type the server would not know
/// otherwise.
fn kept(query: &Query, tenant: usize) -> Expr {
    let plain = Expr::Value(Value::Boolean(true).into());
    let Some(of) = query.types.get(tenant - 1) else {
        return plain;
    };
    let text = format!("(CAST(${tenant} AS {of}) IS NOT DISTINCT FROM CAST(${tenant} AS {of}))");
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text);
    parsed
        .and_then(|mut parser| parser.parse_expr())
        .unwrap_or(plain)
}

#[derive(Clone)]
struct Deformer {
    numbered: Numbered,
    /// The names of tenant columns.
    columns: BTreeSet<String>,
    /// The parameter that names the tenant.
    tenant: usize,
    kept: Expr,
}

impl Changes for Deformer {
    fn numbered(&mut self) -> &mut Numbered {
        &mut self.numbered
    }
}

impl Deformer {
    /// Whether an expression is a tenant column.
    fn is_column(&self, expr: &Expr) -> bool {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        name.is_some_and(|name| {
            let folded = match name.quote_style {
                Some(_) => name.value.clone(),
                None => name.value.to_lowercase(),
            };
            self.columns.contains(&folded)
        })
    }

    fn is_tenant(&self, expr: &Expr) -> bool {
        let parameter = format!("${}", self.tenant);
        match expr {
            Expr::Value(value) => {
                matches!(&value.value, Value::Placeholder(name) if *name == parameter)
            }
            Expr::Cast { expr, .. } | Expr::Nested(expr) => self.is_tenant(expr),
            _ => self.is_column(expr),
        }
    }

    /// `t.organisation_id = $1`, `a.organisation_id = b.organisation_id`, `o.id = $1`.
    fn is_predicate(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if self.is_tenant(left) && self.is_tenant(right))
    }

    /// The joins of a FROM.
    fn joins(&mut self, from: &mut [TableWithJoins]) {
        for join in from.iter_mut().flat_map(|from| &mut from.joins) {
            let text = join.relation.to_string();
            let line = join.relation.span().start.line;
            let inner = matches!(
                join.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_)
            );
            let (JoinOperator::Join(JoinConstraint::On(on))
            | JoinOperator::Inner(JoinConstraint::On(on))
            | JoinOperator::Left(JoinConstraint::On(on))
            | JoinOperator::LeftOuter(JoinConstraint::On(on))) = &join.join_operator
            else {
                continue;
            };
            let on = JoinConstraint::On(on.clone());
            if inner && self.numbered.meet("query-left-join", &text, line) {
                join.join_operator = JoinOperator::Left(on);
            } else if self.numbered.meet("query-full-join", &text, line) {
                join.join_operator = JoinOperator::FullOuter(on);
            }
        }
    }

    /// Each predicate of a WHERE, to the ON of the first outer join.
    fn moves(&mut self, from: &mut [TableWithJoins], selection: &mut Option<Expr>) {
        let outer =
            from.iter_mut()
                .flat_map(|from| &mut from.joins)
                .find_map(|join| match &mut join.join_operator {
                    JoinOperator::Left(JoinConstraint::On(on))
                    | JoinOperator::LeftOuter(JoinConstraint::On(on))
                    | JoinOperator::FullOuter(JoinConstraint::On(on)) => Some(on),
                    _ => None,
                });
        let (Some(on), Some(condition)) = (outer, selection) else {
            return;
        };
        for conjunct in conjuncts(condition) {
            if !self.is_predicate(conjunct) {
                continue;
            }
            let line = conjunct.span().start.line;
            if self
                .numbered
                .meet("query-predicate-moved", &conjunct.to_string(), line)
            {
                let moved = std::mem::replace(conjunct, self.kept.clone());
                let before = std::mem::replace(on, moved);
                *on = Expr::BinaryOp {
                    left: Box::new(Expr::Nested(Box::new(before))),
                    op: BinaryOperator::And,
                    right: Box::new(on.clone()),
                };
                return;
            }
        }
    }
}

/// The parts of an expression that AND puts together.
fn conjuncts(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        other => vec![other],
    }
}

impl VisitorMut for Deformer {
    type Break = ();

    fn pre_visit_select(&mut self, block: &mut Select) -> ControlFlow<()> {
        self.joins(&mut block.from);
        self.moves(&mut block.from, &mut block.selection);
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        match statement {
            Statement::Update(Update { table, .. }) => self.joins(std::slice::from_mut(table)),
            Statement::Delete(Delete {
                using: Some(using), ..
            }) => self.joins(using),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.is_predicate(expr) {
            let line = expr.span().start.line;
            if self
                .numbered
                .meet("query-predicate", &expr.to_string(), line)
            {
                *expr = self.kept.clone();
            }
            return ControlFlow::Continue(());
        }
        let Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } = expr
        else {
            return ControlFlow::Continue(());
        };
        for side in [left, right] {
            if let Expr::Nested(inner) = side.as_mut()
                && matches!(
                    inner.as_ref(),
                    Expr::BinaryOp {
                        op: BinaryOperator::Or,
                        ..
                    }
                )
                && self.numbered.meet(
                    "query-parentheses",
                    &inner.to_string(),
                    inner.span().start.line,
                )
            {
                // It is printed as it was written, and read otherwise.
                **side = inner.as_ref().clone();
            }
        }
        ControlFlow::Continue(())
    }
}
