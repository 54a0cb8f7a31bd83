//! Which image a container is made of.

use std::time::Duration;

use futures_core::Stream;
use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;

use super::choice::{ServerChoice, ServerRequest};
use super::doctor::Sign;
use super::engine::{Engine, PATIENCE};
use super::{NEWEST, OLDEST};
use crate::error::{Error, Result};

/// The repository of the official image, and of what `cargo xtask image` builds.
const OFFICIAL: &str = "postgres";
const OURS: &str = "watertight-postgres";

/// A registry that answers may take this long over an image.
const PULL_LIMIT: Duration = Duration::from_mins(10);

/// An image that is present.
pub(super) struct Image {
    /// `postgres:18`, and its parts.
    pub(super) name: String,
    pub(super) repository: String,
    pub(super) tag: String,
    /// The major version, where it tells.
    pub(super) major: Option<u32>,
    /// The folder to put memory under: its volume.
    pub(super) volume: String,
    /// `from image postgres:18`, with why it is that one.
    pub(super) origin: String,
}

impl Engine {
    /// The image to use, present: the one asked for; else the official one, else ours; else the official one pulled.
    pub(super) async fn image(&self, request: &ServerRequest) -> Result<Image> {
        // Where there is another kind of server to turn to, a registry that keeps silent is not waited for.
        let alternative = request.choice == ServerChoice::Auto && request.image.is_none();
        let patience = if alternative { PATIENCE } else { PATIENCE * 10 };
        if let Some(name) = &request.image {
            let (repository, tag) = split(name);
            if let Some(image) = self.inspect(repository, tag, String::new()).await? {
                return Ok(image);
            }
            self.pull(repository, tag, patience)
                .await
                .map_err(|reason| {
                    Error::NoServer(format!(
                        "no image {name} and it could not be pulled: {reason}"
                    ))
                })?;
            return self.present(repository, tag, " (pulled)").await;
        }
        let majors: Vec<u32> = request
            .version
            .map_or_else(|| (OLDEST..=NEWEST).rev().collect(), |one| vec![one]);
        for major in &majors {
            let tag = major.to_string();
            if let Some(image) = self.inspect(OFFICIAL, &tag, String::new()).await? {
                return Ok(image);
            }
            let why = format!(" (no image {OFFICIAL}:{major})");
            if let Some(image) = self.inspect(OURS, &tag, why).await? {
                return Ok(image);
            }
        }
        let major = majors[0];
        self.pull(OFFICIAL, &major.to_string(), patience).await.map_err(|reason| {
            Error::NoServer(format!(
                "no image {OFFICIAL}:{major} or {OURS}:{major}, and none could be pulled: {reason}; without a \
                 registry in reach, `cargo xtask image --postgres {major}` builds one"
            ))
        })?;
        self.present(OFFICIAL, &major.to_string(), " (pulled)")
            .await
    }

    async fn present(&self, repository: &str, tag: &str, why: &str) -> Result<Image> {
        self.inspect(repository, tag, why.to_owned())
            .await?
            .ok_or_else(|| {
                Error::Server(format!(
                    "image {repository}:{tag} was pulled and is not there"
                ))
            })
    }

    async fn inspect(&self, repository: &str, tag: &str, why: String) -> Result<Option<Image>> {
        let name = format!("{repository}:{tag}");
        let found = match self.0.inspect_image(&name).await {
            Ok(found) => found.config.unwrap_or_default(),
            Err(EngineError::DockerResponseServerError {
                status_code: 404, ..
            }) => return Ok(None),
            Err(error) => {
                return Err(Error::Server(format!(
                    "Docker says of image {name}: {error}"
                )));
            }
        };
        let environment = found.env.unwrap_or_default();
        let variable = |name: &str| {
            environment.iter().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix('=')
                    .map(str::to_owned)
            })
        };
        let data = variable("PGDATA").unwrap_or_else(|| "/var/lib/postgresql/data".to_owned());
        let volumes = found.volumes.unwrap_or_default();
        let volume = volumes
            .into_iter()
            .find(|volume| std::path::Path::new(&data).starts_with(volume));
        let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
        Ok(Some(Image {
            major: variable("PG_MAJOR").unwrap_or(digits).parse().ok(),
            volume: volume.unwrap_or(data),
            origin: format!("from image {name}{why}"),
            name,
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        }))
    }

    /// Pulls an image. A registry in reach says something soon; then it has time.
    async fn pull(
        &self,
        repository: &str,
        tag: &str,
        patience: Duration,
    ) -> std::result::Result<(), String> {
        let options = CreateImageOptionsBuilder::new()
            .from_image(repository)
            .tag(tag)
            .build();
        let mut progress = std::pin::pin!(self.0.create_image(Some(options), None, None));
        let mut next =
            async || std::future::poll_fn(|context| progress.as_mut().poll_next(context)).await;
        let mut limit = patience;
        loop {
            match tokio::time::timeout(limit, next()).await {
                Err(_) => {
                    return Err(format!(
                        "no answer from the registry in {} s",
                        limit.as_secs()
                    ));
                }
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(error.to_string()),
                Ok(Some(Ok(_))) => limit = PULL_LIMIT,
            }
        }
    }
}

/// The daemon, and the images that servers can be made of without pulling.
pub(super) async fn signs() -> Vec<Sign> {
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => {
            let mend = "start the daemon, or set DOCKER_HOST".to_owned();
            return vec![Sign::note("docker", error.to_string(), mend)];
        }
    };
    let version = engine.0.version().await.ok();
    let version = version.and_then(|version| version.version);
    let mut images = Vec::new();
    for major in OLDEST..=NEWEST {
        for repository in [OFFICIAL, OURS] {
            let tag = major.to_string();
            if let Ok(Some(image)) = engine.inspect(repository, &tag, String::new()).await {
                images.push(image.name);
            }
        }
    }
    let daemon = format!("daemon {}", version.unwrap_or_default());
    if images.is_empty() {
        let says = format!("{daemon}, without an image of Postgres");
        let mend = format!(
            "one is pulled by the first run; without a registry in reach, `cargo xtask image --postgres {NEWEST}` \
             builds one"
        );
        return vec![
            Sign::well("docker", daemon),
            Sign::note("images", says, mend),
        ];
    }
    vec![
        Sign::well("docker", daemon),
        Sign::well("images", images.join(", ")),
    ]
}

/// `NAME:TAG` in its parts; a port of a registry's host is not a tag.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn images_are_split() {
        for (name, parts) in [
            ("postgres:18-bookworm", ("postgres", "18-bookworm")),
            ("host:5000/postgres", ("host:5000/postgres", "latest")),
            ("host:5000/postgres:17", ("host:5000/postgres", "17")),
        ] {
            assert_eq!(super::split(name), parts);
        }
    }
}
