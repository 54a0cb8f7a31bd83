WITH setting AS (
  SELECT EXISTS (SELECT FROM application) AS named, EXISTS (SELECT FROM pg_policy p JOIN owned o ON o.oid = p.polrelid) AS used
),
-- Whether most tables of tenants' rows are guarded: only then one that is not stands out.
usual AS (SELECT count(*) FILTER (WHERE secured) * 2 >= count(*) AS guarded FROM owned),
stated AS (
  SELECT o.*, EXISTS (SELECT FROM may m WHERE m.oid = o.oid AND m.granted) AS reached,
    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = o.oid) AS has_policies,
    EXISTS (SELECT FROM rights g WHERE g.oid = o.owner) AS owns
  FROM owned o
),
policy AS (
  SELECT format('%s.%I', o.object, p.polname) AS object, p.*, o.object AS on_table, c.condition, d.command,
    NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid AND d.refobjsubid > 0) AS asks_nothing,
    p.polroles && (ARRAY[0::oid] || ARRAY(SELECT g.oid FROM rights g)) AS decides
  FROM pg_policy p JOIN owned o ON o.oid = p.polrelid AND o.secured
  CROSS JOIN LATERAL (SELECT CASE WHEN pg_get_expr(p.polqual, p.polrelid) = 'true' OR pg_get_expr(p.polwithcheck, p.polrelid) = 'true'
    THEN 'true' END AS condition) c
  CROSS JOIN LATERAL (SELECT CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
    ELSE 'ALL' END AS command) d
),
-- Without a role that is known: policies for roles that no policy about rows is for are operators'.
meant AS (SELECT DISTINCT r FROM policy p, unnest(p.polroles) AS r WHERE NOT p.asks_nothing),
judged_policy AS (
  SELECT p.* FROM policy p, setting s WHERE p.polpermissive
    AND CASE WHEN s.named THEN p.decides ELSE p.polroles && (ARRAY[0::oid] || ARRAY(SELECT r FROM meant)) END
),
door AS (
  SELECT v.oid, format('%I.%I', n.nspname, v.relname) AS object, v.relkind, v.relowner,
    coalesce('security_invoker=true' = ANY (v.reloptions) OR 'security_invoker=on' = ANY (v.reloptions), false) AS invoker
  FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
  WHERE v.relkind IN ('v', 'm') AND EXISTS (SELECT FROM application a WHERE has_table_privilege(a.oid, v.oid, 'SELECT'))
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
),
read_by AS (
  SELECT DISTINCT d.oid AS door, o.oid, o.owner, o.forced FROM door d JOIN pg_rewrite w ON w.ev_class = d.oid
  JOIN pg_depend e ON e.classid = 'pg_rewrite'::regclass AND e.objid = w.oid AND e.refclassid = 'pg_class'::regclass
  JOIN owned o ON o.oid = e.refobjid AND o.secured
)
SELECT s.object, CASE WHEN v.wrong IS NULL THEN 'held' ELSE 'wrong' END, coalesce(v.severity, 'weakness'),
  ARRAY['row-level-security-read', 'row-level-security-write', 'policy-too-wide'],
  coalesce(v.wrong, CASE WHEN s.secured THEN 'row-level security is enabled and forced' ELSE 'the application''s role may do nothing with it' END),
  format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; ALTER TABLE %s FORCE ROW LEVEL SECURITY', s.object, s.object),
  format('SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %L::regclass', s.object)
