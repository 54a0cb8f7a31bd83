judged AS (
  SELECT i.*, EXISTS (SELECT FROM facts, jsonb_to_recordset(f -> 'allow') AS a ("check" text, "object" text),
      unnest(i.twins || $suite$) AS t (id) WHERE t.id ~ a.check AND i.object ~ a.object) AS accepted,
    i.state = 'wrong' AND (i.severity <> 'note' OR (SELECT (f ->> 'strict')::boolean FROM facts)) AS fails
  FROM item i
)
