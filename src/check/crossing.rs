//! References that cross tenants: how they are counted, whatever the classes of the two tables.

use crate::model::{Catalog, Class, ForeignKey, RelationName, Table, Tenancy, quoted};

/// Counts rows of the child whose key refers to a row that is not their tenant's. `None` where either table's rows
/// have no tenant to compare.
pub(super) fn count(
    catalog: &Catalog,
    tenancy: &Tenancy,
    child: &RelationName,
    key: &ForeignKey,
) -> Option<String> {
    let own = tenancy.tenant_expression(catalog, child, "c")?;
    let joined = key
        .pairs()
        .map(|(column, target)| format!("p.{} = c.{}", quoted(target), quoted(column)))
        .collect::<Vec<_>>()
        .join(" AND ");
    let from = format!(
        "SELECT count(*) FROM {} c JOIN {} p ON {joined}",
        child.quoted(),
        key.target.quoted()
    );
    if let Some(Class::Linked { through, column }) = tenancy.class(catalog, &key.target) {
        let tenant = tenancy.tenant_expression(catalog, through, "m")?;
        let linked = link_target(catalog, through, column)?;
        return Some(format!(
            "{from} WHERE NOT EXISTS (SELECT FROM {} m WHERE m.{} = p.{} AND {tenant} = {own})",
            through.quoted(),
            quoted(column),
            quoted(&linked)
        ));
    }
    let theirs = tenancy.tenant_expression(catalog, &key.target, "p")?;
    Some(format!("{from} WHERE {own} IS DISTINCT FROM {theirs}"))
}

/// The column of the linked table that the linking column refers to.
pub(super) fn link_target(
    catalog: &Catalog,
    through: &RelationName,
    column: &str,
) -> Option<String> {
    let table: &Table = catalog.tables.get(through)?;
    table.foreign_keys.iter().find_map(|key| {
        key.pairs()
            .find(|(child, _)| *child == column)
            .map(|(_, target)| target.to_owned())
    })
}
