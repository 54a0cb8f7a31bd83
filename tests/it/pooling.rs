//! The database for development, and an application's clients behind its pooler: a context of the transaction holds, and one of
//! the session leaks.

use std::sync::Arc;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::Barrier;

use crate::apart::apart;
use crate::command_line::{refused, text, watertight};
use crate::folder::Folder;
use crate::server::containers::docker_wanted;

const CLIENTS: usize = 20;
const TRANSACTIONS: usize = 50;

/// What `up` printed behind this word.
fn said(output: &str, word: &str) -> String {
    let line = output.lines().find(|line| line.starts_with(word));
    let line = line.unwrap_or_else(|| panic!("`{word}` in: {output}"));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// Removes what is up however the test ends.
struct Down<'a>(&'a Folder);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        watertight(self.0, &["down"], &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pooler_the_transactions_context_holds_and_the_sessions_leaks() {
    up_and_down("local", "ended postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_a_pooler_before_it_is_brought_up_and_removed() {
    if docker_wanted() {
        up_and_down("docker", "removed container").await;
    }
}

/// Brings a development database up on such a server, works through its pooler, and removes all of it.
async fn up_and_down(server: &str, removal: &str) {
    let folder = crate::reference::application(&[]);
    let down = Down(&folder);
    let up = |more: &[&str]| {
        let usual = ["up", "--server", server, "--organisations", "4"];
        watertight(&folder, &[&usual, more].concat(), &[])
    };
    let output = up(&["--pgadmin", "servers.json"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let servers = std::fs::read(folder.path().join("servers.json")).unwrap();
    let servers: Value = serde_json::from_slice(&servers).unwrap();
    assert_eq!(servers["Servers"]["4"]["Username"], "app");
    assert_eq!(servers["Servers"]["4"]["MaintenanceDB"], "development");
    assert!(!servers.to_string().contains("assword"));
    // Twice is once.
    let again = up(&[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("`down` removes it"));

    let admin = said(&shown, "admin");
    let organisations = organisations(&admin).await;
    assert_eq!(organisations.len(), 4);
    let pooled = said(&shown, "pooled");
    let crossed = interleaved(&pooled, &organisations, Scope::Transaction).await;
    assert_eq!(crossed, 0, "of {} transactions", CLIENTS * TRANSACTIONS);
    let crossed = interleaved(&pooled, &organisations, Scope::Session).await;
    assert!(crossed > 0, "a session's context was not noticed to leak");

    let output = watertight(&folder, &["down"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let removed = text(&output.stdout);
    assert!(
        removed.contains("ended pgbouncer") && removed.contains(removal),
        "{removed}"
    );
    for url in [&admin, &pooled] {
        assert!(PgConnection::connect(url).await.is_err());
    }
    let output = watertight(&folder, &["down"], &[]);
    assert_eq!(text(&output.stdout), "nothing is up\n");
    drop(down);
}

#[test]
fn a_server_that_is_there_is_not_brought_up() {
    let folder = crate::reference::application(&[]);
    let url = "postgres://nobody:sesame@127.0.0.1:1/x";
    let output = watertight(&folder, &["up", "--server", url], &[]);
    refused(&output, &["--server local, docker or auto"]);
    assert!(!format!("{output:?}").contains("sesame"));
}

/// Hides the program where packages put it, which no PATH can.
#[test]
fn without_a_pooler_nothing_is_begun() {
    let folder = crate::reference::application(&[]);
    let program = env!("CARGO_BIN_EXE_watertight");
    let script = format!(
        "mount -t tmpfs none /dev/shm
         for place in $(which -a pgbouncer) /usr/sbin/pgbouncer /usr/local/sbin/pgbouncer /usr/local/bin/pgbouncer; do
           [ ! -e $place ] || mount --bind /dev/null $place
         done
         {program} up --server local && exit
         status=$?; find /dev/shm -name 'data*'; exit $status"
    );
    let Some(output) = apart(folder.path(), &script) else {
        return;
    };
    refused(
        &output,
        &[
            "there is no `pgbouncer` on this machine: `apt-get install pgbouncer`",
            "--no-pooler",
        ],
    );
}

async fn organisations(admin: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let ids = "SELECT id::text FROM iam.organisations ORDER BY id";
    let ids = sqlx::query_scalar(ids).fetch_all(&mut connection).await;
    ids.unwrap()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Transaction,
    Session,
}

/// Twenty clients, each acting for one organisation, with their transactions in turns; how many of these saw a row that is
/// not their organisation's, or none at all.
async fn interleaved(pooled: &str, organisations: &[String], scope: Scope) -> usize {
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let organisation = organisations[number % organisations.len()].clone();
        let options: PgConnectOptions = pooled.parse().unwrap();
        let barrier = Arc::clone(&barrier);
        clients.push(tokio::spawn(async move {
            let options = options.statement_cache_capacity(0);
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            let set = |local: bool| {
                AssertSqlSafe(format!(
                    "SELECT set_config('app.organisation_id', '{organisation}', {local})"
                ))
            };
            if scope == Scope::Session {
                sqlx::raw_sql(set(false))
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            // All are there before the first begins.
            barrier.wait().await;
            let mut crossed = 0;
            for _ in 0..TRANSACTIONS {
                sqlx::raw_sql("BEGIN")
                    .execute(&mut connection)
                    .await
                    .unwrap();
                if scope == Scope::Transaction {
                    sqlx::raw_sql(set(true))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
                let sql = format!(
                    "SELECT count(*) FILTER (WHERE organisation_id = '{organisation}'),
                       count(*) FILTER (WHERE organisation_id <> '{organisation}') FROM crm.people"
                );
                let row = sqlx::raw_sql(AssertSqlSafe(sql))
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
                let (own, others): (i64, i64) = (row.get(0), row.get(1));
                crossed += usize::from(own == 0 || others > 0);
                sqlx::raw_sql("COMMIT")
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            connection.close().await.unwrap();
            crossed
        }));
    }
    let mut crossed = 0;
    for client in clients {
        crossed += client.await.unwrap();
    }
    crossed
}
