//! What a query's parameters are compared with, read off its text by a parser.
//!
//! `sqlparser` is pure Rust and understands what applications send; `pg_query` would be Postgres' own grammar, but
//! needs libclang and a C compiler on every machine that builds. What it can't parse is not lost: parameters are
//! then bound by their type, and the query is judged all the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Expr, Insert, LimitClause, ObjectName,
    Query as Select, SelectItem, SetExpr, Statement, TableFactor, TableObject, Value, Visit,
    Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::model::{Catalog, Query, RelationName, Token, Tokens};

/// How a parameter is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Compared with, or written to, this column.
    Column {
        /// The table.
        table: RelationName,
        /// The column.
        column: String,
        /// How: `=`, `<`, `>`, `~` (a regular expression), `%` (a LIKE pattern), `:` (written).
        by: char,
    },
    /// The number of rows asked for.
    Limit,
    /// The number of rows passed over.
    Offset,
}

/// What could be read off a query.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// By the parameter's number from 1.
    pub sources: BTreeMap<usize, Vec<Source>>,
    /// The tables that it mentions.
    pub tables: Vec<RelationName>,
    /// It may write.
    pub writes: bool,
    /// The parser's complaint, where it had one.
    pub unparsed: Option<String>,
}

/// Reads a query.
#[must_use]
pub fn infer(catalog: &Catalog, query: &Query) -> Inferred {
    let writes = Tokens::new(&query.sql).filter_map(Result::ok).any(|token| {
        ["insert", "update", "delete", "merge"]
            .iter()
            .any(|word| token.is(word))
    });
    let mut inferred = Inferred {
        writes,
        ..Inferred::default()
    };
    match Parser::parse_sql(&PostgreSqlDialect {}, &readable(&query.sql)) {
        Ok(statements) => {
            let mut reader = Reader {
                catalog,
                aliases: Vec::new(),
                pairs: Vec::new(),
                inferred: &mut inferred,
            };
            for statement in &statements {
                let _ = statement.visit(&mut reader);
            }
            reader.resolve();
        }
        Err(error) => inferred.unparsed = Some(error.to_string()),
    }
    inferred
}

/// The text without what the parser can't read and parameters are rarely in: the predicate of the partial index in
/// `ON CONFLICT (…) WHERE … DO`, and `OVERRIDING … VALUE`.
fn readable(sql: &str) -> String {
    let tokens: Vec<Token<'_>> = Tokens::new(sql).filter_map(Result::ok).collect();
    let are = |start: usize, words: &[&str]| {
        let rest = tokens.iter().skip(start);
        rest.zip(words)
            .filter(|(token, word)| token.is(word))
            .count()
            == words.len()
    };
    let mut text = sql.to_owned();
    for start in (0..tokens.len()).rev() {
        let rest = || tokens.iter().skip(start + 2);
        let place = |word: &str| {
            rest()
                .find(|token| token.is(word))
                .map(|token| token.offset)
        };
        let (from, end) = if are(start, &["on", "conflict"]) {
            (place("where"), place("do"))
        } else if ["system", "user"]
            .iter()
            .any(|whose| are(start, &["overriding", whose, "value"]))
        {
            let value = place("value").map(|offset| offset + "value".len());
            (Some(tokens[start].offset), value)
        } else {
            continue;
        };
        if let (Some(from), Some(end)) = (from, end)
            && from < end
        {
            text.replace_range(from..end, "");
        }
    }
    text
}

