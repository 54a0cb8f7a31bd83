-- Whom an organisation knows. Two organisations that know the same company each have their own row of it.

CREATE TYPE crm.import_state AS ENUM ('pending', 'running', 'done', 'failed');
CREATE TYPE crm.civility AS ENUM ('madame', 'monsieur');

CREATE TABLE crm.imports (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    provider text NOT NULL,
    external_ref text NOT NULL,
    state crm.import_state NOT NULL DEFAULT 'pending',
    row_count integer NOT NULL DEFAULT 0,
    rejected_count integer NOT NULL DEFAULT 0,
    settings jsonb NOT NULL DEFAULT '{}',
    started_by_id uuid,
    retry_of_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT imports_organisation_id_provider_external_ref_key UNIQUE (organisation_id, provider, external_ref),
    CONSTRAINT imports_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT imports_started_by_fkey FOREIGN KEY (organisation_id, started_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (started_by_id),
    CONSTRAINT imports_retry_of_fkey FOREIGN KEY (organisation_id, retry_of_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (retry_of_id),
    CONSTRAINT imports_provider_check CHECK (provider IN ('sirene', 'pappers', 'csv', 'salesforce', 'hubspot')),
    CONSTRAINT imports_external_ref_check CHECK (char_length(external_ref) BETWEEN 1 AND 120),
    CONSTRAINT imports_row_count_check CHECK (row_count >= 0),
    CONSTRAINT imports_rejected_count_check CHECK (rejected_count >= 0 AND rejected_count <= row_count),
    CONSTRAINT imports_retry_of_check CHECK (retry_of_id <> id)
);
COMMENT ON TABLE crm.imports IS 'Batches of rows taken from an outside provider.';
COMMENT ON COLUMN crm.imports.external_ref IS 'The provider''s own name of the batch: taking it twice is refused.';
CREATE INDEX imports_started_by_idx ON crm.imports (organisation_id, started_by_id);
CREATE INDEX imports_retry_of_idx ON crm.imports (organisation_id, retry_of_id);

CREATE TABLE crm.companies (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    siren crm.siren,
    vat_number text GENERATED ALWAYS AS (
        'FR' || lpad(((12 + 3 * (siren::text::bigint % 97)) % 97)::text, 2, '0') || siren::text
    ) STORED,
    naf_code text,
    employee_range int4range,
    revenue numeric(15, 2),
    revenue_year smallint,
    website text,
    parent_company_id uuid,
    owner_id uuid,
    import_id uuid,
    external_ref text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT companies_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT companies_organisation_id_import_id_external_ref_key UNIQUE (organisation_id, import_id, external_ref),
    CONSTRAINT companies_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT companies_naf_code_fkey FOREIGN KEY (naf_code)
        REFERENCES crm.naf_codes (code),
    CONSTRAINT companies_parent_company_fkey FOREIGN KEY (organisation_id, parent_company_id)
        REFERENCES crm.companies (organisation_id, id) ON DELETE SET NULL (parent_company_id),
    CONSTRAINT companies_owner_fkey FOREIGN KEY (organisation_id, owner_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT companies_import_fkey FOREIGN KEY (organisation_id, import_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (import_id),
    CONSTRAINT companies_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT companies_employee_range_check CHECK (employee_range IS NULL OR lower(employee_range) >= 0),
    CONSTRAINT companies_revenue_check CHECK (revenue >= 0),
    CONSTRAINT companies_revenue_year_check CHECK (revenue_year BETWEEN 1990 AND 2100),
    CONSTRAINT companies_website_check CHECK (website LIKE 'https://%'),
    CONSTRAINT companies_external_ref_check CHECK (char_length(external_ref) <= 120),
    CONSTRAINT companies_parent_company_check CHECK (parent_company_id <> id)
);
COMMENT ON TABLE crm.companies IS 'Legal units, as one organisation knows them.';
COMMENT ON COLUMN crm.companies.vat_number IS 'French VAT number: FR, a key computed from the SIREN, the SIREN.';
COMMENT ON COLUMN crm.companies.employee_range IS 'Insee''s brackets, such as [10,20).';
COMMENT ON COLUMN crm.companies.revenue IS 'Yearly, in euros, of revenue_year.';
COMMENT ON COLUMN crm.companies.parent_company_id IS 'The company that controls this one.';
COMMENT ON COLUMN crm.companies.external_ref IS 'What the provider of import_id calls this company.';
-- A deleted company does not stand in the way of knowing it anew.
CREATE UNIQUE INDEX companies_organisation_id_siren_key ON crm.companies (organisation_id, siren)
    WHERE deleted_at IS NULL;
CREATE INDEX companies_name_idx ON crm.companies (organisation_id, lower(name), id);
CREATE INDEX companies_naf_code_idx ON crm.companies (organisation_id, naf_code);
CREATE INDEX companies_parent_company_idx ON crm.companies (organisation_id, parent_company_id);
CREATE INDEX companies_owner_idx ON crm.companies (organisation_id, owner_id);

CREATE TABLE crm.establishments (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    company_id uuid NOT NULL,
    siret crm.siret NOT NULL,
    nic text GENERATED ALWAYS AS (right(siret::text, 5)) STORED,
    is_headquarters boolean NOT NULL DEFAULT false,
    street text,
    postal_code crm.postal_code,
    city text,
    department text GENERATED ALWAYS AS (
        CASE WHEN postal_code::text LIKE '97%' OR postal_code::text LIKE '98%' THEN left(postal_code::text, 3)
             ELSE left(postal_code::text, 2)
        END
    ) STORED,
    opened_on date,
    closed_on date,
    import_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT establishments_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT establishments_organisation_id_siret_key UNIQUE (organisation_id, siret),
    CONSTRAINT establishments_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT establishments_company_fkey FOREIGN KEY (organisation_id, company_id)
        REFERENCES crm.companies (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT establishments_import_fkey FOREIGN KEY (organisation_id, import_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (import_id),
    CONSTRAINT establishments_street_check CHECK (char_length(street) <= 200),
    CONSTRAINT establishments_city_check CHECK (char_length(city) BETWEEN 1 AND 100),
    CONSTRAINT establishments_closed_on_check CHECK (closed_on IS NULL OR closed_on >= opened_on)
);
COMMENT ON TABLE crm.establishments IS 'Places where a company works.';
COMMENT ON COLUMN crm.establishments.siret IS 'Begins with the company''s SIREN; that is left to the application, as providers deliver them apart.';
COMMENT ON COLUMN crm.establishments.nic IS 'Last five digits of the SIRET: the establishment within its company.';
COMMENT ON COLUMN crm.establishments.department IS 'Number of the département as postal codes tell it; overseas it has three digits, Corsica is 20.';
CREATE UNIQUE INDEX establishments_headquarters_key ON crm.establishments (organisation_id, company_id)
    WHERE is_headquarters;
CREATE INDEX establishments_company_idx ON crm.establishments (organisation_id, company_id);
CREATE INDEX establishments_department_idx ON crm.establishments (organisation_id, department);
CREATE INDEX establishments_import_idx ON crm.establishments (organisation_id, import_id);

CREATE TABLE crm.people (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    civility crm.civility,
    given_name text NOT NULL,
    family_name text NOT NULL,
    full_name text GENERATED ALWAYS AS (given_name || ' ' || family_name) STORED,
    phone text,
    linkedin_url text,
    languages text[] NOT NULL DEFAULT '{fr}',
    do_not_contact boolean NOT NULL DEFAULT false,
    informed_at timestamptz,
    attributes jsonb NOT NULL DEFAULT '{}',
    owner_id uuid,
    import_id uuid,
    external_ref text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT people_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT people_organisation_id_import_id_external_ref_key UNIQUE (organisation_id, import_id, external_ref),
    CONSTRAINT people_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT people_owner_fkey FOREIGN KEY (organisation_id, owner_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT people_import_fkey FOREIGN KEY (organisation_id, import_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (import_id),
    CONSTRAINT people_given_name_check CHECK (char_length(given_name) BETWEEN 1 AND 100),
    CONSTRAINT people_family_name_check CHECK (char_length(family_name) BETWEEN 1 AND 100),
    CONSTRAINT people_phone_check CHECK (phone ~ '^\+33[1-9][0-9]{8}$'),
    CONSTRAINT people_linkedin_url_check CHECK (linkedin_url LIKE 'https://%'),
    CONSTRAINT people_external_ref_check CHECK (char_length(external_ref) <= 120)
);
COMMENT ON TABLE crm.people IS 'People apart from where they work: addresses that change with the job are on crm.positions.';
COMMENT ON COLUMN crm.people.informed_at IS 'When the person was told that data about them is held (article 14 GDPR).';
COMMENT ON COLUMN crm.people.external_ref IS 'What the provider of import_id calls this person.';
CREATE INDEX people_family_name_idx ON crm.people (organisation_id, lower(family_name), id);
CREATE INDEX people_created_at_idx ON crm.people (organisation_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX people_owner_idx ON crm.people (organisation_id, owner_id);

CREATE TABLE crm.positions (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL,
    company_id uuid NOT NULL,
    establishment_id uuid,
    title text NOT NULL,
    email public.citext,
    email_confidence double precision,
    held_during daterange NOT NULL DEFAULT daterange(CURRENT_DATE, NULL),
    is_current boolean GENERATED ALWAYS AS (upper_inf(held_during)) STORED,
    import_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    retracted_at timestamptz,
    CONSTRAINT positions_pkey PRIMARY KEY (organisation_id, id),
    -- An address reaches one person at a time. GiST has no operator class for citext, hence the text.
    CONSTRAINT positions_email_held_during_excl EXCLUDE USING gist (
        organisation_id WITH =,
        lower(email::text) WITH =,
        held_during WITH &&
    ) WHERE (retracted_at IS NULL),
    CONSTRAINT positions_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT positions_person_fkey FOREIGN KEY (organisation_id, person_id)
        REFERENCES crm.people (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT positions_company_fkey FOREIGN KEY (organisation_id, company_id)
        REFERENCES crm.companies (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT positions_establishment_fkey FOREIGN KEY (organisation_id, establishment_id)
        REFERENCES crm.establishments (organisation_id, id) ON DELETE SET NULL (establishment_id),
    CONSTRAINT positions_import_fkey FOREIGN KEY (organisation_id, import_id)
        REFERENCES crm.imports (organisation_id, id) ON DELETE SET NULL (import_id),
    CONSTRAINT positions_title_check CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT positions_email_check CHECK (email LIKE '%_@_%'),
    CONSTRAINT positions_email_confidence_check CHECK (email_confidence BETWEEN 0 AND 1),
    CONSTRAINT positions_held_during_check CHECK (NOT isempty(held_during))
);
COMMENT ON TABLE crm.positions IS 'A person at a company, for a time. The e-mail address belongs here: it changes with the job.';
COMMENT ON COLUMN crm.positions.email_confidence IS 'How sure the provider is of the address, 0 to 1.';
COMMENT ON COLUMN crm.positions.is_current IS 'Whether no end is known.';
COMMENT ON COLUMN crm.positions.retracted_at IS 'When the row was found to be wrong; its address is then free for another.';
CREATE INDEX positions_person_idx ON crm.positions (organisation_id, person_id);
CREATE INDEX positions_company_idx ON crm.positions (organisation_id, company_id);
CREATE INDEX positions_establishment_idx ON crm.positions (organisation_id, establishment_id);
CREATE INDEX positions_import_idx ON crm.positions (organisation_id, import_id);
CREATE INDEX positions_email_idx ON crm.positions (organisation_id, email);

CREATE TRIGGER companies_set_updated_at BEFORE UPDATE ON crm.companies
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER establishments_set_updated_at BEFORE UPDATE ON crm.establishments
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER people_set_updated_at BEFORE UPDATE ON crm.people
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER positions_set_updated_at BEFORE UPDATE ON crm.positions
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();

-- Row-level security and grants.
ALTER TABLE crm.imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.imports FORCE ROW LEVEL SECURITY;
CREATE POLICY imports_isolation ON crm.imports FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.imports TO app;

ALTER TABLE crm.companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.companies FORCE ROW LEVEL SECURITY;
CREATE POLICY companies_isolation ON crm.companies FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.companies TO app;

ALTER TABLE crm.establishments ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.establishments FORCE ROW LEVEL SECURITY;
CREATE POLICY establishments_isolation ON crm.establishments FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.establishments TO app;

ALTER TABLE crm.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.people FORCE ROW LEVEL SECURITY;
CREATE POLICY people_isolation ON crm.people FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.people TO app;

ALTER TABLE crm.positions ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.positions FORCE ROW LEVEL SECURITY;
CREATE POLICY positions_isolation ON crm.positions FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.positions TO app;
