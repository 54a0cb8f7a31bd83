//! How long a large schema takes before its first row is loaded, and whether that grows with its tables alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Map, Value};
use watertight::generate::{Generator, Genes, Ground, Pools};
use watertight::model::TenantSettings;
use watertight::server::Server;

use super::fixture::{SEED, connect, execute, said};

/// Columns of every two tables, and foreign keys: 5,000 and 1,000 for 400 tables.
const COLUMNS: [usize; 2] = [12, 13];
const KEYS: [usize; 2] = [2, 3];

/// A multiplier of good hashes, as whatever is linear in a table's number comes to the same for all modulo one less.
const SPREAD: usize = 2_654_435_761;

/// What one size took, in milliseconds.
struct Took {
    catalog: f64,
    strategy: f64,
    world: f64,
}

/// Measures 100 and 400 tables.
pub(super) async fn run(server: &Server, figures: &mut Map<String, Value>) -> Result<(), String> {
    let small = measure(server, 100).await?;
    let large = measure(server, 400).await?;
    for (name, took) in [("100", &small), ("400", &large)] {
        figures.insert(format!("tables_{name}_catalog_ms"), took.catalog.into());
        figures.insert(format!("tables_{name}_strategy_ms"), took.strategy.into());
        figures.insert(format!("tables_{name}_small_world_ms"), took.world.into());
    }
    let whole = |took: &Took| took.catalog + took.strategy + took.world;
    let growth = (whole(&large) / 400.0) / (whole(&small) / 100.0);
    figures.insert("time_per_table_at_400_over_100".to_owned(), growth.into());
    Ok(())
}

async fn measure(server: &Server, tables: usize) -> Result<Took, String> {
    let database = format!("bench_tables_{tables}");
    let maintenance = server.maintenance_database().to_owned();
    let mut connection = connect(server, &maintenance).await?;
    execute(&mut connection, &format!("CREATE DATABASE {database}")).await?;
    let mut connection = connect(server, &database).await?;
    execute(&mut connection, &schema(tables, Parents::Spread)).await?;
    let started = Instant::now();
    let catalog = watertight::introspect::introspect(&mut connection)
        .await
        .map_err(said)?;
    let catalog_took = started.elapsed();
    let settings = TenantSettings {
        table: Some("t000".to_owned()),
        ..TenantSettings::default()
    };
    let tenancy = watertight::tenancy::classify(&catalog, &settings, None)?;
    let started = Instant::now();
    let existing = BTreeMap::new();
    let pools = Pools::default();
    let generator = Generator::new(Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &pools,
    });
    let strategy_took = started.elapsed();
    let started = Instant::now();
    let worlds = generator.decode(&Genes::new(SEED, 3, 6));
    let world_took = started.elapsed();
    if worlds.acting.len() != tables || !worlds.gaps.is_empty() {
        return Err(format!("the synthetic schema has gaps: {:?}", worlds.gaps));
    }
    Ok(Took {
        catalog: catalog_took.as_secs_f64() * 1_000.0,
        strategy: strategy_took.as_secs_f64() * 1_000.0,
        world: world_took.as_secs_f64() * 1_000.0,
    })
}

/// What tables refer to, beside the tenants.
#[derive(Clone, Copy)]
pub(super) enum Parents {
    /// Those before them, each about as often as any other.
    Spread,
    /// By their first key one, as an application's users.
    Hub,
}

impl Parents {
    /// The one of a table's key by this number.
    fn of(self, table: usize, key: usize) -> usize {
        match self {
            Self::Hub if key == 0 => 1,
            _ => 1 + (((table * SPREAD) >> 16) + key * 31) % table.saturating_sub(1).max(1),
        }
    }
}

/// Tables of 12 and 13 columns by turns, with two and three foreign keys to those before them.
pub(super) fn schema(tables: usize, parents: Parents) -> String {
    let mut sql =
        String::from("CREATE TABLE t000 (organisation_id uuid PRIMARY KEY, name text NOT NULL);\n");
    for table in 1..tables {
        let keys = KEYS[table % 2].min(table);
        let _ = write!(
            sql,
            "CREATE TABLE t{table:03} (organisation_id uuid NOT NULL REFERENCES t000, id uuid NOT NULL"
        );
        for key in 0..keys.saturating_sub(1) {
            let _ = write!(sql, ", parent_{key} uuid");
        }
        let kinds = [
            "text NOT NULL",
            "int",
            "numeric(8,2)",
            "timestamptz NOT NULL",
            "boolean NOT NULL",
            "jsonb",
        ];
        for column in 1 + keys..COLUMNS[table % 2] {
            let _ = write!(sql, ", c{column} {}", kinds[column % kinds.len()]);
        }
        sql.push_str(", PRIMARY KEY (organisation_id, id)");
        for key in 0..keys.saturating_sub(1) {
            let parent = parents.of(table, key);
            if parent < table {
                let _ = write!(
                    sql,
                    ", FOREIGN KEY (organisation_id, parent_{key}) REFERENCES t{parent:03} (organisation_id, id)"
                );
            }
        }
        sql.push_str(");\n");
    }
    sql
}
