//! Whose the columns are that parameters are compared with.

use sqlparser::ast::ObjectName;

use super::{Pair, Reader};
use crate::model::{RelationName, View};
use crate::query::expression::{Name, last};
use crate::query::infer::{Field, Source};

impl<'a> Reader<'a> {
    /// Finds the table of every column that was compared, now that all aliases are known.
    pub(in crate::query) fn resolve(mut self) {
        for passed in std::mem::take(&mut self.passed) {
            for (name, by) in self.ends(&passed.name) {
                self.pairs.push(Pair {
                    number: passed.number,
                    name,
                    by,
                    field: passed.field.clone(),
                    path: None,
                });
            }
        }
        for pair in std::mem::take(&mut self.pairs) {
            let Some(table) = self.owner(&pair.name, pair.by == ':') else {
                continue;
            };
            let column = pair.name.1;
            match pair.path {
                Some(path) if self.is_json(&table, &column) => self.source(
                    pair.number,
                    Source::Json {
                        table,
                        column,
                        path,
                        by: pair.by,
                    },
                ),
                Some(_) => {}
                None => self.note(pair.number, &table, &column, pair.by, pair.field),
            }
        }
        self.resolve_equal();
        self.resolve_json();
        self.resolve_expressions();
        let mentioned = self.aliases.into_iter().map(|(_, table)| table);
        self.inferred.tables = mentioned.chain(self.reached).collect();
        self.inferred.tables.sort();
        self.inferred.tables.dedup();
    }

    /// Notes the columns of two tables that are compared with each other and that no key holds together.
    fn resolve_equal(&mut self) {
        for (left, right) in &self.equal {
            let (Some(one), Some(other)) = (self.owner(left, false), self.owner(right, false))
            else {
                continue;
            };
            let refers = |from: &RelationName, to: &RelationName, column: &str| {
                let mut keys = self
                    .catalog
                    .tables
                    .get(from)
                    .into_iter()
                    .flat_map(|table| &table.foreign_keys);
                keys.any(|key| key.target == *to && key.columns.iter().any(|name| name == column))
            };
            if one != other && !refers(&one, &other, &left.1) && !refers(&other, &one, &right.1) {
                let (one, other) = ((one, left.1.clone()), (other, right.1.clone()));
                self.inferred.equal.insert([one.clone(), other.clone()]);
                self.inferred.equal.insert([other, one]);
            }
        }
    }

    /// The table that a column is of.
    pub(super) fn owner(&self, (alias, column): &Name, written: bool) -> Option<RelationName> {
        let has = |table: &RelationName| {
            let table = self.catalog.tables.get(table);
            table.is_some_and(|table| table.column(column).is_some())
        };
        let named = |called: &String| alias.as_ref().is_none_or(|alias| alias == called);
        // What an INSERT writes to is in sight of its ON CONFLICT alone.
        let far = |table: &RelationName| !written && self.target.as_ref() == Some(table);
        let aliases = || self.aliases.iter().filter(|(_, table)| has(table));
        aliases()
            .find(|(called, table)| named(called) && !far(table))
            .or_else(|| aliases().find(|(called, _)| named(called)))
            .or_else(|| aliases().next())
            .map(|(_, table)| table.clone())
    }

    /// The columns that one that is none of a table's is compared with, or written to; else those called like it.
    fn ends(&self, passed: &Name) -> Vec<(Name, char)> {
        let ends = |is_it: &dyn Fn(&Name) -> bool| -> Vec<(Name, char)> {
            let equal =
                self.equal
                    .iter()
                    .filter_map(|(left, right)| match (is_it(left), is_it(right)) {
                        (true, false) => Some((right.clone(), '=')),
                        (false, true) => Some((left.clone(), '=')),
                        _ => None,
                    });
            let written = self.written.iter().filter(|(value, _)| is_it(value));
            let written = written.map(|(_, target)| (target.clone(), ':'));
            equal.chain(written).collect()
        };
        let of_table = |called: &String| self.aliases.iter().any(|(alias, _)| alias == called);
        let found = ends(&|name| name.1 == passed.1 && (name.0.is_none() || name.0 == passed.0));
        if !found.is_empty() {
            return found;
        }
        // Handed on once more, under another name.
        let found =
            ends(&|name| name.1 == passed.1 && name.0.as_ref().is_some_and(|of| !of_table(of)));
        if found.is_empty() {
            vec![((None, passed.1.clone()), '=')]
        } else {
            found
        }
    }

    pub(super) fn note(
        &mut self,
        number: usize,
        table: &RelationName,
        column: &str,
        by: char,
        field: Option<Field>,
    ) {
        self.source(
            number,
            Source::Column {
                table: table.clone(),
                column: column.to_owned(),
                by,
                field,
            },
        );
    }

    pub(super) fn source(&mut self, number: usize, source: Source) {
        let known = self.inferred.sources.entry(number).or_default();
        if !known.contains(&source) {
            known.push(source);
        }
    }

    /// The tables behind a name: itself, or those that the view reads.
    pub(super) fn relation(&self, name: &ObjectName) -> Vec<RelationName> {
        if let Some(table) = self.table(name) {
            return vec![table];
        }
        self.view(name)
            .map_or_else(Vec::new, |view| view.reads.clone())
    }

    pub(super) fn view(&self, name: &ObjectName) -> Option<&'a View> {
        let (relation, schema) = last(name)?;
        let is_it = |view: &&RelationName| {
            view.name == relation && schema.as_ref().is_none_or(|schema| *schema == view.schema)
        };
        let views = &self.catalog.views;
        views.get(views.keys().find(is_it)?)
    }

    /// The table of this name.
    pub(super) fn table(&self, name: &ObjectName) -> Option<RelationName> {
        let (relation, schema) = last(name)?;
        self.known(&relation, schema.as_deref())
    }

    /// The table that the query means by this name.
    pub(super) fn known(&self, relation: &str, schema: Option<&str>) -> Option<RelationName> {
        self.catalog.table_called(relation, schema, &self.schemas)
    }
}
