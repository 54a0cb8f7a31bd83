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
}

/// The user's sequences, in the order of their names.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<Sequence>> {
    let sql = format!(
        "SELECT n.nspname AS schema, c.relname AS relation, s.seqstart AS start,
             greatest(-1e18, least(1e18,
                 CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END::numeric - s.seqstart))::int8 AS room
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
         WHERE {} ORDER BY 1, 2",
        USER_TABLES.replace("c.relkind IN ('r', 'p')", "c.relkind = 'S'")
    );
    let raw = rows::<RawSequence>(connection, "sequences", &sql).await?;
    let sequences = raw.into_iter().map(|raw| Sequence {
        name: raw.on.name(),
        start: raw.start,
        room: raw.room,
    });
    Ok(sequences.collect())
}
