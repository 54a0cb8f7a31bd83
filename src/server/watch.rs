//! Who ends a server that nobody uses any more: a session of the server itself.
//!
//! Its client goes as soon as it runs, and the server notices that only when it has something to send, which this
//! session never has. So whatever kills those who use the server, and in whatever order, somebody is left to end it;
//! and no other process is needed, in a container or outside of one.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::error::{Doing as _, Result};

/// The first key of the advisory locks on the server's use: "wats".
const SPACE: i32 = 0x7761_7473;

/// The lock that the watching session holds.
const WATCH: i32 = 1;

/// The lock that whoever uses the server shares, and that the watching session has alone when it ends the server.
const USE: i32 = 2;

/// Seconds without a user after which a server ends that keeps a failed test's database for people to look at.
const KEPT: u64 = 900;

/// The watching session's statement. It returns at once where there is a watching session.
///
/// The program gets its own shell, which the server's end does not take along, and removes the data folder, where that
/// is one that this crate made.
fn statement(idle: Duration) -> String {
    let (short, long) = (idle.as_secs().max(1), KEPT.max(idle.as_secs()));
    format!(
        r#"DO $watertight$
DECLARE idle int := 0;
BEGIN
  IF NOT pg_catalog.pg_try_advisory_lock({SPACE}, {WATCH}) THEN
    RETURN;
  END IF;
  LOOP
    COMMIT;
    PERFORM pg_catalog.pg_sleep(1);
    PERFORM pg_catalog.pg_stat_clear_snapshot();
    IF EXISTS (SELECT FROM pg_catalog.pg_stat_activity
               WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid())
      OR NOT pg_catalog.pg_try_advisory_lock({SPACE}, {USE})
    THEN
      idle := 0;
      CONTINUE;
    END IF;
    idle := idle + 1;
    EXIT WHEN idle >= CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_shdescription WHERE description LIKE 'kept by watertight%')
                           THEN {long} ELSE {short} END;
    PERFORM pg_catalog.pg_advisory_unlock({SPACE}, {USE});
  END LOOP;
  COPY (SELECT) TO PROGRAM '(trap "" HUP INT QUIT TERM; kill -s QUIT "$(head -n 1 postmaster.pid)"; n=0; while test -e postmaster.pid && test $n -lt 100; do sleep 0.1; n=$((n + 1)); done; test -f watertight.conf && rm -rf "$PWD") < /dev/null > /dev/null 2>&1 &';
END $watertight$"#
    )
}

/// Makes sure that the server has a session which ends it after so long without a user. `connection` becomes that
/// session's or is closed.
pub(super) async fn arm(
    connection: PgConnection,
    other: &mut PgConnection,
    idle: Duration,
) -> Result<()> {
    let mut connection = connection;
    let statement = sqlx::raw_sql(AssertSqlSafe(statement(idle)));
    let mut running = std::pin::pin!(connection.execute(statement));
    loop {
        tokio::select! {
            ended = &mut running => return ended.map(drop).doing("watch over the server"),
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
        }
        if is_armed(other).await? {
            return Ok(());
        }
    }
}

/// Whether the server has a session that ends it.
pub(super) async fn is_armed(session: &mut PgConnection) -> Result<bool> {
    let sql = format!(
        "SELECT count(*) FROM pg_catalog.pg_locks
         WHERE locktype = 'advisory' AND classid = {SPACE} AND objid = {WATCH} AND granted"
    );
    let watching = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(session).await;
    let watching: i64 = watching
        .and_then(|row| row.try_get(0))
        .doing("watch over the server")?;
    Ok(watching > 0)
}

/// How many sessions use the server, and how many seconds it has run.
pub(super) async fn users(session: &mut PgConnection) -> Result<(u64, u64)> {
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_catalog.pg_locks
                 WHERE locktype = 'advisory' AND classid = {SPACE} AND objid = {USE} AND granted AND mode = 'ShareLock'),
                extract(epoch FROM now() - pg_catalog.pg_postmaster_start_time())::int8"
    );
    let (users, seconds): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(session)
        .await
        .doing("look who uses the server")?;
    // A clock that was set back makes it no older than new.
    Ok((
        u64::try_from(users).unwrap_or_default(),
        u64::try_from(seconds).unwrap_or_default(),
    ))
}

/// The expression by which a session uses the server for as long as it lives; it may be evaluated again. On one that is
/// ending it waits for that, and fails.
#[must_use]
pub fn using() -> String {
    format!("pg_catalog.pg_advisory_lock_shared({SPACE}, {USE})")
}

/// The expression that is true where no session ends the server when nobody uses it any more.
#[must_use]
pub fn unwatched() -> String {
    format!(
        "CASE WHEN pg_catalog.pg_try_advisory_lock({SPACE}, {WATCH}) THEN pg_catalog.pg_advisory_unlock({SPACE}, {WATCH}) \
         ELSE false END"
    )
}
