//! A foreign key that takes rows along when what they refer to goes to another tenant.

use crate::check::row::transaction;
use crate::check::ways::Way;
use crate::check::{Check, Page, Scene, mended, reference};
use crate::model::{
    Action, Attempt, Case, Defect, ForeignKey, Observation, Severity, Table, Verdict, literal,
    quoted,
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
                   organisation must\nwork first (the control).",
            why: "One statement that names a single row then hands over everything that hangs on it: notes, messages, \
                  invoices. Without\nthe action the key refuses to move a row that others refer to.",
            example: "FOREIGN KEY (organisation_id, person_id) REFERENCES people (organisation_id, id) ON UPDATE CASCADE",
            fix: "Leave ON UPDATE CASCADE out: ids and tenants never change.",
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
        if case.attempts.is_empty() {
            return Verdict::NotApplicable("no row refers by it".to_owned());
        }
        let mut refused = None;
        let mut failed = None;
        for (attempts, seen) in case.attempts.chunks(2).zip(seen.chunks(2)) {
            let ([_, attack], [control, attacked]) = (attempts, seen) else {
                continue;
            };
            let last = attack.statements.len() - 1;
            if attacked.number(last) > control.number(last) && control.worked() {
                return Verdict::Leaked(Box::new(defect(scene, table, key, attack)));
            }
            match (&control.refusal, &attacked.refusal) {
                (None, Some(refusal)) => refused = Some(refusal.sqlstate.clone()),
                (Some(refusal), _) => failed = Some(refusal.message.clone()),
                (None, None) => {}
            }
        }
        match (refused, failed) {
            (Some(code), _) => Verdict::Held(format!("refused ({code})")),
            (None, Some(message)) => {
                Verdict::NotApplicable(format!("its rows are never moved: {message}"))
            }
            (None, None) => Verdict::Held("no row was moved".to_owned()),
        }
    }
}

/// The moves of what is referred to, with a count of the rows that are other tenants'.
fn attempts(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Vec<Attempt> {
    let Some(tenant) = scene.tenancy.tenant_column(&table.name) else {
        return Vec::new();
    };
    if key.on_update != Action::Cascade {
        return Vec::new();
    }
    let mut attempts = Way::MoveParent.attempts(scene, table, key, 3);
    for attempt in &mut attempts {
        attempt.statements.truncate(Way::writes_at(attempt) + 2);
        attempt.statements.push(format!(
            "SELECT count(*) FROM {} WHERE {}::text <> {}",
            table.name.quoted(),
            quoted(tenant),
            literal(scene.worlds.acting_tenant())
        ));
    }
    attempts
}

fn defect(scene: Scene<'_>, table: &Table, key: &ForeignKey, attack: &Attempt) -> Defect {
    let mut shown = attack.statements.clone();
    if let Some(count) = shown.last().cloned() {
        shown.insert(0, count);
    }
    let still = ForeignKey {
        on_update: Action::NoAction,
        ..key.clone()
    };
    Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "a row of {} was moved to another tenant, and took the rows of {} that refer to it along",
            key.target, table.name
        ),
        sql: transaction(&shown),
        sqlstate: None,
        fix: reference::tenant_pair(scene, table, key).map_or_else(String::new, |pair| {
            mended::rebuilt(scene, table, &still, pair)
        }),
    }
}
