//! Partitions for tables that have none: without one no row could be there.

use sqlx::PgConnection;

use super::execute;
use crate::error::Result;

/// Makes a partition for every partitioned table that has none: a default one, or of a hash the only one.
///
/// # Errors
/// [`crate::Error::Database`] where the server refuses it.
pub async fn complete_partitions(connection: &mut PgConnection) -> Result<()> {
    execute(
        connection,
        "DO $do$
         DECLARE t record;
         BEGIN
           LOOP
             SELECT n.nspname, c.relname, c.oid, p.partstrat, pg_get_userbyid(c.relowner) AS owner INTO t
               FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) ORDER BY 1, 2 LIMIT 1;
             EXIT WHEN NOT FOUND;
             EXECUTE format('CREATE TABLE %I.%I PARTITION OF %I.%I %s', t.nspname, 'watertight_partition_' || t.oid, t.nspname,
               t.relname, CASE t.partstrat WHEN 'h' THEN 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' ELSE 'DEFAULT' END);
             EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', t.nspname, 'watertight_partition_' || t.oid, t.owner);
           END LOOP;
         END $do$",
    )
    .await
}
