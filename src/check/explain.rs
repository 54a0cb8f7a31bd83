//! What `EXPLAIN ANALYZE` tells of rows that policies hide. It does so wherever row-level security is, so that it is no defect of
//! a schema: it is shown, and said once.

use crate::model::{Case, Context, Observation, Purpose, Table};

use super::policy::{attempt, may, plain_case, planned_tables};
use super::{Scene, row};

/// How the server's text begins that says it.
const REMOVED: &str = "Rows Removed by Filter: ";

/// Has the application explain how it reads a table of which others have rows; `None` where no policy hides any from it.
#[must_use]
pub fn case(scene: Scene<'_>) -> Option<Case> {
    let hides = |table: &&Table| {
        table.row_security
            && may(scene, table, "SELECT")
            && !row::foreign(scene.worlds, &table.name).is_empty()
    };
    let mut tables = planned_tables(scene).map(|(table, _)| table);
    let table = tables.find(hides)?;
    let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
    let mut tried = attempt(Purpose::Probe, "explained", context, String::new());
    tried.statements = [
        "enable_indexscan",
        "enable_indexonlyscan",
        "enable_bitmapscan",
    ]
    .map(|way| format!("SET LOCAL {way} = off"))
    .into();
    tried.statements.push(format!(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT FROM {}",
        table.name.quoted()
    ));
    Some(plain_case("explain", &table.name, "", vec![tried]))
}

/// What it told.
#[must_use]
pub fn remark(scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Option<String> {
    let plan = seen.first()?.outputs.last()?;
    let mut lines = plan.rows.iter().filter_map(|row| row.first()?.as_deref());
    let removed = lines.find_map(|line| line.trim().strip_prefix(REMOVED)?.parse::<u64>().ok())?;
    let role = scene.tenancy.access.as_ref().map(|access| &access.role)?;
    (removed > 0).then(|| {
        format!(
            "told by EXPLAIN ANALYZE, as always under row-level security: how many rows are hidden ({removed} of {}); whoever \
             sends SQL of their own as {role} may count them",
            case.object
        )
    })
}
