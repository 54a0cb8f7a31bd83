-- The ground that everything else stands on: the application's role, two extensions, four schemas.
-- Runs as the database's owner: CREATEROLE is needed for the first statement, superuser for nothing.

-- Roles belong to the cluster, so another database (or a migration running beside this one) may have
-- made `app` already. NOLOGIN: deployments grant it to, or turn it into, a role that logs in.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app') THEN
        CREATE ROLE app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- someone else was first
END
$$;

-- Both are trusted extensions: a database owner may create them.
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE SCHEMA iam;
CREATE SCHEMA crm;
CREATE SCHEMA outreach;
CREATE SCHEMA tracking;

COMMENT ON SCHEMA iam IS 'Organisations, the people who work in them, and what they may do.';
COMMENT ON SCHEMA crm IS 'Whom an organisation knows: companies, people, positions, lists.';
COMMENT ON SCHEMA outreach IS 'What an organisation sends: campaigns, steps, enrollments, messages.';
COMMENT ON SCHEMA tracking IS 'What became of what was sent: events, clicks, opens, roll-ups.';

GRANT USAGE ON SCHEMA iam, crm, outreach, tracking TO app;
