-- Policies, triggers, indexes and grants go with their tables.
-- The policy of users looks at memberships, so it must go first.
DROP POLICY users_membership ON iam.users;
DROP TABLE iam.audit_log;
DROP TABLE iam.api_keys;
DROP TABLE iam.invitations;
DROP TABLE iam.memberships;
DROP TABLE iam.users;
DROP TABLE iam.organisations;
DROP TYPE iam.membership_role;
DROP FUNCTION iam.set_updated_at();
DROP FUNCTION iam.current_organisation_id();
