//! Worlds that are made on demand, and canaries, on the application's schema.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use watertight::generate::{Generator, Genes, Ground, Part, RowKey};
use watertight::load::{Layout, load};
use watertight::migration::{MigrationSet, apply};
use watertight::model::{
    Catalog, Class, Dataset, RelationName, Tenancy, TenantSettings, WorldKind, Worlds,
};
use watertight::{introspect, tenancy};

use super::root;
use crate::{fixture, scratch};

/// A server with the application's schema, and what is read off it.
pub(super) async fn schema() -> (scratch::Database, PgConnection, Catalog, Tenancy) {
    let database = scratch::Database::new().await;
    let mut connection = database.connect().await;
    let set = MigrationSet::read(&root().join("migrations")).unwrap();
    apply(&set, &mut connection).await.unwrap();
    let catalog = introspect::introspect(&mut connection).await.unwrap();
    let declared = TenantSettings {
        table: Some("iam.organisations".to_owned()),
        shared: vec!["crm.naf_codes".to_owned()],
        linked: BTreeMap::from([("iam.users".to_owned(), "iam.memberships.user_id".to_owned())]),
        ..TenantSettings::default()
    };
    let tenancy = tenancy::classify(&catalog, &declared, None).unwrap();
    (database, connection, catalog, tenancy)
}

