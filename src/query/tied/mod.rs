//! Whether every table of a query is tied to the tenant: its rows can then be no one else's, whatever else the query does.
//!
//! A table is tied where its tenant column is equal to the tenant's parameter, or to that of a table which is tied, in a
//! condition that holds for every row of it that takes part. A condition of a LEFT JOIN ties the table on its right alone,
//! one of a FULL JOIN only where WHERE wants a row from the other side. What this does not understand is not tied.

mod block;
mod equal;
mod write;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query as Select, SetExpr, Statement, Visit, Visitor};

use self::equal::Item;
use super::infer::infer;
use super::numbered::parsed;
use super::tenant_parameter;
use crate::model::{Catalog, Class, Query, RelationName, Tenancy};

/// Whether every table that the query reads or writes is tied to the tenant.
#[must_use]
pub fn is_tied(catalog: &Catalog, tenancy: &Tenancy, query: &Query) -> bool {
    let inferred = infer(catalog, query);
    let tenant = tenant_parameter(query, &inferred, tenancy);
    let (Some(tenant), Some(statements)) = (tenant, parsed(query)) else {
        return false;
    };
    let mut tying = Tying {
        catalog,
        tenancy,
        parameter: format!("${tenant}"),
        named: Vec::new(),
        loose: false,
    };
    for statement in &statements {
        let mut calls = Calls {
            catalog,
            found: false,
        };
        let _ = statement.visit(&mut calls);
        tying.loose |= calls.found;
        tying.statement(statement, &[]);
    }
    !tying.loose
}

/// What a query returns: its columns, and which of them are the tenant's id in every row.
#[derive(Clone, Debug, Default)]
struct Returned {
    columns: Vec<(String, bool)>,
    /// A `*` is among them: not all are listed, so that none is known by its position.
    star: bool,
}

impl Returned {
    fn tenants(&self) -> Vec<String> {
        let tenants = self.columns.iter().filter(|(_, tenant)| *tenant);
        tenants.map(|(name, _)| name.clone()).collect()
    }

    /// Whether the column at a position is the tenant's id.
    fn is_tenant(&self, position: usize) -> bool {
        let column = self.columns.get(position).filter(|_| !self.star);
        column.is_some_and(|(_, tenant)| *tenant)
    }

    /// What two arms return in common.
    fn and(mut self, other: &Self) -> Self {
        let star = self.star || other.star;
        for (number, (_, tenant)) in self.columns.iter_mut().enumerate() {
            *tenant &= !star && other.is_tenant(number);
        }
        self.star = star;
        self
    }
}

/// Goes through a query and remembers whether something is loose.
struct Tying<'a> {
    catalog: &'a Catalog,
    tenancy: &'a Tenancy,
    /// The tenant's parameter: `$1`.
    parameter: String,
    /// Common table expressions that can be seen, the nearest last.
    named: Vec<BTreeMap<String, Returned>>,
    loose: bool,
}

