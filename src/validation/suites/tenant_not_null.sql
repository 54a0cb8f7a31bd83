SELECT format('%s.%I', r.object, r.tenant), CASE WHEN v.held IS NULL THEN 'wrong' ELSE 'held' END, 'weakness', ARRAY['nullable-tenant'],
  coalesce(v.held, format('%I may be NULL: such a row is no tenant''s, and its composite keys are not checked', r.tenant)),
  format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', r.object, r.tenant),
  format('SELECT attnotnull FROM pg_attribute WHERE attrelid = %L::regclass AND attname = %L', r.object, r.tenant)
FROM relation r CROSS JOIN LATERAL (
  SELECT CASE WHEN r.tenant_held THEN 'NOT NULL'
    WHEN (SELECT (f ->> 'null_is_shared')::boolean FROM facts) THEN 'NULL means a shared row'
    WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'c' AND k.convalidated
      AND pg_get_constraintdef(k.oid) = format('CHECK ((%I IS NOT NULL))', r.tenant)) THEN 'a CHECK refuses NULL' END AS held
) v
WHERE r.class = 'scoped'
