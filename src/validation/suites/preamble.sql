-- What the suites share: whose the rows are, as the settings say it, beside what the catalog says.
facts AS (SELECT $facts$::jsonb AS f),
known AS (
  SELECT t.* FROM facts, jsonb_to_recordset(f -> 'tables') AS t ("schema" text, "name" text, "class" text, "tenant" text,
    "carriers" text[], "defining" text, "through" text, "link" text, "advice" text)
),
-- Tables of the user's that stand for themselves; partitions fold into their root.
relation AS (
  SELECT c.oid, n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS object,
    coalesce(k.class, 'unknown') AS class, k.defining, k.through, k.link, k.advice, c.relowner AS owner,
    c.relrowsecurity AS secured, c.relforcerowsecurity AS forced, k.tenant, a.attnum AS tenant_number, a.attnotnull AS tenant_held,
    ARRAY(SELECT b.attnum FROM pg_attribute b
      WHERE b.attrelid = c.oid AND b.attname = ANY (k.carriers) AND NOT b.attisdropped) AS carriers
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN known k ON k.schema = n.nspname AND k.name = c.relname
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = k.tenant AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'watertight') AND n.nspname NOT LIKE 'pg\_%'
    AND NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
),
owned AS (SELECT * FROM relation WHERE class IN ('root', 'scoped', 'derived')),
-- Foreign keys by which a tenant's row may refer to a row that is not its tenant's.
reference AS (
  SELECT k.oid, k.conname AS name, format('%s.%I', c.object, k.conname) AS object, c.oid AS child_oid, c.schema, c.name AS relation,
    c.object AS child, c.class AS child_class, c.tenant, c.tenant_number, c.tenant_held, c.carriers, p.oid AS parent_oid,
    p.object AS parent, p.class AS parent_class, p.tenant AS parent_tenant, k.conkey, k.confkey, k.confmatchtype, k.confdeltype,
    k.confupdtype, k.confdelsetcols, k.convalidated,
    -- New in Postgres 18, and so read through JSON; a key whose own triggers are off holds nobody either.
    coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AND NOT EXISTS (SELECT FROM pg_trigger t
      WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgenabled IN ('D', 'R')) AS enforced,
    EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS u (own, theirs)
      WHERE u.own = c.tenant_number AND u.theirs = p.tenant_number) AS paired
  FROM pg_constraint k JOIN owned c ON c.oid = k.conrelid JOIN relation p ON p.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND p.class IN ('scoped', 'derived', 'linked')
    AND NOT (c.tenant_number IS NOT NULL AND k.conkey <@ ARRAY[c.tenant_number])
    AND NOT (c.class = 'derived' AND c.defining = k.conname)
    -- The link itself.
    AND NOT (p.class = 'linked' AND p.through = c.object AND cardinality(k.conkey) = 1 AND EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum = k.conkey[1] AND a.attname = p.link))
),
-- Who the application logs in as, and the roles whose rights it has.
application AS (
  SELECT r.oid, r.rolname AS name FROM facts, jsonb_array_elements_text(f -> 'roles') AS n (name) JOIN pg_roles r ON r.rolname = n.name
),
rights AS (
  SELECT a.oid AS role, g.oid FROM application a JOIN pg_roles g ON pg_has_role(a.oid, g.oid, 'USAGE')
),
may AS (
  SELECT o.oid, o.object, p.privilege, EXISTS (SELECT FROM application a
    WHERE has_table_privilege(a.oid, o.oid, p.privilege)
      OR p.privilege IN ('SELECT', 'INSERT', 'UPDATE') AND has_any_column_privilege(a.oid, o.oid, p.privilege)) AS granted
  FROM relation o CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS p (privilege)
)
