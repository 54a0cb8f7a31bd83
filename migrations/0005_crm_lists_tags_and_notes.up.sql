-- How an organisation sorts the people it knows.

CREATE TYPE crm.list_kind AS ENUM ('static', 'dynamic');

CREATE TABLE crm.tags (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name public.citext NOT NULL,
    colour text NOT NULL DEFAULT '#4f6bed',
    created_by_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tags_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT tags_organisation_id_name_key UNIQUE (organisation_id, name),
    CONSTRAINT tags_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT tags_created_by_fkey FOREIGN KEY (organisation_id, created_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (created_by_id),
    CONSTRAINT tags_name_check CHECK (char_length(name::text) BETWEEN 1 AND 60),
    CONSTRAINT tags_colour_check CHECK (colour ~ '^#[0-9a-f]{6}$')
);
COMMENT ON TABLE crm.tags IS 'Words that an organisation puts on people; "Décideur" and "décideur" are one.';
CREATE INDEX tags_created_by_idx ON crm.tags (organisation_id, created_by_id);

CREATE TABLE crm.person_tags (
    organisation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    tagged_by_id uuid,
    tagged_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_tags_pkey PRIMARY KEY (organisation_id, person_id, tag_id),
    CONSTRAINT person_tags_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT person_tags_person_fkey FOREIGN KEY (organisation_id, person_id)
        REFERENCES crm.people (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT person_tags_tag_fkey FOREIGN KEY (organisation_id, tag_id)
        REFERENCES crm.tags (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT person_tags_tagged_by_fkey FOREIGN KEY (organisation_id, tagged_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (tagged_by_id)
);
COMMENT ON TABLE crm.person_tags IS 'Which person has which tag. One organisation_id serves both sides, so they cannot disagree.';
CREATE INDEX person_tags_tag_idx ON crm.person_tags (organisation_id, tag_id);
CREATE INDEX person_tags_tagged_by_idx ON crm.person_tags (organisation_id, tagged_by_id);

CREATE TABLE crm.lists (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    kind crm.list_kind NOT NULL DEFAULT 'static',
    filter jsonb NOT NULL DEFAULT '{}',
    owner_id uuid,
    import_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lists_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT lists_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT lists_owner_fkey FOREIGN KEY (organisation_id, owner_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT lists_import_fkey FOREIGN KEY (organisation_id, import_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (import_id),
    CONSTRAINT lists_name_check CHECK (char_length(name) BETWEEN 1 AND 120)
);
COMMENT ON TABLE crm.lists IS 'Groups of people that a campaign addresses.';
COMMENT ON COLUMN crm.lists.filter IS 'Of dynamic lists: the search whose results are its members.';
COMMENT ON COLUMN crm.lists.import_id IS 'The import that made the list, if one did.';
CREATE UNIQUE INDEX lists_organisation_id_name_key ON crm.lists (organisation_id, lower(name));
CREATE INDEX lists_owner_idx ON crm.lists (organisation_id, owner_id);
CREATE INDEX lists_import_idx ON crm.lists (organisation_id, import_id);

CREATE TABLE crm.list_members (
    organisation_id uuid NOT NULL,
    list_id uuid NOT NULL,
    person_id uuid NOT NULL,
    added_by_id uuid,
    added_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT list_members_pkey PRIMARY KEY (organisation_id, list_id, person_id),
    CONSTRAINT list_members_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT list_members_list_fkey FOREIGN KEY (organisation_id, list_id)
        REFERENCES crm.lists (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT list_members_person_fkey FOREIGN KEY (organisation_id, person_id)
        REFERENCES crm.people (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT list_members_added_by_fkey FOREIGN KEY (organisation_id, added_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (added_by_id)
);
COMMENT ON TABLE crm.list_members IS 'Who is on which list.';
CREATE INDEX list_members_person_idx ON crm.list_members (organisation_id, person_id);
CREATE INDEX list_members_added_by_idx ON crm.list_members (organisation_id, added_by_id);

CREATE TABLE crm.notes (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL,
    company_id uuid,
    author_id uuid,
    body text NOT NULL,
    search tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.french'::regconfig, body)) STORED,
    is_pinned boolean NOT NULL DEFAULT false,
    remind_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notes_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT notes_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT notes_person_fkey FOREIGN KEY (organisation_id, person_id)
        REFERENCES crm.people (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT notes_company_fkey FOREIGN KEY (organisation_id, company_id)
        REFERENCES crm.companies (organisation_id, id) ON DELETE SET NULL (company_id),
    CONSTRAINT notes_author_fkey FOREIGN KEY (organisation_id, author_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (author_id),
    CONSTRAINT notes_body_check CHECK (char_length(body) BETWEEN 1 AND 10000)
);
COMMENT ON TABLE crm.notes IS 'What someone wrote down about a person.';
COMMENT ON COLUMN crm.notes.company_id IS 'The company it was about, where it was about one.';
-- GIN has no operator class for uuid here; GiST takes the organisation first, as every index does.
CREATE INDEX notes_search_idx ON crm.notes USING gist (organisation_id, search);
CREATE INDEX notes_person_idx ON crm.notes (organisation_id, person_id, created_at DESC, id);
CREATE INDEX notes_company_idx ON crm.notes (organisation_id, company_id);
CREATE INDEX notes_author_idx ON crm.notes (organisation_id, author_id);

CREATE TRIGGER lists_set_updated_at BEFORE UPDATE ON crm.lists
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER notes_set_updated_at BEFORE UPDATE ON crm.notes
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();

-- Row-level security and grants.
ALTER TABLE crm.tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.tags FORCE ROW LEVEL SECURITY;
CREATE POLICY tags_isolation ON crm.tags FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.tags TO app;

ALTER TABLE crm.person_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.person_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY person_tags_isolation ON crm.person_tags FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.person_tags TO app;

ALTER TABLE crm.lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.lists FORCE ROW LEVEL SECURITY;
CREATE POLICY lists_isolation ON crm.lists FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.lists TO app;

ALTER TABLE crm.list_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.list_members FORCE ROW LEVEL SECURITY;
CREATE POLICY list_members_isolation ON crm.list_members FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.list_members TO app;

ALTER TABLE crm.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.notes FORCE ROW LEVEL SECURITY;
CREATE POLICY notes_isolation ON crm.notes FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.notes TO app;
