//! The roles that a database needs, which no `pg_dump` holds; and its own settings, which stay with the old database where a
//! dump is restored into another.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::{Doing as _, Result};

/// The roles that own something here or may do something, those that they are members of, and their members.
const USED: &str = "WITH RECURSIVE here AS (SELECT oid, datdba, datacl FROM pg_database WHERE datname = current_database()),
    used(oid) AS (
      SELECT s.refobjid FROM pg_shdepend s, here WHERE s.refclassid = 'pg_authid'::regclass
        AND (s.dbid = here.oid OR s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = here.oid)
      UNION SELECT datdba FROM here
      UNION SELECT s.setrole FROM pg_db_role_setting s, here WHERE s.setdatabase = here.oid AND s.setrole <> 0
      UNION SELECT n.nspowner FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg\\_%'
      UNION SELECT c.relowner FROM pg_class c WHERE c.oid >= 16384
      UNION SELECT p.proowner FROM pg_proc p WHERE p.oid >= 16384
      UNION SELECT e.extowner FROM pg_extension e
      UNION SELECT CASE WHEN m.member = u.oid THEN m.roleid ELSE m.member END FROM used u
        JOIN pg_auth_members m ON u.oid IN (m.member, m.roleid)
        JOIN pg_roles k ON k.oid = u.oid AND k.rolname NOT LIKE 'pg\\_%'),
    role AS (SELECT r.* FROM pg_roles r WHERE r.oid IN (SELECT oid FROM used) AND r.rolname NOT LIKE 'pg\\_%'),
    member AS (SELECT g.rolname AS role, u.rolname AS member, format('ADMIN %s', m.admin_option::text)
        || coalesce(', INHERIT ' || (to_jsonb(m) ->> 'inherit_option'), '')
        || coalesce(', SET ' || (to_jsonb(m) ->> 'set_option'), '') AS options, m.admin_option,
        to_jsonb(m) ? 'inherit_option' AS has_options
      FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN role u ON u.oid = m.member
      WHERE g.rolname LIKE 'pg\\_%' OR g.oid IN (SELECT oid FROM role)),
    -- Lists of names are kept quoted; any other value is one text.
    setting AS (SELECT s.setdatabase, s.setrole, format('%I TO %s', split_part(c, '=', 1),
        CASE WHEN split_part(c, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
            'session_preload_libraries') THEN nullif(substr(c, strpos(c, '=') + 1), '')
          ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END) AS text
      FROM pg_db_role_setting s, unnest(s.setconfig) c),
    attributes AS (SELECT r.oid, r.rolname, format('%s %s %s %s %s %s %s CONNECTION LIMIT %s%s',
        CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END, CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, rolconnlimit,
        ' VALID UNTIL ' || quote_literal(rolvaliduntil)) AS text FROM role r)";

/// A line for each role and membership.
pub(super) const ROLES: &str = "SELECT format('role %I %s', rolname, text) FROM attributes
    UNION ALL SELECT format('role %I set %s', a.rolname, s.text) FROM setting s JOIN attributes a ON a.oid = s.setrole
      WHERE s.setdatabase = 0
    UNION ALL SELECT format('role %I in %I with %s', member, role, options) FROM member
    ORDER BY 1";

/// A line for each setting and privilege of the database itself.
pub(super) const PROPERTIES: &str = "SELECT format('database setting %s of %s', s.text,
      CASE s.setrole WHEN 0 THEN 'everybody' ELSE s.setrole::regrole::text END)
      FROM setting s, here WHERE s.setdatabase = here.oid
    UNION ALL SELECT format('database owner %s', datdba::regrole) FROM here
    UNION ALL SELECT format('database privilege %s of %s', a.privilege_type,
        CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END)
      FROM here, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
    ORDER BY 1";

/// `roles.sql`, for `psql`: makes the roles that are missing, and gives them what they had. Those that are there already are
/// left as they are. No password is in it.
pub(super) const RESTORE_ROLES: &str = "SELECT line FROM (
      SELECT 0 AS part, format('CREATE TEMP TABLE watertight_missing AS SELECT name FROM (VALUES %s) v(name) WHERE name NOT IN (SELECT rolname FROM pg_catalog.pg_roles);',
          string_agg(format('(%L::pg_catalog.name)', rolname), ', ' ORDER BY rolname)) AS line FROM attributes
      UNION ALL SELECT 1, format('SELECT %L FROM watertight_missing WHERE name = %L \\gexec', format('CREATE ROLE %I %s', rolname, text), rolname)
        FROM attributes
      UNION ALL SELECT 2, format('SELECT %L FROM watertight_missing WHERE name = %L \\gexec', format('ALTER ROLE %I SET %s', a.rolname, s.text), a.rolname)
        FROM setting s JOIN attributes a ON a.oid = s.setrole WHERE s.setdatabase = 0
      UNION ALL SELECT 3, format('SELECT %L FROM watertight_missing WHERE name IN (%L, %L) LIMIT 1 \\gexec',
          format('GRANT %I TO %I%s', role, member, CASE WHEN has_options THEN ' WITH ' || options WHEN admin_option THEN ' WITH ADMIN OPTION' ELSE '' END),
          role, member)
        FROM member
      UNION ALL SELECT 4, 'DROP TABLE watertight_missing;'
    ) l ORDER BY part, line";

/// `database.sql`, for `psql` in the restored database: its owner, settings and privileges.
pub(super) const RESTORE_PROPERTIES: &str = "SELECT line FROM (
      SELECT 0 AS part, format('ALTER DATABASE :\"DBNAME\" OWNER TO %I;', pg_get_userbyid(datdba)) AS line FROM here
      UNION ALL SELECT 1, format('ALTER DATABASE :\"DBNAME\" SET %s;', s.text) FROM setting s, here
        WHERE s.setdatabase = here.oid AND s.setrole = 0
      UNION ALL SELECT 1, format('ALTER ROLE %I IN DATABASE :\"DBNAME\" SET %s;', pg_get_userbyid(s.setrole), s.text)
        FROM setting s, here WHERE s.setdatabase = here.oid AND s.setrole <> 0
      UNION ALL SELECT 2, format('REVOKE ALL ON DATABASE :\"DBNAME\" FROM PUBLIC, %I;', pg_get_userbyid(datdba)) FROM here
        WHERE datacl IS NOT NULL
      UNION ALL SELECT 3, format('GRANT %s ON DATABASE :\"DBNAME\" TO %s%s;', a.privilege_type,
          CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
          CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM here, aclexplode(datacl) a
    ) l ORDER BY part, line";

/// What one of these queries says, a line a row.
pub(super) async fn lines(connection: &mut PgConnection, query: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(AssertSqlSafe(format!("{USED} {query}")))
        .fetch_all(connection)
        .await
        .doing("look at the roles")
}
