//! What goes wrong is noticed, and nothing good is lost by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection as _, PgConnection};

use super::{Stage, says};
use crate::apart::apart;
use crate::command_line::text;

/// A table of the harness's own schema, which `pg_dump` alone reads: whoever locks it stops `pg_dump` and nothing else.
const HELD: &str = "CREATE SCHEMA watertight; CREATE TABLE watertight.held (id int)";

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_cut_short_or_changed_is_noticed() {
    let stage = Stage::new(50).await;
    let backup = stage.taken();
    let dump = backup.join("database.dump");
    let whole = fs::read(&dump).unwrap();
    let noticed = |bytes: &[u8]| {
        fs::write(&dump, bytes).unwrap();
        says(
            &stage.verify(&backup),
            2,
            &["database.dump is damaged: its SHA-256"],
        );
    };
    noticed(&whole[..whole.len() / 2]);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    noticed(&flipped);
    fs::remove_file(&dump).unwrap();
    says(&stage.verify(&backup), 2, &["database.dump is damaged"]);
    fs::write(&dump, &whole).unwrap();
    says(&stage.verify(&backup), 0, &["equal"]);
    // A manifest of what the dump does not hold: rows and objects are compared, not only bytes.
    let manifest = backup.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replacen("\"rows\": 50", "\"rows\": 51", 1)
            .replace("policy own on crm.notes", "policy mine on crm.notes"),
    )
    .unwrap();
    sign(&backup);
    says(
        &stage.verify(&backup),
        1,
        &[
            "51 rows of organisation",
            "were saved, 50 came back",
            "missing: policy mine on crm.notes",
            "not saved: policy own on crm.notes",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_another_version_is_noticed() {
    let stage = Stage::new(5).await;
    let backup = stage.taken();
    let dump = backup.join("database.dump");
    let mut bytes = fs::read(&dump).unwrap();
    // Behind the magic word `PGDMP`: the archive's major and minor version.
    bytes[6] = 99;
    fs::write(&dump, bytes).unwrap();
    sign(&backup);
    says(
        &stage.verify(&backup),
        2,
        &["pg_restore failed", "unsupported version (1.99)"],
    );
    let manifest = backup.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let (before, rest) = text.split_once("\"major\": ").unwrap();
    let (_, after) = rest.split_once(',').unwrap();
    fs::write(&manifest, format!("{before}\"major\": 99,{after}")).unwrap();
    sign(&backup);
    says(
        &stage.verify(&backup),
        2,
        &["no pg_dump, pg_restore and psql of PostgreSQL 99 on this machine"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_what_was_there_and_nothing_else() {
    let stage = Stage::new(500).await;
    let good = stage.taken();
    // No file may grow beyond 16 blocks: the dump does not fit.
    let command = format!(
        "ulimit -f 16; exec {} backup full --server '{}' --output backups --keep-days 0",
        env!("CARGO_BIN_EXE_watertight"),
        stage.url
    );
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(stage.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("pg_dump "),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(stage.backups("full"), [good]);
    assert!(stage.leftovers().is_empty());
}

/// The disk itself, and not a limit: what was there stays, and no database is replaced that could not be saved first.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_loses_nothing() {
    let stage = Stage::new(5).await;
    let good = stage.taken();
    stage.run_on("app", MORE_ROWS).await;
    let script = format!(
        "mkdir disk; mount -t tmpfs -o size=64k none disk; cp -a {0} disk/
         {1} backup full --server '{2}' --output disk --keep-days 0 2>&1 && exit 1
         {1} restore {0} --server '{2}' --output disk 2>&1 && exit 1
         echo left: $(ls -A disk); (cd disk/app-full-*; sha256sum --check SHA256SUMS)",
        good.display(),
        env!("CARGO_BIN_EXE_watertight"),
        stage.url
    );
    let Some(output) = apart(stage.folder.path(), &script) else {
        return;
    };
    let name = good.file_name().unwrap().to_str().unwrap();
    says(
        &output,
        0,
        &[
            "No space left on device",
            &format!("left: .watertight.lock {name}"),
            "database.dump: OK",
        ],
    );
    assert_eq!(text(&output.stdout).matches("pg_dump failed").count(), 2);
    assert_eq!(
        stage.ask("app", "SELECT count(*) FROM crm.people").await,
        "2525"
    );
    let databases = "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'app%'";
    assert_eq!(stage.ask("postgres", databases).await, "app");
}

/// What chance makes can't be made small.
const MORE_ROWS: &str = "INSERT INTO crm.people (organisation_id, name, state, score, seen)
    SELECT id, 'Ada', 'open', random(), now() + random() * interval '1 year' FROM crm.organisations, generate_series(1, 500)";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pg_dump_leaves_what_was_there_and_nothing_else() {
    let stage = Stage::new(5).await;
    let good = stage.taken();
    stage.run_on("app", HELD).await;
    let (lock, child) = stopped_in_pg_dump(&stage).await;
    let folder = stage.folder.path().join("backups").display().to_string();
    kill(&processes(&["pg_dump", &folder]));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("pg_dump was ended by signal: 9"), "{said}");
    lock.close().await.unwrap();
    assert_eq!(stage.backups("full"), [good]);
    assert!(stage.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_is_cleaned_up_by_the_next() {
    let stage = Stage::new(5).await;
    let good = stage.taken();
    stage.run_on("app", HELD).await;
    let (lock, mut child) = stopped_in_pg_dump(&stage).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.leftovers().len(), 1, "nobody was there to remove it");
    assert_eq!(stage.backups("full"), std::slice::from_ref(&good));
    lock.close().await.unwrap();
    stage.taken();
    assert!(stage.leftovers().is_empty());
    assert!(good.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_noticed() {
    let mut stage = Stage::new(5).await;
    let good = stage.taken();
    stage.run_on("app", HELD).await;
    let (lock, child) = stopped_in_pg_dump(&stage).await;
    drop(lock);
    stage.server.take().unwrap().stop().await.unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert_eq!(stage.backups("full"), [good]);
    assert!(stage.leftovers().is_empty());
}

/// A backup whose `pg_dump` waits for a lock, and who has it.
async fn stopped_in_pg_dump(stage: &Stage) -> (PgConnection, Child) {
    let mut lock = stage.connect_to("app").await;
    sqlx::raw_sql("BEGIN; LOCK TABLE watertight.held")
        .execute(&mut lock)
        .await
        .unwrap();
    let output = stage.folder.path().join("backups");
    let child = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args(["backup", "full", "--no-verify", "--server", &stage.url])
        .arg("--output")
        .arg(output)
        .current_dir(stage.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    waiting(stage, "application_name = 'pg_dump'").await;
    (lock, child)
}

/// Waits until a session of this kind waits for a lock.
pub(super) async fn waiting(stage: &Stage, who: &str) {
    let sql =
        format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND {who}");
    while stage.ask("postgres", &sql).await == "0" {
        tokio::task::yield_now().await;
    }
}

/// The processes whose words hold all of these.
pub(super) fn processes(words: &[&str]) -> Vec<String> {
    let output = Command::new("ps")
        .args(["-axww", "-o", "pid=,args="])
        .output();
    let listed = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    listed
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(_, arguments)| {
            let program = arguments.split(' ').next().unwrap_or_default();
            program.ends_with(words[0]) && words.iter().all(|word| arguments.contains(word))
        })
        .map(|(pid, _)| pid.to_owned())
        .collect()
}

pub(super) fn kill(processes: &[String]) {
    assert_eq!(processes.len(), 1);
    let status = Command::new("kill").arg("-KILL").args(processes).status();
    assert!(status.unwrap().success());
}

/// Writes the sums of a backup again, as whoever changed it on purpose would.
fn sign(backup: &Path) {
    let script = "sha256sum database.dump roles.sql database.sql manifest.json > SHA256SUMS";
    let status = Command::new("sh")
        .args(["-c", script])
        .current_dir(backup)
        .status();
    assert!(status.unwrap().success());
}

/// What is in it is everybody's rows.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_look_into_a_backup() {
    let stage = Stage::new(1).await;
    let backup: PathBuf = stage.taken();
    let mode = fs::metadata(backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}
