//! What the settings ask for: migrations, a server, values of the user's own.

use std::path::Path;

use sqlx::PgConnection;

use super::Harness;
use crate::error::{Error, Result};
use crate::migration::{MigrationSet, Reading, Tool};
use crate::model::Catalog;
use crate::server::{ServerChoice, ServerRequest};

impl Harness {
    pub(crate) fn migrations(&self) -> Result<MigrationSet> {
        let migrate = &self.settings.migrate;
        let mut set = if let Some(command) = &migrate.command {
            let tool = Tool {
                command: command.clone(),
                folder: migrate.folder.clone(),
                session: migrate.session.clone(),
            };
            MigrationSet::by_tool(tool, migrate.path.as_deref())
        } else {
            let reading = Reading {
                convention: migrate.convention.clone(),
                placeholders: migrate.placeholders.clone(),
            };
            let path = migrate.required_path();
            let path = path.map_err(|message| {
                let tool = crate::migration::in_project(&migrate.folder);
                Error::Usage(tool.unwrap_or(message))
            })?;
            MigrationSet::read_as(path, &reading)?
        };
        set.stub(&migrate.stub_roles, migrate.supabase);
        set.limit = migrate.limit(self.settings.run.timeout);
        Ok(set)
    }

    pub(crate) fn request(&self) -> Result<ServerRequest> {
        let run = &self.settings.run;
        let version = match run.postgres.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => {
                return Err(Error::Usage(
                    "several versions at once are for the checks alone: name one by --postgres"
                        .to_owned(),
                ));
            }
        };
        Ok(ServerRequest {
            choice: run.server.parse::<ServerChoice>()?,
            version,
            image: run.image.clone(),
            pg_bin: run.pg_bin.clone(),
            records: run.record,
        })
    }

    /// The catalog, with the user's own values.
    pub(super) async fn catalog(&self, connection: &mut PgConnection) -> Result<Catalog> {
        let mut catalog = crate::introspect::introspect(connection).await?;
        let mut values = self.settings.generate.clone();
        if let Some(own) = &self.values {
            for column in catalog.columns() {
                let given = own.0(&column);
                if !given.is_empty() {
                    values.columns.insert(column, given);
                }
            }
        }
        catalog
            .give_samples(&values)
            .map_err(|message| self.misconfigured(message))?;
        Ok(catalog)
    }

    pub(super) fn misconfigured(&self, message: String) -> Error {
        Error::Configuration {
            place: self
                .settings
                .file
                .as_deref()
                .unwrap_or(Path::new("the command line"))
                .display()
                .to_string(),
            message,
        }
    }
}
