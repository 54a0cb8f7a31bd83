-- Organisations (the tenants), global users, and what links them.

CREATE FUNCTION iam.current_organisation_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
    SET search_path = pg_catalog
AS $$
    -- Never set: NULL. After a SET LOCAL has ended: ''. Both mean no organisation, hence no rows;
    -- anything that is no uuid is an error. STABLE and not IMMUTABLE: the planner must not fold it.
    SELECT NULLIF(current_setting('app.organisation_id', true), '')::uuid
$$;
COMMENT ON FUNCTION iam.current_organisation_id() IS 'The organisation that this transaction acts for: SELECT set_config(''app.organisation_id'', …, true).';

CREATE FUNCTION iam.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path = pg_catalog
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION iam.set_updated_at() IS 'BEFORE UPDATE trigger of every table that has updated_at.';

CREATE TYPE iam.membership_role AS ENUM ('owner', 'admin', 'member', 'viewer');

CREATE TABLE iam.organisations (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL,
    siren crm.siren,
    time_zone text NOT NULL DEFAULT 'Europe/Paris',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisations_pkey PRIMARY KEY (id),
    CONSTRAINT organisations_slug_key UNIQUE (slug),
    CONSTRAINT organisations_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT organisations_slug_check CHECK (slug ~ '^[a-z][a-z0-9-]{2,40}$')
);
COMMENT ON TABLE iam.organisations IS 'The tenants. Created and removed by operators, never by the application''s role.';
COMMENT ON COLUMN iam.organisations.slug IS 'Public name in URLs, hence unique over all organisations: a declared exception.';
COMMENT ON COLUMN iam.organisations.siren IS 'Not unique: one company may run several organisations.';

CREATE TABLE iam.users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email public.citext NOT NULL,
    full_name text NOT NULL,
    locale text NOT NULL DEFAULT 'fr-FR',
    last_seen_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_email_check CHECK (email LIKE '%_@_%'),
    CONSTRAINT users_full_name_check CHECK (char_length(full_name) BETWEEN 1 AND 200),
    CONSTRAINT users_locale_check CHECK (locale IN ('fr-FR', 'fr-BE', 'fr-CH', 'en-GB'))
);
COMMENT ON TABLE iam.users IS 'Global identities. An organisation sees those that its memberships link, and changes none; secrets live with the identity provider.';
COMMENT ON COLUMN iam.users.email IS 'Whom one logs in as, hence unique over all organisations: a declared exception.';

