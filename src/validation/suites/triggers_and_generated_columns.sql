SELECT format('%s.%I', r.object, t.tgname), CASE WHEN t.tgenabled IN ('O', 'A') THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  CASE t.tgenabled WHEN 'D' THEN 'the trigger is disabled' WHEN 'R' THEN 'the trigger fires on replicas alone' ELSE 'a trigger that is on' END,
  format('ALTER TABLE %s ENABLE TRIGGER %I', r.object, t.tgname),
  format('SELECT tgenabled FROM pg_trigger WHERE tgrelid = %L::regclass AND tgname = %L', r.object, t.tgname)
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal
UNION ALL
SELECT format('%s.%I', r.object, a.attname), CASE WHEN f.called IS NULL THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  coalesce('it is computed by ' || f.called || ', which is not IMMUTABLE: what is stored depends on who wrote it, and when',
    'a generated column, computed from its row alone'),
  'Make the function IMMUTABLE, and write the rows again',
  format('SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = %L::regclass AND adnum = %s', r.object, a.attnum)
FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text) AS called
  FROM pg_depend e JOIN pg_proc p ON p.oid = e.refobjid
  WHERE e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid AND e.refclassid = 'pg_proc'::regclass AND p.provolatile <> 'i') f
WHERE a.attgenerated <> '' AND NOT a.attisdropped
