SELECT format('%s.%I', r.object, k.conname), CASE WHEN k.convalidated AND v.enforced THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  CASE WHEN NOT v.enforced THEN 'the CHECK is NOT ENFORCED: rows may break it'
    WHEN NOT k.convalidated THEN 'the CHECK is NOT VALID: rows that were there before it may break it' ELSE 'a CHECK that holds' END,
  format('ALTER TABLE %s VALIDATE CONSTRAINT %I', r.object, k.conname),
  format('SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %L::regclass AND conname = %L', r.object, k.conname)
FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
CROSS JOIN LATERAL (SELECT coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced) v
WHERE k.contype = 'c'
UNION ALL
SELECT format('%I.%I.%I', n.nspname, t.typname, k.conname), CASE WHEN k.convalidated THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  CASE WHEN k.convalidated THEN 'a domain''s CHECK that holds' ELSE 'the domain''s CHECK is NOT VALID: values that were there before it may break it' END,
  format('ALTER DOMAIN %I.%I VALIDATE CONSTRAINT %I', n.nspname, t.typname, k.conname),
  format('SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = %L::regtype AND conname = %L', format('%I.%I', n.nspname, t.typname), k.conname)
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE k.contype = 'c' AND n.nspname IN (SELECT schema FROM relation)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT format('%I.%I', n.nspname, t.typname), CASE WHEN l.labels > 0 THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  CASE WHEN l.labels > 0 THEN 'an enum with labels' ELSE 'the enum has no label: no value can be stored' END,
  format('ALTER TYPE %I.%I ADD VALUE …', n.nspname, t.typname),
  format('SELECT enumlabel FROM pg_enum WHERE enumtypid = %L::regtype', format('%I.%I', n.nspname, t.typname))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL (SELECT count(*) AS labels FROM pg_enum e WHERE e.enumtypid = t.oid) l
WHERE t.typtype = 'e' AND n.nspname IN (SELECT schema FROM relation)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
