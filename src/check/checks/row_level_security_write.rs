//! Rows that the application's role can write without being their tenant.

use crate::check::policy::{self, Stranger, may, repeated};
use crate::check::row::{acting, is_one_a_parent};
use crate::check::writes::{AS_STORED, BLANKET, COMMANDS, OWN_ROWS, attempts, kept};
use crate::check::{Check, Page, Scene};
use crate::model::{
    Attempt, Case, Class, Context, Defect, Observation, Policy, Purpose, Refusal, Severity, Table,
    Verdict, literal,
};

/// The check.
pub(crate) static CHECK: RowLevelSecurityWrite = RowLevelSecurityWrite;

/// Writes to every table logged in as the application, in its own and in other contexts.
pub(crate) struct RowLevelSecurityWrite;

impl Check for RowLevelSecurityWrite {
    fn page(&self) -> Page {
        Page {
            id: "row-level-security-write",
            title: "the application's role writes another tenant's rows",
            what: "Logged in as `[access] role` in the context of one organisation, rows of another are inserted, changed \
                   and\ndeleted, with and without a predicate, and a row of its own is moved to the other; then the same \
                   on its own rows\nwith no, an empty and a malformed context. The same statement on a row of its own, \
                   in its own context, must work first.\nWhere a foreign key keeps the \
                   row from being deleted, the policies let the statement reach it: as a control that is\nenough, and of \
                   another's row it is a weakness.",
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
        for (table, _) in policy::planned_tables(scene) {
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
        if matches!(&verdict, Verdict::Leaked(defect) if defect.severity == Severity::Leak) {
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
        if matches!(verdict, Verdict::Leaked(_)) {
            return verdict;
        }
        // Another guard stopped the attack, as a CHECK does: not the policy.
        let wide = policy::always_true(scene, table, command);
        match wide.filter(|_| case.subject.ends_with(" another")) {
            Some(wide) => Verdict::Leaked(Box::new(always_true(scene, table, wide, command))),
            None => verdict,
        }
    }
}

/// So many rows are tried where the first says nothing.
const ROWS: usize = 3;

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
    // Without a predicate it may be an own row that is kept.
    let mut attacks = pairs()
        .filter(|(attempt, _)| attempt.purpose == Purpose::Attack && attempt.label != BLANKET);
    let reached = attacks.find_map(|(attack, seen)| Some((attack, kept(attack, seen)?)));
    if let Some((attack, refusal)) = reached {
        let defect = kept_alone(scene, table, case, attack, refusal);
        return Verdict::Leaked(Box::new(defect));
    }
    controlled(case, command, seen)
}

/// The verdict where no attack worked: it is its controls'.
fn controlled(case: &Case, command: &str, seen: &[Observation]) -> Verdict {
    let pairs = || case.attempts.iter().zip(seen);
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
    // The policies let the statement reach the own row, which other rows refer to, and no other row.
    if let Some(refusal) = controls().find_map(|(attempt, seen)| kept(attempt, seen)) {
        return Verdict::Held(format!(
            "no row was reached but the own, which a foreign key keeps ({})",
            refusal.sqlstate
        ));
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

/// A trigger stored the row under the acting tenant: the attack failed, whatever the status.
fn rewritten(case: &Case, seen: &[Observation], attack: &Attempt) -> bool {
    attack.statements[0].starts_with("INSERT")
        && case.attempts.iter().zip(seen).any(|(attempt, observation)| {
            attempt.label == AS_STORED
                && matches!(&attempt.context, Context::Tenant(tenant) if observation.scalar(0) == Some(tenant))
        })
}

/// A row that the policies let a DELETE reach: another layer kept it.
fn kept_alone(
    scene: Scene<'_>,
    table: &Table,
    case: &Case,
    attack: &Attempt,
    refusal: &Refusal,
) -> Defect {
    let (_, context) = case.subject.split_once(' ').unwrap_or_default();
    let (whose, with) = if context == "another" {
        ("another tenant's row", "in one tenant's context".to_owned())
    } else {
        ("a row", format!("with {context} context"))
    };
    Defect {
        severity: Severity::Weakness,
        message: format!(
            "a DELETE by the application's role reached {whose} of {} {with}: only the foreign key {} kept it",
            table.name,
            refusal.constraint.as_deref().unwrap_or_default()
        ),
        sqlstate: Some(refusal.sqlstate.clone()),
        ..defect(scene, table, case, "DELETE", attack, 0)
    }
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
