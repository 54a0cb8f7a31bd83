//! Postgres in the program itself: with the feature `embedded` alone, so that nobody else builds it.
//!
//! `cargo test --features embedded --test it embedded`, on a machine without Postgres binaries of the major version that is
//! built in.

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use watertight::Error;
use watertight::fixtures::TestDatabase;
use watertight::server::{self, ServerRequest};

use super::{folder, postmaster, refused, request, runs, value};
use crate::command_line::watertight;
use crate::fixtures::{NOTES, notes};

#[tokio::test]
async fn a_server_from_this_program_serves_as_others_do_and_leaves_nothing() {
    let server = server::start(&request("embedded")).await.unwrap();
    let (kind, said) = (server.kind(), server.chosen().to_owned());
    assert_eq!(kind, "embedded");
    assert!(
        said.starts_with("embedded PostgreSQL ") && said.contains("/postgres-"),
        "{said}"
    );
    let (folder, administrator) = (folder(&server), server.administrator());
    let pid = postmaster(&folder);
    let options = server.options(administrator, "postgres");
    let mut by_socket = PgConnection::connect_with(&options).await.unwrap();
    // Those that migrations ask for most often are there.
    let sql = "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_available_extensions
               WHERE name IN ('btree_gist', 'citext', 'hstore', 'pg_trgm', 'plpgsql', 'unaccent')";
    assert_eq!(
        value(&mut by_socket, sql).await,
        "btree_gist citext hstore pg_trgm plpgsql unaccent"
    );
    let by_tcp = PgConnection::connect(&server.url(administrator, "postgres"));
    by_tcp.await.unwrap().close().await.unwrap();
    by_socket.close().await.unwrap();
    server.stop().await.unwrap();
    assert!(!runs(pid) && !folder.exists());
}

#[tokio::test]
async fn another_version_than_the_one_built_in_is_refused() {
    let error = refused(ServerRequest {
        version: Some(99),
        ..request("embedded")
    })
    .await;
    assert!(matches!(error, Error::NoServer(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("PostgreSQL 99 was asked for") && text.contains("is built in"),
        "{text}"
    );
}

#[tokio::test]
async fn auto_takes_it_where_there_is_no_other_and_says_so() {
    let server = server::start(&request("embedded")).await.unwrap();
    let major = (server.version_number() / 10_000).to_string();
    server.stop().await.unwrap();
    let folder = notes(NOTES);
    let arguments = [
        "test-db",
        "--only",
        "cross-tenant-reference",
        "--postgres",
        &major,
    ];
    let arguments = [&arguments[..], &["--report", "json=report.json"]].concat();
    let nowhere = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    let output = watertight(&folder, &arguments, &nowhere);
    let (said, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{said}{error}");
    for part in [
        "embedded PostgreSQL",
        "docker passed over",
        "local passed over",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["server"]["kind"], "embedded");
    let output = watertight(&folder, &["doctor"], &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ok     embedded"), "{said}");
}

#[tokio::test]
async fn tests_share_one() {
    let folder = notes(&format!("-- of an embedded server\n{NOTES}"));
    let database = async || {
        let builder = TestDatabase::builder().config(folder.path().join("watertight.toml"));
        builder.server("embedded").build().await.unwrap()
    };
    let (first, second) = tokio::join!(database(), database());
    let place = |database: &TestDatabase| {
        let options = database.pool().connect_options();
        options.get_socket().cloned().unwrap()
    };
    assert_eq!(place(&first), place(&second));
    assert_ne!(first.url(), second.url());
    let titles = "SELECT count(*) FROM notes";
    for one in [&first, &second] {
        let count = sqlx::query_scalar::<_, i64>(titles).fetch_one(one.pool());
        assert!(count.await.unwrap() > 0);
    }
}
