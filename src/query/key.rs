//! Which columns name a row.

use crate::model::{Catalog, RelationName, Tenancy};

/// The tenant, or part of a unique or foreign key.
pub(super) fn is_key(
    (catalog, tenancy): (&Catalog, &Tenancy),
    table: &RelationName,
    column: &str,
) -> bool {
    let Some(entry) = catalog.tables.get(table) else {
        return false;
    };
    let unique = entry.indexes.iter().filter(|index| index.unique);
    tenancy.tenant_column(table) == Some(column)
        || unique
            .flat_map(|index| index.plain_columns())
            .any(|name| name == column)
        || entry
            .foreign_keys
            .iter()
            .any(|key| key.columns.iter().any(|name| name == column))
}
