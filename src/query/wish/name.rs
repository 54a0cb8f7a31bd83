//! What the names of a query stand for, and which columns it compares with each other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Cte, Expr, Insert, JoinConstraint, JoinOperator, ObjectName, Query as Select,
    Select as Block, SelectItem, SetExpr, SetOperator, Statement, TableFactor, Visit as _, Visitor,
};

use crate::model::{Catalog, RelationName};
use crate::query::expression::{Name, column_of, folded, last};

/// A column of a table.
pub(super) type Place = (RelationName, String);

/// A select in a select stands in another, and so on.
const DEPTH: usize = 4;

/// What a name stands for.
enum Thing {
    Table(RelationName),
    /// A select: the names of its columns, where it takes them from, and the names of what it reads.
    Select(Vec<(String, Name)>, Vec<String>),
}

/// The names of a statement. Scopes are not told apart, which at worst finds a like-named column too many.
pub(super) struct Names<'a> {
    catalog: &'a Catalog,
    schemas: &'a [String],
    things: Vec<(String, Thing)>,
    equal: Vec<(Name, Name)>,
}

impl<'a> Names<'a> {
    pub(super) fn of(catalog: &'a Catalog, schemas: &'a [String], statement: &Statement) -> Self {
        let mut names = Self {
            catalog,
            schemas,
            things: Vec::new(),
            equal: Vec::new(),
        };
        let _ = statement.visit(&mut names);
        names
    }

    /// The pairs of columns of different kinds that the statement compares, both ways: each with those that it meets.
    pub(super) fn pairs(&self) -> BTreeMap<Place, Vec<Place>> {
        let mut found: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (left, right) in &self.equal {
            for left in self.places(left, DEPTH) {
                for right in self.places(right, DEPTH) {
                    for (one, other) in [(&left, &right), (&right, &left)] {
                        let met = found.entry(one.clone()).or_default();
                        if one != other && !met.contains(other) {
                            met.push(other.clone());
                        }
                    }
                }
            }
        }
        found
    }

