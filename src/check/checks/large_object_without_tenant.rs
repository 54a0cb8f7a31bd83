//! Files of tenants in large objects, which have no tenant.

use crate::check::policy::planned_tables;
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Column, Defect, Observation, Severity, Verdict, literal};

/// The check.
pub(crate) static CHECK: LargeObjectWithoutTenant = LargeObjectWithoutTenant;

/// Reads which columns keep files, and where.
pub(crate) struct LargeObjectWithoutTenant;

/// The types whose values are a large object's number: `lo` is a domain of a module that comes with Postgres.
const NUMBERS: [&str; 2] = ["oid", "lo"];

impl Check for LargeObjectWithoutTenant {
    fn page(&self) -> Page {
        Page {
            id: "large-object-without-tenant",
            title: "a column refers to large objects, which have no tenant",
            what: "Read off the catalog: columns of tables with tenants that keep the number of a large object (oid, lo), and not \
                   the\nbytes themselves (bytea).",
            why: "Large objects are in no table: they have no tenant, no policy holds for them, and one role reads all that it \
                  has\nmade. Numbers are given out one after the other, so that whoever may call lo_get can go through them. A \
                  note, which\nnever fails a run.",
            example: "CREATE TABLE files (organisation_id uuid, id uuid, content oid);",
            fix: "ALTER TABLE files ALTER COLUMN content TYPE bytea USING lo_get(content);",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let columns = planned_tables(scene).flat_map(|(table, _)| {
            let columns = table.columns.iter();
            columns.map(move |column| (table, column))
        });
        columns
            .filter(|(_, column)| is_number(column) || column.type_name == "bytea")
            .map(|(table, column)| Case {
                check: self.page().id,
                object: table.name.object(&column.name),
                subject: String::new(),
                attempts: Vec::new(),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let mut columns = table.columns.iter();
            let column = columns.find(|column| table.name.names(&column.name, &case.object))?;
            Some((table, column))
        });
        let Some((table, column)) = found else {
            return Verdict::Inconclusive("the column is not in the catalog".to_owned());
        };
        if !is_number(column) {
            return Verdict::Held("the bytes are in the row".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Note,
            message: "it keeps numbers of large objects, if that is what they are: no policy holds for these".to_owned(),
            sql: format!(
                "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute WHERE attrelid = \
                 {}::regclass AND attname = {};",
                literal(&table.name.quoted()),
                literal(&column.name)
            ),
            sqlstate: None,
            fix: "Keep the bytes in the row, as bytea, or in a table with the tenant".to_owned(),
        }))
    }
}

fn is_number(column: &Column) -> bool {
    NUMBERS.contains(&column.type_name.as_str())
}
