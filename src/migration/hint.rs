//! The way out of what a server refuses to migrations often, beyond its own words.

use sqlx::postgres::PgDatabaseError;

use crate::error::MigrationError;

/// What Supabase's projects have and other databases lack.
const SUPABASE: [&str; 9] = [
    "auth",
    "storage",
    "extensions",
    "realtime",
    "vault",
    "graphql",
    "cron",
    "net",
    "supabase_functions",
];

/// What to do about a refusal, where that is known.
pub(super) fn hint(refusal: &PgDatabaseError, statement: &str) -> Option<String> {
    let message = refusal.message();
    let newer = super::newer::newer(refusal.code(), message, statement);
    if newer.is_some() {
        return newer;
    }
    let quoted = || message.split('"').nth(1).unwrap_or_default();
    let text = match refusal.code() {
        "25001" => "to run the file without a transaction: `-- no-transaction` as its first line, or as its convention has \
                    it"
            .to_owned(),
        "57014" => super::failure::LONGER.to_owned(),
        "42704" if missing_role(refusal).is_some() => {
            let role = missing_role(refusal)?;
            let supabase = if ["anon", "authenticated", "service_role", "supabase_admin"].contains(&role) {
                "; --supabase makes what Supabase's own projects have"
            } else {
                ""
            };
            format!(
                "roles belong to a server, and this one is new: have a migration make it, or --stub-roles makes `{role}` as a \
                 role that can't log in{supabase}"
            )
        }
        "3F000" if SUPABASE.contains(&quoted()) => {
            "--supabase makes the roles, schemas and functions that Supabase's own projects have".to_owned()
        }
        "0A000" | "58P01" | "22023" if message.contains("extension") => format!(
            "the server has no extension `{}`: choose one that has it, by --image NAME:TAG, --pg-bin DIR or --server \
             postgres://…",
            extension(message)
        ),
        "42501" if message.contains("create extension") => {
            "the extension wants a superuser: --migrate-as superuser runs the migrations as one".to_owned()
        }
        "42501" if message.contains("is a system trigger") => {
            "only a superuser turns the triggers of foreign keys off: --migrate-as superuser runs the migrations as one"
                .to_owned()
        }
        "42501" if message.contains("superuser") || message.contains("must be owner of schema public") => {
            "migrations run as an owner who is no superuser; --migrate-as superuser runs them as one".to_owned()
        }
        "42501" if message.contains("must be able to SET ROLE") || message.contains("must be member of role") => {
            "the role is not one that the owner may act as; --migrate-as superuser runs the migrations as one who may"
                .to_owned()
        }
        _ => return None,
    };
    Some(text)
}

/// The name of the role that is missing.
fn missing_role(refusal: &PgDatabaseError) -> Option<&str> {
    role_in(refusal.message())
}

/// The name of the role without which a migration failed.
pub(super) fn missing(error: &MigrationError) -> Option<String> {
    let state = error.sqlstate.as_deref() == Some("42704");
    let role = role_in(error.message.lines().next().unwrap_or_default());
    role.filter(|_| state).map(str::to_owned)
}

fn role_in(message: &str) -> Option<&str> {
    message
        .strip_prefix("role \"")?
        .strip_suffix("\" does not exist")
}

/// The extension that a message is about: in quotes, or as the name of its control file.
fn extension(message: &str) -> &str {
    let quoted = message.split('"').nth(1).unwrap_or_default();
    let file = quoted.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".control").unwrap_or(file)
}