fn layout<'a>(ground: Ground<'a>, worlds: &'a Worlds) -> Layout<'a> {
    Layout {
        catalog: ground.catalog,
        tenancy: ground.tenancy,
        order: &worlds.order,
        late: &worlds.late,
        circles: &worlds.circles,
        socket: true,
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    connection.execute(sql).await.unwrap();
}

/// Worlds of one kind in which the server refuses no row; what it refused was made anew.
async fn settled(
    connection: &mut PgConnection,
    ground: Ground<'_>,
    (organisations, rows): (usize, usize),
    kind: WorldKind,
) -> Worlds {
    let generator = Generator::new(ground);
    let mut genes = Genes::new(fixture::SEED.parse().unwrap(), organisations, rows);
    genes.kinds = BTreeSet::from([kind]);
    for _ in 0..30 {
        let worlds = generator.decode(&genes);
        let layout = layout(ground, &worlds);
        run(connection, "BEGIN").await;
        let mut refused = Vec::new();
        for (part, tenant, datasets) in [
            (Part::Acting, 0, vec![&worlds.shared, &worlds.acting]),
            (Part::of(kind).unwrap(), 1, worlds.others(kind)),
        ] {
            for rows in load(connection, layout, &datasets).await.unwrap() {
                let numbers = &datasets[rows.dataset][&rows.table].numbers;
                for row in &rows.rows {
                    refused.push(RowKey {
                        table: rows.table.clone(),
                        part,
                        tenant: if tenant == 0 { 0 } else { rows.dataset + 1 },
                        row: numbers[*row],
                    });
                }
            }
        }
        run(connection, "ROLLBACK").await;
        if refused.is_empty() {
            return worlds;
        }
        for key in refused {
            *genes.salts.entry(key).or_default() += 1;
        }
    }
    panic!("the server goes on refusing rows");
}

fn sizes(dataset: &Dataset) -> BTreeMap<&RelationName, usize> {
    dataset
        .iter()
        .map(|(name, rows)| (name, rows.rows.len()))
        .collect()
}

#[tokio::test]
async fn poisoned_rows_break_what_is_evaluated_on_them() {
    let (_database, mut connection, catalog, tenancy) = schema().await;
    let existing = BTreeMap::new();
    let ground = Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &watertight::generate::Pools::default(),
    };
    for kind in [WorldKind::Different, WorldKind::Poisoned] {
        let worlds = settled(&mut connection, ground, (3, 6), kind).await;
        assert!(worlds.gaps.is_empty(), "{:?}", worlds.gaps);
        for dataset in worlds.others(kind) {
            assert_eq!(dataset.len(), worlds.acting.len());
            assert!(sizes(dataset).values().all(|rows| *rows > 0));
        }
        run(&mut connection, "BEGIN").await;
        let loaded = worlds.loaded(kind, 0);
        let datasets: Vec<&Dataset> = loaded.iter().map(AsRef::as_ref).collect();
        let refused = load(&mut connection, layout(ground, &worlds), &datasets);
        assert!(refused.await.unwrap().is_empty());
        let poisoned = kind == WorldKind::Poisoned;
        for (sql, sqlstate) in [
            ("SELECT 100 / revenue FROM crm.companies", "22012"),
            (
                "SELECT CASE WHEN length(body) < 6 THEN body::int END FROM crm.notes",
                "22P02",
            ),
            (
                "SELECT (details ->> 'id')::uuid FROM iam.audit_log",
                "22P02",
            ),
            (
                "SELECT (ends_on - date '2020-01-01') FROM outreach.campaigns",
                "22008",
            ),
        ] {
            run(&mut connection, "SAVEPOINT before").await;
            let query = sqlx::raw_sql(sql).fetch_all(&mut connection).await;
            let code = query.err().map(|error| {
                let error = error.as_database_error().unwrap();
                error.code().unwrap().into_owned()
            });
            assert_eq!(
                code.as_deref(),
                poisoned.then_some(sqlstate),
                "{kind:?}: {sql}"
            );
            run(&mut connection, "ROLLBACK TO SAVEPOINT before").await;
        }
        run(&mut connection, "ROLLBACK").await;
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn many_are_a_hundred_times_as_many() {
    let (_database, mut connection, catalog, tenancy) = schema().await;
    let existing = BTreeMap::new();
    let ground = Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &watertight::generate::Pools::default(),
    };
    let worlds = settled(&mut connection, ground, (2, 2), WorldKind::Many).await;
    let own = sizes(&worlds.acting);
    for dataset in worlds.others(WorldKind::Many) {
        for (table, rows) in sizes(dataset) {
            let root = matches!(tenancy.classes[table], Class::Root { .. });
            assert!(
                root || rows >= 50 * own[table],
                "{table}: {rows}, {}",
                own[table]
            );
        }
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_canary_says_whose_it_is_and_where_it_stands() {
    let (_database, mut connection, catalog, tenancy) = schema().await;
    let existing = BTreeMap::new();
    let ground = Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &watertight::generate::Pools::default(),
    };
    let kind = WorldKind::Different;
    let worlds = settled(&mut connection, ground, (3, 6), kind).await;
    let mut met = BTreeSet::new();
    for (number, dataset) in worlds.others(kind).into_iter().enumerate() {
        for (table, rows) in dataset {
            for (row, cells) in rows.rows.iter().enumerate() {
                for (column, cell) in rows.columns.iter().zip(cells) {
                    let Some((_, token)) = cell.as_ref().and_then(|text| text.split_once("wtq"))
                    else {
                        continue;
                    };
                    let canary = &worlds.canaries[&format!("wtq{}", &token[..9])];
                    assert_eq!(
                        (canary.tenant, &canary.table, &canary.column, canary.row),
                        (number + 1, table, column, rows.numbers[row])
                    );
                    met.insert(table.object(column));
                }
            }
        }
    }
    assert!(met.contains("crm.notes.body"), "{met:?}");
    let own = worlds.acting.values().flat_map(|rows| &rows.rows).flatten();
    assert!(own.flatten().all(|text| !text.contains("wtq")));
    connection.close().await.unwrap();
}

/// Of the reference schema's worlds with the fixtures' seed, three organisations and six rows. A seed that somebody kept
/// means other rows where this changes: then it is a line of the CHANGELOG, and of this.
const DIGEST: &str = "9871241f4232e30974c4aea97f2a4d4f7f322bc557f28718e2b818bad84e0bfd";

#[tokio::test]
async fn the_same_seed_gives_the_same_rows_on_every_machine() {
    let (_database, _connection, catalog, tenancy) = schema().await;
    let existing = BTreeMap::new();
    let pools = watertight::generate::Pools::default();
    let generator = Generator::new(Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &pools,
    });
    let mut genes = Genes::new(fixture::SEED.parse().unwrap(), 3, 6);
    genes.kinds.insert(WorldKind::Poisoned);
    let worlds = generator.decode(&genes);
    let mut hash = Sha256::new();
    let mut statements = 0;
    for kind in [
        WorldKind::Absent,
        WorldKind::Different,
        WorldKind::Twins,
        WorldKind::Poisoned,
    ] {
        for statement in worlds.script(&catalog, kind, 0) {
            hash.update(statement);
            statements += 1;
        }
    }
    assert!(statements > 4 * catalog.tables.len(), "{statements}");
    let bytes = hash.finalize();
    let digest = bytes.iter().fold(String::new(), |digest, byte| {
        digest + &format!("{byte:02x}")
    });
    assert_eq!(
        digest, DIGEST,
        "left: the rows that are generated now; right: those that were when this was last meant to change"
    );
}
