//! A walk over a query's syntax: which columns its parameters are compared with.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Cte, Expr, Insert, LimitClause, ObjectName, Query as Select,
    SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableObject, Visitor,
};

use super::expression::{arguments, column_of, comparison, folded, last, parameter, unnamed};
use super::infer::{Inferred, Source};
use crate::model::{Catalog, RelationName, View};

/// Collects names and comparisons; scopes are not told apart, which at worst binds a parameter to a like-named
/// column of another table of the same query.
pub(super) struct Reader<'a> {
    catalog: &'a Catalog,
    /// The schemas of the query's `search_path`.
    schemas: Vec<String>,
    aliases: Vec<(String, RelationName)>,
    pairs: Vec<(usize, Option<String>, String, char)>,
    /// Columns that are compared with each other.
    equal: Vec<(Name, Name)>,
    /// Parameters that stand as columns of something else than a table: `(VALUES ($1)) v(id)`.
    passed: Vec<(Option<String>, String, usize)>,
    /// The table that an INSERT writes to: its columns are not in sight of the rest.
    target: Option<RelationName>,
    inferred: &'a mut Inferred,
}

/// A column as it is written: what it belongs to, and its name.
type Name = (Option<String>, String);

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(given),
                ..
            } => self.call(name, &unnamed(&given.args)),
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
                for (column, expr) in alias.columns.iter().zip(array_exprs) {
                    if let Some(number) = parameter(expr) {
                        let of = Some(folded(&alias.name));
                        self.passed.push((of, folded(&column.name), number));
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.assignments(&update.assignments),
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
                if let Some((by, turned)) = comparison(op) {
                    self.compare(left, right, by);
                    self.compare(right, left, turned);
                    if let (Some(left), Some(right)) = (column_of(left), column_of(right)) {
                        self.equal.push((left, right));
                    }
                }
            }
            Expr::Function(function) => self.call(&function.name, &arguments(function)),
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
        inferred: &'a mut Inferred,
    ) -> Self {
        Self {
            catalog,
            schemas,
            aliases: Vec::new(),
            pairs: Vec::new(),
            equal: Vec::new(),
            passed: Vec::new(),
            target: None,
            inferred,
        }
    }

    /// Functions that look for one text in another.
    fn call(&mut self, name: &ObjectName, given: &[&Expr]) {
        let Some((name, _)) = last(name) else {
            return;
        };
        match name.as_str() {
            "to_tsquery" | "plainto_tsquery" | "phraseto_tsquery" | "websearch_to_tsquery" => {
                for number in given.iter().filter_map(|expr| parameter(expr)) {
                    self.source(number, Source::Words);
                }
            }
            "coalesce" | "num_nulls" | "num_nonnulls" => {
                let given = given.iter().filter_map(|expr| parameter(expr));
                self.inferred.optional.extend(given);
            }
            "similarity"
            | "word_similarity"
            | "strict_word_similarity"
            | "levenshtein"
            | "starts_with" => {
                if let [left, right, ..] = given {
                    self.compare(left, right, '=');
                    self.compare(right, left, '=');
                }
            }
            _ => {}
        }
    }

    /// Remembers the parameters that a subquery hands on as its columns.
    fn pass(&mut self, alias: &TableAlias, query: &Select) {
        let of = Some(folded(&alias.name));
        let named = alias.columns.iter().map(|column| folded(&column.name));
        let mut pass = |column: String, expr: &Expr| {
            if let Some(number) = parameter(expr) {
                self.passed.push((of.clone(), column, number));
            }
        };
        match query.body.as_ref() {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    for (column, expr) in named.clone().zip(&row.content) {
                        pass(column, expr);
                    }
                }
            }
            SetExpr::Select(select) => {
                let mut named = named;
                for item in &select.projection {
                    let name = named.next();
                    match item {
                        SelectItem::ExprWithAlias { expr, alias } => {
                            pass(name.unwrap_or_else(|| folded(alias)), expr);
                        }
                        SelectItem::UnnamedExpr(expr) => {
                            if let Some(name) = name {
                                pass(name, expr);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else {
            return;
        };
        let Some(table) = self.table(name) else {
            return;
        };
        let called = insert
            .table_alias
            .as_ref()
            .map_or_else(|| table.name.clone(), |alias| folded(&alias.alias));
        self.aliases.push((called, table.clone()));
        self.target = Some(table.clone());
        let columns: Vec<String> = if insert.columns.is_empty() {
            self.catalog
                .tables
                .get(&table)
                .map(|table| {
                    table
                        .columns
                        .iter()
                        .map(|column| column.name.clone())
                        .collect()
                })
                .unwrap_or_default()
        } else {
            insert
                .columns
                .iter()
                .filter_map(|column| last(column).map(|(name, _)| name))
                .collect()
        };
        let rows: Vec<Vec<&Expr>> =
            match insert.source.as_deref().map(|query| query.body.as_ref()) {
                Some(SetExpr::Values(values)) => values
                    .rows
                    .iter()
                    .map(|row| row.content.iter().collect())
                    .collect(),
                Some(SetExpr::Select(select)) => vec![
                    select
                        .projection
                        .iter()
                        .map(|item| match item {
                            SelectItem::UnnamedExpr(expr)
                            | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
                            _ => None,
                        })
                        .take_while(Option::is_some)
                        .flatten()
                        .collect(),
                ],
                _ => Vec::new(),
            };
        for row in rows {
            for (column, value) in columns.iter().zip(row) {
                if let Some(number) = parameter(value) {
                    self.note(number, &table, column, ':');
                }
            }
        }
        if let Some(sqlparser::ast::OnInsert::OnConflict(conflict)) = &insert.on
            && let sqlparser::ast::OnConflictAction::DoUpdate(update) = &conflict.action
        {
            self.assignments(&update.assignments);
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            if let (AssignmentTarget::ColumnName(name), Some(number)) =
                (&assignment.target, parameter(&assignment.value))
                && let Some((column, _)) = last(name)
            {
                self.pairs.push((number, None, column, ':'));
            }
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
        if let (Some((alias, name)), Some(number)) = (column_of(column), parameter(value)) {
            self.pairs.push((number, alias, name, by));
        }
    }

    /// Finds the table of every column that was compared, now that all aliases are known.
    pub(super) fn resolve(mut self) {
        for (of, column, number) in std::mem::take(&mut self.passed) {
            let is_it = |name: &Name| {
                name.1 == column
                    && name
                        .0
                        .as_ref()
                        .is_none_or(|alias| Some(alias) == of.as_ref())
            };
            let others: Vec<Name> = self
                .equal
                .iter()
                .filter_map(|(left, right)| match (is_it(left), is_it(right)) {
                    (true, false) => Some(right.clone()),
                    (false, true) => Some(left.clone()),
                    _ => None,
                })
                .collect();
            let others = if others.is_empty() {
                vec![(None, column)]
            } else {
                others
            };
            for (alias, name) in others {
                self.pairs.push((number, alias, name, '='));
            }
        }
        for (number, alias, column, by) in std::mem::take(&mut self.pairs) {
            let has = |table: &RelationName| {
                self.catalog
                    .tables
                    .get(table)
                    .is_some_and(|table| table.column(&column).is_some())
            };
            let named = |called: &String| alias.as_ref().is_none_or(|alias| alias == called);
            // What an INSERT writes to is in sight of its ON CONFLICT alone.
            let far = |table: &RelationName| by != ':' && self.target.as_ref() == Some(table);
            let aliases = || self.aliases.iter().filter(|(_, table)| has(table));
            let table = aliases()
                .find(|(called, table)| named(called) && !far(table))
                .or_else(|| aliases().find(|(called, _)| named(called)))
                .or_else(|| aliases().next())
                .map(|(_, table)| table.clone());
            if let Some(table) = table {
                self.note(number, &table, &column, by);
            }
        }
        self.inferred.tables = self.aliases.into_iter().map(|(_, table)| table).collect();
        self.inferred.tables.sort();
        self.inferred.tables.dedup();
    }

    fn note(&mut self, number: usize, table: &RelationName, column: &str, by: char) {
        self.source(
            number,
            Source::Column {
                table: table.clone(),
                column: column.to_owned(),
                by,
            },
        );
    }

    fn source(&mut self, number: usize, source: Source) {
        let known = self.inferred.sources.entry(number).or_default();
        if !known.contains(&source) {
            known.push(source);
        }
    }

    /// The tables behind a name: itself, or those that the view reads.
    fn relation(&self, name: &ObjectName) -> Vec<RelationName> {
        if let Some(table) = self.table(name) {
            return vec![table];
        }
        self.view(name)
            .map_or_else(Vec::new, |view| view.reads.clone())
    }

    fn view(&self, name: &ObjectName) -> Option<&'a View> {
        let (relation, schema) = last(name)?;
        let is_it = |view: &&RelationName| {
            view.name == relation && schema.as_ref().is_none_or(|schema| *schema == view.schema)
        };
        let views = &self.catalog.views;
        views.get(views.keys().find(is_it)?)
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
        self.pairs.push((number, of, column, by));
    }

    /// The table of this name.
    fn table(&self, name: &ObjectName) -> Option<RelationName> {
        let (relation, schema) = last(name)?;
        self.known(&relation, schema.as_deref())
    }

    /// The table that the query means by this name.
    fn known(&self, relation: &str, schema: Option<&str>) -> Option<RelationName> {
        self.catalog.table_called(relation, schema, &self.schemas)
    }
}
