//! A unique key that holds over all tenants.

use crate::check::{Check, Page, Scene, mended};
use crate::model::{
    Case, Catalog, Class, Defect, Index, IndexKey, Observation, Severity, Table, Verdict, literal,
};

/// The check.
pub(crate) static CHECK: UniqueWithoutTenant = UniqueWithoutTenant;

/// Reads the columns of every unique key and exclusion constraint.
pub(crate) struct UniqueWithoutTenant;

impl Check for UniqueWithoutTenant {
    fn page(&self) -> Page {
        Page {
            id: "unique-without-tenant",
            title: "a unique key holds over all tenants",
            what: "Every primary key, unique index and exclusion constraint of a table with tenants has the tenant column \
                   among\nits columns.",
            why: "Without it, one organisation's refused INSERT tells that another has the value (an e-mail, a slug), an \
                  upsert\nby the value reaches the other's row, and a value can be squatted. A uuid that the server \
                  makes is no guess: a note.",
            example: "CREATE TABLE people (organisation_id uuid NOT NULL, id uuid, email text UNIQUE, …);",
            fix: "UNIQUE (organisation_id, email). Where the value is global by design, say so:\n[[allow]]\ncheck = \
                  \"unique-without-tenant\"\nobject = \"public.people.people_email_key\"\nreason = \"…\"",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let mut cases = Vec::new();
        for table in scene.catalog.roots() {
            let class = scene.tenancy.classes.get(&table.name);
            if !matches!(
                class,
                Some(Class::Scoped { .. } | Class::Derived { .. } | Class::Root { .. })
            ) {
                continue;
            }
            for index in table
                .indexes
                .iter()
                .filter(|index| index.unique || index.exclusion)
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
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        let carries = carriers(scene, table);
        if index
            .plain_columns()
            .iter()
            .any(|column| carries.contains(column))
        {
            return Verdict::Held("the tenant is part of it".to_owned());
        }
        Verdict::Leaked(Box::new(defect(scene, table, index)))
    }
}

/// Columns that tell the tenant: the tenant column, or those of the key that a derived table's tenancy rests on.
fn carriers<'a>(scene: Scene<'a>, table: &'a Table) -> Vec<&'a str> {
    match scene.tenancy.classes.get(&table.name) {
        Some(Class::Root { column } | Class::Scoped { column }) => vec![column],
        Some(Class::Derived { foreign_key }) => table
            .foreign_key(foreign_key)
            .map(|key| key.columns.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn defect(scene: Scene<'_>, table: &Table, index: &Index) -> Defect {
    let columns: Vec<String> = index
        .keys
        .iter()
        .map(|key| match key {
            IndexKey::Column(name) => name.clone(),
            IndexKey::Expression { text } => text.clone(),
        })
        .collect();
    let guessable = !server_made(scene.catalog, table, index);
    let (severity, why) = if guessable {
        (
            Severity::Weakness,
            "a refusal tells one tenant that another has the value",
        )
    } else {
        (
            Severity::Note,
            "its values are made by the server and can't be guessed",
        )
    };
    let fix = mended::unique(scene, table, index).unwrap_or_else(|| {
        "Accept it with [[allow]] where the value is global by design".to_owned()
    });
    Defect {
        object: None,
        severity,
        message: format!("({}) is unique over all tenants: {why}", columns.join(", ")),
        sql: format!(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = {} AND indexname = {};",
            literal(&table.name.schema),
            literal(&index.name)
        ),
        sqlstate: None,
        fix,
    }
}

/// All its columns are uuids: nobody guesses another's, and the server makes them by default.
fn server_made(catalog: &Catalog, table: &Table, index: &Index) -> bool {
    let columns = index.plain_columns();
    columns.len() == index.keys.len()
        && columns.iter().any(|name| {
            table.column(name).is_some_and(|column| {
                let base = catalog.base_type(column.type_oid);
                catalog.types.get(&base).is_some_and(|of| of.name == "uuid")
            })
        })
}
