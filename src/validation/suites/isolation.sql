SELECT k.object, CASE WHEN q.crossing IS NULL THEN 'inconclusive' WHEN q.crossing > 0 THEN 'wrong' ELSE 'held' END, 'leak',
  ARRAY['cross-tenant-reference'],
  CASE WHEN q.crossing IS NULL THEN 'its rows were not looked at: the key was not there when these suites were written'
    WHEN q.crossing > 0 THEN format('%s row(s) of %s refer to a row of %s that is not their tenant''s', q.crossing, k.child, k.parent)
    ELSE 'no row crosses' END,
  'Give these rows to whom they belong, and then make the key carry the tenant', coalesce(y.sql, '')
FROM reference k
LEFT JOIN (SELECT y.* FROM facts, jsonb_to_recordset(f -> 'keys') AS y ("schema" text, "table" text, "name" text, "sql" text)) y
  ON y.schema = k.schema AND y.table = k.relation AND y.name = k.name
-- The way to run a query that is made of others' results, without a function of one's own.
CROSS JOIN LATERAL (SELECT substring(query_to_xml(y.sql, false, false, '')::text FROM '<count>([0-9]+)</count>')::bigint AS crossing) q
UNION ALL
SELECT '(all)', 'inconclusive', 'leak', ARRAY['run'],
  CASE WHEN NOT r.filled THEN 'no table of tenants'' rows has any: that none crosses says nothing'
    ELSE 'there is one tenant alone: no row can cross' END, '', ''
FROM (
  SELECT count(*) > 0 AS there,
    bool_or(query_to_xml(format('SELECT 1 AS one FROM %s LIMIT 1', o.object), false, false, '')::text LIKE '%<one>%')
      FILTER (WHERE o.class <> 'root') AS filled,
    bool_and(query_to_xml(format('SELECT 1 AS one FROM %s OFFSET 1 LIMIT 1', o.object), false, false, '')::text LIKE '%<one>%')
      FILTER (WHERE o.class = 'root') AS several
  FROM owned o
) r
WHERE r.there AND NOT (coalesce(r.filled, false) AND coalesce(r.several, true))
