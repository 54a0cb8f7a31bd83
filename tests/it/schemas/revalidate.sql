-- Everything that a restore would check again: each constraint of the user's tables is added a second time, each unique
-- index is built a second time. An error ends it. Rolled back.
BEGIN;
DO $$
DECLARE c record;
BEGIN
  FOR c IN SELECT k.oid, k.conrelid::regclass AS name, k.contype, pg_get_constraintdef(k.oid) AS definition
      FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
      WHERE (k.contype IN ('c', 'f', 'x') OR (to_jsonb(k) ->> 'conperiod')::bool) AND k.conparentid = 0 AND k.conislocal
        AND k.connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'watertight')
      ORDER BY k.contype, k.oid LOOP
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.name, 'again_' || c.oid,
      replace(c.definition, 'PRIMARY KEY', 'UNIQUE'));
  END LOOP;
  FOR c IN SELECT x.indexrelid AS oid, i.relname, pg_get_indexdef(x.indexrelid) AS definition
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
      WHERE x.indisunique AND NOT x.indisexclusion AND NOT t.relispartition
        AND i.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'watertight') LOOP
    EXECUTE replace(c.definition, ' ' || quote_ident(c.relname) || ' ON ', ' again_' || c.oid || ' ON ');
  END LOOP;
END $$;
ROLLBACK;
