SELECT format('%s.%I', r.object, i.relname), CASE WHEN c.carried THEN 'held' ELSE 'wrong' END,
  CASE WHEN 0 <> ALL (c.keys) AND EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = r.oid AND a.attnum = ANY (c.keys) AND coalesce(nullif(t.typbasetype, 0), t.oid) = 'uuid'::regtype)
    THEN 'note' ELSE 'weakness' END,
  ARRAY['unique-without-tenant'],
  CASE WHEN c.carried THEN 'the tenant is part of it'
    ELSE 'it is unique over all tenants: a refusal tells one tenant that another has the value' END,
  'Put the tenant into it, or accept it with [[allow]] where the value is global by design',
  format('SELECT pg_get_indexdef(%L::regclass)', format('%I.%I', r.schema, i.relname))
FROM owned r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
CROSS JOIN LATERAL (SELECT u.keys, r.carriers && u.keys AS carried
  FROM (SELECT ARRAY(SELECT n FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS u (n, i) WHERE u.i <= x.indnkeyatts) AS keys) u) c
WHERE (x.indisunique OR x.indisexclusion) AND NOT (x.indisprimary AND r.class = 'scoped')
