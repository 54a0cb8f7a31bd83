//! An index whose first column is not the tenant's.

use crate::check::{Check, Page, Scene, mended};
use crate::model::{Case, Class, Defect, IndexKey, Observation, Severity, Verdict, literal};

/// The check.
pub(crate) static CHECK: IndexWithoutTenant = IndexWithoutTenant;

/// Reads the first column of every index that is not unique.
pub(crate) struct IndexWithoutTenant;

impl Check for IndexWithoutTenant {
    fn page(&self) -> Page {
        Page {
            id: "index-without-tenant",
            title: "an index does not begin with the tenant",
            what: "The first column of every plain index of a scoped table. (Unique ones: see unique-without-tenant.)",
            why: "Nothing leaks through it. But a query of one organisation reads pages that are full of the others' \
                  entries:\nits cost grows with their rows. A note, which never fails a run.",
            example: "CREATE INDEX people_name_idx ON people (name);",
            fix: "CREATE INDEX people_name_idx ON people (organisation_id, name);",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let mut cases = Vec::new();
        for table in scene.tables() {
            if !matches!(
                scene.tenancy.classes.get(&table.name),
                Some(Class::Scoped { .. })
            ) {
                continue;
            }
            for index in table
                .indexes
                .iter()
                .filter(|index| !index.unique && !index.exclusion)
            {
                cases.push(Case {
                    check: self.page().id,
                    object: table.name.object(&index.name),
                    subject: String::new(),
                    attempts: Vec::new(),
                });
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let index = table
                .indexes
                .iter()
                .find(|index| table.name.names(&index.name, &case.object))?;
            Some((table, index))
        });
        let Some((table, index)) = found else {
            return Verdict::Inconclusive("the index is not in the catalog".to_owned());
        };
        let tenant = scene.tenancy.tenant_column(&table.name).unwrap_or_default();
        if matches!(index.keys.first(), Some(IndexKey::Column(first)) if first == tenant) {
            return Verdict::Held("the tenant comes first".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Note,
            message: format!(
                "its first column is not {tenant}: its cost grows with the other tenants' rows"
            ),
            sql: format!(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = {} AND indexname = {};",
                literal(&table.name.schema),
                literal(&index.name)
            ),
            sqlstate: None,
            fix: mended::index(scene, table, index),
        }))
    }
}
