//! A trigger or rule that writes to another tenant's rows.

use crate::check::policy::planned_tables;
use crate::check::row::{
    RowRef, acting, free_column, insert, predicate, spare, transaction, update,
};
use crate::check::{Check, Page, Scene, witness};
use crate::model::{
    Attempt, Case, Context, Defect, Observation, Output, Purpose, RelationName, Session, Severity,
    Stage, Table, Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: TriggerReachesOtherTenant = TriggerReachesOtherTenant;

/// Writes a tenant's own rows where triggers or rules are, and looks at everyone else's.
pub(crate) struct TriggerReachesOtherTenant;

/// The commands, each a case of its own.
const COMMANDS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// So many rows are tried.
const ROWS: usize = 2;

const OWNER: &str = "as the owner";
const APPLICATION: &str = "as the application";

impl Check for TriggerReachesOtherTenant {
    fn page(&self) -> Page {
        Page {
            id: "trigger-reaches-other-tenant",
            title: "a trigger or rule changes another tenant's rows",
            what: "Where a table has triggers or rules, an organisation's own row is inserted, changed and deleted, with \
                   row-level security\nout of the way. All rows of other organisations, in every table, must be as before. \
                   What row-level security stops, when\nthe application's role does the same, is a weakness.",
            why: "What a trigger writes is seen by nobody who reads the statement. A counter that is kept by a name, a parent \
                  that is\nlooked up by an id alone, or a rule without a predicate changes rows of whoever has the same \
                  value. SECURITY DEFINER\nfunctions and rules do so past the policies.",
            example: "CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n  UPDATE tag_counts SET n = n + 1 \
                      WHERE tag = NEW.tag; RETURN NEW; END $$;",
            fix: "UPDATE tag_counts SET n = n + 1\n  WHERE organisation_id = NEW.organisation_id AND tag = NEW.tag;",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        planned_tables(scene)
            .map(|(table, _)| table)
            .filter(|table| !table.triggers.is_empty())
            .flat_map(|table| {
                COMMANDS.map(|command| Case {
                    check: self.page().id,
                    object: table.name.to_string(),
                    subject: command.to_owned(),
                    attempts: attempts(scene, table, command),
                })
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(table) = scene.catalog.root(&case.object) else {
            return Verdict::Inconclusive("the table is not in the catalog".to_owned());
        };
        let of = |label: &'static str| {
            let pairs = case.attempts.iter().zip(seen);
            pairs.filter(move |(attempt, _)| attempt.label == label)
        };
        let reached = |label| {
            of(label).find_map(|(attempt, seen)| {
                let (before, after) = seen.witnessed.as_deref()?;
                let tables = changed(before, after);
                (!tables.is_empty()).then_some((attempt, tables))
            })
        };
        if let Some((attempt, tables)) = reached(OWNER) {
            let applies = of(APPLICATION).next().is_some();
            let masked = applies && reached(APPLICATION).is_none();
            return Verdict::Leaked(Box::new(defect(
                scene, table, case, attempt, &tables, masked,
            )));
        }
        if let Some((attempt, tables)) = reached(APPLICATION) {
            return Verdict::Leaked(Box::new(defect(
                scene, table, case, attempt, &tables, false,
            )));
        }
        if of(OWNER).any(|(_, seen)| seen.worked()) {
            return Verdict::Held("nobody else's row was changed".to_owned());
        }
        let why = of(OWNER).find_map(|(_, seen)| seen.refusal.as_ref());
        Verdict::NotApplicable(why.map_or_else(
            || "there is no row to write".to_owned(),
            |refusal| format!("no such {} is accepted: {}", case.subject, refusal.message),
        ))
    }
}

/// The tables whose digests differ.
fn changed(before: &Output, after: &Output) -> Vec<String> {
    let name = |row: &Vec<Option<String>>| row.first().cloned().flatten();
    let differ = before.rows.iter().filter(|row| !after.rows.contains(row));
    differ.filter_map(name).collect()
}

/// A command on a few own rows, as the owner, and as the application where it is known.
fn attempts(scene: Scene<'_>, table: &Table, command: &str) -> Vec<Attempt> {
    let witness = witness::theirs(scene);
    let own = acting(scene.worlds, &table.name);
    let writes: Vec<String> = match command {
        "INSERT" => spare(scene.worlds, 0, &table.name)
            .into_iter()
            .take(ROWS)
            .map(|row| insert(&table.name, row, &[]))
            .collect(),
        "UPDATE" => changes(table, &own),
        _ => own
            .iter()
            .rev()
            .take(ROWS)
            .map(|row| {
                let condition = predicate(table, *row);
                format!("DELETE FROM {} WHERE {condition}", table.name.quoted())
            })
            .collect(),
    };
    let attempt = |label: &str, mut statements: Vec<String>, write: &String| {
        statements.push(write.clone());
        statements.push("SET CONSTRAINTS ALL IMMEDIATE".to_owned());
        Attempt {
            purpose: Purpose::Attack,
            label: label.to_owned(),
            session: Session::Owner,
            context: Context::Unset,
            stage: Stage::Seeded,
            statements,
            witness: Some(witness.clone()),
        }
    };
    let mut found: Vec<Attempt> = writes
        .iter()
        .map(|write| attempt(OWNER, Vec::new(), write))
        .collect();
    if let Some(access) = &scene.tenancy.access {
        let tenant = scene.worlds.acting_tenant();
        let role = format!("SET LOCAL ROLE {}", quoted(&access.role_of(tenant)));
        let mut before = vec![role];
        before.extend(access.statements(tenant));
        found.extend(
            writes
                .iter()
                .map(|write| attempt(APPLICATION, before.clone(), write)),
        );
    }
    found
}

/// Changes of rows: a column takes another row's value, or its own where there is no other.
fn changes(table: &Table, own: &[RowRef<'_>]) -> Vec<String> {
    let Some(column) = free_column(table) else {
        return Vec::new();
    };
    let rows = own.iter().rev().take(ROWS);
    rows.map(|row| {
        let now = row.cell(&column.name);
        let others = own.iter().map(|other| other.cell(&column.name));
        let value = others
            .into_iter()
            .find(|value| *value != now && value.is_some());
        let value = value.unwrap_or(now).map(str::to_owned);
        update(table, *row, &[(column.name.clone(), value)])
    })
    .collect()
}

fn defect(
    scene: Scene<'_>,
    table: &Table,
    case: &Case,
    attempt: &Attempt,
    changed: &[String],
    masked: bool,
) -> Defect {
    let looks: Vec<String> = scene
        .tenancy
        .owned()
        .filter(|name| changed.contains(&name.to_string()))
        .filter_map(|name| others_rows(scene, name))
        .collect();
    let mut statements = looks.clone();
    statements.extend(attempt.statements.iter().cloned());
    if attempt.label == APPLICATION {
        statements.push("RESET ROLE".to_owned());
    }
    statements.extend(looks);
    let policies = if masked {
        "; masked by row-level security when the application's role does so"
    } else {
        ""
    };
    let names = table.triggers.join(", ");
    Defect {
        object: match table.triggers.as_slice() {
            [one] => Some(table.name.object(one)),
            _ => None,
        },
        severity: if masked {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message: format!(
            "{} of a tenant's own row of {} changed other tenants' rows of {} (by {names}){policies}",
            case.subject,
            table.name,
            changed.join(", ")
        ),
        sql: transaction(&statements),
        sqlstate: None,
        fix: format!(
            "Compare the tenant, too, in what {names} on {} writes",
            table.name
        ),
    }
}

/// Shows whether other tenants' rows of a table are as they were.
fn others_rows(scene: Scene<'_>, table: &RelationName) -> Option<String> {
    let owner = scene.tenancy.tenant_expression(scene.catalog, table, "t")?;
    let acting = literal(scene.worlds.acting_tenant());
    Some(format!(
        "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t WHERE {owner}::text <> {acting}",
        table.quoted()
    ))
}
