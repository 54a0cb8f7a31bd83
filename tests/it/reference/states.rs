//! The reference application's worlds: the same for the same seed, every state in them, no parent without a child.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Connection as _;
use watertight::generate::{Generator, Genes, Ground};
use watertight::model::{Dataset, RelationName, TypeKind, WorldKind, Worlds};

use super::worlds::schema;
use crate::fixture::SEED;

/// The worlds of the fixtures' seed with so many rows for each table and tenant, made twice; and each column's states.
async fn worlds(rows: usize) -> (Worlds, BTreeMap<(RelationName, String), Vec<String>>) {
    let (_database, connection, catalog, tenancy) = schema().await;
    connection.close().await.unwrap();
    let existing = BTreeMap::new();
    let ground = Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &watertight::generate::Pools::default(),
    };
    let genes = Genes::new(SEED.parse().unwrap(), 3, rows);
    let made = Generator::new(ground).decode(&genes);
    // Whatever goes by the order of a hash map differs from map to map.
    let again = Generator::new(ground).decode(&genes);
    assert_eq!(format!("{made:?}"), format!("{again:?}"));
    let mut states = BTreeMap::new();
    for table in catalog.roots() {
        for column in &table.columns {
            if let Some(TypeKind::Enum(labels)) =
                catalog.types.get(&column.type_oid).map(|of| &of.kind)
            {
                states.insert((table.name.clone(), column.name.clone()), labels.clone());
            }
        }
    }
    (made, states)
}

#[tokio::test]
async fn every_state_is_met_however_few_the_rows() {
    let (worlds, states) = worlds(1).await;
    assert!(states.len() > 5, "{states:?}");
    for ((table, column), labels) in states {
        // Where there is no room for all of them, that is said.
        if worlds.short.contains_key(&table) {
            continue;
        }
        let rows = &worlds.acting[&table];
        let met: BTreeSet<&String> = (0..rows.rows.len())
            .filter_map(|row| rows.cell(row, &column)?.as_ref())
            .collect();
        for label in &labels {
            assert!(
                met.contains(label),
                "{table}.{column} is never {label}: {met:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_twin_has_the_child_that_its_model_lacks() {
    let (worlds, _) = worlds(6).await;
    let people = RelationName::new("crm", "people");
    let positions = RelationName::new("crm", "positions");
    let held = |dataset: &Dataset| -> Vec<bool> {
        let rows = &dataset[&positions];
        let held: BTreeSet<_> = (0..rows.rows.len())
            .map(|row| rows.cell(row, "person_id").unwrap().clone())
            .collect();
        let people = &dataset[&people];
        (0..worlds.acting[&RelationName::new("crm", "people")]
            .rows
            .len())
            .map(|row| held.contains(people.cell(row, "id").unwrap()))
            .collect()
    };
    assert!(
        held(&worlds.acting).contains(&false),
        "somebody has no position"
    );
    let twins = worlds.others(WorldKind::Twins)[0];
    assert!(!held(twins).contains(&false), "every twin has one");
}
