//! A restore that is interrupted in the middle: the old database serves, and the next restore clears up.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use sqlx::{Connection as _, PgConnection};

use super::faults::{kill, processes};
use super::restore::{DATABASES, PEOPLE};
use super::{Stage, says};

/// Rows that come are held up while a role is there, which all databases see.
const GATE: &str = "CREATE FUNCTION crm.gate() RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS
    $$BEGIN WHILE EXISTS (SELECT FROM pg_roles WHERE rolname = 'gate') LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN true; END$$;
    ALTER TABLE crm.people ADD CONSTRAINT gate CHECK (crm.gate())";

const RESTORING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_restore'";

/// A backup of 25 people, of whom 24 are left; and a restore of it that is in the middle of their rows.
async fn in_the_middle(stage: &Stage) -> (std::path::PathBuf, Child) {
    stage.run_on("app", GATE).await;
    let backup = stage.taken();
    let fewer =
        "DELETE FROM crm.notes WHERE id = 1; DELETE FROM crm.people WHERE id = 1; CREATE ROLE gate";
    stage.run_on("app", fewer).await;
    let child = restore(stage, &backup).spawn().unwrap();
    let held = format!("{RESTORING} AND wait_event = 'PgSleep'");
    while stage.ask("postgres", &held).await == "0" {
        tokio::task::yield_now().await;
    }
    (backup, child)
}

fn restore(stage: &Stage, backup: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watertight"));
    command
        .arg("restore")
        .arg(backup)
        .args(["--server", &stage.url])
        .current_dir(stage.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The next restore has its way, and nothing of the interrupted one is left.
async fn the_next_one_works(stage: &Stage, backup: &Path) {
    stage.run_on("postgres", "DROP ROLE IF EXISTS gate").await;
    while stage.ask("postgres", RESTORING).await != "0" {
        tokio::task::yield_now().await;
    }
    let output: Output = restore(stage, backup).output().unwrap();
    says(&output, 0, &["restored", "before    saved in"]);
    assert_eq!(stage.ask("app", PEOPLE).await, "25");
    assert_eq!(stage.ask("postgres", DATABASES).await, "app app_before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pg_restore_leaves_the_old_one_serving() {
    let stage = Stage::new(5).await;
    let (backup, child) = in_the_middle(&stage).await;
    kill(&processes(&["pg_restore", &backup.display().to_string()]));
    let output = child.wait_with_output().unwrap();
    says(
        &output,
        2,
        &[
            "pg_restore was ended by signal: 9",
            "the database app is as it was",
        ],
    );
    assert_eq!(stage.ask("app", PEOPLE).await, "24");
    assert_eq!(stage.ask("postgres", DATABASES).await, "app");
    the_next_one_works(&stage, &backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_leaves_the_old_one_serving() {
    let stage = Stage::new(5).await;
    let (backup, mut child) = in_the_middle(&stage).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.ask("app", PEOPLE).await, "24");
    assert_eq!(stage.ask("postgres", DATABASES).await, "app app_restoring");
    the_next_one_works(&stage, &backup).await;
}

/// A session that dies takes all others with it: the server starts anew, as after a power cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_lost_while_restoring_serves_the_old_one_again() {
    let stage = Stage::new(5).await;
    let (backup, child) = in_the_middle(&stage).await;
    let session = "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'pg_restore'";
    let session = stage.ask("postgres", session).await;
    kill(&[session]);
    let output = child.wait_with_output().unwrap();
    says(
        &output,
        2,
        &["pg_restore failed", "the database app is as it was"],
    );
    let server = stage.server.as_ref().unwrap();
    let options = server.options(server.administrator(), "app");
    while PgConnection::connect_with(&options).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.ask("app", PEOPLE).await, "24");
    the_next_one_works(&stage, &backup).await;
}
