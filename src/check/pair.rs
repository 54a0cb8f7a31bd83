//! A pair of small worlds as SQL: pasted into `psql` on the seeded database, it shows what differs between them.

use super::{Scene, row};
use crate::model::{Class, RelationName, Table, WorldKind, literal};

/// What is run in both worlds of a pair.
pub(super) struct Pair<'a> {
    /// What everyone else's rows are like in the world where they are there.
    pub(super) kind: WorldKind,
    /// The order in which the acting tenant's rows are loaded.
    pub(super) layout: usize,
    /// `PREPARE` of the query.
    pub(super) prepare: &'a str,
    /// Role and context.
    pub(super) context: &'a [String],
    /// `EXECUTE` of the query.
    pub(super) execute: &'a str,
    /// Shows the rows that the query must leave alone, before it and after it.
    pub(super) watch: Vec<String>,
}

impl Pair<'_> {
    /// The script: the scene's worlds with everyone else's rows, and again without them.
    pub(super) fn sql(&self, scene: Scene<'_>) -> String {
        let worlds = scene.worlds;
        let with = worlds.script(scene.catalog, self.kind, self.layout);
        let alone = worlds.script(scene.catalog, WorldKind::Absent, self.layout);
        let same = with.iter().zip(&alone).take_while(|(a, b)| a == b).count();
        let mut list = vec!["DEALLOCATE ALL".to_owned()];
        list.extend(cleared(scene));
        list.push(self.prepare.to_owned());
        list.extend_from_slice(&with[..same]);
        list.push("SAVEPOINT alone".to_owned());
        list.extend_from_slice(&with[same..]);
        list.extend_from_slice(&self.watch);
        list.extend_from_slice(self.context);
        list.push(format!("-- with everyone's rows:\n{}", self.execute));
        if !self.watch.is_empty() {
            list.push("RESET ROLE".to_owned());
            list.extend_from_slice(&self.watch);
        }
        list.push("ROLLBACK TO SAVEPOINT alone".to_owned());
        list.extend_from_slice(&alone[same..]);
        list.extend_from_slice(self.context);
        list.push(format!(
            "-- with the organisation's own rows alone:\n{}",
            self.execute
        ));
        row::transaction(&list)
    }
}

/// Takes away the rows that the seeded database holds; those that migrations left behind stay.
fn cleared(scene: Scene<'_>) -> Vec<String> {
    let is_ours = |name: &RelationName| {
        let table = scene.catalog.tables.get(name);
        table.is_some_and(|table| table.existing_rows == 0)
    };
    let ours: Vec<&RelationName> = scene
        .worlds
        .order
        .iter()
        .filter(|name| is_ours(name))
        .collect();
    let kept: Vec<&Table> = scene
        .catalog
        .roots()
        .filter(|table| !ours.contains(&&table.name))
        .collect();
    let held = kept.iter().any(|table| {
        let mut keys = table.foreign_keys.iter();
        keys.any(|key| ours.contains(&&key.target))
    });
    let owned = |table: &&&Table| {
        matches!(
            scene.tenancy.classes.get(&table.name),
            Some(Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. })
        )
    };
    if ours.is_empty() {
        return Vec::new();
    }
    if !held && !kept.iter().any(|table| owned(&table)) {
        let names: Vec<String> = ours.iter().map(|name| name.quoted()).collect();
        return vec![format!("TRUNCATE {}", names.join(", "))];
    }
    let tenants: Vec<String> = scene.worlds.tenants.iter().map(|id| literal(id)).collect();
    let mut list = vec!["SET LOCAL session_replication_role = replica".to_owned()];
    for name in scene.worlds.order.iter().rev() {
        if is_ours(name) {
            list.push(format!("DELETE FROM {}", name.quoted()));
        } else if let Some(owner) = scene.tenancy.tenant_expression(scene.catalog, name, "t") {
            list.push(format!(
                "DELETE FROM {} t WHERE {owner}::text IN ({})",
                name.quoted(),
                tenants.join(", ")
            ));
        }
    }
    list.push("SET LOCAL session_replication_role = origin".to_owned());
    list
}
