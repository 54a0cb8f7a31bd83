//! A table of which nobody knows whose its rows are.

use crate::check::{Check, Page, Scene};
use crate::model::{Case, Class, Observation, Verdict};

/// The check.
pub(crate) static CHECK: UnclassifiedTable = UnclassifiedTable;

/// Looks for tables that are neither a tenant's, linked, nor shared.
pub(crate) struct UnclassifiedTable;

impl Check for UnclassifiedTable {
    fn page(&self) -> Page {
        Page {
            id: "unclassified-table",
            title: "nobody knows whose a table's rows are",
            what: "Every table is the tenants' root, has the tenant column, derives its tenant from a parent by a NOT NULL \
                   key,\nor is declared linked or shared.",
            why: "What can't be told apart can't be attacked: the table was not checked, and the run says so instead of \
                  passing.",
            example: "CREATE TABLE exports (id uuid PRIMARY KEY, file text); -- whose?",
            fix: "In watertight.toml: [tenant] shared = [\"public.exports\"], linked = { … }, columns = { … } or derived \
                  = { … }.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        scene
            .tenancy
            .classes
            .iter()
            .filter(|(_, class)| **class != Class::History)
            .map(|(table, _)| Case {
                check: self.page().id,
                object: table.to_string(),
                subject: String::new(),
                attempts: Vec::new(),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let class = scene
            .tenancy
            .classes
            .iter()
            .find(|(name, _)| name.is(&case.object));
        match class {
            Some((_, Class::Unclassified { advice })) => Verdict::Inconclusive(format!(
                "nobody knows whose its rows are; settle it with {advice}"
            )),
            Some((_, class)) => Verdict::Held(class.word().to_owned()),
            None => Verdict::Inconclusive("the table is not in the catalog".to_owned()),
        }
    }
}
