//! Worlds that the server accepts: what it refuses is made anew.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::generate::{Generator, Genes, Ground, Part, RowKey};
use crate::load::{Layout, Refused, load};
use crate::model::{Dataset, ForeignKey, Index, RelationName, WorldKind, Worlds, insert};

/// A row is made anew so often before it is given up.
const SALTS: u32 = 40;

/// A row that only adds to others of its kind is made anew so often.
const EXTRA_SALTS: u32 = 8;

/// After so many refusals the other rows of the table are made anew, too.
const FELLOWS: u32 = 6;

/// Rounds of making and judging: bounds the time that a schema which refuses everything can take.
const ROUNDS: usize = 400;

/// Makes worlds of these genes until the server refuses no row of them: a refused row is made anew, and given up after many
/// tries. The genes that it returns make the same worlds again.
pub(super) async fn settle(
    connection: &mut PgConnection,
    ground: Ground<'_>,
    mut genes: Genes,
    socket: bool,
) -> Result<(Worlds, Genes)> {
    let generator = Generator::new(ground);
    let mut reasons: BTreeMap<RelationName, String> = BTreeMap::new();
    let mut stuck = Stuck::new();
    for round in 0..ROUNDS {
        let mut worlds = generator.decode(&genes);
        execute(connection, "BEGIN").await?;
        let refused = judge(connection, ground, &worlds, socket).await;
        execute(connection, "ROLLBACK").await?;
        let refused = refused?;
        if refused.is_empty() {
            for (table, reason) in reasons {
                if let Some(gap) = worlds.gaps.get_mut(&table) {
                    *gap = ground.pools.unmet(&table).unwrap_or(reason);
                } else if genes
                    .dropped
                    .iter()
                    .any(|key| key.part == Part::Acting && key.table == table)
                    && let Some(why) = worlds.short.get_mut(&table)
                {
                    *why = reason;
                }
            }
            worlds.satisfied = generator.satisfied(&worlds);
            return Ok((worlds, genes));
        }
        let endless = refused.iter().filter(|(_, message)| is_endless(message));
        let mut given_up: BTreeSet<RelationName> =
            endless.map(|(key, _)| key.table.clone()).collect();
        given_up.extend(hopeless(&refused, ground, &worlds, &mut stuck));
        for table in &given_up {
            // Others' rows are for comparing: without the acting tenant's there is nothing to compare.
            genes.dropped.extend(all_rows(&worlds, table));
        }
        for (key, message) in refused {
            // Towards the end what is refused is given up at once, so that the others get their chance.
            let patience = if round > ROUNDS / 4 * 3 {
                1
            } else {
                patience(ground, &key, &worlds)
            };
            reasons.insert(key.table.clone(), message);
            let salt = genes.salts.entry(key.clone()).or_default();
            *salt += 1;
            if *salt >= patience {
                genes.dropped.insert(key);
            } else if *salt == FELLOWS {
                others_anew(&mut genes, &key, &worlds);
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

/// The rows of a table in all worlds.
fn all_rows(worlds: &Worlds, table: &RelationName) -> Vec<RowKey> {
    let common = [
        (Part::Shared, 0, &worlds.shared),
        (Part::Acting, 0, &worlds.acting),
    ];
    let spare = worlds.spares.iter().enumerate();
    let spare = spare.map(|(tenant, dataset)| (Part::Spare, tenant, dataset));
    let others = worlds.others.iter().flat_map(|(kind, datasets)| {
        let datasets = datasets.iter().enumerate();
        datasets.filter_map(|(number, dataset)| Some((Part::of(*kind)?, number + 1, dataset)))
    });
    let all = common.into_iter().chain(spare).chain(others);
    all.flat_map(|(part, tenant, dataset)| {
        let rows = dataset.get(table).into_iter();
        rows.flat_map(|rows| &rows.numbers).map(move |row| RowKey {
            table: table.clone(),
            part,
            tenant,
            row: *row,
        })
    })
    .collect()
}

/// How often a row is made anew: spare rows and the twins that have no model are there for more, not for all.
fn patience(ground: Ground<'_>, key: &RowKey, worlds: &Worlds) -> u32 {
    if ground.pools.unmet(&key.table).is_some() {
        return FEW_WORDS;
    }
    let models = || {
        let acting = worlds.acting.get(&key.table);
        acting.and_then(|rows| rows.numbers.last().copied())
    };
    match key.part {
        Part::Spare | Part::Poisoned => EXTRA_SALTS,
        Part::Twins if models().is_none_or(|last| key.row > last) => EXTRA_SALTS,
        _ => SALTS,
    }
}

/// A row that is refused again and again may be refused for the others of its table: they have spent a sum that it
/// has to share with them. They are made anew, too.
fn others_anew(genes: &mut Genes, key: &RowKey, worlds: &Worlds) {
    let dataset = match key.part {
        Part::Acting => Some(&worlds.acting),
        Part::Different => worlds
            .others(WorldKind::Different)
            .get(key.tenant - 1)
            .copied(),
        _ => None,
    };
    let rows = dataset.and_then(|dataset| dataset.get(&key.table));
    for row in rows
        .into_iter()
        .flat_map(|rows| rows.numbers.iter().copied())
    {
        let other = RowKey { row, ..key.clone() };
        if other != *key {
            *genes.salts.entry(other).or_default() += 1;
        }
    }
}

/// A table of which every row is refused so often with the same words is given up; twice as often where other values
/// may help.
const SAME_WORDS: u32 = 10;

/// Where values were looked for already and none was found.
const FEW_WORDS: u32 = 1;

/// A table whose rows are refused for so many reasons by turns is refused for one: a trigger asks for more than one thing.
const REASONS: usize = 3;

/// Of tables whose rows were all refused: for which reasons, and how often on end.
type Stuck = BTreeMap<RelationName, (BTreeSet<String>, u32)>;

/// Tables of which all of the acting tenant's rows, or all shared ones, were refused again and again, and what values may
/// mend for longer.
fn hopeless(
    refused: &[(RowKey, String)],
    ground: Ground<'_>,
    worlds: &Worlds,
    stuck: &mut Stuck,
) -> Vec<RelationName> {
    let mut tables: BTreeMap<&RelationName, Vec<&String>> = BTreeMap::new();
    for (key, message) in refused {
        if matches!(key.part, Part::Acting | Part::Shared) {
            tables.entry(&key.table).or_default().push(message);
        }
    }
    stuck.retain(|table, _| tables.contains_key(table));
    let mut found = Vec::new();
    for (table, messages) in tables {
        let made = [&worlds.acting, &worlds.shared].map(|dataset| dataset.get(table));
        let all: usize = made.into_iter().flatten().map(|rows| rows.rows.len()).sum();
        let values = ["check constraint", "duplicate key", "conflicting key"];
        let may_help = |message: &&String| values.iter().any(|words| message.contains(words));
        let first = messages[0];
        let (reasons, times) = stuck.entry(table.clone()).or_default();
        let said: BTreeSet<String> = messages.iter().map(|one| without_values(one)).collect();
        let known: BTreeSet<String> = reasons.union(&said).cloned().collect();
        if messages.len() == all && known.len() <= REASONS {
            *times += u32::from(!reasons.is_empty());
            *reasons = known;
        } else {
            *times = 0;
            *reasons = said;
        }
        let patience = match ground.pools.unmet(table) {
            Some(_) => FEW_WORDS,
            None if is_taken(ground, table, first) => FEW_WORDS,
            None if messages.iter().any(may_help) => 2 * SAME_WORDS,
            None => SAME_WORDS,
        };
        if *times >= patience {
            found.push(table.clone());
        }
    }
    found
}

fn is_endless(message: &str) -> bool {
    message.starts_with(Refused::TOO_LONG)
}

/// A message without what a trigger may say of the row: words with digits, as dates and ids are.
fn without_values(message: &str) -> String {
    let words = message.split_whitespace();
    let words = words.filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

/// The server has a row of each parent already, as a trigger of the parent makes it: no other values help.
fn is_taken(ground: Ground<'_>, table: &RelationName, message: &str) -> bool {
    let Some(table) = ground.catalog.tables.get(table) else {
        return false;
    };
    let is_it = |index: &&Index| {
        index.unique && message.ends_with(&format!("unique constraint \"{}\"", index.name))
    };
    let key = table.indexes.iter().find(is_it);
    key.is_some_and(|key| {
        let columns = key.plain_columns();
        let of = |foreign: &ForeignKey| {
            let mut all = columns.iter();
            all.all(|column| foreign.columns.iter().any(|own| own == column))
        };
        columns.len() == key.keys.len() && table.foreign_keys.iter().any(of)
    })
}

/// Tables without rows of ours that have some nevertheless, once all others are loaded: triggers made them.
pub(super) async fn filled_by_triggers(
    connection: &mut PgConnection,
    worlds: &mut Worlds,
) -> Result<()> {
    for table in worlds.gaps.keys().cloned().collect::<Vec<_>>() {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.quoted());
        let row = connection.fetch_optional(sqlx::raw_sql(AssertSqlSafe(sql)));
        if row.await.doing("look for rows")?.is_some() {
            worlds.gaps.remove(&table);
            let why = "a trigger makes its rows".to_owned();
            worlds.short.insert(table, why);
        }
    }
    Ok(())
}

/// The rows that the server refuses, in every combination in which they will be loaded.
async fn judge(
    connection: &mut PgConnection,
    ground: Ground<'_>,
    worlds: &Worlds,
    socket: bool,
) -> Result<Vec<(RowKey, String)>> {
    let layout = Layout::of(ground.catalog, ground.tenancy, worlds, socket);
    let mut found = Vec::new();
    let common = [
        (Part::Shared, &worlds.shared),
        (Part::Acting, &worlds.acting),
    ];
    for refused in load(connection, layout, &common.map(|(_, dataset)| dataset)).await? {
        let (part, dataset) = common[refused.dataset];
        found.extend(keys(&refused, part, 0, dataset));
    }
    if found.iter().any(|(_, message)| is_endless(message)) {
        // Others' rows would take as long; without these there is nothing to compare them with.
        return Ok(found);
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
                for refused in spares(connection, layout, dataset, &worlds.tenants[tenant]).await? {
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
    tenant: &str,
) -> Result<Vec<Refused>> {
    let mut found = Vec::new();
    // A trigger may ask who is acting.
    let access = layout.tenancy.access.iter();
    let context: String = access
        .flat_map(|access| access.statements(tenant))
        .fold(String::new(), |all, sql| all + &sql + ";\n");
    for name in layout.order {
        let Some(rows) = dataset.get(name) else {
            continue;
        };
        for (number, row) in rows.rows.iter().enumerate() {
            let sql = format!(
                "SAVEPOINT spare; {context}{}; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO SAVEPOINT spare; RELEASE SAVEPOINT spare",
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

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn what_a_trigger_says_of_each_row_is_one_reason() {
        let said = |date| without_values(&format!("Entered into a closed period: {date}"));
        assert_eq!(said("2026-07-05"), said("2027-01-31"));
        assert_ne!(
            said("2026-07-05"),
            without_values("The period is open: 2026-07-05")
        );
    }
}
