//! A server for many processes at once, as `cargo nextest` has one for every test: the first starts it, the others find
//! it, and it ends by itself.

use std::fs::File;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use super::choice::{ServerChoice, ServerRequest};
use super::note::Note;
use super::process::blocking;
use super::provider::{Lent, Started};
use super::registry::Registry;
use super::running::Server;
use super::{leftovers, start, watch};
use crate::error::{Doing as _, Error, Result};

/// Raise it when servers that an earlier version of this crate left would not do any more.
const FORMAT: u32 = 1;

/// The names of the kinds of servers that can be shared.
const KINDS: [&str; 2] = ["docker", "local"];

/// Gets a server that other processes have, too, if they ask for the same and give the same key. Whoever gives another
/// key has another server, with roles of its own. It ends when nobody has used it for as long as `idle`, counted from the
/// last process's end. One that is given by URL is shared as it is.
///
/// # Errors
/// As [`start`].
pub async fn share(request: &ServerRequest, key: &str, idle: Duration) -> Result<Server> {
    if matches!(request.choice, ServerChoice::External(_)) {
        return start(request).await;
    }
    leftovers::remove_quietly().await;
    let key = digest(request, key);
    let gate = blocking(|| Registry::open()?.gate()).await?;
    if let Some(server) = enter(&key, request, idle).await? {
        return Ok(server);
    }
    let server = start(request).await?;
    let mut session = connect(&server).await?;
    watch::arm(connect(&server).await?, &mut session, idle).await?;
    server.leave(&key)?;
    let entered = enter(&key, request, idle).await?;
    drop(gate);
    session.close().await.doing("close a connection")?;
    entered.ok_or_else(|| Error::Server("one that was started to be shared is gone".to_owned()))
}

/// Enters a server that somebody left under a key; `None` where there is none.
async fn enter(key: &str, request: &ServerRequest, idle: Duration) -> Result<Option<Server>> {
    let wanted = key.to_owned();
    let found = blocking(move || Ok(Registry::open()?.shared(&wanted))).await?;
    for (note, entry) in found {
        // One that ends just now, or was killed, is no use; a sweep removes it.
        if let Ok(server) = open(note, entry, request, idle).await {
            return Ok(Some(server));
        }
    }
    Ok(None)
}

/// Enters a server that somebody left.
async fn open(note: Note, entry: File, request: &ServerRequest, idle: Duration) -> Result<Server> {
    let (address, administrator) = (note.address(), note.administrator());
    let kind = KINDS.into_iter().find(|kind| *kind == note.kind);
    let kind = kind.ok_or_else(|| Error::Server(format!("a shared one of kind {}", note.kind)))?;
    let options = address.options(&administrator, &note.maintenance_database);
    let connected = || async {
        PgConnection::connect_with(&options)
            .await
            .doing("connect to a shared server")
    };
    let mut session = connected().await?;
    watch::enter(&mut session).await?;
    watch::arm(connected().await?, &mut session, idle).await?;
    let started = Started {
        connection: connected().await?,
        origin: note.origin,
        address,
        administrator,
        maintenance_database: note.maintenance_database,
        // While the session lives the server does not end, and while the entry is held it stays.
        holder: Box::new(Lent((session, entry))),
    };
    Server::new(kind, started, request, &[]).await
}

async fn connect(server: &Server) -> Result<PgConnection> {
    let options = server.options(server.administrator(), server.maintenance_database());
    PgConnection::connect_with(&options)
        .await
        .doing("connect to the server")
}

/// Who asks for the same gets the same.
fn digest(request: &ServerRequest, key: &str) -> String {
    let text = format!("{FORMAT} {request:?} {key}");
    let bytes = Sha256::digest(text.as_bytes());
    let number = bytes
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}
