-- Each book's rows come as one text in hexadecimal, which XML leaves as it is.
WITH own AS (
  SELECT e.* FROM (SELECT convert_from(decode(substring(query_to_xml('SELECT encode(convert_to(coalesce(json_agg(m)::text, ''[]''), ''UTF8''), ''hex'') AS rows
    FROM (SELECT name, checksum FROM watertight.migrations) m', false, false, '')::text FROM '<rows>([0-9a-f]*)</rows>'), 'hex'), 'UTF8')::jsonb AS rows
    WHERE to_regclass('watertight.migrations') IS NOT NULL) q, jsonb_to_recordset(q.rows) AS e ("name" text, "checksum" text)
),
expected AS (
  SELECT e.* FROM facts, jsonb_to_recordset(CASE jsonb_typeof(f -> 'migrations') WHEN 'array' THEN f -> 'migrations' ELSE '[]' END)
    AS e ("name" text, "checksum" text)
  WHERE to_regclass('watertight.migrations') IS NOT NULL
),
book AS (
  SELECT r.object, substring(x.found FROM '<failed>([0-9]+)</failed>')::bigint AS failed, substring(x.found FROM '<all>([0-9]+)</all>')::bigint AS all_rows
  FROM relation r
  CROSS JOIN LATERAL (SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns) c
  -- How the usual tools mark a migration that did not come to its end.
  CROSS JOIN LATERAL (SELECT CASE WHEN 'success' = ANY (c.columns) THEN 'NOT success' WHEN 'dirty' = ANY (c.columns) THEN 'dirty'
    WHEN c.columns @> ARRAY['finished_at', 'rolled_back_at'] THEN 'finished_at IS NULL AND rolled_back_at IS NULL' ELSE 'false' END AS failed) w
  CROSS JOIN LATERAL (SELECT query_to_xml(format('SELECT count(*) AS "all", count(*) FILTER (WHERE %s) AS failed FROM %s', w.failed, r.object),
    false, false, '')::text AS found) x
  WHERE r.class = 'history'
)
SELECT coalesce(e.name, o.name), CASE WHEN e.checksum = o.checksum OR u.unknown THEN 'held' ELSE 'wrong' END, 'weakness', ARRAY[]::text[],
  CASE WHEN e.checksum = o.checksum OR u.unknown THEN 'applied' WHEN o.name IS NULL THEN 'the migration was not applied'
    WHEN e.name IS NULL THEN 'it was applied, and is not among the migrations' ELSE 'it was applied with another text than it has now' END, '',
  format('SELECT name, checksum, applied_at FROM watertight.migrations WHERE name = %L', coalesce(e.name, o.name))
FROM expected e FULL JOIN own o ON o.name = e.name
CROSS JOIN (SELECT NOT EXISTS (SELECT FROM expected) AS unknown) u
UNION ALL
SELECT b.object, CASE WHEN b.failed > 0 THEN 'wrong' ELSE 'held' END, 'weakness', ARRAY[]::text[],
  CASE WHEN b.failed > 0 THEN format('%s of its %s migrations did not come to their end', b.failed, b.all_rows)
    ELSE 'no migration in it failed' END, '', format('SELECT * FROM %s', b.object)
FROM book b
UNION ALL
SELECT '(all)', 'n/a', 'weakness', ARRAY[]::text[], 'no book of a migration tool that is known is there', '', ''
WHERE to_regclass('watertight.migrations') IS NULL AND NOT EXISTS (SELECT FROM book)
