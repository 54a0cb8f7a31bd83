//! Views and the tables that they read.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::PgConnection;

use super::{RawName, USER_TABLES, rows};
use crate::error::Result;
use crate::model::RelationName;

#[derive(Deserialize)]
struct RawView {
    #[serde(flatten)]
    on: RawName,
    reads: Vec<RawName>,
}

/// The user's views, materialized ones too, each with its tables in the order of their names.
pub(super) async fn read(
    connection: &mut PgConnection,
) -> Result<BTreeMap<RelationName, Vec<RelationName>>> {
    // A view's rule depends on what the view reads; views that it reads have rules of their own.
    let sql = format!(
        "WITH RECURSIVE direct AS (
             SELECT DISTINCT r.ev_class AS view, d.refobjid AS relation
             FROM pg_rewrite r
             JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
             JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
         ), reads AS (
             SELECT view, relation FROM direct
             UNION SELECT reads.view, direct.relation FROM reads JOIN direct ON direct.view = reads.relation
         )
         SELECT n.nspname AS schema, c.relname AS relation, coalesce((
             SELECT json_agg(json_build_object('schema', tn.nspname, 'relation', t.relname) ORDER BY tn.nspname, t.relname)
             FROM reads JOIN pg_class t ON t.oid = reads.relation AND t.relkind IN ('r', 'p')
             JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE reads.view = c.oid), '[]') AS reads
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {}",
        USER_TABLES.replace("c.relkind IN ('r', 'p')", "c.relkind IN ('v', 'm')")
    );
    let raw = rows::<RawView>(connection, "views", &sql).await?;
    let views = raw.into_iter().map(|raw| {
        let tables = raw.reads.iter().map(RawName::name).collect();
        (raw.on.name(), tables)
    });
    Ok(views.collect())
}
