//! What is written.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, Insert, SelectItem, SetExpr, TableObject,
};

use super::Reader;
use crate::query::expression::{column_of, folded, last, parameter};
use crate::query::wish::deleted;

impl Reader<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) {
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
        self.aliases.push((called.clone(), table.clone()));
        self.target = Some(table.clone());
        if insert.on.is_none() {
            self.inferred.inserted.insert(table.clone());
        }
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
                    self.note(number, &table, column, ':', None);
                } else if let Some(value) = column_of(value) {
                    let target = (Some(called.clone()), column.clone());
                    self.written.push((value, target));
                }
            }
        }
        if let Some(sqlparser::ast::OnInsert::OnConflict(conflict)) = &insert.on
            && let sqlparser::ast::OnConflictAction::DoUpdate(update) = &conflict.action
        {
            self.assignments(&update.assignments);
        }
    }

    pub(super) fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                continue;
            };
            let Some((column, _)) = last(name) else {
                continue;
            };
            if let Some(number) = parameter(&assignment.value) {
                self.pair(number, (None, column), ':');
            } else if let Some(value) = column_of(&assignment.value) {
                self.written.push((value, (None, column)));
            }
        }
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        let table = deleted(delete).and_then(|name| self.table(name));
        self.inferred.deleted.extend(table);
    }
}
