//! Servers in containers, where `WATERTIGHT_TEST_DOCKER=1` says that there is an engine with an image.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::ImageExt;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use watertight::server::{self, Server, ServerChoice, ServerRequest};

use super::leftovers::{owner, said};
use super::{becomes, folder, local, request, value};

pub(crate) fn docker_wanted() -> bool {
    std::env::var("WATERTIGHT_TEST_DOCKER").is_ok_and(|value| value == "1")
}

pub(crate) fn containers(filter: &str) -> Vec<String> {
    let output = Command::new("docker")
        .args(["ps", "--all", "--quiet", "--filter", filter])
        .output()
        .expect("docker is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The label of a server in a container: its socket's folder is inside that of its entry.
fn owner_label(socket: &Path) -> String {
    format!(
        "label=watertight.owner={}",
        socket
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
    )
}

async fn docker() -> Server {
    server::start(&request("docker"))
        .await
        .unwrap_or_else(|error| {
            panic!("start Docker and run `cargo xtask image` for this test: {error}")
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_serves_and_leaves_nothing() {
    if !docker_wanted() {
        return;
    }
    let server = docker().await;
    assert_eq!(server.kind(), "docker");
    assert!(
        server.is_superuser() && server.chosen().contains(" from image "),
        "{server:?}"
    );
    let socket = folder(&server);
    let label = owner_label(&socket);
    assert_eq!(containers(&label).len(), 1);
    let mut connection =
        PgConnection::connect_with(&server.options(server.administrator(), "postgres"))
            .await
            .unwrap();
    assert_eq!(
        value(
            &mut connection,
            "SELECT coalesce(host(inet_server_addr()), 'socket')"
        )
        .await,
        "socket"
    );
    assert_eq!(value(&mut connection, "SHOW fsync").await, "off");
    let mut by_tcp = PgConnection::connect(&server.url(server.administrator(), "postgres"))
        .await
        .unwrap();
    assert_ne!(
        value(
            &mut by_tcp,
            "SELECT coalesce(host(inet_server_addr()), 'socket')"
        )
        .await,
        "socket"
    );
    assert!(
        server
            .log_tail()
            .unwrap()
            .contains("ready to accept connections")
    );
    server.stop().await.unwrap();
    assert!(containers(&label).is_empty() && !socket.exists());
}

/// The image serves whoever knows the official one: testcontainers' own module waits for the ready lines on both
/// streams, which must come in its order.
#[tokio::test]
async fn the_image_is_ready_when_testcontainers_thinks_so() {
    if !docker_wanted() {
        return;
    }
    let server = docker().await;
    let image = server.chosen().split(" from image ").nth(1).unwrap();
    let image = image.split_whitespace().next().unwrap().to_owned();
    server.stop().await.unwrap();
    let (name, tag) = image.rsplit_once(':').unwrap();
    let container = Postgres::default()
        .with_init_sql("CREATE TABLE made (by_init int)".to_owned().into_bytes())
        .with_db_name("own")
        .with_name(name)
        .with_tag(tag)
        .start()
        .await
        .unwrap();
    let port = container.get_host_port_ipv4(5432).await.unwrap();
    let url = format!("postgres://postgres:postgres@127.0.0.1:{port}/own?sslmode=disable");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(
        value(&mut connection, "SELECT 'made'::regclass::text").await,
        "made"
    );
    container.rm().await.unwrap();
}

#[tokio::test]
async fn a_dropped_container_is_gone() {
    if !docker_wanted() {
        return;
    }
    let server = docker().await;
    let label = owner_label(&folder(&server));
    drop(server);
    assert!(containers(&label).is_empty());

    // Also where nothing runs tasks any more.
    let server = docker().await;
    let label = owner_label(&folder(&server));
    std::thread::spawn(move || drop(server)).join().unwrap();
    assert!(containers(&label).is_empty());
}

#[tokio::test]
async fn a_container_of_a_killed_owner_is_removed_by_the_next_start_of_any_kind() {
    if !docker_wanted() {
        return;
    }
    let (mut child, mut lines) = owner("docker", None);
    let socket = PathBuf::from(said(&mut lines, "READY"));
    let label = owner_label(&socket);
    assert_eq!(containers(&label).len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    local().await.stop().await.unwrap();
    assert!(becomes(|| containers(&label).is_empty() && !socket.exists()));
}

#[tokio::test]
async fn without_an_image_auto_turns_to_what_is_there() {
    if !docker_wanted() {
        return;
    }
    // 16: neither built by us (Debian carries it in no suite) nor, on machines without a registry, pulled.
    let started = Instant::now();
    let result = server::start(&ServerRequest {
        choice: ServerChoice::Auto,
        version: Some(16),
        ..ServerRequest::default()
    })
    .await;
    match result {
        Ok(server) => server.stop().await.unwrap(),
        Err(error) => {
            assert!(
                started.elapsed() < Duration::from_secs(4),
                "{:?}",
                started.elapsed()
            );
            for part in [
                "docker passed over: no image postgres:16",
                "cargo xtask image",
                "local passed over",
            ] {
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
        }
    }
}
