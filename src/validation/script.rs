//! The suites' SQL: as queries of a run, and as one file for `psql`.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Facts, SUITES, Suite};
use crate::model::literal;

const PREAMBLE: &str = include_str!("suites/preamble.sql");
const TAIL: &str = include_str!("suites/tail.sql");

/// The facts in the file: said once, as they are long.
const TOLD: &str = ":'facts'";

/// Common table expressions that end in `judged`: a row for each object that a suite looks at.
fn expressions(suite: &Suite, facts: &str) -> String {
    format!(
        "WITH {},\nitem (object, state, severity, twins, message, fix, shown) AS (\n{}\n),\n{}",
        PREAMBLE.trim_end(),
        suite.items.trim_end(),
        TAIL.trim_end()
    )
    .replace("$suite$", &format!("{}::text", literal(suite.id)))
    // What the user said comes last: nothing in it is replaced.
    .replace("$facts$", facts)
}

/// What opens the transaction that a suite is asked in. It is the transaction that reads alone, and not the session: behind a
/// pooler a session's setting would reach the next client. With `row_security` off, a role that policies would hide rows
/// from is refused instead of being shown a part.
#[must_use]
pub fn guarded(timeout: Duration) -> String {
    let limit = timeout.as_millis();
    format!(
        "BEGIN TRANSACTION READ ONLY;\nSET LOCAL statement_timeout = {limit};\nSET LOCAL lock_timeout = {limit};\n\
         SET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL row_security = off;"
    )
}

/// The query of a suite: object, state, severity, message, fix, SQL that shows it, accepted and fails, a row for each object.
#[must_use]
pub fn query(suite: &Suite, facts: &Facts) -> String {
    format!(
        "{}\nSELECT object, state, severity, message, fix, shown, accepted, fails FROM judged\nORDER BY object COLLATE \"C\", message COLLATE \"C\"",
        expressions(suite, &literal(&facts.text()))
    )
}

/// One row for `psql`: what it prints, and whether something is wrong.
const LINE: &str = "SELECT format('%s  %s  %s checked, %s wrong%s%s%s%s', rpad(c.verdict, 12), rpad($suite$, 30), c.checked, c.wrong,
    CASE WHEN c.unsure > 0 THEN format(', %s inconclusive', c.unsure) END, CASE WHEN c.notes > 0 THEN format(', %s to note', c.notes) END,
    CASE WHEN c.passed > 0 THEN format(', %s accepted', c.passed) END, c.told) AS line, c.verdict <> 'held' AS wrong
FROM (
  SELECT CASE WHEN count(*) FILTER (WHERE fails AND NOT accepted) > 0 THEN 'WRONG'
      WHEN count(*) FILTER (WHERE state = 'inconclusive' AND NOT accepted) > 0 THEN 'INCONCLUSIVE' ELSE 'held' END AS verdict,
    count(*) FILTER (WHERE state <> 'n/a') AS checked, count(*) FILTER (WHERE fails AND NOT accepted) AS wrong,
    count(*) FILTER (WHERE state = 'inconclusive' AND NOT accepted) AS unsure,
    count(*) FILTER (WHERE state = 'wrong' AND NOT fails AND NOT accepted) AS notes,
    count(*) FILTER (WHERE state IN ('wrong', 'inconclusive') AND accepted) AS passed,
    string_agg(format(E'\\n    %s: %s', object, message), '' ORDER BY object COLLATE \"C\", message COLLATE \"C\")
      FILTER (WHERE state IN ('wrong', 'inconclusive') AND NOT accepted OR state = 'n/a') AS told
  FROM judged
) c";

/// All suites as a file that `psql` alone can run: a line for each, with counts and what is wrong; the status is 0 where
/// nothing is.
#[must_use]
pub fn script(facts: &Facts, timeout: Duration) -> String {
    let mut text = String::from(
        "-- The validation suites. Nothing is written, and nothing is attacked. Run it by\n\
         --   psql -X -f FILE postgres://…\n\
         -- as a role that reads every row: a superuser, or a member of pg_read_all_data with BYPASSRLS.\n\
         -- Its status is 0 where all suites hold, else 3.\n\
         \\set ON_ERROR_STOP on\n\\set QUIET on\n\\encoding UTF8\n\\set failed no\n\\set problems ''\n",
    );
    let _ = writeln!(text, "SELECT {} AS facts \\gset", literal(&facts.text()));
    for suite in SUITES {
        let line = LINE.replace("$suite$", &literal(suite.id));
        let _ = write!(
            text,
            "\n-- {}: {}.\n{}\n{}\n{line} \\gset\nCOMMIT;\n\\echo :line\n\\if :wrong\n\\set failed yes\n\\set problems \
             :problems ' {}'\n\\endif\n",
            suite.id,
            suite.title,
            guarded(timeout),
            expressions(suite, TOLD),
            suite.id
        );
    }
    text.push_str(
        "\n\\if :failed\n\\warn 'not valid:' :problems\nDO $$ BEGIN RAISE EXCEPTION 'the database is not valid'; END $$;\n\\endif\n",
    );
    text
}
