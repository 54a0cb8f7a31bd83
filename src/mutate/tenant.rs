//! Tenant columns that may be NULL.

use std::fmt::Write as _;

use super::{Mutant, Original, Part, Rows};
use crate::model::{Class, Focus, NullMeans, quoted, quoted_list};

/// NOT NULL is dropped from each tenant column. A primary key over it becomes a unique key, as it would not admit NULL.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let mut found = Vec::new();
    if original.tenancy.null_means == NullMeans::Shared {
        return found;
    }
    for (table, class) in original.owned() {
        let Class::Scoped { column } = class else {
            continue;
        };
        if table.column(column).is_none_or(|column| !column.not_null) {
            continue;
        }
        let mut sql = String::new();
        let mut indexes = table.indexes.iter();
        let key = indexes.find(|index| index.primary);
        if let Some(key) = key.filter(|key| key.plain_columns().contains(&column.as_str())) {
            let unique = format!("UNIQUE ({})", quoted_list(key.plain_columns()));
            sql = key.replaced(original.catalog, table, &unique, None);
        }
        let _ = write!(
            sql,
            " ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL;",
            table.name.quoted(),
            quoted(column)
        );
        let part = Part::Column(table.name.clone(), column.clone());
        let touches = Focus::On(table.name.clone());
        let object = table.name.object(column);
        found.push(Mutant::new("tenant-nullable", object, part, touches).made_by(sql, Rows::Same));
    }
    found
}
