DROP VIEW tracking.campaign_statistics;
DROP TABLE tracking.daily_activity;
DROP TABLE tracking.message_open_stats;
DROP TABLE tracking.pixels;
DROP TABLE tracking.link_clicks;
DROP TABLE tracking.links;
DROP TABLE tracking.message_events; -- and its partitions
DROP FUNCTION tracking.create_message_events_partition(date);
DROP TYPE tracking.event_kind;
