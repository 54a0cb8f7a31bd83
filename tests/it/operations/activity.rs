//! Who waits for whom is seen, and for which organisation where the application says so.

use serde_json::Value;

use super::{Stage, says};
use crate::command_line::{text, watertight};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_told_by_role_and_organisation_with_what_they_wait_for() {
    let stage = Stage::new(1).await;
    let mut first = stage.connect_to("app").await;
    sqlx::raw_sql(
        "BEGIN; SELECT set_config('application_name', 'web organisation=acme', true); LOCK TABLE crm.people",
    )
    .execute(&mut first)
    .await
    .unwrap();
    let mut second = stage.connect_to("app").await;
    let waiting = tokio::spawn(async move {
        let sql =
            "SET application_name = 'tenant=globex'; SELECT 'secret of globex' FROM crm.people";
        sqlx::raw_sql(sql).execute(&mut second).await
    });
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while stage.ask("app", locked).await == "0" {
        tokio::task::yield_now().await;
    }
    let ask = |more: &[&str], url: &str| {
        let arguments = ["activity", "--server", url];
        watertight(&stage.folder, &[&arguments, more].concat(), &[])
    };
    let output = ask(&[], &stage.url);
    says(
        &output,
        0,
        &[
            "acme",
            "globex",
            "waits    ",
            "Lock: relation, held by ",
            "application_name",
        ],
    );
    assert!(
        !text(&output.stdout).contains("secret"),
        "no statement is shown"
    );
    let output = ask(&["--format", "json"], &stage.url);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |tenant: &str| {
        let sessions = seen["sessions"].as_array().unwrap();
        sessions
            .iter()
            .find(|one| one["organisation"] == tenant)
            .unwrap()
            .clone()
    };
    assert_eq!(of("acme")["state"], "idle in transaction");
    assert_eq!(
        of("globex")["blocked_by"],
        serde_json::json!([of("acme")["pid"]])
    );
    // Who may not see others' sessions is told so.
    stage
        .run_on("postgres", "CREATE ROLE guest LOGIN PASSWORD 'sesame'")
        .await;
    let (host, port) = stage.server.as_ref().unwrap().tcp();
    let output = ask(
        &[],
        &format!("postgres://guest:sesame@{host}:{port}/postgres"),
    );
    says(
        &output,
        0,
        &["of them are other roles'", "pg_read_all_stats"],
    );
    drop(first);
    waiting.await.unwrap().unwrap();
}
