//! A database for development, with a pooler in front of it; and its removal.

use std::path::Path;

use sqlx::Connection as _;

use super::{Harness, Seeded};
use crate::database::{Databases, application_login, connect, execute};
use crate::error::{Doing as _, Error, Result};
use crate::model::quoted;
use crate::server::{Login, Server, ServerChoice};

/// What the database is called.
const DATABASE: &str = "development";

/// What there is for development.
#[derive(Clone, Debug)]
pub struct Up {
    /// How the server was chosen.
    pub server: String,
    /// Its rows.
    pub seeded: Seeded,
    /// As the superuser, whom no policy holds.
    pub administrator: String,
    /// As the owner.
    pub owner: String,
    /// As the application, where `[access]` says who that is.
    pub application: Option<String>,
    /// The same through the pooler.
    pub pooled: Option<String>,
    /// Who may connect to which port: role, port and whether it is the pooler's.
    pub doors: Vec<(String, u16, bool)>,
    /// The database's name.
    pub database: String,
}

impl Harness {
    /// Starts a server, migrates and seeds a database, starts a pooler in front of it, and leaves all that.
    ///
    /// # Errors
    /// Whatever keeps it from that; nothing stays then.
    pub async fn up(&self, with_pooler: bool, stage: &dyn Fn(&str)) -> Result<Up> {
        let purpose = self.purpose();
        let choice: ServerChoice = self.settings.run.server.parse()?;
        if matches!(choice, ServerChoice::External(_)) {
            return Err(Error::Usage(
                "up starts a server: --server local, docker or auto".to_owned(),
            ));
        }
        if crate::server::is_kept_for(&purpose)? {
            return Err(Error::Usage(
                "it is up already: `down` removes it".to_owned(),
            ));
        }
        if with_pooler {
            // Whether it is there is known before a server is.
            crate::server::pooler_program()?;
        }
        let migrations = self.migrations()?;
        stage("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let result = async {
            stage(&format!("applying {}", migrations.describe()));
            let migrate_as = self.settings.run.migrate_as;
            let (mut databases, _) = Databases::migrate(&server, &migrations, migrate_as).await?;
            stage("making rows");
            let (seeded, name) = self
                .fill_new(&server, &mut databases, None, &|_| ())
                .await?;
            let owner = databases.owner().clone();
            databases.remove_but(Some(&name)).await?;
            let application = self.settle(&server, &name).await?;
            stage("starting the pooler");
            self.opened(&server, (seeded, owner, application), with_pooler)
                .await
        }
        .await;
        match result {
            Ok(up) => {
                server.keep_for(&purpose)?;
                Ok(up)
            }
            Err(error) => {
                crate::server::remove_kept(&purpose).await?;
                server.stop().await?;
                Err(error)
            }
        }
    }

    /// Removes what [`Harness::up`] left for these settings; a line for each thing.
    ///
    /// # Errors
    /// Where it can't be looked for.
    pub async fn down(&self) -> Result<Vec<String>> {
        crate::server::remove_kept(&self.purpose()).await
    }

    /// Each project has its own: it is told by the folder of its settings.
    fn purpose(&self) -> String {
        let file = self.settings.file.as_deref();
        let folder = file.and_then(Path::parent).unwrap_or(Path::new("."));
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        format!("development {}", folder.display()).replace(['\n', '\r'], " ")
    }

    /// Gives the database its name; and the application its login, where it has one.
    async fn settle(&self, server: &Server, name: &str) -> Result<Option<Login>> {
        let maintenance = server.options(server.administrator(), server.maintenance_database());
        let mut maintenance = connect(&maintenance).await?;
        let sql = format!(
            "ALTER DATABASE {} RENAME TO {}",
            quoted(name),
            quoted(DATABASE)
        );
        execute(&mut maintenance, &sql).await?;
        let sql = format!("ALTER DATABASE {} CONNECTION LIMIT -1", quoted(DATABASE));
        execute(&mut maintenance, &sql).await?;
        let login = match &self.settings.access {
            Some(access) if !access.role.contains('{') => {
                let mut connection =
                    connect(&server.options(server.administrator(), DATABASE)).await?;
                let catalog = crate::introspect::introspect(&mut connection).await?;
                connection.close().await.doing("close a connection")?;
                Some(application_login(server, &mut maintenance, &catalog, access).await?)
            }
            _ => None,
        };
        maintenance.close().await.doing("close a connection")?;
        Ok(login)
    }

    async fn opened(
        &self,
        server: &Server,
        (seeded, owner, application): (Seeded, Login, Option<Login>),
        with_pooler: bool,
    ) -> Result<Up> {
        let logins: Vec<Login> = application.iter().chain([&owner]).cloned().collect();
        let before = if with_pooler {
            Some(crate::server::pool(server, DATABASE, &logins, &self.purpose()).await?)
        } else {
            None
        };
        let (_, port) = server.tcp();
        let administrator = server.administrator();
        let mut doors = vec![
            (administrator.role.clone(), port, false),
            (owner.role.clone(), port, false),
        ];
        if let Some(login) = &application {
            doors.push((login.role.clone(), port, false));
        }
        let pooled = before.as_ref().map(|pooler| {
            let login = application.as_ref().unwrap_or(&owner);
            doors.push((login.role.clone(), pooler.port(), true));
            pooler.url(login)
        });
        Ok(Up {
            server: server.chosen().to_owned(),
            seeded,
            administrator: server.url(administrator, DATABASE),
            owner: server.url(&owner, DATABASE),
            application: application.map(|login| server.url(&login, DATABASE)),
            pooled,
            doors,
            database: DATABASE.to_owned(),
        })
    }
}
