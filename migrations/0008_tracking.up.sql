-- What became of what was sent.

CREATE TYPE tracking.event_kind AS ENUM ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained');

CREATE TABLE tracking.message_events (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    occurred_at timestamptz NOT NULL DEFAULT now(),
    message_id uuid NOT NULL,
    kind tracking.event_kind NOT NULL,
    address inet,
    details jsonb NOT NULL DEFAULT '{}',
    -- Postgres wants the partition's column in every key.
    CONSTRAINT message_events_pkey PRIMARY KEY (organisation_id, id, occurred_at),
    CONSTRAINT message_events_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT message_events_message_fkey FOREIGN KEY (organisation_id, message_id)
        REFERENCES outreach.messages (organisation_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE tracking.message_events IS 'What providers report of messages. Append-only; old months are dropped by partition.';
CREATE INDEX message_events_message_idx ON tracking.message_events (organisation_id, message_id, kind);
CREATE INDEX message_events_occurred_at_idx ON tracking.message_events (organisation_id, occurred_at);

-- Policies of the parent do not hold on a partition that is named itself: there, row-level security
-- without any policy and without grants shuts everyone out.
CREATE FUNCTION tracking.create_message_events_partition(any_day date) RETURNS text
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path = pg_catalog
    SET timezone = 'UTC'
AS $$
DECLARE
    month timestamptz := date_trunc('month', any_day::timestamptz);
    partition_name text := 'message_events_' || to_char(month, 'YYYY_MM');
BEGIN
    EXECUTE format(
        'CREATE TABLE tracking.%I PARTITION OF tracking.message_events FOR VALUES FROM (%L) TO (%L)',
        partition_name, month, month + interval '1 month'
    );
    EXECUTE format('ALTER TABLE tracking.%I ENABLE ROW LEVEL SECURITY', partition_name);
    EXECUTE format('ALTER TABLE tracking.%I FORCE ROW LEVEL SECURITY', partition_name);
    RETURN partition_name;
END
$$;
COMMENT ON FUNCTION tracking.create_message_events_partition(date) IS 'Makes the partition of the (UTC) month that a day is in. Run by the owner before the month begins: once the default partition holds rows of it, Postgres refuses.';
REVOKE ALL ON FUNCTION tracking.create_message_events_partition(date) FROM PUBLIC;

DO $$
BEGIN
    PERFORM tracking.create_message_events_partition(month::date)
    FROM generate_series(timestamp '2026-09-01', timestamp '2027-02-01', interval '1 month') AS month;
END
$$;

-- Takes what no month takes: late reports, and a partition that was forgotten.
CREATE TABLE tracking.message_events_default PARTITION OF tracking.message_events DEFAULT;
ALTER TABLE tracking.message_events_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.message_events_default FORCE ROW LEVEL SECURITY;

CREATE TABLE tracking.links (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    message_id uuid NOT NULL,
    link_number integer NOT NULL,
    url text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT links_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT links_organisation_id_message_id_link_number_key UNIQUE (organisation_id, message_id, link_number),
    CONSTRAINT links_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT links_message_fkey FOREIGN KEY (organisation_id, message_id)
        REFERENCES outreach.messages (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT links_link_number_check CHECK (link_number BETWEEN 1 AND 100),
    CONSTRAINT links_url_check CHECK (url LIKE 'https://%')
);
COMMENT ON TABLE tracking.links IS 'Links of a message that go through the tracker. The public URL carries organisation and id, so that following it crosses no organisation.';

CREATE TABLE tracking.link_clicks (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    link_id uuid NOT NULL,
    clicked_at timestamptz NOT NULL DEFAULT now(),
    address inet,
    user_agent text,
    is_robot boolean NOT NULL DEFAULT false,
    CONSTRAINT link_clicks_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT link_clicks_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT link_clicks_link_fkey FOREIGN KEY (organisation_id, link_id)
        REFERENCES tracking.links (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT link_clicks_user_agent_check CHECK (char_length(user_agent) <= 500)
);
COMMENT ON TABLE tracking.link_clicks IS 'Each time that a link was followed. Append-only.';
COMMENT ON COLUMN tracking.link_clicks.is_robot IS 'Mail scanners follow links too; statistics leave them out.';
CREATE INDEX link_clicks_link_idx ON tracking.link_clicks (organisation_id, link_id, clicked_at);

CREATE TABLE tracking.pixels (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    message_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pixels_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT pixels_organisation_id_message_id_key UNIQUE (organisation_id, message_id),
    CONSTRAINT pixels_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT pixels_message_fkey FOREIGN KEY (organisation_id, message_id)
        REFERENCES outreach.messages (organisation_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE tracking.pixels IS 'The image that tells that a message was opened; its URL carries organisation and id.';

CREATE TABLE tracking.message_open_stats (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    message_id uuid NOT NULL,
    open_count integer NOT NULL DEFAULT 0,
    first_opened_at timestamptz,
    last_opened_at timestamptz,
    last_address inet,
    CONSTRAINT message_open_stats_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT message_open_stats_organisation_id_message_id_key UNIQUE (organisation_id, message_id),
    CONSTRAINT message_open_stats_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT message_open_stats_message_fkey FOREIGN KEY (organisation_id, message_id)
        REFERENCES outreach.messages (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT message_open_stats_open_count_check CHECK (open_count >= 0),
    CONSTRAINT message_open_stats_last_opened_at_check CHECK (last_opened_at IS NULL OR last_opened_at >= first_opened_at)
);
COMMENT ON TABLE tracking.message_open_stats IS 'Opens of a message, counted as they come in, so that nobody counts events.';

CREATE TABLE tracking.daily_activity (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    campaign_id uuid NOT NULL,
    day date NOT NULL,
    sent_count integer NOT NULL DEFAULT 0,
    opened_count integer NOT NULL DEFAULT 0,
    clicked_count integer NOT NULL DEFAULT 0,
    replied_count integer NOT NULL DEFAULT 0,
    CONSTRAINT daily_activity_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT daily_activity_organisation_id_day_campaign_id_key UNIQUE (organisation_id, day, campaign_id),
    CONSTRAINT daily_activity_organisation_id_fkey FOREIGN KEY (organisation_id)
        REFERENCES iam.organisations (id) ON DELETE CASCADE,
    CONSTRAINT daily_activity_campaign_fkey FOREIGN KEY (organisation_id, campaign_id)
        REFERENCES outreach.campaigns (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT daily_activity_counts_check CHECK (
        sent_count >= 0 AND opened_count >= 0 AND clicked_count >= 0 AND replied_count >= 0
    )
);
COMMENT ON TABLE tracking.daily_activity IS 'Roll-up per organisation, day and campaign. A table and not a materialized view: those ignore policies.';
CREATE INDEX daily_activity_campaign_idx ON tracking.daily_activity (organisation_id, campaign_id);

-- security_invoker: the policies that hold are those of whoever asks, not of the view's owner. The joins
-- repeat the organisation all the same, so that the view is right without them.
CREATE VIEW tracking.campaign_statistics WITH (security_invoker = true) AS
SELECT
    c.organisation_id,
    c.id AS campaign_id,
    c.name,
    c.state,
    e.enrollment_count,
    e.replied_count,
    e.bounced_count,
    e.unsubscribed_count,
    m.sent_count,
    m.opened_count,
    m.clicked_count,
    round(100.0 * e.replied_count / NULLIF(e.enrollment_count, 0), 2) AS reply_percentage
FROM outreach.campaigns c
CROSS JOIN LATERAL (
    SELECT
        count(*) AS enrollment_count,
        count(*) FILTER (WHERE e.state = 'replied') AS replied_count,
        count(*) FILTER (WHERE e.state = 'bounced') AS bounced_count,
        count(*) FILTER (WHERE e.state = 'unsubscribed') AS unsubscribed_count
    FROM outreach.enrollments e
    WHERE e.organisation_id = c.organisation_id AND e.campaign_id = c.id
) e
CROSS JOIN LATERAL (
    SELECT
        count(*) AS sent_count,
        count(*) FILTER (WHERE EXISTS (
            SELECT FROM tracking.message_open_stats o
            WHERE o.organisation_id = m.organisation_id AND o.message_id = m.id AND o.open_count > 0
        )) AS opened_count,
        count(*) FILTER (WHERE EXISTS (
            SELECT FROM tracking.links l
            JOIN tracking.link_clicks k ON k.organisation_id = l.organisation_id AND k.link_id = l.id
            WHERE l.organisation_id = m.organisation_id AND l.message_id = m.id AND NOT k.is_robot
        )) AS clicked_count
    FROM outreach.enrollments e
    JOIN outreach.messages m ON m.organisation_id = e.organisation_id AND m.enrollment_id = e.id
    WHERE e.organisation_id = c.organisation_id AND e.campaign_id = c.id AND m.direction = 'outbound'
) m;
COMMENT ON VIEW tracking.campaign_statistics IS 'Each campaign with what came of it, up to now.';
GRANT SELECT ON tracking.campaign_statistics TO app;

-- Row-level security and grants.
ALTER TABLE tracking.message_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.message_events FORCE ROW LEVEL SECURITY;
CREATE POLICY message_events_isolation ON tracking.message_events FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT ON tracking.message_events TO app;

ALTER TABLE tracking.links ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.links FORCE ROW LEVEL SECURITY;
CREATE POLICY links_isolation ON tracking.links FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.links TO app;

ALTER TABLE tracking.link_clicks ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.link_clicks FORCE ROW LEVEL SECURITY;
CREATE POLICY link_clicks_isolation ON tracking.link_clicks FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT ON tracking.link_clicks TO app;

ALTER TABLE tracking.pixels ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.pixels FORCE ROW LEVEL SECURITY;
CREATE POLICY pixels_isolation ON tracking.pixels FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.pixels TO app;

ALTER TABLE tracking.message_open_stats ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.message_open_stats FORCE ROW LEVEL SECURITY;
CREATE POLICY message_open_stats_isolation ON tracking.message_open_stats FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.message_open_stats TO app;

ALTER TABLE tracking.daily_activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE tracking.daily_activity FORCE ROW LEVEL SECURITY;
CREATE POLICY daily_activity_isolation ON tracking.daily_activity FOR ALL TO app
    USING (organisation_id = (SELECT iam.current_organisation_id()))
    WITH CHECK (organisation_id = (SELECT iam.current_organisation_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking.daily_activity TO app;
