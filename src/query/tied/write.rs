//! INSERT, UPDATE and DELETE.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, FromTable, Insert, ObjectName,
    OnConflictAction, OnInsert, TableObject, Update, UpdateTableFromKind,
};

use super::block::From;
use super::equal::Item;
use super::{Returned, Tying, folded};

fn last(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident().map(folded));
    last.unwrap_or_default()
}

impl Tying<'_> {
    /// The rows that are inserted must be the tenant's, and may only meet its own.
    pub(super) fn insert(&mut self, insert: &Insert, around: &[Item]) -> Returned {
        let TableObject::TableName(name) = &insert.table else {
            self.loose = true;
            return Returned::default();
        };
        let source = insert.source.as_ref();
        let given = source.map(|source| self.query(source, around));
        let alias = insert
            .table_alias
            .as_ref()
            .map(|alias| folded(&alias.alias));
        let mut target = self.relation(name, alias);
        let columns: Vec<String> = insert.columns.iter().map(last).collect();
        let position = columns
            .iter()
            .position(|column| target.tenants.contains(column));
        let given = given.unwrap_or_default();
        target.tied |= position.is_some_and(|at| given.is_tenant(at));
        self.loose |= !target.tied;
        if let Some(OnInsert::OnConflict(conflict)) = &insert.on {
            self.loose |= !self.meets_own(name, conflict.conflict_target.as_ref());
            if let OnConflictAction::DoUpdate(update) = &conflict.action {
                let mut inside = around.to_vec();
                inside.push(target.clone());
                self.assignments(&update.assignments, &target, &inside);
                self.subqueries(&update.selection, &inside);
            }
        }
        let returning = insert.returning.as_deref().unwrap_or_default();
        let items = [target];
        self.subqueries(&insert.returning, &[around, &items].concat());
        self.columns(returning, &items, around)
    }

    /// Whether a row that is in the way can only be the tenant's: the unique keys that are asked have its column.
    fn meets_own(&self, name: &ObjectName, target: Option<&ConflictTarget>) -> bool {
        let item = self.relation(name, None);
        let carries = |column: &String| item.tenants.contains(column);
        if let Some(ConflictTarget::Columns(columns)) = target {
            return columns.iter().map(folded).any(|column| carries(&column));
        }
        let constraint = match target {
            Some(ConflictTarget::OnConstraint(name)) => Some(last(name)),
            _ => None,
        };
        let table = self
            .catalog
            .tables
            .iter()
            .find(|(of, _)| of.name == last(name));
        table.is_some_and(|(_, table)| {
            let mut unique = table
                .indexes
                .iter()
                .filter(|index| index.unique || index.exclusion)
                .filter(|index| constraint.as_ref().is_none_or(|name| *name == index.name));
            unique.all(|index| {
                let columns = index.plain_columns();
                item.tenants
                    .iter()
                    .any(|tenant| columns.contains(&tenant.as_str()))
            })
        })
    }

    pub(super) fn update(&mut self, update: &Update, around: &[Item]) -> Returned {
        let mut from = From::default();
        self.sources(std::slice::from_ref(&update.table), around, &mut from);
        if let Some(UpdateTableFromKind::AfterSet(list) | UpdateTableFromKind::BeforeSet(list)) =
            &update.from
        {
            self.sources(list, around, &mut from);
        }
        self.settle(&mut from, update.selection.as_ref(), around);
        let inside = from.around(around);
        if let Some(target) = from.items.first() {
            self.assignments(&update.assignments, target, &inside);
        }
        self.subqueries(&update.selection, &inside);
        self.subqueries(&update.returning, &inside);
        let returning = update.returning.as_deref().unwrap_or_default();
        self.columns(returning, &from.items, around)
    }

    /// Nothing may be given to somebody else.
    fn assignments(&mut self, list: &[Assignment], target: &Item, inside: &[Item]) {
        for one in list {
            let columns: Vec<String> = match &one.target {
                AssignmentTarget::ColumnName(name) => vec![last(name)],
                AssignmentTarget::Tuple(names) => names.iter().map(last).collect(),
            };
            let moves = columns.iter().any(|column| target.tenants.contains(column));
            self.loose |= moves && !self.is_parameter(&one.value);
            self.subqueries(&one.value, inside);
        }
    }

    pub(super) fn delete(&mut self, delete: &Delete, around: &[Item]) -> Returned {
        let mut from = From::default();
        let (FromTable::WithFromKeyword(list) | FromTable::WithoutKeyword(list)) = &delete.from;
        self.sources(list, around, &mut from);
        self.sources(
            delete.using.as_deref().unwrap_or_default(),
            around,
            &mut from,
        );
        self.settle(&mut from, delete.selection.as_ref(), around);
        let inside = from.around(around);
        self.subqueries(&delete.selection, &inside);
        self.subqueries(&delete.returning, &inside);
        let returning = delete.returning.as_deref().unwrap_or_default();
        self.columns(returning, &from.items, around)
    }
}
