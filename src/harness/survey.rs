//! A look at a migrated database, for a first file of settings.

use sqlx::{Connection as _, PgConnection};

use super::Harness;
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Error, Result};
use crate::model::{Catalog, Tenancy, TenantSettings};
use crate::tenancy::{classify, guess};

/// What a schema says of itself.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What the migrations are.
    pub migrations: String,
    /// The tenant column.
    pub column: String,
    /// The schema.
    pub catalog: Catalog,
    /// The classes of its tables with that column and nothing declared.
    pub tenancy: Tenancy,
    /// The application's role, where policies or privileges name one.
    pub role: Option<String>,
    /// The setting that policies read the tenant from.
    pub setting: Option<String>,
}

impl Harness {
    /// Migrates a new database and looks at it; nothing of it stays.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work; [`Error::Usage`] where no column says whose a row is.
    pub async fn survey(&self, stage: &dyn Fn(&str)) -> Result<Survey> {
        let (migrations, catalog) = self
            .look_at_migrated(stage, async |connection| {
                crate::introspect::introspect(connection).await
            })
            .await?;
        self.look(migrations, catalog)
    }

    /// Migrates a new database and looks at it; nothing of it stays. Returns what the migrations are, and what was seen.
    pub(super) async fn look_at_migrated<T>(
        &self,
        stage: &dyn Fn(&str),
        look: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<(String, T)> {
        let migrations = self.migrations()?;
        stage("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let result = async {
            stage(&format!("applying {}", migrations.describe()));
            let migrate_as = self.settings.run.migrate_as;
            let (databases, _) = Databases::migrate(&server, &migrations, migrate_as).await?;
            let mut connection = connect(&databases.template()).await?;
            let seen = look(&mut connection).await;
            connection.close().await.doing("close a connection")?;
            databases.remove().await?;
            Ok((migrations.describe(), seen?))
        }
        .await;
        server.stop().await?;
        result
    }

    fn look(&self, migrations: String, catalog: Catalog) -> Result<Survey> {
        let said = &self.settings.tenant;
        let column = if said.column_given {
            Some(said.column.clone())
        } else {
            guess::tenant_column(&catalog)
        };
        let column = column.ok_or_else(|| {
            Error::Usage(format!(
                "no column of the {} tables says by its name whose a row is: name it with --tenant-column; columns that refer \
                 to other tables most often are {}",
                catalog.roots().count(),
                guess::common_keys(&catalog).join(", ")
            ))
        })?;
        let tenant = TenantSettings {
            column: column.clone(),
            column_given: true,
            ..said.clone()
        };
        let tenancy = classify(&catalog, &tenant, None).map_err(Error::Usage)?;
        Ok(Survey {
            migrations,
            column,
            role: guess::application_role(&catalog),
            setting: guess::tenant_setting(&catalog),
            catalog,
            tenancy,
        })
    }
}
