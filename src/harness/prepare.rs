//! What is made before anything is tried: worlds that the server accepts, queries with their types.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::generate::{Generator, Genes, Ground, Part, RowKey, Seed};
use crate::load::{Layout, Refused, load};
use crate::model::{
    Catalog, Cell, Class, Dataset, Query, RelationName, RunSettings, Tenancy, WorldKind, Worlds,
    insert,
};

/// A row is made anew so often before it is given up.
const SALTS: u32 = 40;

/// Rounds of making and judging: bounds the time that a schema which refuses everything can take.
const ROUNDS: usize = 400;

/// The seed that was given, or a new one.
pub(super) fn seed(run: &RunSettings) -> Result<Seed> {
    if let Some(text) = &run.seed {
        return text
            .parse()
            .map_err(|message| Error::Usage(format!("--seed: {message}")));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let (number, _) = uuid::Uuid::new_v4().as_u64_pair();
    Ok(Seed {
        number,
        instant: i64::try_from(now.as_secs()).unwrap_or(0),
    })
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

/// Makes worlds until the server refuses no row of them: a refused row is made anew, and given up after many tries.
pub(super) async fn settle(
    connection: &mut PgConnection,
    ground: Ground<'_>,
    run: &RunSettings,
    seed: Seed,
    socket: bool,
) -> Result<Worlds> {
    let generator = Generator::new(ground);
    let mut genes = Genes::new(seed, run.organisations, run.rows);
    let mut reasons: BTreeMap<RelationName, String> = BTreeMap::new();
    let mut stuck: BTreeMap<RelationName, (String, u32)> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut worlds = generator.decode(&genes);
        execute(connection, "BEGIN").await?;
        let refused = judge(connection, ground.catalog, &worlds, socket).await;
        execute(connection, "ROLLBACK").await?;
        let refused = refused?;
        if refused.is_empty() {
            for (table, reason) in reasons {
                if let Some(gap) = worlds.gaps.get_mut(&table) {
                    *gap = reason;
                }
            }
            return Ok(worlds);
        }
        let hopeless = hopeless(&refused, &worlds, &mut stuck);
        // Towards the end what is refused is given up at once, so that the others get their chance.
        let patience = if round > ROUNDS / 4 * 3 { 1 } else { SALTS };
        for (key, message) in refused {
            reasons.insert(key.table.clone(), message);
            let salt = genes.salts.entry(key.clone()).or_default();
            *salt += 1;
            if *salt >= patience || hopeless.contains(&key.table) {
                genes.dropped.insert(key);
            }
        }
    }
    let said: Vec<String> = reasons
        .iter()
        .map(|(table, reason)| format!("{table}: {reason}"))
        .collect();
    Err(Error::Server(format!(
        "no rows could be made that the server accepts; it said: {}",
        said.join("; ")
    )))
}

/// A table of which every row is refused so often with the same words is given up, unless other values may help.
const SAME_WORDS: u32 = 10;

/// Tables of which all of the acting tenant's rows were refused again and again, for a reason that values don't mend.
fn hopeless(
    refused: &[(RowKey, String)],
    worlds: &Worlds,
    stuck: &mut BTreeMap<RelationName, (String, u32)>,
) -> Vec<RelationName> {
    let mut tables: BTreeMap<&RelationName, Vec<&String>> = BTreeMap::new();
    for (key, message) in refused {
        if key.part == Part::Acting {
            tables.entry(&key.table).or_default().push(message);
        }
    }
    stuck.retain(|table, _| tables.contains_key(table));
    let mut found = Vec::new();
    for (table, messages) in tables {
        let all = worlds.acting.get(table).map_or(0, |rows| rows.rows.len());
        let values = ["check constraint", "duplicate key", "conflicting key"];
        let first = messages[0];
        let same = messages.len() == all
            && messages.iter().all(|message| *message == first)
            && !values.iter().any(|words| first.contains(words));
        let (before, times) = stuck.entry(table.clone()).or_default();
        *times = if same && before == first {
            *times + 1
        } else {
            0
        };
        before.clone_from(first);
        if *times >= SAME_WORDS {
            found.push(table.clone());
        }
    }
    found
}

/// The rows that the server refuses, in every combination in which they will be loaded.
async fn judge(
    connection: &mut PgConnection,
    catalog: &Catalog,
    worlds: &Worlds,
    socket: bool,
) -> Result<Vec<(RowKey, String)>> {
    let layout = Layout {
        catalog,
        order: &worlds.order,
        late: &worlds.late,
        socket,
    };
    let mut found = Vec::new();
    let common = [
        (Part::Shared, &worlds.shared),
        (Part::Acting, &worlds.acting),
    ];
    for refused in load(connection, layout, &common.map(|(_, dataset)| dataset)).await? {
        let (part, dataset) = common[refused.dataset];
        found.extend(keys(&refused, part, 0, dataset));
    }
    // What others' rows refer to is their own: they are judged also where some of the common ones are refused.
    execute(connection, "SAVEPOINT common").await?;
    for kind in worlds.others.keys().copied() {
        let Some(part) = Part::of(kind) else { continue };
        let others = worlds.others(kind);
        for refused in load(connection, layout, &others).await? {
            let dataset = others[refused.dataset];
            found.extend(keys(&refused, part, refused.dataset + 1, dataset));
        }
        if kind == WorldKind::Different && found.is_empty() {
            for (tenant, dataset) in worlds.spares.iter().enumerate() {
                for refused in spares(connection, layout, dataset).await? {
                    found.extend(keys(&refused, Part::Spare, tenant, dataset));
                }
            }
        }
        execute(connection, "ROLLBACK TO SAVEPOINT common").await?;
    }
    // A row that was refused in both worlds is made anew once.
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

/// Spare rows are never there together: each is tried alone, in one message.
async fn spares(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    dataset: &Dataset,
) -> Result<Vec<Refused>> {
    let mut found = Vec::new();
    for name in layout.order {
        let Some(rows) = dataset.get(name) else {
            continue;
        };
        for (number, row) in rows.rows.iter().enumerate() {
            let sql = format!(
                "SAVEPOINT spare; {}; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO SAVEPOINT spare; RELEASE SAVEPOINT spare",
                insert(name, &rows.columns, std::slice::from_ref(row))
            );
            let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await else {
                continue;
            };
            execute(
                connection,
                "ROLLBACK TO SAVEPOINT spare; RELEASE SAVEPOINT spare",
            )
            .await?;
            found.push(Refused {
                dataset: 0,
                table: name.clone(),
                rows: vec![number],
                message: error
                    .as_database_error()
                    .map_or_else(|| error.to_string(), |e| e.message().to_owned()),
            });
        }
    }
    Ok(found)
}

fn keys(refused: &Refused, part: Part, tenant: usize, dataset: &Dataset) -> Vec<(RowKey, String)> {
    let Some(rows) = dataset.get(&refused.table) else {
        return Vec::new();
    };
    refused
        .rows
        .iter()
        .filter_map(|position| {
            let key = RowKey {
                table: refused.table.clone(),
                part,
                tenant,
                row: *rows.numbers.get(*position)?,
            };
            Some((key, refused.message.clone()))
        })
        .collect()
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
