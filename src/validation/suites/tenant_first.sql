SELECT format('%s.%I', r.object, i.relname), CASE WHEN x.indkey[0] = r.tenant_number THEN 'held' ELSE 'wrong' END, 'note',
  ARRAY[CASE WHEN x.indisunique OR x.indisexclusion THEN 'unique-without-tenant' ELSE 'index-without-tenant' END],
  CASE WHEN x.indkey[0] = r.tenant_number THEN 'the tenant comes first'
    ELSE format('its first column is not %I: its cost grows with the other tenants'' rows', r.tenant) END,
  format('Make it anew with %I before its other columns', r.tenant),
  format('SELECT pg_get_indexdef(%L::regclass)', format('%I.%I', r.schema, i.relname))
FROM relation r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
WHERE r.class = 'scoped'
