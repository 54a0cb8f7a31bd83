//! What the application's role is made to write: rows of its own, of others, and with nobody's context.

use super::Scene;
use super::policy::{Stranger, attempt, may};
use super::row::{
    RowRef, acting, foreign, free_column, insert, predicate, spare, tenant_is, update,
};
use crate::model::{Attempt, Cell, Context, Observation, Purpose, Refusal, Table, literal, quoted};

/// What is tried: the command, and a few words.
pub(super) const COMMANDS: [(&str, &str); 5] = [
    ("INSERT", "insert"),
    ("UPDATE", "update"),
    ("DELETE", "delete"),
    ("UPDATE", "move"),
    ("UPDATE", "merge"),
];

/// The label of an attack without a predicate, and of its control.
pub(super) const BLANKET: &str = "without a predicate";
pub(super) const OWN_ROWS: &str = "all own rows";
/// The label of an INSERT that returns the tenant under which the row was stored.
pub(super) const AS_STORED: &str = "as stored";

/// The attempts of a case over so many rows; none where the role lacks the privilege.
pub(super) fn attempts(
    scene: Scene<'_>,
    table: &Table,
    subject: &str,
    rows: usize,
) -> Vec<Attempt> {
    let (way, context) = subject.split_once(' ').unwrap_or((subject, ""));
    let command = COMMANDS.iter().find(|(_, word)| *word == way);
    if !command.is_some_and(|(command, _)| may(scene, table, command)) {
        return Vec::new();
    }
    match Stranger::ALL
        .iter()
        .find(|stranger| stranger.word() == context)
    {
        Some(stranger) => as_stranger(scene, table, way, *stranger, rows),
        None => as_another(scene, table, way, rows),
    }
}

/// In the acting tenant's context: its own row as control, another's row as attack.
fn as_another(scene: Scene<'_>, table: &Table, way: &str, rows: usize) -> Vec<Attempt> {
    let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
    let own = acting(scene.worlds, &table.name);
    let theirs = foreign(scene.worlds, &table.name);
    let make = |purpose, label: &str, sql: String| attempt(purpose, label, context.clone(), sql);
    let mut attempts = Vec::new();
    match way {
        "insert" => {
            for row in spare(scene.worlds, 0, &table.name).into_iter().take(rows) {
                attempts.push(make(
                    Purpose::Control,
                    "own row",
                    insert(&table.name, row, &[]),
                ));
            }
            for row in spare(scene.worlds, 1, &table.name).into_iter().take(rows) {
                let sql = insert(&table.name, row, &[]);
                if let Some(column) = scene.tenancy.tenant_column(&table.name) {
                    let stored = format!("{sql} RETURNING {}", quoted(column));
                    attempts.push(make(Purpose::Probe, AS_STORED, stored));
                }
                attempts.push(make(Purpose::Attack, "another's row", sql));
            }
        }
        "move" => {
            let Some(column) = scene.tenancy.tenant_column(&table.name) else {
                return attempts;
            };
            // A row that no other refers to, and the same for who refers to none.
            for row in own.iter().rev().take(rows) {
                for (purpose, tenant) in [(Purpose::Control, 0), (Purpose::Attack, 1)] {
                    let set = vec![(column.to_owned(), scene.worlds.tenants.get(tenant).cloned())];
                    attempts.push(make(purpose, way, update(table, *row, &set)));
                }
            }
        }
        _ => {
            for (purpose, whose) in [(Purpose::Control, &own), (Purpose::Attack, &theirs)] {
                for row in whose.iter().rev().take(rows) {
                    attempts.push(make(purpose, way, change(table, *row, way)));
                }
            }
            if way != "merge" {
                attempts.extend(blanket(scene, table, way, &context));
            }
        }
    }
    attempts
}

