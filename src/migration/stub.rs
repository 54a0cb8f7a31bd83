//! What migrations take for granted and a new server lacks: roles, and what Supabase's projects have. Stubs, made on demand.

use crate::model::{Statement, literal, quoted, split};

/// Roles of Supabase's projects.
const SUPABASE_ROLES: [&str; 9] = [
    "anon",
    "authenticated",
    "service_role",
    "authenticator",
    "dashboard_user",
    "supabase_admin",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "postgres",
];

/// As much of Supabase's own schema as policies, keys and grants of a project lean on. The claims of a request are where
/// `PostgREST` puts them.
const SUPABASE: &str = "
CREATE SCHEMA IF NOT EXISTS extensions;
CREATE SCHEMA IF NOT EXISTS auth;
CREATE SCHEMA IF NOT EXISTS storage;
GRANT USAGE ON SCHEMA extensions, auth, storage, public TO anon, authenticated, service_role;
CREATE TABLE IF NOT EXISTS auth.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aud text, role text, email text, phone text,
    encrypted_password text, email_confirmed_at timestamptz, last_sign_in_at timestamptz,
    raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), deleted_at timestamptz
);
CREATE TABLE IF NOT EXISTS storage.buckets (
    id text PRIMARY KEY, name text NOT NULL, owner uuid, owner_id text, public boolean DEFAULT false,
    file_size_limit bigint, allowed_mime_types text[], avif_autodetection boolean DEFAULT false,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS storage.objects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bucket_id text REFERENCES storage.buckets (id), name text,
    owner uuid, owner_id text, version text, metadata jsonb, user_metadata jsonb, path_tokens text[],
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), last_accessed_at timestamptz
);
ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                    nullif(current_setting('request.jwt.claims', true), ''))::jsonb $$;
CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), auth.jwt() ->> 'sub')::uuid $$;
CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''), auth.jwt() ->> 'role') $$;
CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('request.jwt.claim.email', true), ''), auth.jwt() ->> 'email') $$;
CREATE OR REPLACE FUNCTION storage.foldername(name text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT (string_to_array(name, '/'))[1:cardinality(string_to_array(name, '/')) - 1] $$;
CREATE OR REPLACE FUNCTION storage.filename(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))] $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'supabase_realtime') THEN
        CREATE PUBLICATION supabase_realtime;
    END IF;
END $$;
";

/// Makes roles that are not there: they can't log in, and whoever migrates may act as them and give them what is his.
pub(super) fn roles<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Statement> {
    let one = |name: &str| {
        let (role, text) = (quoted(name), literal(name));
        // No name has the quote's tag in it.
        let mut tags = (0..=name.len()).map(|n| format!("$stub{n}$"));
        let tag = tags.find(|tag| !name.contains(tag.as_str()));
        let tag = tag.unwrap_or_default();
        format!(
            "DO {tag} BEGIN
                IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {text}) THEN
                    CREATE ROLE {role} NOLOGIN;
                    GRANT {role} TO CURRENT_USER;
                END IF;
                IF (SELECT NOT rolsuper FROM pg_catalog.pg_roles WHERE rolname = {text}) THEN
                    GRANT CREATE, USAGE ON SCHEMA public TO {role};
                END IF;
            END {tag};"
        )
    };
    let scripts = names.into_iter().map(one);
    scripts
        .flat_map(|sql| split(&sql).unwrap_or_default())
        .collect()
}

/// Makes what Supabase's projects have.
pub(super) fn supabase() -> Vec<Statement> {
    let mut statements = roles(SUPABASE_ROLES);
    statements.extend(split(SUPABASE).unwrap_or_default());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_are_scripts() {
        assert_eq!(roles(["a", "b\"'; DROP TABLE x; --$stub0$"]).len(), 2);
        assert!(supabase().len() > 20);
    }
}
