//! A policy whose tenant is computed when a statement is prepared, and not when it is run.

use crate::check::policy::{
    applies, attempt, blamed, deciding, has_context, may, plain_case, planned_tables, repeated,
};
use crate::check::row::tenant_is;
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Context, Defect, Observation, Purpose, Severity, Verdict};

/// The check.
pub(crate) static CHECK: PolicyInPreparedPlan = PolicyInPreparedPlan;

/// Prepares a read of every table in one organisation's context, and runs it in another's.
pub(crate) struct PolicyInPreparedPlan;

const PREPARED: &str = "watertight_plan";

impl Check for PolicyInPreparedPlan {
    fn page(&self) -> Page {
        Page {
            id: "policy-in-prepared-plan",
            title: "a prepared statement keeps the tenant that it was prepared for",
            what: "Logged in as `[access] role`, a read of every table is prepared and run in the context of one \
                   organisation (the\ncontrol: it sees its rows), and run again in the context of another, where it must \
                   not see them.",
            why: "A policy that asks an IMMUTABLE function for the tenant has it computed once, when the plan is made. \
                  Drivers keep\nprepared statements for a connection, and pools hand connections on to the next tenant.",
            example: "CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql IMMUTABLE\n  AS $$ SELECT \
                      current_setting('app.tenant')::uuid $$;",
            fix: "ALTER FUNCTION current_tenant() STABLE;",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let (Some(access), Some(other)) = (&scene.tenancy.access, scene.worlds.tenants.get(1))
        else {
            return Vec::new();
        };
        if !applies(scene) || !has_context(scene) {
            return Vec::new();
        }
        let tenant = scene.worlds.acting_tenant();
        planned_tables(scene)
            .filter(|(table, _)| table.row_security && may(scene, table, "SELECT"))
            .filter(|(table, _)| !deciding(scene, table, "SELECT").is_empty())
            .filter_map(|(table, _)| {
                let owner = scene
                    .tenancy
                    .tenant_expression(scene.catalog, &table.name, "t")?;
                let own = tenant_is(scene.tenancy, &owner, tenant);
                let count = format!("SELECT count(*) FROM {} t WHERE {own}", table.name.quoted());
                let context = Context::Tenant(tenant.to_owned());
                let mut tried = attempt(
                    Purpose::Attack,
                    "in another's context",
                    context,
                    format!("PREPARE {PREPARED} AS {count}"),
                );
                let run = format!("EXECUTE {PREPARED}");
                tried.statements.push(run.clone());
                tried.statements.extend(access.statements(other));
                tried
                    .statements
                    .extend([count, run, format!("DEALLOCATE {PREPARED}")]);
                Some(plain_case(self.page().id, &table.name, "", vec![tried]))
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let table = scene.catalog.root(&case.object);
        let ([attempt], [observation], Some(table)) = (case.attempts.as_slice(), seen, table)
        else {
            return Verdict::Inconclusive("nothing was tried".to_owned());
        };
        if let Some(refusal) = &observation.refusal {
            return Verdict::Inconclusive(format!(
                "it failed: {} (SQLSTATE {})",
                refusal.message, refusal.sqlstate
            ));
        }
        let number = |at: usize| observation.number(at);
        let last = attempt.statements.len() - 1;
        match (number(1), number(last - 2), number(last - 1)) {
            (Some(1..), Some(0), Some(0)) => Verdict::Held("no row was seen".to_owned()),
            (Some(1..), Some(0), Some(rows)) => Verdict::Leaked(Box::new(Defect {
                object: Some(blamed(scene, table, "SELECT")),
                severity: Severity::Leak,
                message: format!(
                    "a statement that was prepared for one organisation shows {rows} of its rows when it is run for \
                     another"
                ),
                sql: repeated(scene, attempt),
                sqlstate: None,
                fix: "Declare the functions that the policy asks for the tenant STABLE: an IMMUTABLE one is computed when \
                      the plan is made"
                    .to_owned(),
            })),
            _ => Verdict::NotApplicable(
                "its rows do not come and go with the context: see row-level-security-read".to_owned(),
            ),
        }
    }
}
