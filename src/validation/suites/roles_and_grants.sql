SELECT n.name, 'wrong', 'weakness', ARRAY['run'], 'there is no such role, which [access] names', format('CREATE ROLE %I NOSUPERUSER NOBYPASSRLS', n.name), ''
FROM facts, jsonb_array_elements_text(f -> 'roles') AS n (name) WHERE NOT EXISTS (SELECT FROM application a WHERE a.name = n.name)
UNION ALL
SELECT a.name::text, CASE WHEN v.wrong IS NULL THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY['run'],
  coalesce(v.wrong, 'row-level security holds for it'), format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', a.name),
  format('SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %L', a.name)
FROM application a CROSS JOIN LATERAL (
  SELECT CASE WHEN r.rolsuper THEN 'it is a superuser: no policy holds it' WHEN r.rolbypassrls THEN 'it has BYPASSRLS: no policy holds it'
    ELSE (SELECT format('it may become %I, whom no policy holds', g.rolname) FROM pg_roles g
      WHERE g.oid <> r.oid AND (g.rolsuper OR g.rolbypassrls) AND pg_has_role(r.oid, g.oid, 'MEMBER') ORDER BY g.rolname LIMIT 1) END AS wrong
  FROM pg_roles r WHERE r.oid = a.oid
) v
UNION ALL
SELECT m.object, CASE WHEN m.granted THEN 'wrong' ELSE 'held' END, 'weakness', ARRAY['truncate-past-policies'],
  CASE WHEN m.granted THEN 'the application''s role may TRUNCATE it, which no policy stops' ELSE 'the role may not TRUNCATE it' END,
  format('REVOKE TRUNCATE ON %s FROM the role', m.object), format('SELECT relacl FROM pg_class WHERE oid = %L::regclass', m.object)
FROM may m JOIN owned o ON o.oid = m.oid WHERE m.privilege = 'TRUNCATE' AND EXISTS (SELECT FROM application)
UNION ALL
-- A note: whether it writes them is not seen, and grants on all tables are usual.
SELECT r.object, CASE WHEN w.list IS NULL THEN 'held' ELSE 'wrong' END, 'note', ARRAY['row-level-security-write'],
  CASE WHEN w.list IS NULL THEN 'the role may not write the shared rows'
    ELSE format('the application''s role may %s shared rows, which every tenant reads', w.list) END,
  format('REVOKE %s ON %s FROM the role', w.list, r.object), format('SELECT relacl FROM pg_class WHERE oid = %L::regclass', r.object)
FROM relation r CROSS JOIN LATERAL (SELECT string_agg(m.privilege, ', ' ORDER BY m.privilege) AS list FROM may m
  WHERE m.oid = r.oid AND m.granted AND m.privilege <> 'SELECT') w
WHERE r.class = 'shared' AND EXISTS (SELECT FROM application)
UNION ALL
SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), CASE WHEN s.fixed THEN 'held' ELSE 'wrong' END,
  'weakness', ARRAY['definer-without-search-path'],
  CASE WHEN s.fixed THEN 'a function of its owner''s rights, with a search_path of its own'
    ELSE 'it has its owner''s rights and looks names up where its caller says' END,
  format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', p.oid::regprocedure, n.nspname),
  format('SELECT prosecdef, proconfig FROM pg_proc WHERE oid = %L::regprocedure', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search\_path=%') AS fixed) s
WHERE p.prosecdef AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'watertight') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  AND EXISTS (SELECT FROM application a WHERE has_function_privilege(a.oid, p.oid, 'EXECUTE'))
UNION ALL
SELECT '(all)', 'n/a', 'weakness', ARRAY[]::text[], 'there is no [access]: who the application logs in as is not known', '', ''
FROM facts WHERE jsonb_array_length(f -> 'roles') = 0
