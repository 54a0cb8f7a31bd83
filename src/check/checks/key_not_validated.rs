//! A foreign key that old rows were never held to.

use crate::check::{Check, Page, Scene, reference};
use crate::model::{Case, Defect, Observation, Severity, Verdict, quoted};

/// The check.
pub(crate) static CHECK: KeyNotValidated = KeyNotValidated;

/// Reads off the catalog whether keys were validated.
pub(crate) struct KeyNotValidated;

impl Check for KeyNotValidated {
    fn page(&self) -> Page {
        Page {
            id: "key-not-validated",
            title: "a foreign key was never checked against the rows that were there",
            what: "Read off the catalog: every foreign key between tenants' rows is validated. (One that is NOT ENFORCED is \
                   no guard at\nall: cross-tenant-reference attacks it.)",
            why: "NOT VALID holds new rows to the key and looks at no old one. What crossed before it was added is still \
                  there, is\njoined and shown, and no error ever says so.",
            example: "ALTER TABLE notes ADD FOREIGN KEY (organisation_id, person_id)\n  REFERENCES people (organisation_id, \
                      id) NOT VALID;",
            fix: "ALTER TABLE notes VALIDATE CONSTRAINT notes_person_fkey;\nIt reads the table under a lock that lets \
                  others write, and names the first row that does not fit.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        reference::all(scene)
            .filter(|(_, key)| key.enforced)
            .map(|(table, key)| reference::case(self.page().id, table, key, Vec::new()))
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        match reference::find(scene.catalog, &case.object) {
            None => Verdict::Inconclusive("the key is not in the catalog".to_owned()),
            Some((_, key)) if key.validated => Verdict::Held("validated".to_owned()),
            Some((table, key)) => Verdict::Leaked(Box::new(Defect {
                object: None,
                severity: Severity::Weakness,
                message: format!(
                    "it is NOT VALID: rows of {} that were there before it may refer to another tenant's row of {}",
                    table.name, key.target
                ),
                sql: reference::definition(table, key),
                sqlstate: None,
                fix: format!(
                    "ALTER TABLE {} VALIDATE CONSTRAINT {};",
                    table.name.quoted(),
                    quoted(&key.name)
                ),
            })),
        }
    }
}
