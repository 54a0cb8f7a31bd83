//! A foreign key whose tenant column is compared with something else.

use crate::check::{Check, Page, Scene, mended, reference};
use crate::model::{Case, Defect, Observation, Severity, Verdict};

/// The check.
pub(crate) static CHECK: MispairedKey = MispairedKey;

/// Reads the pairs of columns of every foreign key by their positions.
pub(crate) struct MispairedKey;

impl Check for MispairedKey {
    fn page(&self) -> Page {
        Page {
            id: "mispaired-key",
            title: "a foreign key compares the tenant with something else",
            what: "Read off the catalog, by position: where a foreign key of several columns has the tenant column, it stands \
                   opposite\nthe tenant column of the table referred to.",
            why: "FOREIGN KEY (a, b) REFERENCES t (c, d) compares a with c and b with d, whatever they are called. With the \
                  columns in\nanother order the key looks as if it carried the tenant, and holds nobody to it.",
            example: "FOREIGN KEY (organisation_id, person_id) REFERENCES people (id, organisation_id)",
            fix: "FOREIGN KEY (organisation_id, person_id) REFERENCES people (organisation_id, id)",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        reference::all(scene)
            .filter(|(table, key)| reference::opposites(scene, table, key).is_some())
            .map(|(table, key)| reference::case(self.page().id, table, key, Vec::new()))
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let Some((table, key)) = reference::find(scene.catalog, &case.object) else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        let Some((own, opposite, theirs)) = reference::opposites(scene, table, key) else {
            return Verdict::Inconclusive("the key has no tenant column".to_owned());
        };
        if opposite == theirs {
            return Verdict::Held("the tenant stands opposite the tenant".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Weakness,
            message: format!(
                "it compares {own} of {} with {opposite} of {}, whose tenant column is {theirs}",
                table.name, key.target
            ),
            sql: reference::definition(table, key),
            sqlstate: None,
            fix: mended::swapped(scene, table, key),
        }))
    }
}
