//! SQL that repeats what was seen of a query, for `psql`.

use super::attempts::EXECUTE;
use super::pair::Pair;
use super::witness::not_ours;
use super::{Scene, row};
use crate::model::{Attempt, Class, LOOKING, RelationName, Stage};

/// The few rows that matter and the query over them, with and without everyone else's.
pub(super) fn pair(scene: Scene<'_>, attempt: &Attempt, changed: &[String]) -> String {
    let statements = &attempt.statements;
    let at = |word: &str| statements.iter().position(|sql| sql.starts_with(word));
    let (Some(prepare), Some(execute), Stage::World { kind, layout }) =
        (at("PREPARE"), at(EXECUTE), attempt.stage)
    else {
        return String::new();
    };
    let watch = |table: &RelationName| {
        let condition = not_ours(scene, table)?;
        Some(format!(
            "SELECT t.* FROM {} t WHERE {condition}",
            table.quoted()
        ))
    };
    let tables = scene.tenancy.classes.keys();
    let changed = tables.filter(|table| changed.contains(&table.to_string()));
    Pair {
        kind,
        layout,
        prepare: &statements[prepare],
        context: &preparation(&statements[..prepare]),
        execute: &statements[execute],
        watch: changed.filter_map(watch).collect(),
    }
    .sql(scene)
}

/// Of what stands before the query: what it needs in each world, as materialized views that are fresh, role and context,
/// and where it looks for names.
fn preparation(before: &[String]) -> Vec<String> {
    let begins = |sql: &&String| {
        let mut words = ["REFRESH", "SET LOCAL ROLE", LOOKING].into_iter();
        words.any(|word| sql.starts_with(word))
    };
    let mine = before.iter().skip_while(|sql| !begins(sql));
    mine.cloned().collect()
}

/// The query with everyone's rows, and again after the others' are deleted, in a transaction that is rolled back.
pub(super) fn reproduction(scene: Scene<'_>, statements: &[String]) -> String {
    let mut list: Vec<String> = statements
        .iter()
        .filter(|sql| !sql.contains("setval(") && *sql != "SET CONSTRAINTS ALL IMMEDIATE")
        .cloned()
        .collect();
    let again: Vec<String> = list
        .iter()
        .filter(|sql| sql.starts_with(EXECUTE))
        .cloned()
        .collect();
    let writes = statements
        .iter()
        .any(|sql| sql == "SET CONSTRAINTS ALL IMMEDIATE");
    let position = list
        .iter()
        .position(|sql| sql.starts_with(EXECUTE))
        .unwrap_or(0);
    if let Some(first) = list.get_mut(position) {
        first.insert_str(0, "-- with everyone's rows:\n");
    }
    if writes {
        list.insert(position, "SAVEPOINT before".to_owned());
        list.push("ROLLBACK TO SAVEPOINT before".to_owned());
    }
    list.push("RESET ROLE".to_owned());
    list.push(
        "-- with the organisation's own rows alone:\nSET LOCAL session_replication_role = replica"
            .to_owned(),
    );
    for table in scene.worlds.order.iter().rev() {
        let shared = matches!(scene.tenancy.classes.get(table), Some(Class::Shared));
        if let Some(condition) = not_ours(scene, table).filter(|_| !shared) {
            list.push(format!(
                "DELETE FROM {} t WHERE {condition}",
                table.quoted()
            ));
        }
    }
    list.push("SET LOCAL session_replication_role = origin".to_owned());
    let prepare = statements.iter().position(|sql| sql.starts_with("PREPARE"));
    list.extend(preparation(&statements[..prepare.unwrap_or(0)]));
    list.extend(again);
    // What is pasted may have been pasted before.
    list.insert(0, "DEALLOCATE ALL".to_owned());
    row::transaction(&list)
}
