-- No CASCADE: whatever a later migration left behind must show here as an error.
-- The grants of USAGE go with the schemas.
DROP SCHEMA tracking;
DROP SCHEMA outreach;
DROP SCHEMA crm;
DROP SCHEMA iam;

DROP EXTENSION btree_gist;
DROP EXTENSION citext;

-- The role stays: it belongs to the cluster, and dropping it would fail (or hurt) where another database
-- uses it. Without grants it can do nothing here.
