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
use super::claim::Claim;
use super::engine::Engine;
use super::images::Image;
use super::provider::{
    Address, Boxed, Holder, Provider, Started, Starting, connected, generated_password, last_lines,
};
use super::registry::Registry;
use super::{Login, settings};
use crate::error::{Doing, Error, Result};

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

/// A container of it.
type Container = ContainerAsync<Postgres>;

/// A running container and its entry; the container is there until the server is stopped or dropped.
struct DockerServer {
    container: Option<Container>,
    claim: Claim,
}

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
    let image = engine.image(request).await?;
    let registry = Registry::open()?;
    let mut claim = registry.claim()?;
    claim.note_container()?;
    let socket = shared_folder(&registry, &mut claim).ok();
    let recipe = Recipe {
        image: &image,
        registry: registry.name(),
        owner: claim.id().to_owned(),
        password: generated_password(),
    };
    let mut result = recipe.run(socket.as_deref()).await;
    // The folder can't be shared where Docker is on another machine or keeps it from the container.
    if socket.is_some()
        && result
            .as_ref()
            .is_err_and(|error| is_about_sharing(&error.to_string()))
    {
        remove_container(claim.id()).await?;
        result = recipe.run(None).await;
    }
    let (container, address, connection) = match result {
        Ok(running) => running,
        Err(error) => {
            // One that was made and did not start belongs to nobody yet.
            if remove_container(claim.id()).await.is_ok() {
                claim.container_is_gone();
            }
            return Err(error);
        }
    };
    Ok(Started {
        origin: image.origin.clone(),
        address,
        administrator: recipe.administrator(),
        maintenance_database: "postgres".to_owned(),
        connection,
        holder: Box::new(DockerServer {
            container: Some(container),
            claim,
        }),
    })
}

fn is_about_sharing(text: &str) -> bool {
    text.contains("mount") || text.contains(SOCKET_FOLDER)
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
    registry: String,
    owner: String,
    password: String,
}

impl Recipe<'_> {
    /// Starts a container and waits for its server, which is reached through the folder where one is shared.
    async fn run(&self, socket: Option<&Path>) -> Result<(Container, Address, PgConnection)> {
        let container = self.request(socket).start().await.map_err(|error| {
            Error::Server(format!(
                "no container of image {}: {error}",
                self.image.name
            ))
        })?;
        let (address, connection) = reached(&container, socket, &self.administrator()).await?;
        Ok((container, address, connection))
    }

    fn administrator(&self) -> Login {
        Login {
            role: "postgres".to_owned(),
            password: Some(self.password.clone()),
        }
    }

    fn request(&self, socket: Option<&Path>) -> ContainerRequest<Postgres> {
        let major = self.image.major.unwrap_or(super::OLDEST);
        let mut arguments = settings::arguments(major);
        let mut initdb = "--no-sync".to_owned();
        if major >= 18 {
            initdb.push_str(" --no-data-checksums");
        }
        let mut request = Postgres::default()
            .with_password(&self.password)
            .with_name(self.image.repository.clone())
            .with_tag(self.image.tag.clone())
            .with_env_var("POSTGRES_INITDB_ARGS", initdb)
            .with_label(OWNER, self.owner.clone())
            .with_label(REGISTRY, self.registry.clone())
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

/// Waits for the server. By TCP first: the server that runs the image's set-up has sockets alone.
async fn reached(
    container: &Container,
    socket: Option<&Path>,
    administrator: &Login,
) -> Result<(Address, PgConnection)> {
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
    let address = Address::tcp(host, port);
    let options = address.options(administrator, "postgres");
    let by_tcp = connected(&options, START_LIMIT, &mut Waiting(container)).await?;
    let Some(folder) = socket else {
        return Ok((address, by_tcp));
    };
    let mut by_socket = address.clone();
    by_socket.socket = Some((folder.to_owned(), 5432));
    // Where the engine is in a virtual machine the socket can be seen and not reached.
    let options = by_socket.options(administrator, "postgres");
    match tokio::time::timeout(Duration::from_secs(1), PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            by_tcp.close().await.doing("close a connection")?;
            Ok((by_socket, connection))
        }
        _ => Ok((address, by_tcp)),
    }
}

/// A container whose server does not answer yet.
struct Waiting<'a>(&'a Container);

impl Starting for Waiting<'_> {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        Box::pin(async {
            if !matches!(self.0.is_running().await, Ok(false)) {
                return Ok(());
            }
            let log = log(self.0).await.unwrap_or_default();
            Err(Error::Server(format!(
                "the container ended while starting:\n{log}"
            )))
        })
    }
}

/// The end of the log: Postgres's is on standard error, that of the image's set-up, before it, on standard output.
async fn log(container: &Container) -> Option<String> {
    let mut text = container.stdout_to_vec().await.ok()?;
    text.extend(container.stderr_to_vec().await.ok()?);
    Some(last_lines(&text))
}

/// Runs a task to its end whatever this thread is: one that runs tasks, where waiting for one is forbidden, or
/// one where there is nothing to run any.
fn wait_for<T: Send>(task: impl Future<Output = T> + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            Some(runtime.block_on(task))
        });
        worker.join().ok().flatten()
    })
}

impl DockerServer {
    async fn remove(&mut self) -> Result<()> {
        let Some(container) = self.container.take() else {
            return Ok(());
        };
        let id = container.id().to_owned();
        container.rm().await.map_err(|error| {
            Error::Server(format!("container {id} could not be removed: {error}"))
        })?;
        self.claim.container_is_gone();
        Ok(())
    }
}

impl Drop for DockerServer {
    fn drop(&mut self) {
        // Where it fails the entry stays, and the next run tries again.
        if self.container.is_some() {
            let _ = wait_for(self.remove());
        }
    }
}

impl Holder for DockerServer {
    fn stop(mut self: Box<Self>) -> Boxed<'static, Result<()>> {
        Box::pin(async move { self.remove().await })
    }

    fn keep(mut self: Box<Self>) -> Result<()> {
        self.claim.keep()?;
        std::mem::forget(self.container.take());
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        wait_for(log(self.container.as_ref()?)).flatten()
    }
}
