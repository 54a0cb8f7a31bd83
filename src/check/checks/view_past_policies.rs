//! A view that shows rows which the policies of its tables would hide.

use crate::check::door::{self, Seen};
use crate::check::policy::{applies, holds, revoke};
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Observation, RelationName, Verdict, View};

/// The check.
pub(crate) static CHECK: ViewPastPolicies = ViewPastPolicies;

/// Asks every view that reads guarded tables, as the application in one organisation's context, in worlds that differ in
/// everyone else's rows.
pub(crate) struct ViewPastPolicies;

impl Check for ViewPastPolicies {
    fn page(&self) -> Page {
        Page {
            id: "view-past-policies",
            title: "a view shows rows that the policies of its tables hide",
            what: "Every view and materialized view that the application's role may read, and that reads tables with \
                   row-level\nsecurity, is read as that role in one organisation's context, in worlds that differ in \
                   everyone else's rows.\nMaterialized views are refreshed in each world. What it shows must be the same.",
            why: "A view reads with the rights of its owner unless it is security_invoker, and an owner above the \
                  policies shows\nevery organisation's rows. A materialized view holds what its owner saw: policies never \
                  apply to it.",
            example: "CREATE VIEW open_invoices AS SELECT * FROM invoices WHERE paid_at IS NULL;",
            fix: "ALTER VIEW open_invoices SET (security_invoker = true);\nOf a materialized view: REVOKE SELECT ON it FROM \
                  the role, and show it through a view that asks for the tenant.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        guarded(scene)
            .filter(|(name, _)| scene.focus.includes(&name.to_string()))
            .map(|(name, view)| {
                let sql = format!("SELECT * FROM {} v", name.quoted());
                let query = door::query(&name.to_string(), sql, Vec::new());
                let bindings = [door::nothing_bound()];
                let asked = if holds(scene, &view.privileges, "SELECT") {
                    &bindings[..]
                } else {
                    &[]
                };
                door::case(scene, self.page().id, &query, asked)
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some((name, view)) = guarded(scene).find(|(name, _)| name.is(&case.object)) else {
            return Verdict::Inconclusive("the view is not in the catalog".to_owned());
        };
        if case.attempts.is_empty() {
            return Verdict::NotApplicable("the role may not read it".to_owned());
        }
        match door::seen(scene, case, seen) {
            Seen::Through(found, attempt) => {
                door::leaked(scene, &found, attempt, fix(scene, name, view))
            }
            Seen::Kept => Verdict::Held("it shows the organisation's rows alone".to_owned()),
            Seen::Refused(code, _) if code == "42501" => Verdict::Held(format!("refused ({code})")),
            Seen::Refused(code, message) => {
                Verdict::Inconclusive(format!("it failed in every world: {message} (SQLSTATE {code})"))
            }
            Seen::Empty if view.invoker => {
                Verdict::Held("it reads with the rights of who asks".to_owned())
            }
            Seen::Empty => Verdict::Inconclusive(
                "it showed no row in any world, so that nothing was proved; with security_invoker the policies of its \
                 tables hold"
                    .to_owned(),
            ),
        }
    }
}

/// Views over tables with policies.
fn guarded(scene: Scene<'_>) -> impl Iterator<Item = (&RelationName, &View)> {
    let views = scene.catalog.views.iter();
    views.filter(move |(_, view)| door::guards(scene, &view.reads))
}

fn fix(scene: Scene<'_>, name: &RelationName, view: &View) -> String {
    if view.materialized {
        return revoke(scene, "SELECT", &name.quoted());
    }
    format!(
        "ALTER VIEW {} SET (security_invoker = true);",
        name.quoted()
    )
}
