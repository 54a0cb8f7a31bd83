//! Many attempts in one statement: a loop on the server, in which each has a subtransaction of its own.
//!
//! A refusal ends a message, so that refused attempts cost a round trip each, and what was read in vain behind them.

use serde::Deserialize;
use sqlx::{Executor as _, Row as _};

use super::session::{BEGIN, END, Script, Session, is_transient};
use crate::database::execute;
use crate::error::Result;
use crate::model::{Observation, Output, Refusal};

/// Attempts in one batch, at most: together they have the time that one statement may take.
const TOGETHER: usize = 100;

/// Each foreign key is checked by a query that the server would plan anew for its first five rows, and few keys meet more.
const GENERIC: &str = "SET LOCAL plan_cache_mode = force_generic_plan";

/// Takes the attempts out of a setting, and leaves there what came of them. What is rolled back at last is rolled back by an
/// error, as what fails is.
const LOOP: &str = "DO $watertight$
DECLARE
  attempt jsonb;
  sql text;
  changed bigint;
  affected bigint[];
  code text;
  message text;
  detail text;
  broken text;
  seen jsonb[] := '{}';
BEGIN
  FOR attempt IN SELECT jsonb_array_elements(current_setting('watertight.attempts')::jsonb) LOOP
    affected := '{}';
    BEGIN
      FOREACH sql IN ARRAY ARRAY(SELECT jsonb_array_elements_text(attempt)) LOOP
        EXECUTE sql;
        GET DIAGNOSTICS changed = ROW_COUNT;
        affected := affected || changed;
      END LOOP;
      RAISE EXCEPTION 'rolled back';
    EXCEPTION WHEN OTHERS OR assert_failure THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        broken = CONSTRAINT_NAME;
    END;
    seen := seen || jsonb_build_object('affected', affected, 'sqlstate', code, 'message', message,
      'detail', nullif(detail, ''), 'constraint', nullif(broken, ''));
  END LOOP;
  PERFORM set_config('watertight.attempts', array_to_json(seen)::text, true);
END
$watertight$;
SELECT current_setting('watertight.attempts')";

/// What came of an attempt.
#[derive(Deserialize)]
struct Seen {
    /// Of each statement that worked.
    affected: Vec<u64>,
    sqlstate: String,
    message: String,
    detail: Option<String>,
    constraint: Option<String>,
}

/// How many of the first scripts can be in a batch.
pub(super) fn length(scripts: &[Script<'_>]) -> usize {
    let first = scripts.iter().take(TOGETHER);
    first.take_while(|script| is_silent(script)).count()
}

/// Its statements return nothing but how many rows they changed.
fn is_silent(script: &Script<'_>) -> bool {
    let is_write = |sql: &String| {
        let verbs = ["INSERT ", "UPDATE ", "DELETE ", "SET CONSTRAINTS "];
        verbs.iter().any(|verb| sql.starts_with(verb)) && !sql.contains("RETURNING")
    };
    script.witness.is_none() && script.statements.iter().all(is_write)
}

impl Session {
    /// Tries the first scripts in one statement. None is observed where that fails as a whole: where one of them takes the
    /// time of all, or the server has no PL/pgSQL.
    pub(super) async fn batch(&mut self, scripts: &[Script<'_>]) -> Result<Vec<Observation>> {
        execute(&mut self.connection, &format!("{BEGIN};{GENERIC}")).await?;
        let seen = self.looped(scripts).await;
        execute(&mut self.connection, END).await?;
        let seen = seen.unwrap_or_default().into_iter().zip(scripts);
        let found = seen.map(|(seen, script)| observation(seen, script));
        // One that says nothing is tried again by itself.
        Ok(found.take_while(|found| !is_transient(found)).collect())
    }

    async fn looped(&mut self, scripts: &[Script<'_>]) -> Option<Vec<Seen>> {
        let attempts = scripts.iter().map(|script| &script.statements[..]);
        let attempts = serde_json::to_string(&attempts.collect::<Vec<_>>()).ok()?;
        // Not as a part of the loop: a trigger may store the text of what is running.
        let set = sqlx::query("SELECT set_config('watertight.attempts', $1, true)").bind(attempts);
        set.execute(&mut self.connection).await.ok()?;
        let rows = self.connection.fetch_all(LOOP).await.ok()?;
        serde_json::from_str(rows.last()?.try_get(0).ok()?).ok()
    }
}

fn observation(seen: Seen, script: &Script<'_>) -> Observation {
    let statement = seen.affected.len();
    let refusal = (statement < script.statements.len()).then_some(Refusal {
        statement,
        sqlstate: seen.sqlstate,
        message: seen.message,
        detail: seen.detail,
        constraint: seen.constraint,
    });
    let outputs = seen.affected.into_iter().map(|affected| Output {
        affected,
        ..Output::default()
    });
    Observation {
        outputs: outputs.collect(),
        refusal,
        witnessed: None,
    }
}
