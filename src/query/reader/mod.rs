//! A walk over a query's syntax: which columns its parameters are compared with.

mod callee;
mod computed;
mod function;
mod json;
mod resolve;
mod write;

use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, Expr, FunctionArguments, LimitClause, Query as Select, Statement, TableFactor, Visitor,
};

use self::computed::Expression;
use self::json::Looked;
use super::expression::{
    Name, arguments, bare, column_of, comparison, folded, last, parameter, unnamed,
};
use super::infer::{Field, Inferred, Source};
use super::json::{JsonPlace, json_place};
use crate::model::{Catalog, RelationName};

/// Collects names and comparisons; scopes are not told apart, which at worst binds a parameter to a like-named
/// column of another table of the same query.
pub(super) struct Reader<'a> {
    catalog: &'a Catalog,
    /// The schemas of the query's `search_path`.
    schemas: Vec<String>,
    aliases: Vec<(String, RelationName)>,
    pairs: Vec<Pair>,
    /// Columns that are compared with each other.
    equal: Vec<(Name, Name)>,
    /// Columns that are written, and what to.
    written: Vec<(Name, Name)>,
    /// Places in JSON, and what they are compared with.
    looked: Vec<Looked>,
    /// What stands for the elements of arrays in JSON: by its name the place of the first.
    elements: Vec<(String, JsonPlace)>,
    /// Expressions over columns, and the parameters that they are compared with.
    expressions: Vec<Expression>,
    /// Parameters that stand as columns of something else than a table: `(VALUES ($1)) v(id)`.
    passed: Vec<Passed>,
    /// The table that an INSERT writes to: its columns are not in sight of the rest.
    target: Option<RelationName>,
    /// The tables that functions read or write which it calls.
    reached: Vec<RelationName>,
    /// So many functions stand around it.
    depth: usize,
    inferred: &'a mut Inferred,
}

/// A parameter and a column that it is compared with, or written to.
struct Pair {
    number: usize,
    name: Name,
    by: char,
    field: Option<Field>,
    /// Where in the column's JSON.
    path: Option<Vec<String>>,
}

