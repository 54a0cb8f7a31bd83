//! A tenant's context that stays in the session when its transaction is over.

use crate::check::policy::{self, applies, attempt, has_context, may, owned_tables};
use crate::check::row::tenant_is;
use crate::check::{Check, Page, Scene};
use crate::model::{
    Attempt, Case, Context, Defect, Observation, Purpose, Refusal, Session, Severity, Stage, Table,
    Verdict, quoted,
};

/// The check.
pub(crate) static CHECK: ContextOutlivesTransaction = ContextOutlivesTransaction;

/// Commits a transaction with a tenant's context, and reads in the next one of the same session.
pub(crate) struct ContextOutlivesTransaction;

impl Check for ContextOutlivesTransaction {
    fn page(&self) -> Page {
        Page {
            id: "context-outlives-transaction",
            title: "a tenant's context stays in the connection",
            what: "Logged in as `[access] role`, one organisation's context is set in a transaction that is committed. The \
                   next\ntransaction of the same session sets none, and must see no row of the first table with policies \
                   that the role may\nread. In the first transaction the organisation sees its own rows (the control). Where \
                   PgBouncer is installed and the\nserver is the harness's own, another client does the same behind it, in \
                   transaction mode.",
            why: "A pool hands the same connection to one user after the other; PgBouncer in transaction mode resets nothing \
                  between\nthem. Whoever forgets to set a context, or fails while doing so, acts as the organisation before.",
            example: "[access]\ncontext = [\"SELECT set_config('app.organisation_id', $1, false)\"]  # or SET, without LOCAL",
            fix: "SELECT set_config('app.organisation_id', $1, true), or SET LOCAL: the setting ends with its transaction.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) || !has_context(scene) {
            return Vec::new();
        }
        let mut tables = owned_tables(scene).map(|(table, _)| table);
        let guarded = tables.find(|table| table.row_security && may(scene, table, "SELECT"));
        let case = |table: &Table| {
            let attempts = attempts(scene, table);
            policy::plain_case(self.page().id, &table.name, "", attempts)
        };
        guarded.map(case).into_iter().collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let ([control, attack, _, _], [controlled, attacked, never, pooled]) =
            (case.attempts.as_slice(), seen)
        else {
            return Verdict::Inconclusive("nothing was tried".to_owned());
        };
        if controlled.number(control.statements.len() - 2).unwrap_or(0) == 0 {
            let why = controlled.refusal.as_ref().map_or("", |one| &one.message);
            return Verdict::Inconclusive(format!(
                "the role does not see its own rows in its own context, so that nothing was proved. {why}"
            ));
        }
        // The attack's statements are the same by either way.
        let last = attack.statements.len() - 1;
        let after = |seen: &Observation| seen.number(last).unwrap_or(0);
        let rows = after(attacked).max(after(pooled));
        if rows == 0 {
            return Verdict::Held(held(attacked, pooled));
        }
        if rows <= never.number(0).unwrap_or(0) {
            return Verdict::NotApplicable("its rows are seen without a context, too".to_owned());
        }
        let who = if after(pooled) > 0 {
            "another client behind PgBouncer in transaction mode, which set none,"
        } else {
            "the next transaction on the connection, which set none,"
        };
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Leak,
            message: format!(
                "the context that [access] sets is there after COMMIT: {who} saw {rows} rows of {}",
                case.object
            ),
            sql: shown(scene, attack),
            sqlstate: None,
            fix: "Set it for the transaction alone: set_config(…, true) or SET LOCAL".to_owned(),
        }))
    }
}

/// Why nothing was seen, and whether a pooler was there.
fn held(attacked: &Observation, pooled: &Observation) -> String {
    let direct = match &attacked.refusal {
        Some(refusal) => format!("refused ({})", refusal.sqlstate),
        None => "the context ended with its transaction".to_owned(),
    };
    match &pooled.refusal {
        Some(refusal) if refusal.sqlstate == Refusal::NO_POOLER => {
            format!(
                "{direct}; behind PgBouncer it was not tried: {}",
                refusal.message
            )
        }
        _ => format!("{direct}, behind PgBouncer as well"),
    }
}

/// As the organisation in a transaction; and in the transaction after it: of the same session, and of another client.
fn attempts(scene: Scene<'_>, table: &Table) -> Vec<Attempt> {
    let (Some(access), Some(owner)) = (
        scene.tenancy.access.as_ref(),
        scene
            .tenancy
            .tenant_expression(scene.catalog, &table.name, "t"),
    ) else {
        return Vec::new();
    };
    let tenant = scene.worlds.acting_tenant();
    let count = format!(
        "SELECT count(*) FROM {} t WHERE {}",
        table.name.quoted(),
        tenant_is(scene.tenancy, &owner, tenant)
    );
    let begun = || {
        let begin = std::iter::once("BEGIN".to_owned());
        begin.chain(access.statements(tenant))
    };
    let (commit, counted) = ("COMMIT".to_owned(), count.clone());
    let control = begun().chain([counted, commit.clone()]);
    let attack = begun().chain([commit, count.clone()]);
    let attack: Vec<String> = attack.collect();
    let pooled = Stage::Beside {
        first: Session::Application,
        pooled: true,
    };
    [
        (Purpose::Control, Stage::Thrown, control.collect()),
        (Purpose::Attack, Stage::Thrown, attack.clone()),
        // In a session that never had one: what is open anyway says nothing of the context.
        (Purpose::Probe, Stage::Thrown, vec![count]),
        (Purpose::Attack, pooled, attack),
    ]
    .map(|(purpose, stage, statements)| Attempt {
        stage,
        statements,
        ..attempt(purpose, "after COMMIT", Context::Unset, String::new())
    })
    .into()
}

/// For `psql`: nothing but a setting is committed.
fn shown(scene: Scene<'_>, attack: &Attempt) -> String {
    let access = scene.tenancy.access.as_ref();
    let role = access.map_or_else(String::new, |access| {
        quoted(&access.role_of(scene.worlds.acting_tenant()))
    });
    let mut statements = attack.statements.clone();
    if let Some(count) = statements.last_mut() {
        *count = count.replacen("count(*)", "count(*) > 0", 1);
    }
    format!(
        "SET ROLE {role};\n{};\nRESET ROLE;\n",
        statements.join(";\n")
    )
}
