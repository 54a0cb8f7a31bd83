//! The whole schema of a database as lines of text, to tell whether two moments differ.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::{Doing as _, Result};

/// Namespaces of the user's.
const OURS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'watertight') AND n.nspname NOT LIKE 'pg\\_%'";

/// Not of an extension.
const OWN: &str = "NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = o.oid AND e.deptype = 'e')";

/// What there is, a query for each kind: `o` is the object, `n` its namespace; each gives one line.
const KINDS: [&str; 17] = [
    "SELECT format('schema %I owner %s', n.nspname, n.nspowner::regrole) FROM pg_namespace n
      CROSS JOIN LATERAL (SELECT n.oid) o WHERE $ours AND $own",
    "SELECT format('%s %I.%I owner %s rls %s forced %s persistence %s options %s', o.relkind, n.nspname, o.relname,
        o.relowner::regrole, o.relrowsecurity, o.relforcerowsecurity, o.relpersistence, o.reloptions::text)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
      WHERE o.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND $ours AND $own",
    "SELECT format('column %I.%I.%I %s: %s null %s default %s identity %s generated %s', n.nspname, o.relname, a.attname,
        row_number() OVER (PARTITION BY o.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
      JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
      WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND $ours AND $own",
    "SELECT format('constraint %I on %s %s', o.conname,
        CASE WHEN o.conrelid <> 0 THEN o.conrelid::regclass::text ELSE o.contypid::regtype::text END,
        pg_get_constraintdef(o.oid))
      FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE o.contype <> 'n' AND $ours",
    "SELECT format('index %s valid %s', pg_get_indexdef(o.oid), i.indisvalid)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace JOIN pg_index i ON i.indexrelid = o.oid
      WHERE $ours AND $own",
    "SELECT format('view %I.%I %s', n.nspname, o.relname, pg_get_viewdef(o.oid))
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace WHERE o.relkind IN ('v', 'm') AND $ours AND $own",
    "SELECT format('function %s owner %s', pg_get_functiondef(o.oid), o.proowner::regrole)
      FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace WHERE o.prokind IN ('f', 'p') AND $ours AND $own",
    "SELECT format('trigger %s enabled %s', pg_get_triggerdef(o.oid), o.tgenabled)
      FROM pg_trigger o JOIN pg_class c ON c.oid = o.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT o.tgisinternal AND $ours",
    "SELECT format('policy %I on %s for %s permissive %s to %s using %s check %s', o.polname, o.polrelid::regclass,
        o.polcmd, o.polpermissive, ARRAY(SELECT r::regrole::text FROM unnest(o.polroles) r ORDER BY 1),
        pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid))
      FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $ours",
    "SELECT format('type %I.%I %s of %s labels %s', n.nspname, o.typname, o.typtype, o.typbasetype::regtype,
        ARRAY(SELECT l.enumlabel FROM pg_enum l WHERE l.enumtypid = o.oid ORDER BY l.enumsortorder))
      FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace
      WHERE o.typtype IN ('e', 'd', 'r') AND $ours AND $own",
    "SELECT format('privileges %s on %s %I.%I', ARRAY(SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
        FROM aclexplode(coalesce(o.relacl, acldefault(CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\",
          o.relowner))) a ORDER BY 1), o.relkind, n.nspname, o.relname)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
      WHERE o.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND $ours AND $own",
    "SELECT format('privileges %s on schema %I', ARRAY(SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
        FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a ORDER BY 1), n.nspname)
      FROM pg_namespace n CROSS JOIN LATERAL (SELECT n.oid) o WHERE $ours AND $own",
    "SELECT format('privileges %s on function %s', ARRAY(SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
        FROM aclexplode(coalesce(o.proacl, acldefault('f', o.proowner))) a ORDER BY 1), o.oid::regprocedure)
      FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace WHERE $ours AND $own",
    "SELECT format('privileges %s on column %I.%I.%I', ARRAY(SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
        FROM aclexplode(t.attacl) a ORDER BY 1), n.nspname, o.relname, t.attname)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace JOIN pg_attribute t ON t.attrelid = o.oid
      WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND $ours AND $own",
    "SELECT format('default privileges %s of %s in %s for %s', ARRAY(SELECT format('%s %s', a.grantee::regrole, a.privilege_type)
        FROM aclexplode(d.defaclacl) a ORDER BY 1), d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype)
      FROM pg_default_acl d",
    "SELECT format('extension %I %s', e.extname, e.extversion) FROM pg_extension e",
    "SELECT format('comment on %s: %s', pg_describe_object(o.classoid, o.objoid, o.objsubid), o.description)
      FROM pg_description o JOIN pg_class c ON o.classoid = 'pg_class'::regclass AND c.oid = o.objoid
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $ours",
];

/// The schema of the database: objects, their definitions, owners and privileges; no rows, and nothing of the server's roles.
///
/// # Errors
/// [`crate::Error::Database`] when a catalog query is refused.
pub async fn snapshot(connection: &mut PgConnection) -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    // Names are printed with their schemas whatever the migrations left the path at.
    sqlx::raw_sql("SET search_path = pg_catalog")
        .execute(&mut *connection)
        .await
        .doing("look at the schema")?;
    for kind in KINDS {
        let sql = kind.replace("$ours", OURS).replace("$own", OWN);
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .doing("look at the schema")?;
        lines.extend(found);
    }
    sqlx::raw_sql("RESET search_path")
        .execute(connection)
        .await
        .doing("look at the schema")?;
    Ok(lines)
}
