//! Where mutants are tried: the original's databases, its rows, and what the checks say of it.

use crate::check::Scene;
use sqlx::Connection as _;

use crate::database::{Databases, connect, execute};
use crate::error::{Doing as _, Result};
use crate::model::{Access, Catalog, Focus, Query, Tenancy, Worlds};
use crate::mutate::Rows;
use crate::run::{Arena, Late};
use crate::server::Server;

use super::super::{Ground, Harness, Schema, load_seeded};
use super::fate::Seen;

/// The original, and what is known of it.
pub(super) struct Bench<'a> {
    pub(super) harness: &'a Harness,
    pub(super) server: &'a Server,
    pub(super) ground: &'a Ground,
    pub(super) queries: &'a [Query],
    /// The migrated database without rows.
    pub(super) template: String,
    /// Rows of [`Rows::UniqueTargets`] in the original schema, where there are such mutants.
    pub(super) unique: Option<(String, Worlds)>,
    /// The databases of the original that mutants of queries are tried in: without rows, and the application's.
    pub(super) blank: String,
    pub(super) application: Option<String>,
    /// What the checks say of the original.
    pub(super) before: Seen,
}

impl<'a> Bench<'a> {
    /// Runs all checks over the original; `unique` makes the columns unique that foreign keys refer to.
    pub(super) async fn new(
        harness: &'a Harness,
        server: &'a Server,
        databases: &mut Databases<'_>,
        ground: &'a Ground,
        queries: &'a [Query],
        unique: &[String],
    ) -> Result<Self> {
        let blank = databases.clone_template(&ground.schema.catalog).await?;
        let application = match &ground.application {
            Some(_) => Some(databases.clone_of(&ground.seeded).await?),
            None => None,
        };
        let mut bench = Self {
            harness,
            server,
            ground,
            queries,
            template: databases.template_name().to_owned(),
            unique: None,
            blank,
            application,
            before: Seen::default(),
        };
        if !unique.is_empty() {
            bench.unique = Some(bench.with_unique_targets(databases, unique).await?);
        }
        let place = Place {
            thrown: Some(databases.clone_of(&ground.seeded).await?),
            ..bench.original()
        };
        let scene = bench.scene(
            &ground.schema.catalog,
            &ground.schema.tenancy,
            &ground.worlds,
        );
        bench.before = bench.judge(databases, &place, scene).await?;
        Ok(bench)
    }

    /// The databases of the original.
    pub(super) fn original(&self) -> Place {
        Place {
            seeded: self.ground.seeded.clone(),
            blank: self.blank.clone(),
            application: self.application.clone(),
            thrown: None,
        }
    }

