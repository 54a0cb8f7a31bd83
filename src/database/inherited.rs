//! What a clone lacks of its template: settings and grants are the database's and not in it.

use crate::model::literal;

/// Settings whose values are lists of names, and stand unquoted in `SET` (Postgres' `GUC_LIST_QUOTE`).
const LISTS: &str = "'local_preload_libraries', 'search_path', 'session_preload_libraries', \
                     'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories'";

/// The condition that `d` of `pg_database` has something to pass on: most have not, and to ask costs a tenth of passing
/// nothing on.
pub(super) const PASSES_ON: &str =
    "d.datacl IS NOT NULL OR EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid)";

/// A statement that gives a clone the settings of its template (`ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`)
/// and what was granted on it.
pub(super) fn inherited(template: &str, clone: &str) -> String {
    let (template, clone) = (literal(template), literal(clone));
    format!(
        "DO $watertight$ DECLARE given text; BEGIN
           FOR given IN
             SELECT CASE setrole WHEN 0 THEN format('ALTER DATABASE %I', {clone})
                    ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), {clone}) END
                    || ' SET ' || (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(name, '.')) part)
                    || ' TO ' || CASE WHEN name IN ({LISTS}) THEN value ELSE quote_literal(value) END
             FROM pg_db_role_setting, unnest(setconfig) line,
                  LATERAL (SELECT split_part(line, '=', 1), substr(line, strpos(line, '=') + 1)) of (name, value)
             WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = {template})
             UNION ALL
             SELECT format('GRANT %s ON DATABASE %I TO %I', privilege_type, {clone}, pg_get_userbyid(grantee))
             FROM pg_database, aclexplode(datacl)
             WHERE datname = {template} AND grantee NOT IN (0, datdba)
           LOOP EXECUTE given; END LOOP;
         END $watertight$"
    )
}
