//! Servers in containers, by testcontainers.
//!
//! The data folder is in the container's memory; the socket's folder is shared with this process where it can
//! be, as that is faster than a published port. A label names the entry in the registry, so that a later run
//! finds what a dead one left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::core::{IntoContainerPort, Mount};
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ContainerRequest, ImageExt};

use super::choice::ServerRequest;
use super::engine::{Engine, Image};
use super::provider::{
    Address, Boxed, Holder, Provider, Started, Starting, connected, generated_password,
};
use super::registry::{Claim, Registry};
use super::{Login, settings};
use crate::error::{Error, Result};

pub(super) use super::engine::{remove_container, remove_unregistered};

/// The label that carries the id of the entry in the registry.
pub(super) const OWNER: &str = "watertight.owner";

/// The label that says whose registry that is.
pub(super) const REGISTRY: &str = "watertight.registry";

/// A connection must work by then: `initdb` runs in the container, on a machine that may be busy.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Where the shared socket's folder is in the container.
const SOCKET_FOLDER: &str = "/watertight";

/// The kind.
pub(super) struct Docker;

/// A running container and its entry; the container is removed before the entry: fields are dropped in order.
struct DockerServer {
    container: Container,
    claim: Claim,
}

/// The container; dropped outside of tasks, it is removed all the same.
struct Container(Option<ContainerAsync<Postgres>>);

impl Provider for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        Box::pin(start(request))
    }
}

async fn start(request: &ServerRequest) -> Result<Started> {
    let engine = Engine::connect().await?;
    let registry = Registry::open()?;
    let image = engine.image(request).await?;
    let mut claim = registry.claim()?;
    claim.note_container()?;
    let socket = shared_folder(&registry, &mut claim).ok();
    let password = generated_password();
    let recipe = Recipe {
        image: &image,
        registry: &registry,
        claim: &claim,
        password: &password,
    };
    let (container, socket) = recipe.start(socket.as_deref()).await?;
    let administrator = Login {
        role: "postgres".to_owned(),
        password: Some(password),
    };
    let server = DockerServer { container, claim };
    let address = server.address(socket.as_deref(), &administrator).await?;
    Ok(Started {
        origin: image.origin,
        address,
        administrator,
        maintenance_database: "postgres".to_owned(),
        holder: Box::new(server),
    })
}

/// A folder that the container's user, whoever that is, can make a socket in, and nobody else can reach.
fn shared_folder(registry: &Registry, claim: &mut Claim) -> Result<PathBuf> {
    let folder = claim.make_folder(registry.root())?.join("s");
    fs::create_dir(&folder)
        .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)))
        .map_err(|error| Error::io(&folder, error))?;
    Ok(folder)
}

/// What a container is made by.
struct Recipe<'a> {
    image: &'a Image,
    registry: &'a Registry,
    claim: &'a Claim,
    password: &'a str,
}

impl Recipe<'_> {
    /// Starts the container, without the shared folder where it can't be had: Docker may be on another machine.
    /// Returns the folder where it is shared.
    async fn start(&self, socket: Option<&Path>) -> Result<(Container, Option<PathBuf>)> {
        let first = self.request(socket).start().await;
        let (started, socket) = match (first, socket) {
            (Err(error), Some(_)) if error.to_string().contains("mount") => {
                (self.request(None).start().await, None)
            }
            (other, socket) => (other, socket),
        };
        let container = started.map_err(|error| {
            Error::Server(format!(
                "no container of image {}: {error}",
                self.image.name
            ))
        })?;
        Ok((Container(Some(container)), socket.map(Path::to_owned)))
    }

    fn request(&self, socket: Option<&Path>) -> ContainerRequest<Postgres> {
        let major = self.image.major.unwrap_or(super::OLDEST);
        let mut arguments = settings::arguments(major);
        let mut initdb = "--no-sync".to_owned();
        if major >= 18 {
            initdb.push_str(" --no-data-checksums");
        }
        let mut request = Postgres::default()
            .with_password(self.password)
            .with_name(self.image.repository.clone())
            .with_tag(self.image.tag.clone())
            .with_env_var("POSTGRES_INITDB_ARGS", initdb)
            .with_label(OWNER, self.claim.id())
            .with_label(REGISTRY, self.registry.name())
            .with_mount(Mount::tmpfs_mount(self.image.volume.clone()))
            .with_shm_size(256 * 1024 * 1024)
            // A connection that works is what counts, and is waited for here.
            .with_ready_conditions(Vec::new());
        if let Some(folder) = socket {
            request = request.with_mount(Mount::bind_mount(
                folder.display().to_string(),
                SOCKET_FOLDER,
            ));
            arguments.push("-c".to_owned());
            arguments.push(format!(
                "unix_socket_directories=/var/run/postgresql,{SOCKET_FOLDER}"
            ));
        }
        request.with_cmd(arguments)
    }
}