    /// A scene with the original's queries.
    pub(super) fn scene<'s>(
        &self,
        catalog: &'s Catalog,
        tenancy: &'s Tenancy,
        worlds: &'s Worlds,
    ) -> Scene<'s>
    where
        'a: 's,
    {
        Scene {
            catalog,
            tenancy,
            worlds,
            queries: self.queries,
            focus: &Focus::All,
        }
    }

    pub(super) fn access(&self) -> Option<&'a Access> {
        self.harness.settings().access.as_ref()
    }

    /// Where a scene's cases run.
    pub(super) fn arena<'s>(
        &self,
        databases: &Databases<'_>,
        place: &Place,
        scene: Scene<'s>,
    ) -> Arena<'s>
    where
        'a: 's,
    {
        let login = self.ground.application.as_ref();
        let application = place.application.as_ref();
        Arena {
            seeded: databases.administrator(&place.seeded),
            blank: databases.administrator(&place.blank),
            application: login
                .zip(application)
                .map(|(login, name)| self.server.options(login, name)),
            thrown: place
                .thrown
                .as_ref()
                .map(|name| databases.administrator(name)),
            pooled: Err("mutants are tried without a pooler".to_owned()),
            access: self.access(),
            catalog: scene.catalog,
            tenancy: scene.tenancy,
            worlds: scene.worlds,
            shadow: match scene.queries {
                [] => Vec::new(),
                _ => crate::check::shadow_policies(scene),
            },
            timeout: u32::try_from(self.harness.settings().run.timeout.as_secs())
                .unwrap_or(30)
                .max(1),
            late: Late::default(),
        }
    }

    /// The original with rows that hold where what foreign keys refer to is unique by itself.
    async fn with_unique_targets(
        &self,
        databases: &mut Databases<'_>,
        unique: &[String],
    ) -> Result<(String, Worlds)> {
        let tight = databases.clone_of(&self.template).await?;
        let mut connection = connect(&databases.administrator(&tight)).await?;
        execute(&mut connection, &unique.join(" ")).await?;
        let focus = Focus::Objects(Vec::new());
        let (_, worlds) = self.worlds(&mut connection, &focus).await?;
        connection.close().await.doing("close a connection")?;
        databases.drop_clone(&tight).await?;
        let seeded = databases.clone_of(&self.template).await?;
        let mut connection = connect(&databases.administrator(&seeded)).await?;
        let Schema {
            catalog, tenancy, ..
        } = &self.ground.schema;
        execute(&mut connection, "BEGIN").await?;
        load_seeded(&mut connection, (catalog, tenancy), &worlds, self.socket()).await?;
        execute(&mut connection, "COMMIT").await?;
        connection.close().await.doing("close a connection")?;
        Ok((seeded, worlds))
    }

    /// Reads a mutated schema.
    pub(super) async fn schema(&self, connection: &mut sqlx::PgConnection) -> Result<Schema> {
        let original = &self.ground.schema;
        let mut catalog = self.harness.catalog(connection).await?;
        // Rows that are there now were not left by migrations.
        for (name, table) in &mut catalog.tables {
            let before = original.catalog.tables.get(name);
            table.existing_rows = before.map_or(0, |table| table.existing_rows);
        }
        let settings = self.harness.settings();
        // The role is that of the acting tenant, where each has one.
        let access = original.tenancy.access.as_ref();
        let tenancy = crate::tenancy::classify(&catalog, &settings.tenant, access)
            .map_err(|message| self.harness.misconfigured(message))?;
        Ok(Schema {
            catalog,
            tenancy,
            existing: original.existing.clone(),
            pools: original.pools.clone(),
        })
    }

    /// Reads a mutated schema, and makes and loads rows for it as for the original: those that queries look for only
    /// where `focus` includes the queries.
    pub(super) async fn worlds(
        &self,
        connection: &mut sqlx::PgConnection,
        focus: &Focus,
    ) -> Result<(Schema, Worlds)> {
        let schema = self.schema(connection).await?;
        let asked = matches!(focus, Focus::All) && !self.queries.is_empty();
        let queries = asked.then_some(self.queries);
        let genes = self.harness.genes_for(self.ground.seed, &schema, queries);
        let (worlds, _) = self
            .harness
            .populate(connection, schema.of_worlds(), genes, self.socket())
            .await?;
        Ok((schema, worlds))
    }

    /// Whether the server is reached by a Unix socket.
    fn socket(&self) -> bool {
        let options = self
            .server
            .options(self.server.administrator(), &self.template);
        options.get_socket().is_some()
    }

    /// The database and the rows that a mutant begins with; none where its rows are made anew.
    pub(super) fn begins_with(&self, rows: Rows) -> Option<(&str, &Worlds)> {
        match (rows, &self.unique) {
            (Rows::Same, _) => Some((&self.ground.seeded, &self.ground.worlds)),
            (Rows::UniqueTargets, Some((name, worlds))) => Some((name, worlds)),
            _ => None,
        }
    }
}

/// The databases of a scene; empty names for those that no attempt needs.
pub(super) struct Place {
    pub(super) seeded: String,
    pub(super) blank: String,
    pub(super) application: Option<String>,
    /// For what is committed, so that it serves once.
    pub(super) thrown: Option<String>,
}