impl Tying<'_> {
    /// What a query returns; `around` are the tables of the queries around it.
    fn query(&mut self, query: &Select, around: &[Item]) -> Returned {
        let mut names = BTreeMap::new();
        self.named.push(BTreeMap::new());
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
            let name = folded(&cte.alias.name);
            if recursive && let SetExpr::SetOperation { left, .. } = cte.query.body.as_ref() {
                // What the first rows are, the further ones are made from.
                let first = self.body(left, around);
                self.name(&mut names, &name, renamed(first, &cte.alias.columns));
            }
            let returned = self.query(&cte.query, around);
            self.name(&mut names, &name, renamed(returned, &cte.alias.columns));
        }
        let returned = self.body(&query.body, around);
        self.subqueries(&query.order_by, around);
        self.subqueries(&query.limit_clause, around);
        self.named.pop();
        returned
    }

    fn name(&mut self, names: &mut BTreeMap<String, Returned>, name: &str, of: Returned) {
        names.insert(name.to_owned(), of);
        if let Some(last) = self.named.last_mut() {
            last.clone_from(names);
        }
    }

    fn body(&mut self, body: &SetExpr, around: &[Item]) -> Returned {
        match body {
            SetExpr::Select(block) => self.block(block, around),
            SetExpr::Query(query) => self.query(query, around),
            SetExpr::SetOperation { left, right, .. } => {
                let left = self.body(left, around);
                let right = self.body(right, around);
                left.and(&right)
            }
            SetExpr::Values(values) => {
                let rows = values.rows.iter();
                let rows = rows.map(|row| Returned {
                    star: false,
                    columns: row
                        .content
                        .iter()
                        .map(|value| (String::new(), self.is_parameter(value)))
                        .collect(),
                });
                let all = rows.reduce(|all, row| all.and(&row));
                self.subqueries(values, around);
                all.unwrap_or_default()
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement) => self.statement(statement, around),
            SetExpr::Merge(_) | SetExpr::Table(_) => {
                self.loose = true;
                Returned::default()
            }
        }
    }

    fn statement(&mut self, statement: &Statement, around: &[Item]) -> Returned {
        match statement {
            Statement::Query(query) => self.query(query, around),
            Statement::Insert(insert) => self.insert(insert, around),
            Statement::Update(update) => self.update(update, around),
            Statement::Delete(delete) => self.delete(delete, around),
            _ => {
                self.loose = true;
                Returned::default()
            }
        }
    }

    /// Goes through the queries inside of expressions.
    fn subqueries(&mut self, of: &impl Visit, around: &[Item]) {
        let mut inner = Inner::default();
        let _ = of.visit(&mut inner);
        for query in inner.found {
            self.query(&query, around);
        }
    }

    /// A table by its name, a common table expression, or a view: what there is to know of its rows.
    fn relation(&self, name: &ObjectName, alias: Option<String>) -> Item {
        let parts: Vec<String> = name
            .0
            .iter()
            .filter_map(|part| part.as_ident().map(folded))
            .collect();
        let last = parts.last().cloned().unwrap_or_default();
        let alias = alias.unwrap_or_else(|| last.clone());
        if let [only] = parts.as_slice() {
            let mut near = self.named.iter().rev();
            if let Some(returned) = near.find_map(|names| names.get(only)) {
                return Item::own(alias, returned.tenants());
            }
        }
        let fits = |table: &&RelationName| {
            table.name == last && (parts.len() < 2 || parts[parts.len() - 2] == table.schema)
        };
        let tables: Vec<&RelationName> = self.catalog.tables.keys().filter(fits).collect();
        match tables.as_slice() {
            [table] => self.table(table, alias),
            _ => Item::loose(alias),
        }
    }

    fn table(&self, table: &RelationName, alias: String) -> Item {
        let root = self
            .catalog
            .tables
            .get(table)
            .and_then(|t| t.partition_of.as_ref());
        let table = root.unwrap_or(table);
        match self.tenancy.classes.get(table) {
            Some(Class::Root { column } | Class::Scoped { column }) => {
                Item::scoped(alias, table.clone(), column.clone())
            }
            Some(Class::Shared | Class::History) => Item::own(alias, Vec::new()),
            Some(Class::Linked { through, column }) => {
                let link = self.catalog.tables.get(through);
                let mut keys = link.into_iter().flat_map(|link| &link.foreign_keys);
                let pair = keys.find_map(|key| {
                    let mut pairs = key.pairs();
                    pairs
                        .find(|(own, _)| own == column)
                        .map(|(_, target)| target.to_owned())
                });
                Item::joined(
                    alias,
                    table.clone(),
                    through.clone(),
                    pair.map(|target| (target, column.clone())),
                )
            }
            Some(Class::Derived { foreign_key }) => {
                let entry = self.catalog.tables.get(table);
                let key = entry.and_then(|entry| entry.foreign_key(foreign_key));
                key.map_or_else(
                    || Item::loose(alias.clone()),
                    |key| {
                        let pairs = key
                            .pairs()
                            .map(|(own, theirs)| (own.to_owned(), theirs.to_owned()));
                        Item::joined(alias.clone(), table.clone(), key.target.clone(), pairs)
                    },
                )
            }
            _ => Item::loose(alias),
        }
    }

    fn is_parameter(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Value(value) => value.value.to_string() == self.parameter,
            Expr::Cast { expr, .. } | Expr::Nested(expr) => self.is_parameter(expr),
            _ => false,
        }
    }
}

/// An identifier as Postgres reads it.
fn folded(name: &sqlparser::ast::Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The columns by the names that an alias gives them.
fn renamed(mut returned: Returned, names: &[sqlparser::ast::TableAliasColumnDef]) -> Returned {
    if returned.star && !names.is_empty() {
        return Returned::default();
    }
    for ((name, _), given) in returned.columns.iter_mut().zip(names) {
        *name = folded(&given.name);
    }
    returned
}

/// Looks for functions of the user's own: what they read is not seen here.
struct Calls<'a> {
    catalog: &'a Catalog,
    found: bool,
}

impl Visitor for Calls<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr {
            let last = call.name.0.last().and_then(|part| part.as_ident());
            self.found |=
                last.is_some_and(|name| self.catalog.functions.contains_key(&folded(name)));
        }
        ControlFlow::Continue(())
    }
}

/// Collects the queries of an expression, not those inside of them.
#[derive(Default)]
struct Inner {
    depth: usize,
    found: Vec<Select>,
}

impl Visitor for Inner {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Select) -> ControlFlow<()> {
        if self.depth == 0 {
            self.found.push(query.clone());
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Select) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
