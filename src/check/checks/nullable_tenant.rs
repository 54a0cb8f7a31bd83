//! A tenant column that may be NULL.

use crate::check::{Check, Page, Scene};
use crate::model::{
    Case, Class, Defect, NullMeans, Observation, Severity, Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: NullableTenant = NullableTenant;

/// Reads NOT NULL off every tenant column.
pub(crate) struct NullableTenant;

impl Check for NullableTenant {
    fn page(&self) -> Page {
        Page {
            id: "nullable-tenant",
            title: "a tenant column may be NULL",
            what: "The tenant column of every scoped table is NOT NULL, unless `null_means = \"shared\"` says what NULL is.",
            why: "A row without a tenant belongs to nobody and is guarded by nothing: under MATCH SIMPLE, a composite key \
                  with\nNULL in the tenant column is not checked at all, so that such a row may name any \
                  organisation's row.",
            example: "CREATE TABLE notes (organisation_id uuid, id uuid, …);",
            fix: "ALTER TABLE notes ALTER COLUMN organisation_id SET NOT NULL;",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        scene
            .tenancy
            .classes
            .iter()
            .filter_map(|(table, class)| match class {
                Class::Scoped { column } => Some(Case {
                    check: self.page().id,
                    object: table.object(column),
                    subject: table.to_string(),
                    attempts: Vec::new(),
                }),
                _ => None,
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let name = scene.tenancy.tenant_column(&table.name)?;
            table
                .name
                .names(name, &case.object)
                .then(|| (table, table.column(name)))
        });
        let Some((table, Some(column))) = found else {
            return Verdict::Inconclusive("the column is not in the catalog".to_owned());
        };
        if column.not_null {
            return Verdict::Held("NOT NULL".to_owned());
        }
        if scene.tenancy.null_means == NullMeans::Shared {
            return Verdict::NotApplicable("NULL means a shared row".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Weakness,
            message: format!(
                "{} may be NULL: such a row is no tenant's, and its composite keys are not checked",
                column.name
            ),
            sql: format!(
                "SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = {}::regclass AND attname = {};",
                literal(&table.name.quoted()),
                literal(&column.name)
            ),
            sqlstate: None,
            fix: format!(
                "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL; -- or [tenant] null_means = \"shared\"",
                table.name.quoted(),
                quoted(&column.name)
            ),
        }))
    }
}