CREATE TABLE iam.memberships (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    role iam.membership_role NOT NULL DEFAULT 'member',
    job_title text,
    invited_by_id uuid,
    suspended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT memberships_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT memberships_organisation_id_user_id_key UNIQUE (organisation_id, user_id),
    CONSTRAINT memberships_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    -- Not a cascade: a global user is removed only after leaving each organisation.
    CONSTRAINT memberships_user_fkey FOREIGN KEY (user_id)
        REFERENCES iam.users (id) ON DELETE RESTRICT,
    CONSTRAINT memberships_invited_by_fkey FOREIGN KEY (organisation_id, invited_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (invited_by_id),
    CONSTRAINT memberships_job_title_check CHECK (char_length(job_title) <= 120),
    CONSTRAINT memberships_invited_by_check CHECK (invited_by_id <> id)
);
COMMENT ON TABLE iam.memberships IS 'A user in an organisation. "Who did it" refers here everywhere, never to iam.users, so that it cannot name a stranger.';
CREATE INDEX memberships_invited_by_idx ON iam.memberships (organisation_id, invited_by_id);

CREATE TABLE iam.invitations (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email public.citext NOT NULL,
    role iam.membership_role NOT NULL DEFAULT 'member',
    token_hash text NOT NULL,
    message text NOT NULL DEFAULT 'Vous êtes invité à rejoindre notre équipe.',
    invited_by_id uuid,
    accepted_membership_id uuid,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '14 days',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitations_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT invitations_organisation_id_token_hash_key UNIQUE (organisation_id, token_hash),
    CONSTRAINT invitations_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT invitations_invited_by_fkey FOREIGN KEY (organisation_id, invited_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (invited_by_id),
    CONSTRAINT invitations_accepted_membership_fkey FOREIGN KEY (organisation_id, accepted_membership_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (accepted_membership_id),
    CONSTRAINT invitations_email_check CHECK (email LIKE '%_@_%'),
    CONSTRAINT invitations_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT invitations_expires_at_check CHECK (expires_at > created_at)
);
COMMENT ON TABLE iam.invitations IS 'Offers of a membership by e-mail. The link carries organisation and token, so that no look-up crosses organisations.';
COMMENT ON COLUMN iam.invitations.token_hash IS 'SHA-256 of the token in the link, in hexadecimal.';
-- One open invitation per address.
CREATE UNIQUE INDEX invitations_open_email_key ON iam.invitations (organisation_id, email)
    WHERE accepted_membership_id IS NULL;
CREATE INDEX invitations_invited_by_idx ON iam.invitations (organisation_id, invited_by_id);
CREATE INDEX invitations_accepted_membership_idx ON iam.invitations (organisation_id, accepted_membership_id);

CREATE TABLE iam.api_keys (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{people:read}',
    created_by_id uuid,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_keys_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (organisation_id, created_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (created_by_id),
    CONSTRAINT api_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 120),
    CONSTRAINT api_keys_prefix_check CHECK (char_length(prefix) = 8),
    CONSTRAINT api_keys_key_hash_check CHECK (key_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT api_keys_scopes_check CHECK (array_position(scopes, NULL) IS NULL),
    CONSTRAINT api_keys_expires_at_check CHECK (expires_at IS NULL OR expires_at > created_at)
);
COMMENT ON TABLE iam.api_keys IS 'Keys of machines that act for an organisation.';
COMMENT ON COLUMN iam.api_keys.prefix IS 'First characters of the key, shown to people so that they can tell keys apart.';
COMMENT ON COLUMN iam.api_keys.key_hash IS 'SHA-256 of the key. Unique over all organisations, as it is what tells which organisation is calling: a declared exception.';
CREATE INDEX api_keys_created_by_idx ON iam.api_keys (organisation_id, created_by_id);

CREATE TABLE iam.audit_log (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    entry_number bigint GENERATED ALWAYS AS IDENTITY,
    actor_id uuid,
    api_key_id uuid,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id uuid,
    details jsonb NOT NULL DEFAULT '{}',
    address inet,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_log_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT audit_log_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT audit_log_actor_fkey FOREIGN KEY (organisation_id, actor_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (actor_id),
    CONSTRAINT audit_log_api_key_fkey FOREIGN KEY (organisation_id, api_key_id)
        REFERENCES iam.api_keys (organisation_id, id) ON DELETE SET NULL (api_key_id),
    CONSTRAINT audit_log_action_check CHECK (action ~ '^[a-z]{2,20}\.[a-z]{2,20}$'),
    CONSTRAINT audit_log_target_type_check CHECK (
        target_type IN ('organisation', 'membership', 'person', 'company', 'list', 'campaign', 'mailbox')
    ),
    CONSTRAINT audit_log_details_check CHECK (jsonb_typeof(details) = 'object')
);
COMMENT ON TABLE iam.audit_log IS 'Who did what. Append-only: the application''s role may neither change nor delete entries.';
COMMENT ON COLUMN iam.audit_log.entry_number IS 'Order of entries that share a time; has gaps.';
COMMENT ON COLUMN iam.audit_log.actor_id IS 'The membership that acted; NULL for a machine (see api_key_id) or one that has left.';
COMMENT ON COLUMN iam.audit_log.target_id IS 'Row of the table that target_type names. No foreign key on purpose: entries outlive their targets.';
CREATE INDEX audit_log_occurred_at_idx ON iam.audit_log (organisation_id, occurred_at DESC, id DESC);
CREATE INDEX audit_log_target_idx ON iam.audit_log (organisation_id, target_type, target_id);
CREATE INDEX audit_log_actor_idx ON iam.audit_log (organisation_id, actor_id);
CREATE INDEX audit_log_api_key_idx ON iam.audit_log (organisation_id, api_key_id);

CREATE TRIGGER organisations_set_updated_at BEFORE UPDATE ON iam.organisations
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER users_set_updated_at BEFORE UPDATE ON iam.users
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER memberships_set_updated_at BEFORE UPDATE ON iam.memberships
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();

-- Row-level security: forced, so that the owner of the tables is not above it either. Policies are for
-- `app` alone; everyone else who does not bypass them sees nothing. The sub-select makes the planner
-- evaluate the tenant once per statement.
ALTER TABLE iam.organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.organisations FORCE ROW LEVEL SECURITY;
CREATE POLICY organisations_isolation ON iam.organisations FOR ALL TO app
    USING (id = (SELECT iam.current_organisation_id()))
    WITH CHECK (id = (SELECT iam.current_organisation_id()));
GRANT SELECT, UPDATE ON iam.organisations TO app;

-- A user is seen by the organisations that it belongs to. No recursion: the policy of memberships
-- does not look at users.
ALTER TABLE iam.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.users FORCE ROW LEVEL SECURITY;
CREATE POLICY users_membership ON iam.users FOR SELECT TO app
    USING (EXISTS (
        SELECT FROM iam.memberships m
        WHERE m.organisation_id = (SELECT iam.current_organisation_id())
          AND m.user_id = users.id
    ));
GRANT SELECT ON iam.users TO app;

ALTER TABLE iam.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY memberships_isolation ON iam.memberships FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON iam.memberships TO app;

ALTER TABLE iam.invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY invitations_isolation ON iam.invitations FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON iam.invitations TO app;

ALTER TABLE iam.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY api_keys_isolation ON iam.api_keys FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON iam.api_keys TO app;

ALTER TABLE iam.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE iam.audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_log_isolation ON iam.audit_log FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT ON iam.audit_log TO app;
