//! What must be the same after a query as before it, asked of the database.

use super::{Scene, crossing, row};
use crate::model::{Class, RelationName, literal, quoted};

/// Rows of each table that are not the acting tenant's: how many, and a digest of where their versions stand. Every
/// write makes a new version, so this sees what a digest of the values would, for a tenth of its price. With
/// `only`, of these tables.
pub(super) fn digests(scene: Scene<'_>, only: &[String]) -> String {
    digested(scene, only, |table| not_ours(scene, table))
}

/// As [`digests`], of the rows of those other tenants that are there from the beginning.
pub(super) fn theirs(scene: Scene<'_>) -> String {
    let ids: Vec<String> = scene
        .worlds
        .tenants
        .iter()
        .skip(1)
        .map(|id| literal(id))
        .collect();
    digested(scene, &[], |table| {
        let owner = scene.tenancy.tenant_expression(scene.catalog, table, "t")?;
        Some(format!("{owner}::text IN ({})", ids.join(", ")))
    })
}

fn digested(
    scene: Scene<'_>,
    only: &[String],
    condition: impl Fn(&RelationName) -> Option<String>,
) -> String {
    let parts: Vec<String> = scene
        .tenancy
        .classes
        .keys()
        .filter(|table| only.is_empty() || only.contains(&table.to_string()))
        .filter_map(|table| {
            let condition = condition(table)?;
            Some(format!(
                "SELECT {}, count(*), sum(hashtid(t.ctid)::int8 # t.tableoid::int8) FROM {} t WHERE {condition}",
                literal(&table.to_string()),
                table.quoted()
            ))
        })
        .collect();
    parts.join(" UNION ALL ")
}

/// The condition that a row `t` is not the acting tenant's; `None` for a table of which nobody knows whose its rows are.
#[must_use]
pub fn not_ours(scene: Scene<'_>, table: &RelationName) -> Option<String> {
    let tenant = scene.worlds.acting_tenant();
    match scene.tenancy.classes.get(table)? {
        Class::Shared => Some("true".to_owned()),
        Class::Linked { through, column } => {
            let target = crossing::link_target(scene.catalog, through, column)?;
            let owner = scene
                .tenancy
                .tenant_expression(scene.catalog, through, "m")?;
            Some(format!(
                "NOT EXISTS (SELECT FROM {} m WHERE m.{} = t.{} AND {})",
                through.quoted(),
                quoted(column),
                quoted(&target),
                row::tenant_is(scene.tenancy, &owner, tenant)
            ))
        }
        Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. } => {
            let owner = scene.tenancy.tenant_expression(scene.catalog, table, "t")?;
            Some(format!(
                "({}) IS NOT TRUE",
                row::tenant_is(scene.tenancy, &owner, tenant)
            ))
        }
        Class::Unclassified { .. } | Class::History => None,
    }
}

/// How many rows refer across tenants, over all keys.
pub(super) fn crossings(scene: Scene<'_>) -> String {
    let mut parts = Vec::new();
    for table in scene.catalog.roots() {
        for key in &table.foreign_keys {
            if !matches!(
                scene.tenancy.classes.get(&key.target),
                Some(Class::Scoped { .. } | Class::Derived { .. })
            ) {
                continue;
            }
            parts.extend(
                crossing::count(scene.catalog, scene.tenancy, &table.name, key)
                    .map(|count| format!("({count})")),
            );
        }
    }
    format!(
        "SELECT {}",
        if parts.is_empty() {
            "0".to_owned()
        } else {
            parts.join(" + ")
        }
    )
}
