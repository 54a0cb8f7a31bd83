SELECT CASE WHEN i.oid IS NULL THEN r.object ELSE format('%s.%I', r.object, i.relname) END,
  CASE WHEN r.tenant_number = ANY (x.indkey) THEN 'held' ELSE 'wrong' END,
  -- A table without a key, or with ids that nobody guesses, lets no row cross by that.
  CASE WHEN x.indexrelid IS NULL OR EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = r.oid AND a.attnum = ANY (x.indkey) AND coalesce(nullif(t.typbasetype, 0), t.oid) = 'uuid'::regtype)
    THEN 'note' ELSE 'weakness' END,
  ARRAY['unique-without-tenant'],
  CASE WHEN x.indexrelid IS NULL THEN 'it has no primary key'
    WHEN r.tenant_number = ANY (x.indkey) THEN 'the tenant is part of it'
    ELSE format('the primary key does not have %I: its values are unique over all tenants', r.tenant) END,
  format('ALTER TABLE %s ADD PRIMARY KEY (%I, …)', r.object, r.tenant),
  format('SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indisprimary AND indrelid = %L::regclass', r.object)
FROM relation r LEFT JOIN pg_index x ON x.indrelid = r.oid AND x.indisprimary LEFT JOIN pg_class i ON i.oid = x.indexrelid
WHERE r.class = 'scoped'
