//! What is read before anything is tried: the seed, the rows that migrations left, queries with their types.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::generate::Seed;
use crate::model::{Catalog, Cell, Class, Query, RelationName, RunSettings, Tenancy};

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

/// The queries of a folder of SQL files, in the order of their paths; or of one file.
pub(super) fn queries(path: &Path) -> Result<Vec<Query>> {
    let mut files = Vec::new();
    collect(path, &mut files, 0)?;
    files.sort();
    let base = if path.is_file() {
        path.parent().unwrap_or(path)
    } else {
        path
    };
    let mut queries = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| Error::io(&file, error))?;
        let name = file
            .strip_prefix(base)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let mut read = crate::query::read(&name, &text).map_err(Error::Usage)?;
        for query in &mut read {
            query.file = file.display().to_string();
        }
        queries.extend(read);
    }
    Ok(queries)
}

fn collect(path: &Path, into: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    // A folder that links to one above it would never end.
    if depth > 32 {
        return Err(Error::Usage(format!(
            "{}: folders nest too deeply",
            path.display()
        )));
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|error| Error::io(path, error))? {
            collect(
                &entry.map_err(|error| Error::io(path, error))?.path(),
                into,
                depth + 1,
            )?;
        }
    } else if path.extension().is_some_and(|extension| extension == "sql") {
        into.push(path.to_owned());
    } else if depth == 0 {
        return Err(Error::Usage(format!(
            "{}: there are no queries here; --queries names a folder of .sql files or one",
            path.display()
        )));
    }
    Ok(())
}

/// Asks the server for the types of every query's parameters; what it will not prepare is noted on the query.
pub(super) async fn describe(connection: &mut PgConnection, queries: &mut [Query]) -> Result<()> {
    for query in queries {
        execute(connection, "DEALLOCATE ALL").await?;
        let prepare = format!("PREPARE watertight_query AS {}", query.sql);
        if let Err(error) = connection
            .execute(sqlx::raw_sql(AssertSqlSafe(prepare)))
            .await
        {
            query.problem = Some(match error.as_database_error() {
                Some(database) => format!(
                    "{} (SQLSTATE {})",
                    database.message(),
                    database.code().unwrap_or_default()
                ),
                None => return Err(error).doing(format!("prepare {}", query.object)),
            });
            continue;
        }
        let types = sqlx::raw_sql(
            "SELECT t::text FROM pg_prepared_statements, unnest(parameter_types) WITH ORDINALITY u(t, i)
             WHERE name = 'watertight_query' ORDER BY i",
        )
        .fetch_all(&mut *connection)
        .await
        .doing("read the types of parameters")?;
        query.types = types
            .iter()
            .map(|row| row.try_get(0).doing("read the types of parameters"))
            .collect::<Result<_>>()?;
    }
    execute(connection, "DEALLOCATE ALL").await
}
