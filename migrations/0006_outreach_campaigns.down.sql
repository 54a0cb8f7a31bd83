-- The cycles are cut first.
ALTER TABLE outreach.step_experiments DROP CONSTRAINT step_experiments_winner_variant_fkey;
ALTER TABLE outreach.campaigns DROP CONSTRAINT campaigns_first_step_fkey;

DROP TABLE outreach.step_experiment_variants;
DROP FUNCTION outreach.check_variant_weights();
DROP TABLE outreach.step_experiments;
DROP TABLE outreach.steps;
DROP TABLE outreach.campaigns;
DROP TABLE outreach.templates;
DROP TABLE outreach.mailboxes;
DROP TYPE outreach.experiment_metric;
DROP TYPE outreach.step_kind;
DROP TYPE outreach.campaign_state;
DROP TYPE outreach.mailbox_state;