/// Collects names and comparisons; scopes are not told apart, which at worst binds a parameter to a like-named
/// column of another table of the same query.
struct Reader<'a> {
    catalog: &'a Catalog,
    aliases: Vec<(String, RelationName)>,
    pairs: Vec<(usize, Option<String>, String, char)>,
    inferred: &'a mut Inferred,
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let Some(table) = self.table(name)
        {
            let called = alias
                .as_ref()
                .map_or_else(|| table.name.clone(), |alias| folded(&alias.name));
            self.aliases.push((called, table));
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
        if let SetExpr::Select(select) = query.body.as_ref() {
            for item in &select.projection {
                // `USING (SELECT $1 AS organisation_id, …)`: the alias says what it is compared with.
                if let SelectItem::ExprWithAlias { expr, alias } = item
                    && let Some(number) = parameter(expr)
                {
                    self.pairs.push((number, None, folded(alias), '='));
                }
            }
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
                }
            }
            Expr::AnyOp { left, right, .. } => self.compare(left, right, '='),
            Expr::IsNotDistinctFrom(left, right) | Expr::IsDistinctFrom(left, right) => {
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

impl Reader<'_> {
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
    fn resolve(mut self) {
        for (number, alias, column, by) in std::mem::take(&mut self.pairs) {
            let has = |table: &RelationName| {
                self.catalog
                    .tables
                    .get(table)
                    .is_some_and(|table| table.column(&column).is_some())
            };
            let table = self
                .aliases
                .iter()
                .find(|(called, table)| {
                    alias.as_ref().is_none_or(|alias| alias == called) && has(table)
                })
                .or_else(|| self.aliases.iter().find(|(_, table)| has(table)))
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
        let source = Source::Column {
            table: table.clone(),
            column: column.to_owned(),
            by,
        };
        let known = self.inferred.sources.entry(number).or_default();
        if !known.contains(&source) {
            known.push(source);
        }
    }

    /// The table of this name: in its schema, or in `public`, or the only one of the name.
    fn table(&self, name: &ObjectName) -> Option<RelationName> {
        let (relation, schema) = last(name)?;
        if let Some(schema) = schema {
            let wanted = RelationName::new(schema, relation);
            return self.catalog.tables.contains_key(&wanted).then_some(wanted);
        }
        let public = RelationName::new("public", relation.clone());
        if self.catalog.tables.contains_key(&public) {
            return Some(public);
        }
        self.catalog
            .tables
            .keys()
            .find(|table| table.name == relation)
            .cloned()
    }
}

/// How a comparison reads from the column's side when that is on the left, and when it is on the right.
fn comparison(op: &BinaryOperator) -> Option<(char, char)> {
    Some(match op {
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::PGOverlap
        | BinaryOperator::AtArrow
        | BinaryOperator::ArrowAt => ('=', '='),
        BinaryOperator::Lt | BinaryOperator::LtEq => ('<', '>'),
        BinaryOperator::Gt | BinaryOperator::GtEq => ('>', '<'),
        BinaryOperator::PGLikeMatch | BinaryOperator::PGILikeMatch => ('%', '%'),
        BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexIMatch => ('~', '~'),
        _ => return None,
    })
}

fn folded(ident: &sqlparser::ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// The last part of a name and the one before it.
fn last(name: &ObjectName) -> Option<(String, Option<String>)> {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().map(folded))
        .collect();
    let relation = parts.last()?.clone();
    Some((
        relation,
        parts.len().checked_sub(2).map(|i| parts[i].clone()),
    ))
}

/// A column, casts and parentheses and `lower(…)` taken off: its alias and name.
fn column_of(expr: &Expr) -> Option<(Option<String>, String)> {
    match expr {
        Expr::Identifier(name) => Some((None, folded(name))),
        Expr::CompoundIdentifier(parts) => {
            let name = parts.last()?;
            let alias = parts.len().checked_sub(2).map(|i| folded(&parts[i]));
            Some((alias, folded(name)))
        }
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => column_of(inner),
        Expr::Function(function) => first_argument(function).and_then(column_of),
        _ => None,
    }
}

/// A parameter, with whatever is wrapped around it: casts, functions, `'%' || $1 || '%'`.
fn parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) => text.trim_start_matches('$').parse().ok(),
            _ => None,
        },
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => parameter(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat | BinaryOperator::Plus | BinaryOperator::Minus,
            right,
        } => parameter(left).or_else(|| parameter(right)),
        Expr::Function(function) => first_argument(function).and_then(parameter),
        _ => None,
    }
}

fn first_argument(function: &sqlparser::ast::Function) -> Option<&Expr> {
    let sqlparser::ast::FunctionArguments::List(list) = &function.args else {
        return None;
    };
    list.args.iter().find_map(|argument| match argument {
        sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(inner)) => {
            Some(inner)
        }
        _ => None,
    })
}
