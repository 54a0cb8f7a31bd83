//! TRUNCATE, which no policy stops.

use crate::check::policy::{applies, attempt, may, plain_case, planned_tables, repeated, revoke};
use crate::check::{Check, Page, Scene};
use crate::model::{Attempt, Case, Context, Defect, Observation, Purpose, Severity, Verdict};

/// The check.
pub(crate) static CHECK: TruncatePastPolicies = TruncatePastPolicies;

/// Empties every table, as the application in one organisation's context.
pub(crate) struct TruncatePastPolicies;

impl Check for TruncatePastPolicies {
    fn page(&self) -> Page {
        Page {
            id: "truncate-past-policies",
            title: "the application's role may TRUNCATE a table, which no policy stops",
            what: "Logged in as `[access] role` in the context of one organisation, TRUNCATE is tried of every table of \
                   tenants'\nrows that the role holds the privilege for; where foreign keys refuse it, with CASCADE.",
            why: "Policies don't apply to TRUNCATE: it removes every organisation's rows. GRANT ALL gives it.",
            example: "GRANT ALL ON people TO app;",
            fix: "REVOKE TRUNCATE ON people FROM app;",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
        planned_tables(scene)
            .filter(|(table, _)| table.row_security)
            .map(|(table, _)| {
                let tries = if may(scene, table, "TRUNCATE") {
                    &["", " CASCADE"][..]
                } else {
                    &[]
                };
                let attempts = tries.iter().map(|how| {
                    let sql = format!("TRUNCATE {}{how}", table.name.quoted());
                    attempt(Purpose::Attack, "TRUNCATE", context.clone(), sql)
                });
                plain_case(self.page().id, &table.name, "", attempts.collect())
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let mut tries = case.attempts.iter().zip(seen);
        let Some((attempt, _)) = tries.find(|(_, observation)| observation.refusal.is_none())
        else {
            let Some(attempt) = case.attempts.last() else {
                return Verdict::Held("the role has not the privilege".to_owned());
            };
            return Verdict::Leaked(Box::new(guarded_elsewhere(
                scene,
                case,
                attempt,
                seen.last(),
            )));
        };
        let table = attempt.statements[0].split(' ').nth(1).unwrap_or_default();
        let mut shown = attempt.clone();
        shown.statements.push("RESET ROLE".to_owned());
        shown.statements.push(format!(
            "-- rows that are left, of all organisations:\nSELECT count(*) FROM {table}"
        ));
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Leak,
            message: "TRUNCATE by the application's role removed every organisation's rows: policies don't apply to it"
                .to_owned(),
            sql: repeated(scene, &shown),
            sqlstate: None,
            fix: revoke(scene, "TRUNCATE", table),
        }))
    }
}

/// The role may, and something else stops it today, as a foreign key from a table that it may not empty.
fn guarded_elsewhere(
    scene: Scene<'_>,
    case: &Case,
    attempt: &Attempt,
    seen: Option<&Observation>,
) -> Defect {
    let refusal = seen.and_then(|last| last.refusal.as_ref());
    let table = attempt.statements[0].split(' ').nth(1).unwrap_or_default();
    Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "the application's role may TRUNCATE {}, which no policy stops: what was tried was stopped by something else{}",
            case.object,
            refusal.map_or_else(String::new, |refusal| format!(" ({})", refusal.message))
        ),
        sql: repeated(scene, attempt),
        sqlstate: refusal.map(|refusal| refusal.sqlstate.clone()),
        fix: revoke(scene, "TRUNCATE", table),
    }
}