/// In a context that is nobody's: the acting tenant's row as attack; the control is in its own context.
fn as_stranger(
    scene: Scene<'_>,
    table: &Table,
    way: &str,
    stranger: Stranger,
    rows: usize,
) -> Vec<Attempt> {
    let own = Context::Tenant(scene.worlds.acting_tenant().to_owned());
    let statements: Vec<String> = if way == "insert" {
        let spare = spare(scene.worlds, 0, &table.name).into_iter().take(rows);
        spare.map(|row| insert(&table.name, row, &[])).collect()
    } else {
        let mine = acting(scene.worlds, &table.name);
        let last = mine.iter().rev().take(rows);
        last.map(|row| change(table, *row, way)).collect()
    };
    let pairs = statements.into_iter().flat_map(|sql| {
        [
            attempt(Purpose::Control, way, own.clone(), sql.clone()),
            attempt(Purpose::Attack, way, stranger.context(), sql),
        ]
    });
    // The policy that hides rows from reading does not stand in for that of the command: nobody changes any row.
    let all = match way {
        "update" | "delete" => blanket(scene, table, way, &stranger.context()),
        _ => Vec::new(),
    };
    let all = all
        .into_iter()
        .filter(|attempt| attempt.purpose == Purpose::Attack)
        .map(|attempt| Attempt {
            label: way.to_owned(),
            ..attempt
        });
    pairs.chain(all).collect()
}

/// A change of one row that leaves it as it is, or its deletion.
fn change(table: &Table, row: RowRef<'_>, way: &str) -> String {
    if way == "delete" {
        return format!(
            "DELETE FROM {} WHERE {}",
            table.name.quoted(),
            predicate(table, row)
        );
    }
    let column = free_column(table)
        .map(|column| column.name.clone())
        .or_else(|| row.rows.columns.first().cloned())
        .unwrap_or_default();
    let value: Cell = row.cell(&column).map(str::to_owned);
    if way == "merge" {
        return format!(
            "MERGE INTO {} USING (SELECT 1) s ON {} WHEN MATCHED THEN UPDATE SET {} = {}",
            table.name.quoted(),
            predicate(table, row),
            quoted(&column),
            crate::model::value(value.as_deref())
        );
    }
    update(table, row, &[(column, value)])
}

/// Without a predicate only the policy of the command itself stands in the way, not the one that hides rows from
/// reading.
fn blanket(scene: Scene<'_>, table: &Table, way: &str, context: &Context) -> Vec<Attempt> {
    let name = table.name.quoted();
    let Some(expression) = scene
        .tenancy
        .tenant_expression(scene.catalog, &table.name, &name)
    else {
        return Vec::new();
    };
    let own = tenant_is(scene.tenancy, &expression, scene.worlds.acting_tenant());
    let all = if way == "delete" {
        format!("DELETE FROM {name}")
    } else {
        let rows = acting(scene.worlds, &table.name);
        let (Some(column), Some(row)) = (free_column(table), rows.first()) else {
            return Vec::new();
        };
        let value = row
            .cell(&column.name)
            .map_or_else(|| "NULL".to_owned(), literal);
        format!("UPDATE {name} SET {} = {value}", quoted(&column.name))
    };
    vec![
        attempt(
            Purpose::Control,
            OWN_ROWS,
            context.clone(),
            format!("{all} WHERE {own}"),
        ),
        attempt(Purpose::Attack, BLANKET, context.clone(), all),
    ]
}

/// The refusal of a DELETE by a foreign key that keeps the row: the statement reached it, as what a policy hides is passed
/// over and refused by nothing.
pub(super) fn kept<'s>(attempt: &Attempt, seen: &'s Observation) -> Option<&'s Refusal> {
    let deletes = attempt.statements.first()?.starts_with("DELETE");
    let refusal = seen.refusal.as_ref()?;
    // One that a trigger raises names no constraint.
    let by_key = matches!(refusal.sqlstate.as_str(), "23503" | "23001");
    (deletes && by_key && refusal.constraint.is_some()).then_some(refusal)
}
