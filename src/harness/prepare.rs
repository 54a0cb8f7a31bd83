//! What is read before anything is tried: the seed, and the rows that migrations left.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::generate::Seed;
use crate::model::{Catalog, Cell, Class, RelationName, RunSettings, Tenancy};

/// The seed that was given, or a new one.
pub(super) fn seed(run: &RunSettings) -> Result<Seed> {
    let (number, _) = uuid::Uuid::new_v4().as_u64_pair();
    let new = Seed {
        number,
        instant: now(),
    };
    Ok(given_seed(run)?.unwrap_or(new))
}

/// The seed that was given.
pub(crate) fn given_seed(run: &RunSettings) -> Result<Option<Seed>> {
    let parsed = run.seed.as_deref().map(str::parse).transpose();
    parsed.map_err(|message| Error::Usage(format!("--seed: {message}")))
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(0)
}

/// The rows that migrations left in tables which nobody's rows are in.
pub(super) async fn existing(
    connection: &mut PgConnection,
    catalog: &Catalog,
    tenancy: &Tenancy,
) -> Result<BTreeMap<RelationName, Vec<BTreeMap<String, Cell>>>> {
    let mut found = BTreeMap::new();
    for table in catalog.roots() {
        let class = tenancy.classes.get(&table.name);
        if table.existing_rows == 0
            || !matches!(class, Some(Class::Shared | Class::Unclassified { .. }))
        {
            continue;
        }
        let columns: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let rows = crate::introspect::existing_rows(connection, &table.name, &columns).await?;
        let rows = rows
            .into_iter()
            .map(|row| columns.iter().map(ToString::to_string).zip(row).collect())
            .collect();
        found.insert(table.name.clone(), rows);
    }
    Ok(found)
}
