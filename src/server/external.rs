//! A server that is there already, given by URL: what is needed there is checked before anything is done.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::Login;
use super::choice::{ServerRequest, masked};
use super::provider::{Address, Boxed, Lent, Provider, Started};
use crate::error::{Doing, Error, Result};

/// Parameters of a URL that say who and where; the rest is kept for URLs of other roles and databases.
const WHO_AND_WHERE: [&str; 7] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "statement-cache-capacity",
];

/// The kind, with its URL.
pub(super) struct External {
    pub(super) url: String,
}

impl Provider for External {
    fn name(&self) -> &'static str {
        "external"
    }

    fn start<'a>(&'a self, request: &'a ServerRequest) -> Boxed<'a, Result<Started>> {
        Box::pin(start(&self.url, request))
    }
}

async fn start(url: &str, request: &ServerRequest) -> Result<Started> {
    let shown = masked(url);
    if request.image.is_some() || request.pg_bin.is_some() {
        return Err(Error::Usage(format!(
            "--image and --pg-bin choose a server to start, and {shown} is there already: leave them out"
        )));
    }
    let (mut started, _) = reach(url).await?;
    check(&mut started.connection, &shown).await?;
    Ok(started)
}

/// Connects, whatever the role may do there; and the database that the URL names. Where that isn't there, the server's own
/// is connected to.
pub(super) async fn reach(url: &str) -> Result<(Started, String)> {
    let shown = masked(url);
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error| Error::Usage(format!("{shown}: not a usable URL: {error}")))?;
    // Without a name in the URL a client would take the user's; the server's own database is sure to be there.
    let named = options.get_database().unwrap_or("postgres").to_owned();
    let mut database = named.clone();
    let mut options = options.database(&database);
    let mut connected = PgConnection::connect_with(&options).await;
    if connected.as_ref().is_err_and(is_absent) {
        "postgres".clone_into(&mut database);
        options = options.database(&database);
        connected = PgConnection::connect_with(&options).await;
    }
    let connection =
        connected.map_err(|error| Error::NoServer(format!("no connection to {shown}: {error}")))?;
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let socket = options.get_socket().cloned();
    let started = Started {
        origin: format!("at {shown}"),
        administrator: Login {
            role: options.get_username().to_owned(),
            password: password(url),
        },
        maintenance_database: database,
        connection,
        address: Address {
            host: socket.map_or(host, |folder| folder.display().to_string()),
            port,
            socket: None,
            url: Some(options),
            parameters: parameters(url),
        },
        holder: Box::new(Lent(())),
    };
    Ok((started, named))
}

/// Whether there is no such database.
fn is_absent(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("3D000"))
}

/// What must be so before databases and roles can be made there.
async fn check(connection: &mut PgConnection, shown: &str) -> Result<()> {
    let (role, superuser, databases, roles, standby): (String, bool, bool, bool, bool) = sqlx::query_as(
        "SELECT rolname::text, rolsuper, rolcreatedb, rolcreaterole, pg_catalog.pg_is_in_recovery()
           FROM pg_catalog.pg_roles WHERE rolname = current_user",
    )
    .fetch_one(connection)
    .await
    .doing(format!("ask {shown} what its role may do"))?;
    if standby {
        return Err(Error::NoServer(format!(
            "{shown} is a standby, which takes no writes: give the URL of the primary"
        )));
    }
    let missing: Vec<&str> = [(databases, "CREATEDB"), (roles, "CREATEROLE")]
        .into_iter()
        .filter_map(|(has, name)| (!has && !superuser).then_some(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::NoServer(format!(
        "{shown}: the role {role} lacks {}, which making databases and roles of the harness's own needs: as a \
         superuser there, `ALTER ROLE {} {}`",
        missing.join(" and "),
        crate::model::printed(&role),
        missing.join(" ")
    )))
}

/// The password of the URL, decoded; `None` where the environment or `.pgpass` has it.
fn password(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let in_front = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .map(|(_, text)| text);
    let behind = query(url)
        .find(|(name, _)| *name == "password")
        .map(|(_, text)| text);
    behind.or(in_front).map(decoded)
}

fn parameters(url: &str) -> Vec<(String, String)> {
    query(url)
        .map(|(name, value)| (decoded(name), decoded(value)))
        .filter(|(name, _)| !WHO_AND_WHERE.contains(&name.as_str()))
        .collect()
}

fn query(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let text = url.split_once('?').map_or("", |(_, text)| text);
    text.split('&')
        .filter_map(|parameter| parameter.split_once('='))
}

/// Percent-decoded; what isn't valid stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url_are_read() {
        assert_eq!(
            password("postgres://me:a%27b%20c@host/db").as_deref(),
            Some("a'b c")
        );
        assert_eq!(password("postgres://me@host:5432/db"), None);
        assert_eq!(
            password("postgres://host/db?user=me&password=x%26y").as_deref(),
            Some("x&y")
        );
        assert_eq!(
            parameters("postgres://me@host/db?sslmode=require&host=%2Ftmp"),
            [("sslmode".to_owned(), "require".to_owned())]
        );
        assert_eq!(decoded("100%"), "100%");
    }
}
