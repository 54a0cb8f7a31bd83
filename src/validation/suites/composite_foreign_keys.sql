SELECT k.object, CASE WHEN v.twin IS NULL THEN 'held' ELSE 'wrong' END,
  CASE WHEN v.twin = 'update-moves-children' OR v.twin = 'cross-tenant-reference' AND s.watched THEN 'note' ELSE 'weakness' END, CASE v.twin WHEN 'off' THEN ARRAY['cross-tenant-reference'] WHEN 'linked' THEN ARRAY['cross-tenant-reference'] ELSE ARRAY[v.twin] END,
  CASE v.twin
    WHEN 'off' THEN format('the key is not enforced, or its triggers are off: nothing keeps rows of %s to their own tenant''s rows of %s', k.child, k.parent)
    WHEN 'mispaired-key' THEN format('it compares %I of %s with another column of %s than its tenant''s', k.tenant, k.child, k.parent)
    WHEN 'linked' THEN format('it may name any row of %s, and a tenant has those alone that are linked to it', k.parent)
    WHEN 'cross-tenant-reference' THEN format('it does not carry the tenant: a row of %s may refer to another tenant''s row of %s%s', k.child, k.parent,
      CASE WHEN s.watched THEN ', unless a trigger refuses it' END)
    WHEN 'key-not-validated' THEN format('it is NOT VALID: rows of %s that were there before it may refer to another tenant''s row of %s', k.child, k.parent)
    WHEN 'set-null-clears-tenant' THEN format('its action sets %I with the reference', k.tenant)
    WHEN 'optional-reference-refused' THEN 'MATCH FULL refuses a row without the reference, which may be NULL'
    WHEN 'update-moves-children' THEN format('ON UPDATE CASCADE: a row of %s that is moved to another tenant takes its rows of %s along', k.parent, k.child)
    ELSE v.held END,
  CASE WHEN v.twin = 'key-not-validated' THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.child, k.name)
    WHEN k.tenant IS NOT NULL AND k.parent_tenant IS NOT NULL AND v.twin IS DISTINCT FROM 'off'
    THEN format('FOREIGN KEY (%I, …) REFERENCES %s (%I, …)', k.tenant, k.parent, k.parent_tenant)
    ELSE '' END,
  format('SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %L::regclass AND conname = %L', k.child, k.name)
FROM reference k CROSS JOIN LATERAL (
  SELECT
    -- Another key covers it: the same columns with the tenant beside them, which nothing of it lets out.
    EXISTS (SELECT FROM reference o WHERE o.child_oid = k.child_oid AND o.parent_oid = k.parent_oid AND o.oid <> k.oid
      AND o.paired AND o.enforced AND o.convalidated AND o.tenant_held AND k.conkey <@ o.conkey
      AND o.conkey <@ (k.conkey || o.tenant_number)
      AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS u (own, theirs)
        WHERE NOT EXISTS (SELECT FROM unnest(o.conkey, o.confkey) AS w (own, theirs) WHERE w.own = u.own AND w.theirs = u.theirs)))
      AS covered,
    -- A trigger that looks at what is referred to may refuse what crosses: that is not tried here.
    EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = k.parent_oid
      WHERE t.tgrelid = k.child_oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
        AND position(c.relname::text IN p.prosrc) > 0) AS watched,
    k.child_class = 'derived' AND k.carriers && k.conkey AND cardinality(k.conkey) > 1 AS shares
) s CROSS JOIN LATERAL (
  SELECT CASE
    WHEN NOT k.enforced AND NOT s.covered THEN 'off'
    WHEN NOT k.paired AND k.parent_class = 'scoped' AND k.tenant_number = ANY (k.conkey) AND cardinality(k.conkey) > 1 THEN 'mispaired-key'
    WHEN NOT k.paired AND NOT s.covered AND NOT s.shares AND k.parent_class = 'linked' THEN 'linked'
    WHEN NOT k.paired AND NOT s.covered AND NOT s.shares THEN 'cross-tenant-reference'
    WHEN NOT k.convalidated THEN 'key-not-validated'
    WHEN k.confdeltype IN ('n', 'd') AND k.tenant_number = ANY (coalesce(k.confdelsetcols, k.conkey)) THEN 'set-null-clears-tenant'
    WHEN k.confupdtype IN ('n', 'd') AND k.tenant_number = ANY (k.conkey) THEN 'set-null-clears-tenant'
    WHEN k.confmatchtype = 'f' AND k.tenant_held AND k.paired AND NOT EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = k.child_oid AND a.attnum = ANY (k.conkey) AND a.attnum <> k.tenant_number AND a.attnotnull)
      THEN 'optional-reference-refused'
    WHEN k.confupdtype = 'c' AND k.paired THEN 'update-moves-children'
    END AS twin,
    CASE WHEN k.paired THEN 'the tenant is part of it' WHEN s.covered THEN 'another key covers it, with the tenant'
      ELSE 'it has the columns that say whose the row is' END AS held
) v