    /// The columns of tables that a name may stand for.
    fn places(&self, (of, column): &Name, depth: usize) -> Vec<Place> {
        let called = |called: &String| of.as_ref().is_none_or(|of| of == called);
        let things = self.things.iter().filter(|(name, _)| called(name));
        let mut found = Vec::new();
        for (_, thing) in things {
            match thing {
                Thing::Table(table) => {
                    let known = self.catalog.tables.get(table);
                    if known.is_some_and(|table| table.column(column).is_some()) {
                        found.push((table.clone(), column.clone()));
                    }
                }
                Thing::Select(columns, _) if depth > 0 => {
                    for (_, inner) in columns.iter().filter(|(name, _)| name == column) {
                        if inner != &(of.clone(), column.clone()) {
                            found.extend(self.places(inner, depth - 1));
                        }
                    }
                }
                Thing::Select(..) => {}
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// The tables behind a name, directly or in a select.
    pub(super) fn tables(&self, called: &str) -> Vec<RelationName> {
        self.behind(called, DEPTH)
    }

    fn behind(&self, called: &str, depth: usize) -> Vec<RelationName> {
        let mut found = Vec::new();
        for (_, thing) in self.things.iter().filter(|(name, _)| name == called) {
            match thing {
                Thing::Table(table) => found.push(table.clone()),
                Thing::Select(_, inner) if depth > 0 => {
                    let inner = inner.iter().filter(|name| *name != called);
                    found.extend(inner.flat_map(|name| self.behind(name, depth - 1)));
                }
                Thing::Select(..) => {}
            }
        }
        found
    }

    /// The table of this name.
    pub(super) fn table(&self, name: &ObjectName) -> Option<RelationName> {
        let (relation, schema) = last(name)?;
        self.catalog
            .table_called(&relation, schema.as_deref(), self.schemas)
    }

    fn select(&mut self, called: String, query: &Select) {
        let columns = projected(&query.body)
            .into_iter()
            .filter_map(|(name, of)| Some((name?, of?)));
        let columns = columns.collect();
        self.things
            .push((called, Thing::Select(columns, tables_in(query))));
    }

    fn equal(&mut self, left: &Expr, right: &Expr) {
        match (left, right) {
            (Expr::Tuple(left), Expr::Tuple(right)) => {
                for (left, right) in left.iter().zip(right) {
                    self.equal(left, right);
                }
            }
            (Expr::Nested(left), right) => self.equal(left, right),
            (left, Expr::Subquery(query)) => self.among(left, query),
            _ => self.equal.extend(column_of(left).zip(column_of(right))),
        }
    }

    /// `a IN (SELECT b …)`
    fn among(&mut self, expr: &Expr, query: &Select) {
        let items = match expr {
            Expr::Tuple(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for (item, (_, inner)) in items.iter().zip(projected(&query.body)) {
            self.equal.extend(column_of(item).zip(inner));
        }
    }

    fn set(&mut self, body: &SetExpr) {
        let SetExpr::SetOperation {
            left, right, op, ..
        } = body
        else {
            return;
        };
        self.set(left);
        self.set(right);
        if !matches!(op, SetOperator::Union) {
            let pairs = projected(left).into_iter().zip(projected(right));
            self.equal
                .extend(pairs.filter_map(|((_, left), (_, right))| left.zip(right)));
        }
    }
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        if let Statement::Insert(Insert {
            table: sqlparser::ast::TableObject::TableName(name),
            table_alias,
            ..
        }) = statement
            && let (Some(table), Some((own, _))) = (self.table(name), last(name))
        {
            let called = table_alias
                .as_ref()
                .map_or(own, |alias| folded(&alias.alias));
            self.things.push((called, Thing::Table(table)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Select) -> ControlFlow<()> {
        for Cte { alias, query, .. } in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.select(folded(&alias.name), query);
        }
        self.set(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                if let Some((own, _)) = last(name) {
                    let called = alias.as_ref().map(|alias| folded(&alias.name));
                    if let Some(table) = self.table(name) {
                        self.things
                            .push((called.unwrap_or(own), Thing::Table(table)));
                    } else if let Some(called) = called.filter(|called| *called != own) {
                        let columns = self.columns(&own);
                        self.things
                            .push((called, Thing::Select(columns, vec![own])));
                    }
                }
            }
            TableFactor::Derived {
                subquery,
                alias: Some(alias),
                ..
            } => self.select(folded(&alias.name), subquery),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, block: &Block) -> ControlFlow<()> {
        for join in block.from.iter().flat_map(|from| &from.joins) {
            if let JoinOperator::Join(JoinConstraint::Using(columns))
            | JoinOperator::Inner(JoinConstraint::Using(columns))
            | JoinOperator::Left(JoinConstraint::Using(columns))
            | JoinOperator::LeftOuter(JoinConstraint::Using(columns))
            | JoinOperator::FullOuter(JoinConstraint::Using(columns)) = &join.join_operator
            {
                let columns = columns.iter().filter_map(last);
                let pairs = columns.map(|(name, _)| ((None, name.clone()), (None, name)));
                self.equal.extend(pairs);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq | BinaryOperator::NotEq,
                right,
            }
            | Expr::AnyOp { left, right, .. }
            | Expr::AllOp { left, right, .. }
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::IsDistinctFrom(left, right) => self.equal(left, right),
            Expr::InSubquery { expr, subquery, .. } => self.among(expr, subquery),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Names<'_> {
    /// The columns of a CTE, as they are called outside of it.
    fn columns(&self, called: &str) -> Vec<(String, Name)> {
        let selects = self.things.iter().filter(|(name, _)| name == called);
        let columns = selects.filter_map(|(_, thing)| match thing {
            Thing::Select(columns, _) => Some(columns),
            Thing::Table(_) => None,
        });
        columns.flatten().cloned().collect()
    }
}

/// What a select returns: the name, and the column that it is.
fn projected(body: &SetExpr) -> Vec<(Option<String>, Option<Name>)> {
    match body {
        SetExpr::Select(block) => block
            .projection
            .iter()
            .map(|item| match item {
                SelectItem::UnnamedExpr(expr) => {
                    let of = column_of(expr);
                    (of.as_ref().map(|(_, name)| name.clone()), of)
                }
                SelectItem::ExprWithAlias { expr, alias } => (Some(folded(alias)), column_of(expr)),
                _ => (None, None),
            })
            .collect(),
        SetExpr::Query(query) => projected(&query.body),
        SetExpr::SetOperation { left, .. } => projected(left),
        _ => Vec::new(),
    }
}

/// What is read in a query, or in the sub-selects of an expression: as it is called.
pub(super) fn tables_in(node: &impl sqlparser::ast::Visit) -> Vec<String> {
    struct Called(Vec<String>);
    impl Visitor for Called {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, alias, .. } = factor {
                let called = alias.as_ref().map(|alias| folded(&alias.name));
                self.0.extend(called.or_else(|| Some(last(name)?.0)));
            }
            ControlFlow::Continue(())
        }
    }
    let mut called = Called(Vec::new());
    let _ = node.visit(&mut called);
    called.0
}