impl DockerServer {
    /// Waits for the server. By TCP first: the server that runs the image's set-up has sockets alone.
    async fn address(&self, socket: Option<&Path>, administrator: &Login) -> Result<Address> {
        let container = self.container.get();
        let said = |error| Error::Server(format!("no port of the container: {error}"));
        let host = container.get_host().await.map_err(said)?.to_string();
        let port = container
            .get_host_port_ipv4(5432.tcp())
            .await
            .map_err(said)?;
        // `localhost` may mean an address that the port isn't published on.
        let host = if host == "localhost" {
            "127.0.0.1".to_owned()
        } else {
            host
        };
        let mut address = Address::tcp(host, port);
        let options = address.options(administrator, "postgres");
        connected(
            &options,
            START_LIMIT,
            &mut StartingContainer(&self.container),
        )
        .await?;
        if let Some(folder) = socket {
            let mut by_socket = address.clone();
            by_socket.socket = Some((folder.to_owned(), 5432));
            // Where the engine is in a virtual machine the socket can be seen and not reached.
            let options = by_socket.options(administrator, "postgres");
            if let Ok(Ok(connection)) =
                tokio::time::timeout(Duration::from_secs(1), PgConnection::connect_with(&options))
                    .await
            {
                let _ = connection.close().await;
                address = by_socket;
            }
        }
        Ok(address)
    }
}

/// A container whose server does not answer yet.
struct StartingContainer<'a>(&'a Container);

impl Starting for StartingContainer<'_> {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        Box::pin(async {
            match self.0.get().is_running().await {
                Ok(false) => Err(Error::Server(format!(
                    "the container ended while starting:\n{}",
                    self.0.log().await.unwrap_or_default()
                ))),
                _ => Ok(()),
            }
        })
    }
}

impl Container {
    fn get(&self) -> &ContainerAsync<Postgres> {
        self.0
            .as_ref()
            .expect("a container is there until it is dropped")
    }

    /// The last 30 lines of standard error, which Postgres logs to.
    async fn log(&self) -> Option<String> {
        let bytes = self.get().stderr_to_vec().await.ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        Some(lines[lines.len().saturating_sub(30)..].join("\n"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Some(container) = self.0.take() else {
            return;
        };
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(container);
            return;
        }
        // testcontainers removes it by a task, and panics where there is nothing to run one.
        match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => {
                let _entered = runtime.enter();
                drop(container);
            }
            Err(_) => std::mem::forget(container),
        }
    }
}

impl Holder for DockerServer {
    fn stop(mut self: Box<Self>) -> Boxed<'static, Result<()>> {
        Box::pin(async move {
            let Some(container) = self.container.0.take() else {
                return Ok(());
            };
            let id = container.id().to_owned();
            container.rm().await.map_err(|error| {
                Error::Server(format!("container {id} could not be removed: {error}"))
            })
        })
    }

    fn keep(self: Box<Self>) -> Result<()> {
        let Self {
            mut container,
            claim,
        } = *self;
        claim.keep()?;
        std::mem::forget(container.0.take());
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        // The log is asked for by a task; this thread may be one that runs tasks.
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .ok()?;
                runtime.block_on(self.container.log())
            });
            worker.join().ok().flatten()
        })
    }
}
