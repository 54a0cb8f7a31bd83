//! The way back: the old database serves until the new one holds everything.

use std::fs;
use std::process::{Command, Output, Stdio};

use sqlx::Connection as _;

use super::faults::waiting;
use super::{Stage, says};
use crate::command_line::watertight;

pub(super) const PEOPLE: &str = "SELECT count(*) FROM crm.people";
pub(super) const DATABASES: &str =
    "SELECT string_agg(regexp_replace(datname, '_[0-9]+t[0-9]+$', ''), ' ' ORDER BY datname)
    FROM pg_database WHERE datname LIKE 'app%' OR datname = 'elsewhere'";

fn restore(stage: &Stage, backup: &std::path::Path, more: &[&str]) -> Output {
    let backup = backup.display().to_string();
    let usual = ["restore", &backup, "--server", &stage.url];
    watertight(&stage.folder, &[&usual, more].concat(), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_takes_the_old_ones_place_and_keeps_it() {
    let stage = Stage::new(40).await;
    let backup = stage.taken();
    stage
        .run_on("app", "DELETE FROM crm.notes; DELETE FROM crm.people")
        .await;
    let output = restore(&stage, &backup, &[]);
    says(
        &output,
        0,
        &[
            "405 rows of 5 organisations",
            "before    saved in",
            "DROP DATABASE \"app_before_",
        ],
    );
    assert_eq!(stage.ask("app", PEOPLE).await, "200");
    assert_eq!(stage.ask("postgres", DATABASES).await, "app app_before");
    assert_eq!(
        stage.backups("full").len(),
        2,
        "one of them of what was there"
    );
    // Settings and privileges of the database came along.
    let settings =
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE datname = 'app' AND setrole = 0";
    assert_eq!(stage.ask("app", settings).await, "{TimeZone=Europe/Paris}");
    let connect = "SELECT has_database_privilege('crew', 'app', 'CONNECT') AND NOT has_database_privilege('o', 'app', 'CONNECT')";
    stage.run_on("postgres", "CREATE ROLE o").await;
    assert_eq!(stage.ask("app", connect).await, "true");
    // The safety backup is one like any other, and nothing is kept where that is asked for.
    let safety = stage.backups("full").pop().unwrap();
    says(
        &restore(&stage, &safety, &["--drop-old"]),
        0,
        &["5 rows of 5 organisations"],
    );
    assert_eq!(stage.ask("app", PEOPLE).await, "0");
    assert_eq!(stage.ask("postgres", DATABASES).await, "app app_before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_made_with_its_roles() {
    let stage = Stage::new(10).await;
    let backup = stage.taken();
    let other = Stage::new(1).await;
    other.run_on("postgres", "DROP DATABASE app").await;
    other
        .run_on("postgres", "DROP ROLE app, crew, \"O'Neil\", proprietor")
        .await;
    let output = restore(&other, &backup, &[]);
    says(&output, 0, &["105 rows of 5 organisations of app\n"]);
    assert_eq!(other.ask("app", PEOPLE).await, "50");
    let roles = "SELECT string_agg(rolname || rolconnlimit || rolbypassrls, ' ' ORDER BY rolname) FROM pg_roles
        WHERE rolname IN ('app', 'crew', 'O''Neil', 'proprietor')";
    let made = other.ask("postgres", roles).await;
    assert_eq!(made, stage.ask("postgres", roles).await);
    assert_eq!(made, "O'Neil-1true app7false crew-1false proprietor-1false");
    let members = "SELECT string_agg(roleid::regrole || ' ' || member::regrole || admin_option, ',' ORDER BY roleid::regrole::text)
        FROM pg_auth_members WHERE member = '\"O''Neil\"'::regrole";
    assert_eq!(
        other.ask("postgres", members).await,
        "crew \"O'Neil\"true,pg_read_all_data \"O'Neil\"false"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_replaced_only_when_told() {
    let stage = Stage::new(5).await;
    let backup = stage.taken();
    let mut user = stage.connect_to("app").await;
    says(
        &restore(&stage, &backup, &[]),
        2,
        &[
            "1 session is in the database app: postgres (watertight) from a socket",
            "--disconnect",
        ],
    );
    user.ping().await.unwrap();
    assert_eq!(stage.ask("postgres", DATABASES).await, "app");
    says(
        &restore(&stage, &backup, &["--disconnect"]),
        0,
        &["restored"],
    );
    assert!(user.ping().await.is_err(), "its session was ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_leaves_the_old_one_serving() {
    let stage = Stage::new(5).await;
    let backup = stage.taken();
    stage
        .run_on("app", "DELETE FROM crm.notes WHERE id = 1")
        .await;
    let notes = "SELECT count(*) FROM crm.notes";
    let as_it_was = async || {
        assert_eq!(stage.ask("app", notes).await, "24");
        assert_eq!(stage.ask("postgres", DATABASES).await, "app");
    };
    // A dump that ends too early, though its sum is right.
    let dump = backup.join("database.dump");
    let whole = fs::read(&dump).unwrap();
    fs::write(&dump, &whole[..whole.len() - 600]).unwrap();
    let sums = "sha256sum database.dump roles.sql database.sql manifest.json > SHA256SUMS";
    let sign = || {
        let status = Command::new("sh")
            .args(["-c", sums])
            .current_dir(&backup)
            .status();
        assert!(status.unwrap().success());
    };
    sign();
    says(
        &restore(&stage, &backup, &[]),
        2,
        &["the database app is as it was"],
    );
    as_it_was().await;
    fs::write(&dump, &whole).unwrap();
    // What comes back is not what was saved.
    let manifest = backup.join("manifest.json");
    let saved = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, saved.replacen("\"rows\": 5,", "\"rows\": 6,", 1)).unwrap();
    sign();
    says(
        &restore(&stage, &backup, &[]),
        2,
        &[
            "what was restored is not what was saved",
            "6 rows of organisation",
            "as it was",
        ],
    );
    as_it_was().await;
    fs::write(&manifest, &saved).unwrap();
    sign();
    // Killed just before the names change; what it left is removed by the next.
    let mut holder = stage.connect_to("postgres").await;
    sqlx::raw_sql("BEGIN; COMMENT ON DATABASE app IS 'held'")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args([
            "restore",
            &backup.display().to_string(),
            "--server",
            &stage.url,
        ])
        .current_dir(stage.folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    waiting(&stage, "query LIKE '%RENAME TO%'").await;
    child.kill().unwrap();
    child.wait().unwrap();
    holder.close().await.unwrap();
    let renaming = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%RENAME TO \"app\"%' AND pid <> pg_backend_pid()";
    while stage.ask("postgres", renaming).await != "0" {
        tokio::task::yield_now().await;
    }
    // The session that was waiting may still have done its work: both names, or neither.
    let served = stage.ask("app", notes).await;
    let there = stage.ask("postgres", DATABASES).await;
    assert!(
        (served == "24" && there == "app app_restoring")
            || (served == "25" && there == "app app_before"),
        "{served} {there}"
    );
    says(&restore(&stage, &backup, &[]), 0, &["restored"]);
    assert_eq!(stage.ask("app", notes).await, "25");
    let left = stage.ask("postgres", DATABASES).await;
    assert!(!left.contains("restoring"), "{left}");
}
