//! The rows that queries would like to meet: for each arm of their conditions one that goes through it and through no
//! other, and what it lacks in other hands. What nobody has shows no leak.

mod arm;
mod name;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Delete, Expr, FromTable, JoinConstraint, JoinOperator, ObjectName, Query as Select,
    Select as Block, SetExpr, Statement, TableFactor, TableWithJoins, UpdateTableFromKind,
    Visit as _, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use self::arm::{ARMS, Arm, Atom, arms, product};
use self::name::{Names, Place, tables_in};
use super::expression::{folded, last};
use super::infer::readable;
use crate::model::{Catalog, Query, RelationName, Table, Tenancy, Want, Wish};

/// The rows that some queries would like to meet.
#[must_use]
pub fn wishes(catalog: &Catalog, tenancy: &Tenancy, queries: &[Query]) -> BTreeSet<Wish> {
    let mut found = BTreeSet::new();
    for query in queries.iter().filter(|query| query.problem.is_none()) {
        let schemas = query.schemas();
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &readable(&query.sql));
        for statement in parsed.iter().flatten() {
            let names = Names::of(catalog, &schemas, statement);
            let mut reader = Reader {
                catalog,
                tenancy,
                pairs: names.pairs(),
                names,
                found: &mut found,
            };
            let _ = statement.visit(&mut reader);
            reader.in_common();
        }
    }
    found
}

struct Reader<'a> {
    catalog: &'a Catalog,
    tenancy: &'a Tenancy,
    names: Names<'a>,
    /// The columns that the statement compares with each other.
    pairs: BTreeMap<Place, Vec<Place>>,
    found: &'a mut BTreeSet<Wish>,
}

/// What stands in a FROM and beside it.
struct Scope<'a> {
    from: Vec<&'a TableWithJoins>,
    selection: Option<&'a Expr>,
    /// Conditions that are asked of its rows one by one.
    inner: Vec<Expr>,
    /// What may find nothing for a row, as it is called.
    optional: Vec<String>,
    /// What rows are deleted from.
    deleted: Option<RelationName>,
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
                self.scope(from, update.selection.as_ref(), None);
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) =
                    &delete.from;
                let deleted = deleted(delete).and_then(|name| self.names.table(name));
                let from = tables.iter().chain(delete.using.iter().flatten());
                self.scope(from.collect(), delete.selection.as_ref(), deleted);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Reader<'_> {
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
        let mut inner = Conditions::default();
        let _ = block.projection.visit(&mut inner);
        let mut optional = tables_in(&block.projection);
        optional.extend(block.having.iter().flat_map(tables_in));
        for join in block.from.iter().flat_map(|from| &from.joins) {
            if let JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_) =
                join.join_operator
            {
                optional.extend(tables_in(&join.relation));
            }
        }
        self.meet(&Scope {
            from: block.from.iter().collect(),
            selection: block.selection.as_ref(),
            inner: inner.found,
            optional,
            deleted: None,
        });
    }

    fn scope(
        &mut self,
        from: Vec<&'a TableWithJoins>,
        selection: Option<&'a Expr>,
        deleted: Option<RelationName>,
    ) {
        self.meet(&Scope {
            from,
            selection,
            inner: Vec::new(),
            optional: Vec::new(),
            deleted,
        });
    }

    /// The wishes of one FROM: of its WHERE and ON, and of these together with each condition that is asked of its rows.
    fn meet(&mut self, scope: &Scope<'_>) {
        let tables = self.tables(scope);
        let mut outer = scope.selection.map_or_else(|| vec![Vec::new()], arms);
        for join in scope.from.iter().flat_map(|from| &from.joins) {
            if let Some(on) = condition(&join.join_operator) {
                outer = product(&outer, &arms(on));
            }
        }
        let mut further: Vec<Vec<Arm>> = vec![vec![Vec::new()]];
        further.extend(scope.inner.iter().map(arms));
        if !scope.optional.is_empty() {
            further.push(vec![vec![Atom::Without(scope.optional.clone())]]);
        }
        for further in further {
            for arm in product(&outer, &further) {
                self.wish(&tables, &arm, scope.deleted.as_ref());
            }
        }
    }

    /// The tables of a FROM, as they are called.
    fn tables(&self, scope: &Scope<'_>) -> Vec<(String, RelationName)> {
        let factors = scope.from.iter().flat_map(|one| {
            std::iter::once(&one.relation).chain(one.joins.iter().map(|join| &join.relation))
        });
        let tables = factors.filter_map(|factor| match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let table = self.names.table(name)?;
                let own = || Some(last(name)?.0);
                let called = alias.as_ref().map(|alias| folded(&alias.name));
                Some((called.or_else(own)?, table))
            }
            _ => None,
        });
        tables.collect()
    }

    /// What an arm asks of each table. What is deleted must be held by no other row.
    fn wish(
        &mut self,
        tables: &[(String, RelationName)],
        arm: &[Atom],
        deleted: Option<&RelationName>,
    ) {
        let lacked = arm.iter().flat_map(|atom| match atom {
            Atom::Without(called) => called.as_slice(),
            Atom::Column(..) => &[],
        });
        let lacked: BTreeSet<RelationName> = lacked
            .flat_map(|called| self.names.tables(called))
            .collect();
        for (called, name) in tables {
            let Some(table) = self.catalog.tables.get(name) else {
                continue;
            };
            let wants = wants(table, arm, |of| {
                of.as_ref().map_or(tables.len() == 1, |of| of == called)
            });
            let mut without = lacked.clone();
            without.remove(name);
            let held = deleted.filter(|deleted| *deleted == name);
            let held = held.map_or_else(BTreeSet::new, |name| self.catalog.holding(name));
            self.own(table, &wants, without, held);
            self.others(table, &wants);
        }
    }
}

/// What an arm asks of a table's columns; `mine` says of the name before a column whether it is the table's.
fn wants(
    table: &Table,
    arm: &[Atom],
    mine: impl Fn(&Option<String>) -> bool,
) -> BTreeMap<String, Want> {
    let mut wants: BTreeMap<String, Want> = BTreeMap::new();
    for atom in arm {
        let Atom::Column(of, column, want) = atom else {
            continue;
        };
        let Some(known) = table.column(column).filter(|_| mine(of)) else {
            continue;
        };
        let nothing = matches!(want, Want::Null | Want::Known) && known.not_null;
        let beyond = |want: &Want| matches!(want, Want::Above | Want::Below);
        // What is said of a value says more than that there is one; what lies between two says neither.
        match wants.get(column) {
            _ if nothing => {}
            Some(Want::Is(_) | Want::Null) => {}
            Some(there) if beyond(there) && beyond(want) && there != want => {
                wants.insert(column.clone(), Want::Known);
            }
            Some(Want::Known) if beyond(want) => {}
            _ => {
                wants.insert(column.clone(), want.clone());
            }
        }
    }
    wants
}

/// What a DELETE deletes from.
pub(super) fn deleted(delete: &Delete) -> Option<&ObjectName> {
    let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
    match &tables.first()?.relation {
        TableFactor::Table { name, .. } => Some(name),
        _ => None,
    }
}

/// The condition of a join.
fn condition(join: &JoinOperator) -> Option<&Expr> {
    match join {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))
        | JoinOperator::Right(JoinConstraint::On(on))
        | JoinOperator::RightOuter(JoinConstraint::On(on))
        | JoinOperator::FullOuter(JoinConstraint::On(on)) => Some(on),
        _ => None,
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
