//! `doctor` and `clean --dry-run`, as a process.

use serde_json::Value;

use crate::command_line::watertight;
use crate::fixtures::{NOTES, database, notes};
use crate::folder::Folder;

#[tokio::test]
async fn doctor_says_how_everything_stands_and_who_uses_which_server() {
    let folder = notes(&format!("-- seen by the doctor\n{NOTES}"));
    let used = database(&folder).await;
    let output = watertight(&folder, &["doctor", "--format", "json"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["format"], &told["verdict"]),
        (&1.into(), &"ready".into())
    );
    let signs = told["signs"].as_array().unwrap();
    let says = |subject: &str| {
        let of = signs.iter().filter(|sign| sign["subject"] == subject);
        of.map(|sign| sign["says"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for subject in ["version", "binaries", "folder", "locks", "sockets"] {
        assert!(!says(subject).is_empty(), "{subject}: {told:#}");
    }
    let servers = says("servers");
    assert!(
        servers
            .iter()
            .any(|line| line.starts_with("local PostgreSQL") && line.contains(" templates, ")),
        "{servers:?}"
    );
    // Of what is wrong each says what to do; and it is the same in words.
    for sign in signs.iter().filter(|sign| sign["state"] == "broken") {
        assert!(sign["mend"].is_string(), "{sign}");
    }
    let output = watertight(&folder, &["doctor"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok     locks"), "{text}");
    // Looking changed nothing.
    let titles: i64 = sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(used.pool())
        .await
        .unwrap();
    assert!(titles > 0);
}

#[test]
fn a_look_at_what_could_be_cleaned_removes_nothing() {
    let folder = Folder::new(&[]);
    let output = watertight(&folder, &["clean", "--dry-run"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = |line: &str| line.starts_with("would remove ") || line.starts_with("nothing ");
    assert!(!text.is_empty() && text.lines().all(expected), "{text}");
}
