//! Sequences.

use serde::Deserialize;
use sqlx::PgConnection;

use super::{RawName, USER_TABLES, rows};
use crate::error::Result;
use crate::model::Sequence;

#[derive(Deserialize)]
struct RawSequence {
    #[serde(flatten)]
    on: RawName,
    start: i64,
    room: i64,
    feeds: Vec<RawFeed>,
}

#[derive(Deserialize)]
struct RawFeed {
    #[serde(flatten)]
    on: RawName,
    column: String,
}

/// Columns of whole numbers that an identity or a default fills from the sequence: (20, 21, 23, 1700) are their types.
const FEEDS: &str = "SELECT json_agg(json_build_object('schema', tn.nspname, 'relation', t.relname, 'column', a.attname)
         ORDER BY tn.nspname, t.relname, a.attname)
     FROM (SELECT d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
           UNION SELECT f.adrelid, f.adnum FROM pg_depend d
             JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
             WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) q
     JOIN pg_class t ON t.oid = q.relation JOIN pg_namespace tn ON tn.oid = t.relnamespace
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = q.number JOIN pg_type y ON y.oid = a.atttypid
     WHERE NOT t.relispartition AND t.relkind IN ('r', 'p')
       AND coalesce(nullif(y.typbasetype, 0), y.oid) IN (20, 21, 23, 1700)";

/// The user's sequences, in the order of their names.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<Sequence>> {
    let sql = format!(
        "SELECT n.nspname AS schema, c.relname AS relation, s.seqstart AS start,
             greatest(-1e18, least(1e18,
                 CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END::numeric - s.seqstart))::int8 AS room,
             coalesce(({FEEDS}), '[]') AS feeds
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
         WHERE {} ORDER BY 1, 2",
        USER_TABLES.replace("c.relkind IN ('r', 'p')", "c.relkind = 'S'")
    );
    let raw = rows::<RawSequence>(connection, "sequences", &sql).await?;
    let sequences = raw.into_iter().map(|raw| Sequence {
        name: raw.on.name(),
        start: raw.start,
        room: raw.room,
        feeds: raw
            .feeds
            .into_iter()
            .map(|feed| (feed.on.name(), feed.column))
            .collect(),
    });
    Ok(sequences.collect())
}
