//! Rows that the application's role can write without being their tenant.

use crate::check::policy::{self, Stranger, attempt, may, repeated};
use crate::check::row::{
    RowRef, acting, foreign, free_column, insert, is_one_a_parent, predicate, spare, update,
};
use crate::check::{Check, Page, Scene};
use crate::model::{
    Attempt, Case, Cell, Class, Context, Defect, Observation, Policy, Purpose, Severity, Table,
    Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: RowLevelSecurityWrite = RowLevelSecurityWrite;

/// Writes to every table logged in as the application, in its own and in other contexts.
pub(crate) struct RowLevelSecurityWrite;

/// What is tried: the command, and a few words.
const COMMANDS: [(&str, &str); 5] = [
    ("INSERT", "insert"),
    ("UPDATE", "update"),
    ("DELETE", "delete"),
    ("UPDATE", "move"),
    ("UPDATE", "merge"),
];

impl Check for RowLevelSecurityWrite {
    fn page(&self) -> Page {
        Page {
            id: "row-level-security-write",
            title: "the application's role writes another tenant's rows",
            what: "Logged in as `[access] role` in the context of one organisation, rows of another are inserted, changed \
                   and\ndeleted, with and without a predicate, and a row of its own is moved to the other; then the same \
                   on its own rows\nwith no, an empty and a malformed context. The same statement on a row of its own, \
                   in its own context, must work first.",
            why: "WITH CHECK may be wider than USING, and a command may have a policy of its own: what can't be read can \
                  still\nbe planted, overwritten or destroyed.",
            example: "CREATE POLICY people_insert ON people FOR INSERT WITH CHECK (true);",
            fix: "CREATE POLICY people_isolation ON people USING (organisation_id = current_organisation())\n  WITH \
                  CHECK (organisation_id = current_organisation());",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !policy::applies(scene) {
            return Vec::new();
        }
        let mut cases = Vec::new();
        for (table, _) in policy::owned_tables(scene) {
            for (_, way) in COMMANDS {
                let mut subjects = vec![format!("{way} another")];
                if way != "move" && policy::has_context(scene) {
                    let strangers = Stranger::ALL.iter();
                    subjects.extend(strangers.map(|stranger| format!("{way} {}", stranger.word())));
                }
                cases.extend(subjects.into_iter().map(|subject| {
                    let attempts = attempts(scene, table, &subject, 1);
                    policy::plain_case(self.page().id, &table.name, &subject, attempts)
                }));
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(table) = scene.catalog.root(&case.object) else {
            return Verdict::Inconclusive("the table is not in the catalog".to_owned());
        };
        let way = case.subject.split(' ').next().unwrap_or_default();
        let command = COMMANDS
            .iter()
            .find(|(_, word)| *word == way)
            .map_or("UPDATE", |(command, _)| command);
        if !may(scene, table, command) {
            return Verdict::NotApplicable(format!("the role may not {command}"));
        }
        if way == "merge" && !may(scene, table, "SELECT") {
            return Verdict::NotApplicable("the role may not SELECT, and so not MERGE".to_owned());
        }
        if table.row_security
            && policy::deciding(scene, table, command).is_empty()
            && !table.policies.is_empty()
        {
            return Verdict::NotApplicable(format!("no policy lets the role {command}"));
        }
        if way == "move"
            && !matches!(
                scene.tenancy.classes.get(&table.name),
                Some(Class::Scoped { .. })
            )
        {
            return Verdict::NotApplicable("its rows can't be moved by a column".to_owned());
        }
        if way == "insert"
            && case
                .attempts
                .iter()
                .all(|attempt| attempt.purpose != Purpose::Control)
            && !acting(scene.worlds, &table.name).is_empty()
            && is_one_a_parent(scene, table)
        {
            return Verdict::NotApplicable("its unique keys leave no further row".to_owned());
        }
        let verdict = judge(scene, table, case, command, seen);
        if matches!(verdict, Verdict::Leaked(_)) {
            return verdict;
        }
        // A row may stand in the way of its change for reasons of its own: others are tried.
        let guarded = |observation: &Observation| {
            let refusal = observation.refusal.as_ref();
            refusal.is_some_and(|refusal| refusal.sqlstate.starts_with("23"))
        };
        let more = attempts(scene, table, &case.subject, ROWS);
        if more.len() > case.attempts.len()
            && (!matches!(verdict, Verdict::Held(_)) || seen.iter().any(guarded))
        {
            return Verdict::FollowUp(Box::new(Case {
                attempts: more,
                ..case.clone()
            }));
        }
        // Another guard stopped the attack, as a row that refers to the deleted one does: not the policy.
        let wide = policy::always_true(scene, table, command);
        match wide.filter(|_| case.subject.ends_with(" another")) {
            Some(wide) => Verdict::Leaked(Box::new(always_true(scene, table, wide, command))),
            None => verdict,
        }
    }
}

/// So many rows are tried where the first says nothing.
const ROWS: usize = 3;

/// The attempts of a case over so many rows; none where the role lacks the privilege.
fn attempts(scene: Scene<'_>, table: &Table, subject: &str, rows: usize) -> Vec<Attempt> {
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

/// A policy that holds for every row, though no attack through it worked.
fn always_true(scene: Scene<'_>, table: &Table, wide: &Policy, command: &str) -> Defect {
    let object = table.name.object(&wide.name);
    Defect {
        object: Some(object.clone()),
        severity: Severity::Weakness,
        message: format!(
            "it lets the application's role {command} any row of {}: what was tried was stopped by something else",
            table.name
        ),
        sql: format!(
            "SELECT policyname, cmd, qual, with_check FROM pg_policies WHERE schemaname = {} AND tablename = {} AND \
             policyname = {};",
            literal(&table.name.schema),
            literal(&table.name.name),
            literal(&wide.name)
        ),
        sqlstate: None,
        fix: policy::fix(scene, table, &object),
    }
}

fn judge(
    scene: Scene<'_>,
    table: &Table,
    case: &Case,
    command: &str,
    seen: &[Observation],
) -> Verdict {
    let pairs = || case.attempts.iter().zip(seen);
    for (attack, observation) in pairs().filter(|(attempt, _)| attempt.purpose == Purpose::Attack) {
        let own: u64 = if attack.label == BLANKET {
            // Without a predicate the own rows are changed too: as many as the control of all own rows changed.
            match pairs().find(|(attempt, _)| attempt.label == OWN_ROWS) {
                // It changes none where no policy lets them be read, and then says nothing of how many they are.
                Some((_, control)) if control.worked() && control.affected(0) > 0 => {
                    control.affected(0)
                }
                _ => continue,
            }
        } else {
            0
        };
        if observation.worked() && observation.affected(0) > own && !rewritten(case, seen, attack) {
            return Verdict::Leaked(Box::new(defect(
                scene,
                table,
                case,
                command,
                attack,
                observation.affected(0) - own,
            )));
        }
    }
    let controls = || {
        pairs()
            .filter(|(attempt, _)| attempt.purpose == Purpose::Control && attempt.label != OWN_ROWS)
    };
    if controls().any(|(_, control)| control.worked() && control.affected(0) > 0) {
        let refusal = pairs()
            .filter(|(attempt, _)| attempt.purpose == Purpose::Attack)
            .find_map(|(_, observation)| observation.refusal.as_ref());
        return Verdict::Held(match refusal {
            Some(refusal) => format!("refused ({})", refusal.sqlstate),
            None => "no row was changed".to_owned(),
        });
    }
    let refusal = controls().find_map(|(_, control)| control.refusal.clone());
    match refusal {
        Some(refusal) if matches!(refusal.sqlstate.as_str(), "P0001" | "0A000" | "55000") => {
            Verdict::NotApplicable(format!(
                "no such {command} is accepted at all: {}",
                refusal.message
            ))
        }
        Some(refusal) => Verdict::Inconclusive(format!(
            "the control ({}) failed: {} (SQLSTATE {})",
            case.subject, refusal.message, refusal.sqlstate
        )),
        None => Verdict::Inconclusive(format!(
            "the control ({}) changed no row of its own in its own context",
            case.subject
        )),
    }
}

/// The label of an attack without a predicate, and of its control.
const BLANKET: &str = "without a predicate";
const OWN_ROWS: &str = "all own rows";
/// The label of an INSERT that returns the tenant under which the row was stored.
const AS_STORED: &str = "as stored";

/// A trigger stored the row under the acting tenant: the attack failed, whatever the status.
fn rewritten(case: &Case, seen: &[Observation], attack: &Attempt) -> bool {
    attack.statements[0].starts_with("INSERT")
        && case.attempts.iter().zip(seen).any(|(attempt, observation)| {
            attempt.label == AS_STORED
                && matches!(&attempt.context, Context::Tenant(tenant) if observation.scalar(0) == Some(tenant))
        })
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
    let own =
        crate::check::row::tenant_is(scene.tenancy, &expression, scene.worlds.acting_tenant());
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

fn defect(
    scene: Scene<'_>,
    table: &Table,
    case: &Case,
    command: &str,
    attack: &Attempt,
    rows: u64,
) -> Defect {
    let (way, context) = case.subject.split_once(' ').unwrap_or((&case.subject, ""));
    let done = match way {
        "insert" => "inserted",
        "delete" => "deleted",
        "move" => "moved to another tenant",
        _ => "changed",
    };
    let whose = if context == "another" && way != "move" {
        "another tenant's "
    } else {
        ""
    };
    let with = if context == "another" {
        "in one tenant's context".to_owned()
    } else {
        format!("with {context} context")
    };
    let off = if table.row_security {
        ""
    } else {
        "; row-level security is not enabled"
    };
    Defect {
        object: Some(policy::blamed(scene, table, command)),
        severity: Severity::Leak,
        message: format!(
            "the application's role {done} {rows} {whose}row(s) of {} {with}{off}",
            table.name
        ),
        sql: repeated(scene, attack),
        sqlstate: None,
        fix: policy::fix(scene, table, &policy::blamed(scene, table, command)),
    }
}
