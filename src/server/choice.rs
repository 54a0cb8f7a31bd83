//! Which server is wanted: what `--server` says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::error::Error;

/// Where the server comes from. Shown and debugged without the password of a URL.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ServerChoice {
    /// Docker where it answers and has an image or can pull one, else binaries of this machine, else those of this program
    /// where they were built in.
    #[default]
    Auto,
    /// A container of its own.
    Docker,
    /// A server of its own from the Postgres binaries of this machine.
    Local,
    /// A server of its own from Postgres binaries that are in this program: with the feature `embedded`.
    Embedded,
    /// A server that is there already: a `postgres://…` URL, password included.
    External(String),
}

/// A server as asked for: how to get it, and what it must be.
#[derive(Clone, Debug, Default)]
pub struct ServerRequest {
    /// Where it comes from.
    pub choice: ServerChoice,
    /// The major version, as 18; without one, the newest there is.
    pub version: Option<u32>,
    /// The Docker image, `NAME:TAG`; without one, `postgres:<major>` or what `cargo xtask image` built.
    pub image: Option<String>,
    /// The folder with `postgres` and `initdb`; without one, the usual places are searched.
    pub pg_bin: Option<PathBuf>,
    /// It must be able to write down the statements that reach it.
    pub records: bool,
}

impl FromStr for ServerChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "local" => Ok(Self::Local),
            "embedded" => Ok(Self::Embedded),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                // The driver's words hold no part of the URL, so no password either.
                url.parse::<PgConnectOptions>().map_err(|error| {
                    Error::Usage(format!("server {}: not a usable URL: {error}", masked(url)))
                })?;
                Ok(Self::External(url.to_owned()))
            }
            other => Err(Error::Usage(format!(
                "`{}` is not a server: auto, docker, local, embedded, or a URL like \
                 postgres://user:password@host:5432/database",
                masked(other)
            ))),
        }
    }
}

impl fmt::Display for ServerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Docker => f.write_str("docker"),
            Self::Local => f.write_str("local"),
            Self::Embedded => f.write_str("embedded"),
            Self::External(url) => f.write_str(&masked(url)),
        }
    }
}

impl fmt::Debug for ServerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL without its passwords, whether after the user's name or among the parameters. It may be malformed:
/// where it is not clear what the password is, too much is masked and not too little.
pub(super) fn masked(url: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .map_or(("", url), |(scheme, rest)| (scheme, rest));
    let separator = if url.contains("://") { "://" } else { "" };
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    let login = login.map_or_else(String::new, |login| {
        let name = login.split([':', '@', '/', '?']).next().unwrap_or_default();
        if name == login {
            format!("{name}@")
        } else {
            format!("{name}:***@")
        }
    });
    let (place, parameters) = match place.split_once('?') {
        Some((place, parameters)) => {
            let shown: Vec<String> = parameters.split('&').map(masked_parameter).collect();
            (place, format!("?{}", shown.join("&")))
        }
        None => (place, String::new()),
    };
    // `name:password` where the host was forgotten.
    let place = match place.split_once(':') {
        Some((host, port)) if !port.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{host}:***")
        }
        _ => place.to_owned(),
    };
    format!("{scheme}{separator}{login}{place}{parameters}")
}

fn masked_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if name.contains("pass") => format!("{name}=***"),
        _ => parameter.to_owned(),
    }
}

/// Text for the inside of a URL: everything but letters, digits and `-._~` percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("postgres://me:secret@host/db", "postgres://me:***@host/db"),
            (
                "postgres://me@host:5432/db?sslmode=require",
                "postgres://me@host:5432/db?sslmode=require",
            ),
            (
                "postgres://me:se@secret/et@host/db",
                "postgres://me:***@host/db",
            ),
            (
                "postgres://me@host/db?password=secret&x=1",
                "postgres://me@host/db?password=***&x=1",
            ),
            (
                "postgres://me@host/db?password=secret@x",
                "postgres://me:***@x",
            ),
            (
                "postgres://me:se?secret=et@host/db",
                "postgres://me:***@host/db",
            ),
            ("postgres://me:secret", "postgres://me:***"),
            ("me:secret@host", "me:***@host"),
        ] {
            assert_eq!(masked(url), shown);
        }
        let error = "mysql://me:secret@host/db"
            .parse::<ServerChoice>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("docker, local") && !error.contains("secret"),
            "{error}"
        );
        let error = "postgres://me:secret@host:70000/db"
            .parse::<ServerChoice>()
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
        let choice: ServerChoice = "postgres://me:secret@host/db".parse().unwrap();
        assert!(!format!("{choice:?} {choice}").contains("secret"));
    }

    #[test]
    fn what_goes_into_a_url_is_encoded() {
        assert_eq!(encoded("a'b c/é@"), "a%27b%20c%2F%C3%A9%40");
    }
}
