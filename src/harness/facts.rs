//! What the report says beside what was found: of server, schema and rows, of what checks look for, of the kept database.

use std::collections::BTreeMap;

use super::{Ground, Harness};
use crate::check;
use crate::model::{Catalog, DatasetFacts, Explained, Report, SchemaFacts, ServerFacts, Tenancy};
use crate::server::{Login, Server};

impl Harness {
    /// What the report says of server, schema and rows.
    pub(super) fn facts(&self, server: &Server, ground: &Ground) -> Report {
        let schema = schema_facts(
            &ground.schema.catalog,
            &ground.schema.tenancy,
            ground.migrations.describe(),
        );
        Report {
            seed: ground.seed.to_string(),
            server: ServerFacts {
                kind: server.kind().to_owned(),
                version: server.version().to_owned(),
                chosen: server.chosen().to_owned(),
            },
            schema,
            dataset: DatasetFacts {
                organisations: ground.worlds.tenants.len(),
                rows: ground
                    .worlds
                    .seeded()
                    .iter()
                    .flat_map(|dataset| dataset.values())
                    .map(|rows| rows.rows.len())
                    .sum(),
            },
            timings: ground.timings,
            deny_weakness: self.settings.run.deny_weakness,
            ..Report::default()
        }
    }
}

/// What a schema holds.
pub(super) fn schema_facts(
    catalog: &Catalog,
    tenancy: &Tenancy,
    migrations: String,
) -> SchemaFacts {
    let tables: Vec<_> = catalog.roots().collect();
    let mut schema = SchemaFacts {
        tables: tables.len(),
        columns: tables.iter().map(|table| table.columns.len()).sum(),
        foreign_keys: tables.iter().map(|table| table.foreign_keys.len()).sum(),
        policies: tables.iter().map(|table| table.policies.len()).sum(),
        migrations,
        ..SchemaFacts::default()
    };
    for class in tenancy.classes.values() {
        *schema.classes.entry(class.word().to_owned()).or_default() += 1;
    }
    schema.scoped = schema.classes.get("scoped").copied().unwrap_or(0);
    schema
}

/// What the checks look for, by their ids.
pub(crate) fn explained() -> BTreeMap<&'static str, Explained> {
    let pages = check::ALL.iter().map(|check| check.page());
    let explained = pages.map(|page| {
        let why = page.why.replace('\n', " ");
        (
            page.id,
            Explained {
                title: page.title.to_owned(),
                why,
            },
        )
    });
    explained.collect()
}

/// How to open the kept database.
pub(super) fn kept(server: &Server, ground: &Ground, owner: &Login) -> Vec<String> {
    let url = server.url(server.administrator(), &ground.seeded);
    let mut lines = vec![format!("psql '{url}'")];
    if owner.role != server.administrator().role {
        lines.push(format!(
            "psql '{}'  # as the owner",
            server.url(owner, &ground.seeded)
        ));
    }
    if let (Some(application), Some(access)) = (&ground.application, &ground.schema.tenancy.access)
    {
        lines.push(format!(
            "psql '{}'  # as the application",
            server.url(application, &ground.seeded)
        ));
        let tenant = ground.worlds.acting_tenant();
        for sql in access.statements(tenant) {
            lines.push(format!(
                "  BEGIN; {sql};  -- the acting organisation's context"
            ));
        }
    }
    lines
}
