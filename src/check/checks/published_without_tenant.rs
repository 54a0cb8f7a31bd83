//! A publication that sends the rows of all tenants.

use crate::check::policy::planned_tables;
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Defect, Observation, Severity, Table, Tokens, Verdict, literal};

/// The check.
pub(crate) static CHECK: PublishedWithoutTenant = PublishedWithoutTenant;

/// Reads the row filters of publications.
pub(crate) struct PublishedWithoutTenant;

impl Check for PublishedWithoutTenant {
    fn page(&self) -> Page {
        Page {
            id: "published-without-tenant",
            title: "a publication sends every tenant's rows",
            what: "Read off the catalog: in every publication for logical replication, the row filter of a table with tenants \
                   compares\nthe tenant.",
            why: "Policies don't hold for what is replicated: whoever subscribes has the rows of all organisations. For one's \
                  own\nreplicas and search indexes that is what is wanted. A note, which never fails a run.",
            example: "CREATE PUBLICATION partner FOR TABLE people;",
            fix: "A publication for each organisation that is replicated to somebody else:\nCREATE PUBLICATION partner FOR \
                  TABLE people WHERE (organisation_id = '…');",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        planned_tables(scene)
            .flat_map(|(table, _)| table.published.iter().map(move |one| (table, one)))
            .map(|(table, publication)| Case {
                check: self.page().id,
                object: table.name.to_string(),
                subject: publication.name.clone(),
                attempts: Vec::new(),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let Some(table) = scene.catalog.root(&case.object) else {
            return Verdict::Inconclusive("the table is not in the catalog".to_owned());
        };
        let mut published = table.published.iter();
        let Some(publication) = published.find(|one| one.name == case.subject) else {
            return Verdict::Inconclusive("the publication is not in the catalog".to_owned());
        };
        let filter = publication.filter.as_deref().unwrap_or_default();
        if names_tenant(scene, table, filter) {
            return Verdict::Held("its row filter compares the tenant".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Note,
            message: format!(
                "the publication {} sends its rows of every tenant",
                publication.name
            ),
            sql: format!(
                "SELECT pubname, rowfilter FROM pg_publication_tables WHERE schemaname = {} AND tablename = {};",
                literal(&table.name.schema),
                literal(&table.name.name)
            ),
            sqlstate: None,
            fix: "Where somebody else subscribes: a publication for each organisation, whose row filter compares the \
                  tenant with its id"
                .to_owned(),
        }))
    }
}

/// A filter can compare columns of the table alone, so that one of a table without the tenant can't.
fn names_tenant(scene: Scene<'_>, table: &Table, filter: &str) -> bool {
    let column = scene.tenancy.tenant_column(&table.name);
    let mut tokens = Tokens::new(filter).flatten();
    column.is_some() && tokens.any(|token| token.name().as_deref() == column)
}
