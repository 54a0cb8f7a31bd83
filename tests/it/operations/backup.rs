//! What is saved comes back, all of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{SETTINGS, Stage, says};
use crate::command_line::{text, watertight};
use crate::folder::Folder;
use crate::server::containers::docker_wanted;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_comes_back_with_roles_and_privileges_and_stays_isolated() {
    let stage = Stage::new(200).await;
    let output = stage.back_up("full", &[]);
    says(
        &output,
        0,
        &[
            "2005 rows of 5 organisations of app",
            "tried     all of it came back",
        ],
    );
    let backup = stage.backups("full").pop().unwrap();
    assert!(stage.leftovers().is_empty());
    // As anybody can check without this program.
    let sums = Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(&backup)
        .status();
    assert!(sums.unwrap().success());
    let output = stage.verify(&backup);
    says(
        &output,
        0,
        &[
            "restored  2005 rows of 5 organisations of app",
            "equal     roles",
            "held",
        ],
    );
    // The checks ran over the schema of the dump: they know its tables.
    assert!(
        text(&output.stdout).contains("3 tables"),
        "{}",
        text(&output.stdout)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_and_rows_may_be_saved_by_themselves() {
    let stage = Stage::new(20).await;
    says(
        &stage.back_up("schema", &[]),
        0,
        &["the schema of app", "tried"],
    );
    says(
        &stage.back_up("data", &[]),
        0,
        &["205 rows of 5 organisations", "tried"],
    );
    let backup = stage.backups("schema").pop().unwrap();
    says(&stage.verify(&backup), 0, &["held"]);
    // Neither takes a database's place.
    let data = stage.backups("data").pop().unwrap().display().to_string();
    let output = watertight(
        &stage.folder,
        &["restore", &data, "--server", &stage.url],
        &[],
    );
    says(
        &output,
        2,
        &["a backup of the data alone replaces no database"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_once_a_new_one_was_tried() {
    let stage = Stage::new(5).await;
    stage.taken();
    let old = stage.taken();
    let recent = stage.taken();
    age(&old, 31);
    age(&recent, 29);
    // Of another database: not to be judged by this one.
    let other = stage.folder.path().join("backups/app-full-other");
    copy(&old, &other);
    replace(
        &other.join("manifest.json"),
        "\"database\": \"app\"",
        "\"database\": \"b\"",
    );
    stage.taken();
    assert!(old.exists(), "a backup that was not tried removes nothing");
    says(
        &stage.back_up("full", &[]),
        0,
        &["removed   ", old.file_name().unwrap().to_str().unwrap()],
    );
    assert!(!old.exists() && recent.exists() && other.exists());
    assert_eq!(stage.backups("full").len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_sees_one_organisation_is_refused_before_it_begins() {
    let stage = Stage::new(5).await;
    // Whoever reads and owns: it sees what the policies of forced tables let it.
    stage
        .run_on("app", "CREATE ROLE reader LOGIN PASSWORD 'sesame'; GRANT pg_read_all_data TO reader; GRANT CONNECT ON DATABASE app TO reader")
        .await;
    let (host, port) = stage.server.as_ref().unwrap().tcp();
    let as_role = |role: &str| {
        let url = format!("postgres://{role}:sesame@{host}:{port}/app");
        let arguments = [
            "backup",
            "full",
            "--server",
            &url,
            "--output",
            "backups",
            "--no-verify",
        ];
        watertight(&stage.folder, &arguments, &[])
    };
    let output = as_role("reader");
    says(
        &output,
        2,
        &[
            "row-level security hides rows from the role reader in 5 tables: crm.notes, crm.notes_0, crm.notes_1, \
             crm.organisations, crm.people",
            "BYPASSRLS",
        ],
    );
    assert!(
        !stage.folder.path().join("backups").exists(),
        "nothing was begun"
    );
    // Without the policies in its way the same role may; and no word of it holds its password.
    stage.run_on("app", "ALTER ROLE reader BYPASSRLS").await;
    let output = as_role("reader");
    says(&output, 0, &["55 rows of 5 organisations"]);
    assert!(!format!("{output:?}").contains("sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_one_and_a_refusal() {
    let stage = Stage::new(5).await;
    stage.taken();
    let lock = fs::File::open(stage.folder.path().join("backups/.watertight.lock")).unwrap();
    lock.lock().unwrap();
    let output = stage.back_up("full", &["--no-verify"]);
    says(&output, 2, &["another backup is being written to backups"]);
    lock.unlock().unwrap();
    stage.taken();
    assert_eq!(stage.backups("full").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_and_its_programs_cannot_do_is_said_first() {
    let stage = Stage::new(1).await;
    let empty = Folder::new(&[("watertight.toml", SETTINGS)]);
    let folder = empty.path().display().to_string();
    says(
        &stage.back_up("full", &["--pg-bin", &folder]),
        2,
        &["there is no `pg_dump` in it"],
    );
    says(
        &stage.back_up("full", &["--compress", "lzma"]),
        2,
        &["expected gzip, zstd or none"],
    );
    // Programs of another version, by what they say of themselves.
    for program in ["pg_dump", "pg_restore", "psql"] {
        empty.write(program, b"#!/bin/sh\necho \"$0 (PostgreSQL) 14.2\"\n");
        executable(&empty.path().join(program));
    }
    says(
        &stage.back_up("full", &["--pg-bin", &folder]),
        2,
        &["its pg_dump is of PostgreSQL 14, and the server is"],
    );
    assert!(stage.backups("full").is_empty());
}

/// Everything of every table, as one number.
const EVERYTHING: &str = "SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (SELECT o::text FROM crm.organisations o
    UNION ALL SELECT p::text FROM crm.people p UNION ALL SELECT n::text FROM crm.notes n) AS every(line)";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_come_back_elsewhere() {
    let stage = Stage::new(10_000).await;
    let output = stage.back_up("full", &[]);
    says(&output, 0, &["100005 rows of 5 organisations", "tried"]);
    let backup = stage.backups("full").pop().unwrap();
    let output = stage.verify(&backup);
    says(
        &output,
        0,
        &["restored  100005 rows", "equal     roles", "held"],
    );
    let elsewhere = Stage::new(0).await;
    elsewhere.run_on("postgres", "DROP DATABASE app").await;
    let backup = backup.display().to_string();
    let arguments = ["restore", &backup, "--server", &elsewhere.url];
    let output = watertight(&elsewhere.folder, &arguments, &[]);
    says(&output, 0, &["100005 rows of 5 organisations"]);
    let saved = stage.ask("app", EVERYTHING).await;
    assert_eq!(elsewhere.ask("app", EVERYTHING).await, saved);
}

#[tokio::test(flavor = "multi_thread")]
async fn zstd_is_for_those_who_know_it() {
    let stage = Stage::new(5).await;
    let output = stage.back_up("full", &["--compress", "zstd"]);
    let major = stage.server.as_ref().unwrap().version_number() / 10_000;
    if major < 16 {
        let why =
            format!("pg_dump of PostgreSQL {major} knows gzip alone; from 16 on it knows zstd");
        says(&output, 2, &[&why]);
        assert!(stage.backups("full").is_empty());
    } else {
        says(&output, 0, &["tried     all of it came back"]);
    }
}

/// On Postgres 18, by the programs of its image: `--pg-bin` takes whatever does as they do.
#[tokio::test(flavor = "multi_thread")]
async fn what_zstd_made_small_comes_back() {
    if !docker_wanted() {
        return;
    }
    let stage = Stage::on("docker", 500).await;
    let image = stage.server.as_ref().unwrap().chosen();
    let image = image.split(" from image ").nth(1).unwrap();
    let image = image.split_whitespace().next().unwrap();
    let folder = stage.folder.path().display();
    for program in ["pg_dump", "pg_restore", "psql"] {
        let script = format!(
            "#!/bin/sh\nexec docker run --rm --network host --user $(id -u):$(id -g) --volume '{folder}:{folder}' \
             --env PGHOST --env PGPORT --env PGUSER --env PGPASSWORD --env PGDATABASE --env LC_ALL {image} {program} \"$@\"\n"
        );
        stage
            .folder
            .write(&format!("bin/{program}"), script.as_bytes());
        executable(&stage.folder.path().join("bin").join(program));
    }
    let bin = stage.folder.path().join("bin").display().to_string();
    let output = stage.folder.path().join("backups").display().to_string();
    let size_by = |compress: &str| {
        let arguments = [
            "backup",
            "full",
            "--server",
            &stage.url,
            "--output",
            &output,
            "--no-verify",
        ];
        let how = ["--pg-bin", &bin, "--compress", compress];
        let saved = watertight(&stage.folder, &[&arguments[..], &how].concat(), &[]);
        says(&saved, 0, &["5005 rows of 5 organisations"]);
        let backup = stage.backups("full").pop().unwrap();
        (
            fs::metadata(backup.join("database.dump")).unwrap().len(),
            backup,
        )
    };
    let (plain, _) = size_by("none");
    let (small, backup) = size_by("zstd");
    assert!(small < plain / 2, "{small} of {plain} bytes");
    let backup = backup.display().to_string();
    let arguments = [
        "backup", "verify", &backup, "--server", "docker", "--pg-bin", &bin,
    ];
    let output = watertight(&stage.folder, &arguments, &[]);
    says(
        &output,
        0,
        &["restored  5005 rows", "equal     roles", "held"],
    );
}

/// Makes a backup so many days older than it is.
fn age(backup: &Path, days: i64) {
    let file = backup.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("\"taken_at\": ").unwrap();
    let (taken, after) = rest.split_once(',').unwrap();
    let taken = taken.parse::<i64>().unwrap() - days * 86_400;
    fs::write(&file, format!("{before}\"taken_at\": {taken},{after}")).unwrap();
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from));
    fs::write(file, text.replace(from, to)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
