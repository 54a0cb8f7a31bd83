//! Servers in containers, by testcontainers.
//!
//! The data folder is in the container's memory; the socket's folder is shared with this process where it can
//! be, as that is faster than a published port. A label names the entry in the registry, so that a later run
//! finds what a dead one left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::PgConnection;
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::core::Mount;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};

use super::choice::ServerRequest;
use super::claim::Claim;
use super::container::{Container, log, reached, wait_for};
use super::engine::Engine;
use super::images::Image;
use super::note::Note;
use super::provider::{Address, Boxed, Holder, Provider, Started, generated_password};
use super::registry::Registry;
use super::{Login, settings};
use crate::error::{Error, Result};

pub(super) use super::engine::{
    find_container, find_unregistered, remove_container, remove_unregistered,
};
pub(super) use super::images::signs;

/// The label that carries the id of the entry in the registry.
pub(super) const OWNER: &str = "watertight.owner";

/// The label that says whose registry that is.
pub(super) const REGISTRY: &str = "watertight.registry";

/// Where the shared socket's folder is in the container.
const SOCKET_FOLDER: &str = "/watertight";

/// The kind.
pub(super) struct Docker;

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
        records: request.records,
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
    /// It may have to write down statements.
    records: bool,
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
        if self.records {
            // On the container's disk: the data is in memory.
            for (name, value) in settings::recording("/tmp") {
                arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
            }
        }
        request.with_cmd(arguments)
    }
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

    fn keep(mut self: Box<Self>, purpose: Option<&str>) -> Result<()> {
        self.claim.keep(purpose)?;
        std::mem::forget(self.container.take());
        Ok(())
    }

    fn share(mut self: Box<Self>, note: &Note) -> Result<()> {
        self.claim.share(note)?;
        std::mem::forget(self.container.take());
        Ok(())
    }

    fn log_tail(&self) -> Option<String> {
        wait_for(log(self.container.as_ref()?)).flatten()
    }
}
