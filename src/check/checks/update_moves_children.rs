//! A foreign key that takes rows along when what they refer to goes to another tenant.

use crate::check::row::transaction;
use crate::check::ways::Way;
use crate::check::{Check, Page, Scene, mended, policy, reference};
use crate::model::{
    Action, Attempt, Case, Context, Defect, ForeignKey, Observation, Purpose, Refusal, Session,
    Severity, Table, Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: UpdateMovesChildren = UpdateMovesChildren;

/// Moves what is referred to into another tenant where a key has ON UPDATE CASCADE.
pub(crate) struct UpdateMovesChildren;

impl Check for UpdateMovesChildren {
    fn page(&self) -> Page {
        Page {
            id: "update-moves-children",
            title: "ON UPDATE CASCADE takes rows into another tenant",
            what: "Where a foreign key that carries the tenant has ON UPDATE CASCADE, a row that is referred to is moved into \
                   another\norganisation, and the rows that refer to it are looked for there. The same statement inside one \
                   organisation must\nwork first (the control). It is a weakness where the application's role can do it in its own \
                   context, and else a note:\nthe rows stay with what they refer to, and only who may move that one moves them; likewise where \
                   something else stopped what was tried.",
            why: "One statement that names a single row then hands over everything that hangs on it: notes, messages, \
                  invoices. Without\nthe action the key refuses to move a row that others refer to.",
            example: "FOREIGN KEY (organisation_id, person_id) REFERENCES people (organisation_id, id) ON UPDATE CASCADE",
            fix: "Leave ON UPDATE CASCADE out: ids and tenants never change. (It is the default of some tools' migrations, as \
                  of\nPrisma's: onUpdate: NoAction.)",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        reference::all(scene)
            .filter(|(table, key)| reference::tenant_pair(scene, table, key).is_some())
            .map(|(table, key)| {
                reference::case(self.page().id, table, key, attempts(scene, table, key))
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some((table, key)) = reference::find(scene.catalog, &case.object) else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        if key.on_update != Action::Cascade {
            return Verdict::Held("it moves nothing".to_owned());
        }
        let mut stopped = None;
        let mut moved = None;
        let each = if scene.tenancy.access.is_some() { 3 } else { 2 };
        for (attempts, seen) in case.attempts.chunks(each).zip(seen.chunks(each)) {
            let ([_, attack, application @ ..], [control, attacked, applied @ ..]) =
                (attempts, seen)
            else {
                continue;
            };
            let last = attack.statements.len() - 1;
            if attacked.number(last) > control.number(last) && control.worked() {
                let writes_at = Way::writes_at(attack);
                let mut applied = application.iter().zip(applied);
                let by = applied
                    .find(|(_, seen)| seen.worked() && seen.affected(writes_at) > 0)
                    .map(|(attempt, _)| attempt);
                if by.is_some() {
                    return Verdict::Leaked(Box::new(defect(scene, table, key, attack, by)));
                }
                moved = moved.or(Some(attack));
            }
            let refusal = control.refusal.as_ref().or(attacked.refusal.as_ref());
            stopped = stopped.or(refusal);
        }
        Verdict::Leaked(Box::new(match moved {
            Some(attack) => defect(scene, table, key, attack, None),
            None => latent(scene, table, key, stopped),
        }))
    }
}

/// The moves of what is referred to: a control, an attack, and, where it is known, the same as the application; each with a
/// count of the rows that are other tenants'.
fn attempts(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Vec<Attempt> {
    let Some(tenant) = scene.tenancy.tenant_column(&table.name) else {
        return Vec::new();
    };
    if key.on_update != Action::Cascade {
        return Vec::new();
    }
    let mut attempts = Vec::new();
    for mut attempt in Way::MoveParent.attempts(scene, table, key, 3) {
        attempt.statements.push(format!(
            "SELECT count(*) FROM {} WHERE {}::text <> {}",
            table.name.quoted(),
            quoted(tenant),
            literal(scene.worlds.acting_tenant())
        ));
        let access = scene.tenancy.access.as_ref();
        let application = access
            .filter(|_| attempt.purpose == Purpose::Attack)
            .map(|_| Attempt {
                purpose: Purpose::Probe,
                session: Session::Application,
                context: Context::Tenant(scene.worlds.acting_tenant().to_owned()),
                ..attempt.clone()
            });
        attempts.push(attempt);
        attempts.extend(application);
    }
    attempts
}

/// What is written in the key, where no row could be moved: another guard keeps it from happening today.
fn latent(scene: Scene<'_>, table: &Table, key: &ForeignKey, stopped: Option<&Refusal>) -> Defect {
    let by = stopped.map_or_else(
        || "no row could be tried".to_owned(),
        |refusal| {
            let (code, why) = (&refusal.sqlstate, &refusal.message);
            format!("what was tried was stopped by something else ({code}: {why})")
        },
    );
    Defect {
        object: None,
        severity: Severity::Note,
        message: format!(
            "where a row of {} is moved to another tenant, the rows of {} that refer to it go along: {by}",
            key.target, table.name
        ),
        sql: reference::definition(table, key),
        sqlstate: stopped.map(|refusal| refusal.sqlstate.clone()),
        fix: unfollowed(scene, table, key),
    }
}

/// The key that moves nothing.
fn unfollowed(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    let still = ForeignKey {
        on_update: Action::NoAction,
        ..key.clone()
    };
    reference::tenant_pair(scene, table, key).map_or_else(String::new, |pair| {
        mended::rebuilt(scene, table, &still, pair)
    })
}

/// A finding; `application` is what the application's role did of it.
fn defect(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    attack: &Attempt,
    application: Option<&Attempt>,
) -> Defect {
    let mut shown = attack.statements.clone();
    if let Some(count) = shown.last().cloned() {
        shown.insert(0, count);
    }
    let (severity, by) = match (application, &scene.tenancy.access) {
        (Some(_), _) => (Severity::Weakness, ": the application's role can do so"),
        (None, Some(_)) => (Severity::Note, ": not by the application's role"),
        (None, None) => (Severity::Note, ""),
    };
    Defect {
        object: None,
        severity,
        message: format!(
            "a row of {} was moved to another tenant, and took the rows of {} that refer to it along{by}",
            key.target, table.name
        ),
        sql: application.map_or_else(
            || transaction(&shown),
            |application| {
                // What went to the other tenant is out of the role's sight.
                let mut shown = application.clone();
                let count = shown.statements.len() - 1;
                shown.statements.insert(count, "RESET ROLE".to_owned());
                policy::repeated(scene, &shown)
            },
        ),
        sqlstate: None,
        fix: unfollowed(scene, table, key),
    }
}
