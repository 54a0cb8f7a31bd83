//! What must differ from row to row: unique indexes and exclusion constraints, whole or for some rows only.

use sqlparser::ast::Expr;

use super::plan::mentions;
use super::truth;
use crate::model::{Catalog, Class, Column, Index, IndexKey, Table};

/// Columns that must differ from row to row.
pub(super) struct Unique<'a> {
    /// The columns in it, those in expressions too.
    pub(super) columns: Vec<&'a str>,
    /// What is compared, and how.
    pub(super) terms: Vec<Term<'a>>,
    /// The tenant column is not among them: they differ over all tenants.
    pub(super) global: bool,
    /// NULLs are equal to each other.
    pub(super) nulls_equal: bool,
    /// The rows that it holds for.
    pub(super) scope: Scope<'a>,
}

/// One key of an index.
pub(super) struct Term<'a> {
    pub(super) value: Value<'a>,
    pub(super) operator: Operator,
}

/// What is compared.
pub(super) enum Value<'a> {
    /// A column, without case where its type is `citext`.
    Column { name: &'a str, folded: bool },
    /// What an expression comes to.
    Expression(Box<Expr>),
    /// An expression that can't be read: the columns in it, without case.
    Columns(Vec<&'a str>),
}

/// How two rows are compared: they conflict where all of a constraint's operators hold between them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`, and any that is not known.
    Equal,
    /// `<>`.
    Differs,
    /// `&&` of ranges.
    Overlaps,
}

/// The rows that a unique key holds for.
pub(super) enum Scope<'a> {
    /// All rows.
    Total,
    /// Those for which this is true; and the columns in it.
    Where(Box<Expr>, Vec<&'a str>),
    /// Some rows; the server judges which.
    Unread,
}

impl Unique<'_> {
    /// It holds for all rows.
    pub(super) fn is_total(&self) -> bool {
        matches!(self.scope, Scope::Total)
    }

    /// The columns that say whether it holds for a row.
    pub(super) fn deciding(&self) -> &[&str] {
        match &self.scope {
            Scope::Where(_, columns) => columns,
            _ => &[],
        }
    }
}

/// The unique keys and exclusion constraints of a table.
pub(super) fn uniques<'a>(
    catalog: &Catalog,
    table: &'a Table,
    class: &'a Class,
) -> Vec<Unique<'a>> {
    let tenant = match class {
        Class::Root { column } | Class::Scoped { column } => Some(column.as_str()),
        _ => None,
    };
    table
        .indexes
        .iter()
        .filter(|index| index.unique || index.exclusion)
        .map(|index| read(catalog, table, tenant, index))
        .filter(|unique| !unique.columns.is_empty())
        .collect()
}

fn read<'a>(
    catalog: &Catalog,
    table: &'a Table,
    tenant: Option<&str>,
    index: &'a Index,
) -> Unique<'a> {
    let mut columns: Vec<&str> = Vec::new();
    let mut terms = Vec::new();
    for (number, key) in index.keys.iter().enumerate() {
        let value = value(catalog, table, key, &mut columns);
        let operator = match index.operators.get(number).map(String::as_str) {
            Some("<>") => Operator::Differs,
            Some("&&") => Operator::Overlaps,
            _ => Operator::Equal,
        };
        terms.extend(value.map(|value| Term { value, operator }));
    }
    let mut known = Vec::new();
    columns.retain(|column| {
        let new = !known.contains(column);
        known.push(*column);
        new
    });
    Unique {
        global: tenant.is_none_or(|tenant| !columns.contains(&tenant)),
        columns,
        terms,
        nulls_equal: index.nulls_not_distinct,
        scope: match &index.predicate {
            None => Scope::Total,
            Some(text) => truth::parse(text).map_or(Scope::Unread, |expr| {
                Scope::Where(Box::new(expr), mentioned(table, text).collect())
            }),
        },
    }
}

/// What a key of an index compares; its columns are added to those of the index.
fn value<'a>(
    catalog: &Catalog,
    table: &'a Table,
    key: &IndexKey,
    columns: &mut Vec<&'a str>,
) -> Option<Value<'a>> {
    let text = match key {
        IndexKey::Column(name) => {
            let column = table.column(name)?;
            // A computed column differs where what it is computed from does.
            let Some(formula) = &column.formula else {
                columns.push(&column.name);
                return Some(Value::Column {
                    name: &column.name,
                    folded: is_folded(catalog, column),
                });
            };
            formula
        }
        IndexKey::Expression { text } => text,
    };
    let inside: Vec<&str> = mentioned(table, text).collect();
    columns.extend(&inside);
    Some(match truth::parse(text) {
        Some(expr) => Value::Expression(Box::new(expr)),
        None => Value::Columns(inside),
    })
}

fn mentioned<'a>(table: &'a Table, text: &str) -> impl Iterator<Item = &'a str> {
    table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(move |name| mentions(text, name))
}

fn is_folded(catalog: &Catalog, column: &Column) -> bool {
    catalog
        .types
        .get(&catalog.base_type(column.type_oid))
        .is_some_and(|of| of.name == "citext")
}
