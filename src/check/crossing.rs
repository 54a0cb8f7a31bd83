//! References that cross tenants: how they are counted, whatever the classes of the two tables.

use crate::model::{Catalog, Class, ForeignKey, RelationName, Table, Tenancy, quoted};

/// Counts rows of the child whose key refers to a row that is not their tenant's. `None` where either table's rows
/// have no tenant to compare.
///
/// A key that pairs the tenant columns can't name another tenant's row where it is checked. Where it is not (NOT ENFORCED,
/// a NULL in it, triggers that are off), the rest of its columns may: a row that names nothing of its own tenant so.
pub(crate) fn count(
    catalog: &Catalog,
    tenancy: &Tenancy,
    child: &RelationName,
    key: &ForeignKey,
) -> Option<String> {
    let own = tenancy.tenant_expression(catalog, child, "c")?;
    let tenant = (
        tenancy.tenant_column(child),
        tenancy.tenant_column(&key.target),
    );
    let is_tenant = |pair: &(&str, &str)| (Some(pair.0), Some(pair.1)) == tenant;
    let (tenants, mut named): (Vec<_>, Vec<_>) = key.pairs().partition(is_tenant);
    let own_parent = if named.is_empty() || tenants.is_empty() {
        named = key.pairs().collect();
        None
    } else {
        Some(format!(
            "{} AND {}",
            joined(key, &named, "o", "="),
            joined(key, &tenants, "o", "IS NOT DISTINCT FROM")
        ))
    };
    let from = format!(
        "SELECT count(*) FROM {} c JOIN {} p ON {}",
        child.quoted(),
        key.target.quoted(),
        joined(key, &named, "p", "=")
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
    let unowned = own_parent.map_or_else(String::new, |condition| {
        format!(
            " AND NOT EXISTS (SELECT FROM {} o WHERE {condition})",
            key.target.quoted()
        )
    });
    Some(format!(
        "{from} WHERE {own} IS DISTINCT FROM {theirs}{unowned}"
    ))
}

/// The pairs of a key as a condition on the parent `alias` and the child `c`.
fn joined(key: &ForeignKey, pairs: &[(&str, &str)], alias: &str, operator: &str) -> String {
    // Several parents together may hold the child's time.
    let time = key.columns.last().filter(|_| key.period);
    let conditions: Vec<String> = pairs
        .iter()
        .map(|(child, parent)| {
            let operator = match time {
                Some(time) if time == child => "&&",
                _ => operator,
            };
            format!("{alias}.{} {operator} c.{}", quoted(parent), quoted(child))
        })
        .collect();
    conditions.join(" AND ")
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
