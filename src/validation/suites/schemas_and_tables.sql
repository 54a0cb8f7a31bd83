SELECT format('%I.%I', k.schema, k.name), 'wrong', 'weakness', ARRAY['unclassified-table'], 'the table is not there',
  'Apply the migrations that make it', format('SELECT to_regclass(%L)', format('%I.%I', k.schema, k.name))
FROM known k WHERE NOT EXISTS (SELECT FROM relation r WHERE r.schema = k.schema AND r.name = k.name)
UNION ALL
SELECT r.object, CASE WHEN r.class IN ('unknown', 'unclassified') THEN 'inconclusive' ELSE 'held' END, 'weakness',
  ARRAY['unclassified-table'],
  CASE r.class WHEN 'unknown' THEN 'whose its rows are is not known: it was not there when these suites were written'
    WHEN 'unclassified' THEN 'nobody said whose its rows are: ' || r.advice
    ELSE r.class END, '', ''
FROM relation r
UNION ALL
SELECT '(all)', 'inconclusive', 'weakness', ARRAY['run'], 'no table has a tenant: nothing was validated', '', ''
WHERE NOT EXISTS (SELECT FROM owned)
