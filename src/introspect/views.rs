//! Views, the tables that they read, and what holds their rows.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::PgConnection;

use super::{RawName, USER_TABLES, rows};
use crate::error::Result;
use crate::model::{RelationName, View};

#[derive(Deserialize)]
struct RawView {
    #[serde(flatten)]
    on: RawName,
    reads: Vec<RawName>,
    refreshed: Vec<RawName>,
    materialized: bool,
    invoker: bool,
    privileges: BTreeMap<String, Vec<String>>,
}

/// The user's views, materialized ones too.
pub(super) async fn read(connection: &mut PgConnection) -> Result<BTreeMap<RelationName, View>> {
    // A view's rule depends on what the view reads; views that it reads have rules of their own.
    let sql = format!(
        "WITH RECURSIVE direct AS (
             SELECT DISTINCT r.ev_class AS view, d.refobjid AS relation
             FROM pg_rewrite r
             JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
             JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
         ), reads AS (
             SELECT view, relation, 1 AS depth FROM direct
             UNION SELECT reads.view, direct.relation, reads.depth + 1
             FROM reads JOIN direct ON direct.view = reads.relation
         )
         SELECT n.nspname AS schema, c.relname AS relation, c.relkind = 'm' AS materialized,
             coalesce((
                 SELECT json_agg(json_build_object('schema', q.nspname, 'relation', q.relname) ORDER BY q.nspname, q.relname)
                 FROM (SELECT DISTINCT tn.nspname, t.relname FROM reads
                     JOIN pg_class t ON t.oid = reads.relation AND t.relkind IN ('r', 'p')
                     JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE reads.view = c.oid) q), '[]') AS reads,
             coalesce((
                 SELECT json_agg(json_build_object('schema', q.nspname, 'relation', q.relname) ORDER BY q.depth DESC, q.nspname, q.relname)
                 FROM (SELECT tn.nspname, t.relname, max(held.depth) AS depth
                     FROM (SELECT view, relation, depth FROM reads UNION ALL SELECT c.oid, c.oid, 0) held
                     JOIN pg_class t ON t.oid = held.relation AND t.relkind = 'm'
                     JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE held.view = c.oid
                     GROUP BY 1, 2) q), '[]') AS refreshed,
             EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o
                 WHERE o.option_name = 'security_invoker' AND o.option_value::bool) AS invoker,
             coalesce((SELECT json_object_agg(p.grantee, p.list) FROM (
                 SELECT CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee) END AS grantee,
                   json_agg(DISTINCT x.privilege_type) AS list
                 FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x GROUP BY 1) p), '{{}}') AS privileges
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {}",
        USER_TABLES.replace("c.relkind IN ('r', 'p')", "c.relkind IN ('v', 'm')")
    );
    let raw = rows::<RawView>(connection, "views", &sql).await?;
    let views = raw.into_iter().map(|raw| {
        let names = |list: Vec<RawName>| list.iter().map(RawName::name).collect();
        let view = View {
            reads: names(raw.reads),
            refreshed: names(raw.refreshed),
            materialized: raw.materialized,
            invoker: raw.invoker,
            privileges: raw.privileges,
        };
        (raw.on.name(), view)
    });
    Ok(views.collect())
}
