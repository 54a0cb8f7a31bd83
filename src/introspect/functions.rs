//! Functions that the application may call, and whose rights they have.

use sqlx::PgConnection;

use super::rows;
use crate::error::Result;
use crate::model::Definer;

/// The user's functions that anybody could call: triggers are called by the server, and arguments of
/// pseudo-types can't be written down.
const ALL: &str = "SELECT p.prosecdef AS definer, n.nspname AS schema, p.proname AS name, oidvectortypes(p.proargtypes) AS signature,
        coalesce((SELECT json_agg(json_build_array(coalesce(p.proargnames[u.place], ''), format_type(u.type, NULL)) ORDER BY u.place)
            FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY u(type, place)
            WHERE p.proargmodes IS NULL OR p.proargmodes[u.place] IN ('i', 'b', 'v')), '[]') AS arguments,
        pg_get_functiondef(p.oid) AS definition,
        EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') AS fixes_search_path,
        coalesce((SELECT json_agg(DISTINCT CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee) END)
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.privilege_type = 'EXECUTE'), '[]') AS callers
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'watertight') AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
      AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) a JOIN pg_type t ON t.oid = a WHERE t.typtype = 'p')
    ORDER BY 1, 2, 3";

/// The user's functions: those with the rights of their owner, and the others.
pub(super) async fn read(connection: &mut PgConnection) -> Result<(Vec<Definer>, Vec<Definer>)> {
    let all = rows::<Definer>(connection, "functions", ALL).await?;
    Ok(all.into_iter().partition(|function| function.definer))
}
