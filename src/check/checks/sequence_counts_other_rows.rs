//! Sequences that number every tenant's rows, where the application may ask them.

use crate::check::policy::{applies, attempt, plain_case, repeated, revoke};
use crate::check::{Check, Page, Scene};
use crate::model::{
    Case, Class, Context, Defect, Observation, Purpose, RelationName, Sequence, Severity, Verdict,
    literal,
};

/// The check.
pub(crate) static CHECK: SequenceCountsOtherRows = SequenceCountsOtherRows;

/// Asks every sequence that numbers tenants' rows, as the application.
pub(crate) struct SequenceCountsOtherRows;

impl Check for SequenceCountsOtherRows {
    fn page(&self) -> Page {
        Page {
            id: "sequence-counts-other-rows",
            title: "a sequence tells how many rows all tenants have made",
            what: "Logged in as `[access] role`, every sequence that numbers the rows of a table with tenants is asked where it \
                   stands\n(SELECT), and for its next value (USAGE), in one organisation's context.",
            why: "A sequence knows no policies: its value is how many rows all organisations have made, and two of them tell how \
                  many\nwere made in between. Ids that it gave out tell the same. A note, which never fails a run.",
            example: "CREATE TABLE invoices (organisation_id uuid, id bigserial, …);\nGRANT USAGE, SELECT ON SEQUENCE \
                      invoices_id_seq TO app;",
            fix: "Where the number of rows is nobody's business: ids by gen_random_uuid(), or a number for each organisation. An\n\
                  identity column needs no privilege on its sequence: GENERATED ALWAYS AS IDENTITY, and REVOKE ALL ON SEQUENCE.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        let numbering = scene.catalog.sequences.iter();
        let numbering = numbering.filter(|sequence| {
            let mut feeds = sequence.feeds.iter();
            feeds.any(|(table, _)| scene.focus.concerns(table) && is_owned(scene, table))
        });
        let case = |sequence: &Sequence| {
            let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
            let asked = questions(sequence)
                .map(|sql| attempt(Purpose::Attack, "asked", context.clone(), sql));
            plain_case(self.page().id, &sequence.name, "", asked.into())
        };
        numbering.map(case).collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let answered = case
            .attempts
            .iter()
            .zip(seen)
            .find(|(_, seen)| seen.worked());
        let Some((attempt, _)) = answered else {
            let refusal = seen.first().and_then(|seen| seen.refusal.as_ref());
            return match refusal {
                Some(refusal) if refusal.sqlstate == "42501" => {
                    Verdict::Held("refused (42501)".to_owned())
                }
                Some(refusal) => Verdict::Inconclusive(format!(
                    "it failed: {} (SQLSTATE {})",
                    refusal.message, refusal.sqlstate
                )),
                None => Verdict::Inconclusive("nothing was tried".to_owned()),
            };
        };
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Note,
            message: "the application may ask it how many rows all tenants have made".to_owned(),
            sql: repeated(scene, attempt),
            sqlstate: None,
            fix: format!(
                "Where that is nobody's business: an identity column or a uuid, and {}",
                revoke(scene, "ALL", &format!("SEQUENCE {}", case.object))
            ),
        }))
    }
}

fn is_owned(scene: Scene<'_>, table: &RelationName) -> bool {
    let class = scene.tenancy.class(scene.catalog, table);
    matches!(class, Some(Class::Scoped { .. } | Class::Derived { .. }))
}

/// What tells where it stands, by either privilege.
fn questions(sequence: &Sequence) -> [String; 2] {
    let name = sequence.name.quoted();
    [
        format!("SELECT last_value IS NOT NULL AS told FROM {name}"),
        format!(
            "SELECT pg_catalog.nextval({}) IS NOT NULL AS told",
            literal(&name)
        ),
    ]
}
