//! A column's value in the shape that a parameter wants.

use super::{Binder, array, category, element, within};
use crate::model::{Cell, RelationName, TypeKind};

impl<'a> Binder<'a> {
    /// A column's value as the parameter wants it: one, where the column has ranges or arrays; several, where the column
    /// has one.
    pub(super) fn shaped(
        &self,
        kind: &str,
        table: &RelationName,
        column: &str,
        value: String,
        second: Option<String>,
    ) -> Cell {
        let wants_array = kind.ends_with("[]");
        let has_array = matches!(self.kind_of(table, column), Some(TypeKind::Array(_)));
        if wants_array && !has_array {
            return Some(array([Some(value), second].iter().flatten()));
        }
        if !wants_array && has_array {
            return Some(element(&value));
        }
        if !kind.ends_with("range") && self.is_range(table, column) {
            return within(&value).or(Some(value));
        }
        Some(value)
    }

    fn kind_of(&self, table: &RelationName, column: &str) -> Option<&'a TypeKind> {
        let column = self.catalog.tables.get(table)?.column(column)?;
        let base = self.catalog.base_type(column.type_oid);
        Some(&self.catalog.types.get(&base)?.kind)
    }

    pub(super) fn is_range(&self, table: &RelationName, column: &str) -> bool {
        matches!(self.kind_of(table, column), Some(TypeKind::Range(_)))
    }

    /// A column's values are of the kind that the parameter wants: `created_at > now() - $1` wants no time.
    pub(super) fn fits(&self, kind: &str, table: &RelationName, column: &str) -> bool {
        let of = |oid: u32| {
            let base = self.catalog.types.get(&self.catalog.base_type(oid))?;
            match base.kind {
                TypeKind::Array(element) | TypeKind::Range(element) => {
                    category(&self.catalog.types.get(&element)?.printed)
                }
                _ => category(&base.printed),
            }
        };
        let held = self
            .catalog
            .tables
            .get(table)
            .and_then(|table| of(table.column(column)?.type_oid));
        match (category(kind.trim_end_matches("[]")), held) {
            (Some("text") | None, _) => true,
            (wanted, held) => wanted == held,
        }
    }
}