FROM stated s CROSS JOIN setting t CROSS JOIN usual u CROSS JOIN LATERAL (
  SELECT 'it has policies, and row-level security is not enabled: they hold nobody', 'weakness' WHERE NOT s.secured AND s.has_policies
  UNION ALL SELECT 'row-level security is not enabled, and the application''s role may reach its rows', 'weakness'
    WHERE NOT s.secured AND NOT s.has_policies AND t.named AND s.reached
  UNION ALL SELECT 'row-level security is not enabled', CASE WHEN u.guarded THEN 'weakness' ELSE 'note' END
    WHERE NOT s.secured AND NOT s.has_policies AND NOT t.named
  UNION ALL SELECT 'row-level security is not forced, and the application''s role has its owner''s rights: no policy holds it', 'weakness'
    WHERE s.secured AND NOT s.forced AND s.owns
  UNION ALL SELECT 'row-level security is not forced: it does not hold the table''s owner', 'note' WHERE s.secured AND NOT s.forced AND NOT s.owns
  UNION ALL SELECT NULL, NULL WHERE s.secured AND s.forced OR NOT s.secured AND NOT s.has_policies AND t.named AND NOT s.reached
) AS v (wrong, severity)
WHERE t.named OR t.used
UNION ALL
SELECT p.object, CASE WHEN (p.condition IS NOT NULL OR p.asks_nothing) AND NOT b.narrowed THEN 'wrong' ELSE 'held' END,
  CASE WHEN p.condition IS NULL THEN 'note' ELSE 'weakness' END,
  ARRAY['row-level-security-read', 'row-level-security-write', 'policy-too-wide'],
  CASE WHEN b.narrowed THEN 'a restrictive policy stands beside it' WHEN p.condition IS NOT NULL
    THEN format('the policy for %s holds for every row', p.command) WHEN p.asks_nothing
    THEN format('the policy for %s asks nothing of the row', p.command) ELSE 'the policy asks the row' END,
  'Compare the tenant with the context in USING and in WITH CHECK',
  format('SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = %L::regclass', p.on_table)
FROM judged_policy p CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_policy r
  WHERE r.polrelid = p.polrelid AND NOT r.polpermissive AND r.polcmd IN ('*', p.polcmd)) AS narrowed) b
UNION ALL
SELECT format('%I.%I', n.nspname, c.relname), CASE WHEN c.relrowsecurity THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY['partition-past-policies'],
  CASE WHEN c.relrowsecurity THEN 'the partition has row-level security of its own'
    ELSE 'the application''s role reads the partition itself, past the policies of its table' END,
  format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', n.nspname, c.relname),
  format('SELECT relrowsecurity FROM pg_class WHERE oid = %L::regclass', format('%I.%I', n.nspname, c.relname))
FROM owned o CROSS JOIN LATERAL pg_partition_tree(o.oid) t JOIN pg_class c ON c.oid = t.relid AND c.oid <> o.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE o.secured AND EXISTS (SELECT FROM application a WHERE has_table_privilege(a.oid, c.oid, 'SELECT'))
UNION ALL
SELECT d.object, CASE WHEN v.wrong THEN 'wrong' ELSE 'held' END,
  -- Whether a view that asks who is there asks rightly is not tried here.
  CASE WHEN d.relkind = 'v' AND (pg_get_viewdef(d.oid) ~* '(current_setting|current_user|session_user)\M' OR EXISTS (SELECT
      FROM pg_rewrite w JOIN pg_depend e ON e.classid = 'pg_rewrite'::regclass AND e.objid = w.oid
      WHERE w.ev_class = d.oid AND e.refclassid = 'pg_proc'::regclass))
    THEN 'note' ELSE 'weakness' END, ARRAY['view-past-policies'],
  CASE WHEN NOT v.wrong THEN 'the policies of its tables hold' WHEN d.relkind = 'm'
    THEN 'the application''s role reads a materialized view of guarded tables: policies never apply to it'
    ELSE 'the view reads with the rights of its owner, whom no policy holds' END,
  CASE d.relkind WHEN 'm' THEN format('REVOKE SELECT ON %s FROM the role', d.object) ELSE format('ALTER VIEW %s SET (security_invoker = true)', d.object) END,
  format('SELECT reloptions, relowner::regrole FROM pg_class WHERE oid = %L::regclass', d.object)
FROM door d CROSS JOIN LATERAL (SELECT d.relkind = 'm' OR NOT d.invoker AND EXISTS (SELECT FROM read_by b JOIN pg_roles r ON r.oid = d.relowner
  WHERE b.door = d.oid AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, b.owner, 'USAGE') AND NOT b.forced)) AS wrong) v
WHERE EXISTS (SELECT FROM read_by b WHERE b.door = d.oid)
UNION ALL
SELECT '(all)', 'n/a', 'weakness', ARRAY[]::text[], 'there is no [access] and no policy: row-level security is not used', '', ''
FROM setting t WHERE NOT t.named AND NOT t.used
