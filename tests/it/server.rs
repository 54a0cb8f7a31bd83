//! The server room, on real servers. Without Postgres binaries these fail, and say what to install.

pub(crate) mod containers;
#[cfg(feature = "embedded")]
mod embedded;
mod external;
pub(crate) mod leftovers;
mod shared;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use watertight::Error;
use watertight::server::{self, Login, Server, ServerRequest};

pub(crate) fn request(choice: &str) -> ServerRequest {
    ServerRequest {
        choice: choice.parse().unwrap(),
        ..ServerRequest::default()
    }
}

pub(crate) async fn local() -> Server {
    server::start(&request("local"))
        .await
        .unwrap_or_else(|error| panic!("install Postgres for this test: {error}"))
}

pub(crate) async fn refused(request: ServerRequest) -> Error {
    server::start(&request)
        .await
        .expect_err("this request can't be met")
}

/// The folder of a server of ours: where its socket is.
pub(crate) fn folder(server: &Server) -> PathBuf {
    let options = server.options(server.administrator(), "postgres");
    options
        .get_socket()
        .expect("a server on this machine has a socket")
        .clone()
}

pub(crate) fn postmaster(folder: &Path) -> u32 {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

pub(crate) fn runs(pid: u32) -> bool {
    // A zombie has ended, whoever has not asked for it yet.
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// The lock file of a server's entry, beside its folder.
pub(crate) fn entry(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Says whether it became true within ten seconds.
pub(crate) fn becomes(condition: impl FnMut() -> bool) -> bool {
    becomes_within(Duration::from_secs(10), condition)
}

pub(crate) fn becomes_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

pub(crate) async fn value(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_local_server_serves_by_socket_and_by_tcp_and_leaves_nothing() {
    let server = local().await;
    let folder = folder(&server);
    let pid = postmaster(&folder);
    assert_eq!(server.kind(), "local");
    assert!(server.is_superuser());
    assert!(server.version_number() / 10_000 >= 15);
    assert!(
        server
            .chosen()
            .starts_with(&format!("local PostgreSQL {} from /", server.version())),
        "{server:?}"
    );

    let administrator = server.administrator();
    let mut by_socket =
        PgConnection::connect_with(&server.options(administrator, server.maintenance_database()))
            .await
            .unwrap();
    assert_eq!(value(&mut by_socket, "SHOW fsync").await, "off");
    assert_eq!(value(&mut by_socket, "SHOW server_encoding").await, "UTF8");
    for sql in [
        "CREATE ROLE \"we'ird ro/le\" LOGIN PASSWORD 'p@ss: wörd/%?'",
        "CREATE DATABASE \"we?ird d/b\"",
    ] {
        sqlx::raw_sql(sql).execute(&mut by_socket).await.unwrap();
    }

    // Other processes come by TCP, with the password and with no other.
    let mut login = Login {
        role: "we'ird ro/le".to_owned(),
        password: Some("p@ss: wörd/%?".to_owned()),
    };
    let mut by_tcp = PgConnection::connect(&server.url(&login, "we?ird d/b"))
        .await
        .unwrap();
    assert_eq!(
        value(
            &mut by_tcp,
            "SELECT current_user || '|' || current_database()"
        )
        .await,
        "we'ird ro/le|we?ird d/b"
    );
    assert_eq!(
        value(&mut by_tcp, "SELECT host(inet_server_addr())").await,
        "127.0.0.1"
    );
    by_tcp.close().await.unwrap();
    login.password = Some("wrong".to_owned());
    let error = PgConnection::connect(&server.url(&login, "we?ird d/b"))
        .await
        .unwrap_err();
    assert_eq!(
        error.as_database_error().unwrap().code().as_deref(),
        Some("28P01")
    );
    assert!(
        server
            .log_tail()
            .unwrap()
            .contains("ready to accept connections")
    );

    // A session that is open does not hold it up.
    server.stop().await.unwrap();
    assert!(!runs(pid) && !folder.exists() && !entry(&folder).exists());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = local().await;
    let folder = folder(&server);
    let pid = postmaster(&folder);
    assert!(runs(pid) && entry(&folder).exists());
    drop(server);
    assert!(!runs(pid) && !folder.exists() && !entry(&folder).exists());
}

#[tokio::test]
async fn servers_at_once_have_nothing_in_common() {
    let (one, other) = tokio::join!(local(), local());
    assert_ne!(one.tcp().1, other.tcp().1);
    assert_ne!(folder(&one), folder(&other));
    one.stop().await.unwrap();
    let options = other.options(other.administrator(), "postgres");
    PgConnection::connect_with(&options)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    other.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_processes_hold_no_stream_of_ours_and_are_out_of_reach_of_the_terminal() {
    let server = local().await;
    let folder = folder(&server);
    let pid = postmaster(&folder);
    let stream = |number: u32| fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
    assert_eq!(stream(0), Path::new("/dev/null"));
    assert_eq!(
        (stream(1), stream(2)),
        (folder.join("log"), folder.join("log"))
    );
    let group = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .nth(2)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(group(pid), pid);
    assert_ne!(group(std::process::id()), pid);
    // Nobody but its user and root comes in by the socket, which asks for no password.
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_ne!(
        fs::metadata(format!("/proc/{pid}")).unwrap().uid(),
        0,
        "Postgres never runs as root"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_had_is_said_with_the_way_out() {
    let error = refused(ServerRequest {
        version: Some(99),
        ..request("local")
    })
    .await;
    assert!(matches!(error, Error::NoServer(_)), "{error}");
    for part in [
        "no binaries of PostgreSQL 99",
        "postgresql-99",
        "--server docker",
        "cargo xtask image --postgres 99",
    ] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }

    let error = refused(ServerRequest {
        pg_bin: Some("/usr".into()),
        ..request("auto")
    })
    .await;
    assert!(
        error.to_string().contains("there is no `postgres` in it"),
        "{error}"
    );

    let error = refused(ServerRequest {
        version: Some(14),
        ..request("auto")
    })
    .await;
    assert!(
        matches!(error, Error::Usage(_)) && error.to_string().contains("15 or newer"),
        "{error}"
    );

    if cfg!(not(feature = "embedded")) {
        let error = refused(request("embedded")).await;
        assert!(matches!(error, Error::NoServer(_)), "{error}");
        assert!(error.to_string().contains("feature `embedded`"), "{error}");
    }

    // Nowhere: every kind with its reason, and the three ways.
    let error = refused(ServerRequest {
        version: Some(99),
        ..request("auto")
    })
    .await;
    assert!(matches!(error, Error::NoServer(_)), "{error}");
    for part in [
        "docker passed over: ",
        "local passed over: ",
        "Three ways",
        "apt-get install",
        "brew",
        "postgres://",
    ] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}