/// A parameter that stands as a column.
struct Passed {
    name: Name,
    number: usize,
    field: Option<Field>,
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(given),
                alias,
                ..
            } => {
                self.function(name, &unnamed(&given.args), alias.as_ref());
                self.callee(name, &given.args);
            }
            TableFactor::Function {
                name, args, alias, ..
            } => {
                self.function(name, &unnamed(args), alias.as_ref());
                self.callee(name, args);
            }
            TableFactor::Table { name, alias, .. } => {
                let alias = alias.as_ref().map(|alias| folded(&alias.name));
                let held = self.view(name).map_or(&[][..], |view| &view.refreshed);
                for view in held {
                    if !self.inferred.refreshed.contains(view) {
                        self.inferred.refreshed.push(view.clone());
                    }
                }
                for table in self.relation(name) {
                    let own = last(name).map_or_else(|| table.name.clone(), |(name, _)| name);
                    self.aliases.push((alias.clone().unwrap_or(own), table));
                }
            }
            TableFactor::Derived {
                subquery,
                alias: Some(alias),
                ..
            } => self.pass(alias, subquery),
            TableFactor::UNNEST {
                alias: Some(alias),
                array_exprs,
                ..
            } => {
                let given: Vec<&Expr> = array_exprs.iter().collect();
                self.unnest(alias, &given);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.assignments(&update.assignments),
            Statement::Delete(delete) => self.delete(delete),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Select) -> ControlFlow<()> {
        for Cte { alias, query, .. } in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.pass(alias, query);
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            for (expr, source) in [
                (limit.as_ref(), Source::Limit),
                (offset.as_ref().map(|offset| &offset.value), Source::Offset),
            ] {
                if let Some(number) = expr.and_then(parameter) {
                    self.inferred
                        .sources
                        .entry(number)
                        .or_default()
                        .push(source);
                }
            }
        }
        if let Some(number) = query
            .fetch
            .as_ref()
            .and_then(|fetch| parameter(fetch.quantity.as_ref()?))
        {
            self.inferred
                .sources
                .entry(number)
                .or_default()
                .push(Source::Limit);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } => {
                self.look(expr);
                self.keys(left, op, right);
                if let Some((by, turned)) = comparison(op) {
                    self.compare(left, right, by);
                    self.compare(right, left, turned);
                    if let (Some(left), Some(right)) = (column_of(left), column_of(right)) {
                        self.equal.push((left, right));
                    }
                }
            }
            Expr::Function(function) => {
                self.look(expr);
                self.call(&function.name, &arguments(function));
                if let FunctionArguments::List(list) = &function.args {
                    self.callee(&function.name, &list.args);
                }
            }
            Expr::Cast {
                expr: inner,
                data_type,
                ..
            } => {
                self.look(expr);
                self.cast(inner, &data_type.to_string());
            }
            Expr::CompoundFieldAccess { .. } => self.look(expr),
            Expr::AtTimeZone { time_zone, .. } => {
                if let Some(number) = parameter(time_zone) {
                    self.source(number, Source::Zone);
                }
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.inferred.optional.extend(parameter(inner));
            }
            Expr::AnyOp { left, right, .. }
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::IsDistinctFrom(left, right) => {
                self.compare(left, right, '=');
                self.compare(right, left, '=');
            }
            Expr::InList { expr, list, .. } => {
                for item in list {
                    self.compare(expr, item, '=');
                }
            }
            Expr::Between {
                expr, low, high, ..
            } => {
                self.compare(expr, low, '>');
                self.compare(expr, high, '<');
            }
            Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => {
                self.compare(expr, pattern, '%');
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        schemas: Vec<String>,
        depth: usize,
        inferred: &'a mut Inferred,
    ) -> Self {
        Self {
            catalog,
            schemas,
            aliases: Vec::new(),
            pairs: Vec::new(),
            equal: Vec::new(),
            written: Vec::new(),
            looked: Vec::new(),
            expressions: Vec::new(),
            elements: Vec::new(),
            passed: Vec::new(),
            target: None,
            reached: Vec::new(),
            depth,
            inferred,
        }
    }

    /// A column on one side and a parameter on the other.
    fn compare(&mut self, column: &Expr, value: &Expr, by: char) {
        // `(created_at, id) < ($2, $3)`
        if let (Expr::Tuple(columns), Expr::Tuple(values)) = (column, value) {
            for (column, value) in columns.iter().zip(values) {
                self.compare(column, value, by);
            }
            return;
        }
        // `tags @> ARRAY[$2, $3]`
        if let Expr::Array(array) = bare(value) {
            for item in &array.elem {
                self.compare(column, item, by);
            }
            return;
        }
        if let Some(place) = json_place(column) {
            self.compare_json(place, value, by);
        } else if let Some(expression) = Expression::of(column, value, by) {
            self.expressions.push(expression);
        } else if let (Some(name), Some(number)) = (column_of(column), parameter(value)) {
            self.pair(number, name, by);
        }
    }

    fn pair(&mut self, number: usize, name: Name, by: char) {
        self.pairs.push(Pair {
            number,
            name,
            by,
            field: None,
            path: None,
        });
    }

    /// A name that may be a table's, and the word after it, which may be its alias.
    pub(super) fn mention(
        &mut self,
        relation: &str,
        schema: Option<&String>,
        called: Option<String>,
    ) {
        if let Some(table) = self.known(relation, schema.map(String::as_str)) {
            self.aliases.push((table.name.clone(), table.clone()));
            self.aliases.extend(called.map(|called| (called, table)));
        }
    }

    /// A column that stands before a parameter.
    pub(super) fn beside(&mut self, number: usize, of: Option<String>, column: String, by: char) {
        self.pair(number, (of, column), by);
    }
}
