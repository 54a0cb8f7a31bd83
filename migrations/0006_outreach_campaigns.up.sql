-- What is going to be sent: mailboxes, templates, campaigns and their steps, A/B tests.

CREATE TYPE outreach.mailbox_state AS ENUM ('connected', 'paused', 'disconnected');
CREATE TYPE outreach.campaign_state AS ENUM ('draft', 'running', 'paused', 'finished', 'archived');
CREATE TYPE outreach.step_kind AS ENUM ('email', 'call', 'linkedin');
CREATE TYPE outreach.experiment_metric AS ENUM ('opened', 'clicked', 'replied');

CREATE TABLE outreach.mailboxes (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    address public.citext NOT NULL,
    display_name text NOT NULL,
    signature text NOT NULL DEFAULT 'Bien cordialement,',
    state outreach.mailbox_state NOT NULL DEFAULT 'connected',
    smtp_host text NOT NULL,
    smtp_port integer NOT NULL DEFAULT 587,
    warmup_limit integer NOT NULL DEFAULT 10,
    daily_limit integer NOT NULL DEFAULT 50,
    send_from time NOT NULL DEFAULT '09:00',
    send_until time NOT NULL DEFAULT '18:00',
    owner_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mailboxes_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT mailboxes_organisation_id_address_key UNIQUE (organisation_id, address),
    CONSTRAINT mailboxes_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT mailboxes_owner_fkey FOREIGN KEY (organisation_id, owner_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT mailboxes_address_check CHECK (address LIKE '%_@_%'),
    CONSTRAINT mailboxes_display_name_check CHECK (char_length(display_name) BETWEEN 1 AND 120),
    CONSTRAINT mailboxes_smtp_port_check CHECK (smtp_port IN (25, 465, 587)),
    CONSTRAINT mailboxes_daily_limit_check CHECK (daily_limit BETWEEN 1 AND 500),
    CONSTRAINT mailboxes_warmup_limit_check CHECK (warmup_limit >= 1 AND warmup_limit <= daily_limit),
    CONSTRAINT mailboxes_send_until_check CHECK (send_until > send_from)
);
COMMENT ON TABLE outreach.mailboxes IS 'Addresses that an organisation sends from and receives at. Passwords are kept in a vault, by mailbox.';
COMMENT ON COLUMN outreach.mailboxes.warmup_limit IS 'Messages a day while the mailbox is young; grows to daily_limit.';
COMMENT ON COLUMN outreach.mailboxes.send_from IS 'In the time zone of the organisation, as is send_until.';
CREATE INDEX mailboxes_owner_idx ON outreach.mailboxes (organisation_id, owner_id);

CREATE TABLE outreach.templates (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    previous_version_id uuid,
    subject text NOT NULL DEFAULT 'Une question rapide',
    body text NOT NULL,
    variables text[] NOT NULL DEFAULT '{prenom,societe}',
    settings jsonb NOT NULL DEFAULT '{}',
    author_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT templates_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT templates_organisation_id_name_version_key UNIQUE (organisation_id, name, version),
    CONSTRAINT templates_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT templates_previous_version_fkey FOREIGN KEY (organisation_id, previous_version_id)
        REFERENCES outreach.templates (organisation_id, id) ON DELETE SET NULL (previous_version_id),
    CONSTRAINT templates_author_fkey FOREIGN KEY (organisation_id, author_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (author_id),
    CONSTRAINT templates_name_check CHECK (char_length(name) BETWEEN 1 AND 120),
    CONSTRAINT templates_version_check CHECK (version >= 1),
    CONSTRAINT templates_previous_version_check CHECK (previous_version_id <> id),
    CONSTRAINT templates_subject_check CHECK (char_length(subject) BETWEEN 1 AND 250),
    CONSTRAINT templates_body_check CHECK (char_length(body) BETWEEN 1 AND 20000)
);
COMMENT ON TABLE outreach.templates IS 'Texts with placeholders. A text in use is not changed: a new version refers to the one before.';
COMMENT ON COLUMN outreach.templates.variables IS 'Placeholders that must be known of a person before the text can be sent.';
CREATE INDEX templates_previous_version_idx ON outreach.templates (organisation_id, previous_version_id);
CREATE INDEX templates_author_idx ON outreach.templates (organisation_id, author_id);

CREATE TABLE outreach.campaigns (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    state outreach.campaign_state NOT NULL DEFAULT 'draft',
    sending_days smallint[] NOT NULL DEFAULT '{1,2,3,4,5}',
    starts_on date,
    ends_on date,
    list_id uuid,
    mailbox_id uuid,
    first_step_id uuid,
    owner_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT campaigns_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT campaigns_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT campaigns_list_fkey FOREIGN KEY (organisation_id, list_id)
        REFERENCES crm.lists (organisation_id, id) ON DELETE SET NULL (list_id),
    CONSTRAINT campaigns_mailbox_fkey FOREIGN KEY (organisation_id, mailbox_id)
        REFERENCES outreach.mailboxes (organisation_id, id) ON DELETE SET NULL (mailbox_id),
    CONSTRAINT campaigns_owner_fkey FOREIGN KEY (organisation_id, owner_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT campaigns_name_check CHECK (char_length(name) BETWEEN 1 AND 120),
    CONSTRAINT campaigns_sending_days_check CHECK (cardinality(sending_days) <= 7),
    CONSTRAINT campaigns_ends_on_check CHECK (ends_on IS NULL OR ends_on >= starts_on)
);
COMMENT ON TABLE outreach.campaigns IS 'A sequence of steps that people go through.';
COMMENT ON COLUMN outreach.campaigns.sending_days IS 'ISO days of the week, Monday is 1.';
COMMENT ON COLUMN outreach.campaigns.list_id IS 'The list whose members are enrolled.';
COMMENT ON COLUMN outreach.campaigns.mailbox_id IS 'Sends for enrollments that name no mailbox of their own.';
-- The name of an archived campaign may be used again.
CREATE UNIQUE INDEX campaigns_organisation_id_name_key ON outreach.campaigns (organisation_id, lower(name))
    WHERE state <> 'archived';
CREATE INDEX campaigns_list_idx ON outreach.campaigns (organisation_id, list_id);
CREATE INDEX campaigns_mailbox_idx ON outreach.campaigns (organisation_id, mailbox_id);
CREATE INDEX campaigns_owner_idx ON outreach.campaigns (organisation_id, owner_id);
CREATE INDEX campaigns_first_step_idx ON outreach.campaigns (organisation_id, first_step_id);

CREATE TABLE outreach.steps (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    campaign_id uuid NOT NULL,
    step_number integer NOT NULL,
    kind outreach.step_kind NOT NULL DEFAULT 'email',
    template_id uuid,
    delay_days integer NOT NULL DEFAULT 3,
    instructions text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT steps_pkey PRIMARY KEY (organisation_id, id),
    -- Deferrable, so that one transaction may put the steps in another order.
    CONSTRAINT steps_organisation_id_campaign_id_step_number_key UNIQUE (organisation_id, campaign_id, step_number)
        DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT steps_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT steps_campaign_fkey FOREIGN KEY (organisation_id, campaign_id)
        REFERENCES outreach.campaigns (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT steps_template_fkey FOREIGN KEY (organisation_id, template_id)
        REFERENCES outreach.templates (organisation_id, id) ON DELETE SET NULL (template_id),
    CONSTRAINT steps_step_number_check CHECK (step_number BETWEEN 1 AND 50),
    CONSTRAINT steps_delay_days_check CHECK (delay_days BETWEEN 0 AND 90),
    CONSTRAINT steps_instructions_check CHECK (char_length(instructions) <= 2000)
);
COMMENT ON TABLE outreach.steps IS 'What is done, in order, with everyone enrolled in a campaign.';
COMMENT ON COLUMN outreach.steps.delay_days IS 'Days after the step before, or after the enrollment.';
COMMENT ON COLUMN outreach.steps.instructions IS 'For steps that a person carries out: a call, a message on LinkedIn.';
CREATE INDEX steps_template_idx ON outreach.steps (organisation_id, template_id);

-- A cycle: a campaign and its first step are made in one transaction, each naming the other; hence deferred.
ALTER TABLE outreach.campaigns
    ADD CONSTRAINT campaigns_first_step_fkey FOREIGN KEY (organisation_id, first_step_id)
        REFERENCES outreach.steps (organisation_id, id) ON DELETE SET NULL (first_step_id)
        DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE outreach.step_experiments (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    step_id uuid NOT NULL,
    name text NOT NULL,
    metric outreach.experiment_metric NOT NULL DEFAULT 'replied',
    running_during tstzrange,
    minimum_sample integer NOT NULL DEFAULT 100,
    significance numeric(5, 4) NOT NULL DEFAULT 0.05,
    winner_variant_id uuid,
    started_by_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT step_experiments_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT step_experiments_running_during_excl EXCLUDE USING gist (
        organisation_id WITH =,
        step_id WITH =,
        running_during WITH &&
    ),
    CONSTRAINT step_experiments_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT step_experiments_step_fkey FOREIGN KEY (organisation_id, step_id)
        REFERENCES outreach.steps (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT step_experiments_started_by_fkey FOREIGN KEY (organisation_id, started_by_id)
        REFERENCES iam.memberships (organisation_id, id) ON DELETE SET NULL (started_by_id),
    CONSTRAINT step_experiments_name_check CHECK (char_length(name) BETWEEN 1 AND 120),
    CONSTRAINT step_experiments_minimum_sample_check CHECK (minimum_sample BETWEEN 10 AND 100000),
    CONSTRAINT step_experiments_significance_check CHECK (significance > 0 AND significance < 1)
);
COMMENT ON TABLE outreach.step_experiments IS 'A/B tests of a step: its template against variants. One at a time for each step.';
COMMENT ON COLUMN outreach.step_experiments.running_during IS 'NULL until it is started.';
COMMENT ON COLUMN outreach.step_experiments.significance IS 'Probability of a wrong winner that is accepted.';
CREATE INDEX step_experiments_step_idx ON outreach.step_experiments (organisation_id, step_id);
CREATE INDEX step_experiments_started_by_idx ON outreach.step_experiments (organisation_id, started_by_id);
CREATE INDEX step_experiments_winner_variant_idx ON outreach.step_experiments (organisation_id, winner_variant_id);

CREATE TABLE outreach.step_experiment_variants (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    step_experiment_id uuid NOT NULL,
    label text NOT NULL,
    weight integer NOT NULL,
    template_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT step_experiment_variants_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT step_experiment_variants_label_key UNIQUE (organisation_id, step_experiment_id, label),
    CONSTRAINT step_experiment_variants_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT step_experiment_variants_step_experiment_fkey FOREIGN KEY (organisation_id, step_experiment_id)
        REFERENCES outreach.step_experiments (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT step_experiment_variants_template_fkey FOREIGN KEY (organisation_id, template_id)
        REFERENCES outreach.templates (organisation_id, id) ON DELETE SET NULL (template_id),
    CONSTRAINT step_experiment_variants_label_check CHECK (label ~ '^[A-Z]$'),
    CONSTRAINT step_experiment_variants_weight_check CHECK (weight BETWEEN 1 AND 100)
);
COMMENT ON TABLE outreach.step_experiment_variants IS 'What an experiment tries. Nobody''s variant is the control: the step as it stands.';
COMMENT ON COLUMN outreach.step_experiment_variants.weight IS 'Percent of enrollments that get it; those of an experiment sum to at most 100, the rest is the control.';
CREATE INDEX step_experiment_variants_template_idx ON outreach.step_experiment_variants (organisation_id, template_id);

-- The second cycle; the winner is chosen long after both rows exist, so it need not be deferred.
ALTER TABLE outreach.step_experiments
    ADD CONSTRAINT step_experiments_winner_variant_fkey FOREIGN KEY (organisation_id, winner_variant_id)
        REFERENCES outreach.step_experiment_variants (organisation_id, id) ON DELETE SET NULL (winner_variant_id)
        DEFERRABLE INITIALLY IMMEDIATE;

-- A CHECK sees one row; the sum over an experiment needs a trigger. Two transactions that add variants
-- at once must not each see room that the other takes: both lock the experiment first. NO KEY, so that
-- foreign-key checks on the experiment do not wait for it.
CREATE FUNCTION outreach.check_variant_weights() RETURNS trigger
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path = pg_catalog
AS $$
DECLARE
    weight_of_others bigint;
BEGIN
    -- Finds nothing where the experiment does not exist or is another organisation's: the foreign key
    -- refuses that row.
    PERFORM FROM outreach.step_experiments e
    WHERE e.organisation_id = NEW.organisation_id AND e.id = NEW.step_experiment_id
    FOR NO KEY UPDATE;

    SELECT coalesce(sum(v.weight), 0) INTO weight_of_others
    FROM outreach.step_experiment_variants v
    WHERE v.organisation_id = NEW.organisation_id
      AND v.step_experiment_id = NEW.step_experiment_id
      AND v.id <> NEW.id
      AND v.id IS DISTINCT FROM OLD.id; -- of an INSERT: NULL

    IF weight_of_others + NEW.weight > 100 THEN
        RAISE EXCEPTION 'weights of the variants of an experiment sum to more than 100'
            USING ERRCODE = 'check_violation',
                  CONSTRAINT = 'step_experiment_variants_weight_sum',
                  SCHEMA = 'outreach',
                  TABLE = 'step_experiment_variants',
                  COLUMN = 'weight';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION outreach.check_variant_weights() IS 'Keeps the weights of an experiment''s variants at 100 percent or less.';

CREATE TRIGGER step_experiment_variants_weight_sum
    BEFORE INSERT OR UPDATE OF organisation_id, id, step_experiment_id, weight ON outreach.step_experiment_variants
    FOR EACH ROW EXECUTE FUNCTION outreach.check_variant_weights();

CREATE TRIGGER mailboxes_set_updated_at BEFORE UPDATE ON outreach.mailboxes
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER templates_set_updated_at BEFORE UPDATE ON outreach.templates
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER campaigns_set_updated_at BEFORE UPDATE ON outreach.campaigns
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER steps_set_updated_at BEFORE UPDATE ON outreach.steps
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();
CREATE TRIGGER step_experiments_set_updated_at BEFORE UPDATE ON outreach.step_experiments
    FOR EACH ROW EXECUTE FUNCTION iam.set_updated_at();

-- Row-level security and grants.
ALTER TABLE outreach.mailboxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.mailboxes FORCE ROW LEVEL SECURITY;
CREATE POLICY mailboxes_isolation ON outreach.mailboxes FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.mailboxes TO app;

ALTER TABLE outreach.templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.templates FORCE ROW LEVEL SECURITY;
CREATE POLICY templates_isolation ON outreach.templates FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.templates TO app;

ALTER TABLE outreach.campaigns ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.campaigns FORCE ROW LEVEL SECURITY;
CREATE POLICY campaigns_isolation ON outreach.campaigns FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.campaigns TO app;

ALTER TABLE outreach.steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.steps FORCE ROW LEVEL SECURITY;
CREATE POLICY steps_isolation ON outreach.steps FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.steps TO app;

ALTER TABLE outreach.step_experiments ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.step_experiments FORCE ROW LEVEL SECURITY;
CREATE POLICY step_experiments_isolation ON outreach.step_experiments FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.step_experiments TO app;

ALTER TABLE outreach.step_experiment_variants ENABLE ROW LEVEL SECURITY;
ALTER TABLE outreach.step_experiment_variants FORCE ROW LEVEL SECURITY;
CREATE POLICY step_experiment_variants_isolation ON outreach.step_experiment_variants FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON outreach.step_experiment_variants TO app;
