//! The server room, on real servers. Without Postgres binaries these fail, and say what to install; those of
//! Docker run where `WATERTIGHT_TEST_DOCKER=1` says that there is an engine with an image.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use watertight::Error;
use watertight::server::{self, Login, Server, ServerChoice, ServerRequest};

/// Tells this binary, run again, which server to own until it is killed.
const OWNER: &str = "WATERTIGHT_TEST_OWNER";

fn request(choice: &str) -> ServerRequest {
    ServerRequest {
        choice: choice.parse().unwrap(),
        ..ServerRequest::default()
    }
}

async fn local() -> Server {
    server::start(&request("local"))
        .await
        .unwrap_or_else(|error| panic!("install Postgres for this test: {error}"))
}

async fn refused(request: ServerRequest) -> Error {
    server::start(&request)
        .await
        .expect_err("this request can't be met")
}

fn docker_wanted() -> bool {
    std::env::var("WATERTIGHT_TEST_DOCKER").is_ok_and(|value| value == "1")
}

/// The folder of a server of ours: where its socket is.
fn folder(server: &Server) -> PathBuf {
    let options = server.options(server.administrator(), "postgres");
    options
        .get_socket()
        .expect("a server on this machine has a socket")
        .clone()
}

fn postmaster(folder: &Path) -> u32 {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn runs(pid: u32) -> bool {
    // A zombie has ended, whoever has not asked for it yet.
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// The lock file of a server's entry, beside its folder.
fn entry(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Says whether it became true within ten seconds.
fn becomes(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

async fn value(connection: &mut PgConnection, sql: &'static str) -> String {
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

    let error = refused(request("embedded")).await;
    assert!(error.to_string().contains("not built in yet"), "{error}");

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

#[tokio::test]
async fn a_server_by_url_is_checked_first_and_left_as_it_is() {
    let ours = local().await;
    let url = ours.url(ours.administrator(), "postgres");
    let given = server::start(&request(&url)).await.unwrap();
    assert_eq!((given.kind(), given.is_superuser()), ("external", true));
    assert_eq!(given.tcp(), ours.tcp());
    assert!(
        given.chosen().contains("postgres://postgres:***@127.0.0.1"),
        "{given:?}"
    );
    let login = given.administrator().clone();
    assert_eq!(Some(&login), Some(ours.administrator()));
    let mut connection = PgConnection::connect_with(&given.options(&login, "template1"))
        .await
        .unwrap();
    assert_eq!(
        value(&mut connection, "SELECT current_database()::text").await,
        "template1"
    );
    connection.close().await.unwrap();
    PgConnection::connect(&given.url(&login, "template1"))
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    given.stop().await.unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "CREATE ROLE plain LOGIN PASSWORD 'secret'; CREATE ROLE half LOGIN CREATEDB PASSWORD 'secret';
         CREATE ROLE \"En ough\" LOGIN CREATEDB CREATEROLE PASSWORD 'secret'",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let login = |role: &str, password: &str| Login {
        role: role.to_owned(),
        password: Some(password.to_owned()),
    };
    for (login, parts) in [
        (
            login("plain", "secret"),
            [
                "CREATEDB and CREATEROLE",
                "ALTER ROLE plain CREATEDB CREATEROLE",
            ],
        ),
        (
            login("half", "secret"),
            ["lacks CREATEROLE", "ALTER ROLE half CREATEROLE"],
        ),
        (
            login("plain", "mistaken"),
            ["plain:***@", "password authentication failed"],
        ),
    ] {
        let error = refused(request(&ours.url(&login, "postgres"))).await;
        assert!(matches!(error, Error::NoServer(_)), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert!(
            !error.to_string().contains("secret") && !error.to_string().contains("mistaken"),
            "{error}"
        );
    }
    let enough = server::start(&request(&ours.url(&login("En ough", "secret"), "postgres")))
        .await
        .unwrap();
    assert!(!enough.is_superuser());
    drop(enough);
    let error = refused(ServerRequest {
        version: Some(99),
        ..request(&url)
    })
    .await;
    assert!(error.to_string().contains("99 was asked for"), "{error}");
    PgConnection::connect(&url)
        .await
        .expect("the server given by URL still runs")
        .close()
        .await
        .unwrap();
    ours.stop().await.unwrap();
}

/// Not a test of its own: run again by others here, it owns a server until it is killed.
#[tokio::test]
async fn owner_for_others() {
    let Ok(choice) = std::env::var(OWNER) else {
        return;
    };
    if choice == "clean" {
        for line in server::clean().await.unwrap() {
            println!("\nCLEANED {line}");
        }
        return;
    }
    let (choice, keep) = match choice.strip_suffix("+keep") {
        Some(choice) => (choice, true),
        None => (choice.as_str(), false),
    };
    println!("\nSTARTING");
    let server = server::start(&request(choice)).await.unwrap();
    println!("\nREADY {}", folder(&server).display());
    if keep {
        server.keep().unwrap();
        return;
    }
    std::future::pending::<()>().await;
}

/// This binary once more, as the owner of a server.
fn owner(choice: &str, user: Option<u32>) -> (Child, impl Iterator<Item = String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "server::owner_for_others", "--nocapture"])
        .env(OWNER, choice)
        .current_dir("/")
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    (child, lines)
}

fn said(lines: &mut impl Iterator<Item = String>, word: &str) -> String {
    let line = lines.find_map(|line| line.strip_prefix(word).map(|rest| rest.trim().to_owned()));
    line.unwrap_or_else(|| panic!("the owner did not say {word}"))
}

#[tokio::test]
async fn what_a_killed_owner_left_is_removed_by_the_next_start() {
    let (mut child, mut lines) = owner("local", None);
    let folder = PathBuf::from(said(&mut lines, "READY"));
    let pid = postmaster(&folder);
    // As long as its owner lives, nobody touches it.
    local().await.stop().await.unwrap();
    assert!(runs(pid) && folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    local().await.stop().await.unwrap();
    // Another test's start may be at it at the same time.
    assert!(becomes(|| !runs(pid)
        && !folder.exists()
        && !entry(&folder).exists()));
}

#[tokio::test]
async fn an_owner_killed_while_it_starts_leaves_nothing_for_good() {
    let server = local().await;
    let registry = folder(&server).parent().unwrap().to_owned();
    for pause in [0, 3, 8, 15, 25, 40, 60, 90] {
        let (mut child, mut lines) = owner("local", None);
        said(&mut lines, "STARTING");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    local().await.stop().await.unwrap();
    assert!(
        becomes(|| ownerless(&registry).is_empty()),
        "left in {}: {:?}",
        registry.display(),
        ownerless(&registry)
    );
    server.stop().await.unwrap();
}

/// Entries whose lock is free, folders without an entry, and servers without a folder.
fn ownerless(registry: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(registry)
        .unwrap()
        .flatten()
        .map(|file| file.path())
    {
        let locked = |path: &Path| File::open(path).is_ok_and(|file| file.try_lock().is_err());
        let kept = fs::read_to_string(&file).is_ok_and(|text| text.contains("kept"));
        let owned = if file.extension().is_some() {
            locked(&file)
        } else {
            entry(&file).exists()
        };
        if file.exists() && !owned && !kept {
            found.push(file.display().to_string());
        }
    }
    let output = Command::new("ps")
        .args(["-axww", "-o", "args="])
        .output()
        .unwrap();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let data = line
            .split_once("-D ")
            .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
        if data
            .is_some_and(|data| Path::new(data).starts_with(registry) && !Path::new(data).exists())
        {
            found.push(line.to_owned());
        }
    }
    found
}

/// As root, all of this as an ordinary user too; as an ordinary user the other tests have shown it.
#[tokio::test]
async fn an_ordinary_user_has_servers_and_keeps_and_cleans_them() {
    let nobody = 65534;
    if fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        return;
    }
    let (mut child, mut lines) = owner("local", Some(nobody));
    let folder = PathBuf::from(said(&mut lines, "READY"));
    let pid = postmaster(&folder);
    assert_eq!(fs::metadata(&folder).unwrap().uid(), nobody);
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, mut lines) = owner("local+keep", Some(nobody));
    let kept = PathBuf::from(said(&mut lines, "READY"));
    assert!(child.wait().unwrap().success());
    assert!(
        !runs(pid) && !folder.exists(),
        "the next start removes what the killed one left"
    );

    let (mut child, mut lines) = owner("local", Some(nobody));
    said(&mut lines, "READY");
    assert!(
        runs(postmaster(&kept)),
        "a start leaves alone what was kept"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let kept_pid = postmaster(&kept);
    let (mut child, lines) = owner("clean", Some(nobody));
    let cleaned: Vec<String> = lines.filter(|line| line.starts_with("CLEANED")).collect();
    assert!(child.wait().unwrap().success());
    assert!(
        cleaned
            .iter()
            .any(|line| line.contains(&format!("ended postgres {kept_pid}"))),
        "{cleaned:?}"
    );
    assert!(!runs(kept_pid) && !kept.exists());
    assert!(ownerless(kept.parent().unwrap()).is_empty());
}

fn containers(filter: &str) -> Vec<String> {
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
