//! What `pg_dump` writes that only the server has from which it came, and how the rest is run elsewhere.

use sqlx::PgConnection;

use crate::error::{Doing as _, Result};
use crate::model::{Statement, Token, TokenKind};

/// What to do with a statement of a dump.
pub(super) enum Step {
    Run,
    /// It says nothing about the schema, or can't be said of this database.
    PassOver,
    /// As it is, with other words for what is there already.
    RunInstead(String),
}

/// Judges a statement of a dump.
pub(super) async fn step(statement: &Statement, connection: &mut PgConnection) -> Result<Step> {
    let begins = |words: &[&str]| statement.begins_with(words);
    let about_the_database = begins(&["CREATE", "DATABASE"])
        || begins(&["ALTER", "DATABASE"])
        || begins(&["DROP", "DATABASE"])
        || begins(&["COMMENT", "ON", "DATABASE"])
        || ((begins(&["GRANT"]) || begins(&["REVOKE"])) && has_words(statement, "on", "database"));
    // A dump of a database that was migrated here has our own books in it.
    let ours = statement.tokens().any(|token| token.is("watertight"))
        && (has_words(statement, "schema", "watertight")
            || has_name(statement, "watertight.migrations"));
    // Whoever makes an extension that comes with the server doesn't own it.
    if about_the_database || ours || begins(&["COMMENT", "ON", "EXTENSION"]) {
        return Ok(Step::PassOver);
    }
    if begins(&["CREATE", "SCHEMA", "public"]) {
        return Ok(Step::RunInstead(
            "CREATE SCHEMA IF NOT EXISTS public".to_owned(),
        ));
    }
    if begins(&["SET"]) {
        // `transaction_timeout` and the like, on a server that is older than the dump.
        let name = statement.tokens().nth(1).and_then(|token| token.name());
        let name = name.unwrap_or_default();
        let known = asks(
            connection,
            "SELECT $1 IN ('role', 'session', 'time', 'local') OR current_setting($1, true) IS NOT NULL",
            &name,
        );
        return Ok(if known.await? {
            Step::Run
        } else {
            Step::PassOver
        });
    }
    if let Some(owner) = new_owner(statement) {
        // Its owner was a superuser, which only a superuser can make it again.
        let out_of_reach = asks(
            connection,
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolsuper)
                AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
            &owner,
        );
        return Ok(if out_of_reach.await? {
            Step::PassOver
        } else {
            Step::Run
        });
    }
    Ok(Step::Run)
}

async fn asks(connection: &mut PgConnection, sql: &'static str, name: &str) -> Result<bool> {
    sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(connection)
        .await
        .doing("look at what a dump wants")
}

/// Whether these words follow each other somewhere.
fn has_words(statement: &Statement, first: &str, second: &str) -> bool {
    let tokens: Vec<Token<'_>> = statement.tokens().collect();
    tokens
        .windows(2)
        .any(|pair| pair[0].is(first) && pair[1].is(second))
}

/// Whether a dotted name without quotes stands somewhere in the head of a statement.
fn has_name(statement: &Statement, name: &str) -> bool {
    const HEAD: usize = 8;
    let head: String = statement
        .tokens()
        .take(HEAD)
        .map(|token| token.text)
        .collect();
    head.to_lowercase().contains(name)
}

/// The role of `ALTER … OWNER TO role`.
fn new_owner(statement: &Statement) -> Option<String> {
    if !statement.begins_with(&["ALTER"]) {
        return None;
    }
    let tokens: Vec<Token<'_>> = statement.tokens().collect();
    let [.., owner, to, role] = tokens.as_slice() else {
        return None;
    };
    let names = matches!(role.kind, TokenKind::Word | TokenKind::Quoted);
    (owner.is("owner") && to.is("to") && names).then(|| role.name())?
}
