//! A server for many processes at once, as `cargo nextest` has one for every test: the first starts it, the others find
//! it, and it ends by itself.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use super::choice::{ServerChoice, ServerRequest};
use super::note::Note;
use super::process::blocking;
use super::provider::{Boxed, Holder, last_lines};
use super::registry::Registry;
use super::running::Server;
use super::{start, watch};
use crate::error::{Doing as _, Error, Result};

/// Raise it when servers that an earlier version of this crate left would not do any more.
const FORMAT: u32 = 2;

/// The names of the kinds of servers that can be shared.
const KINDS: [&str; 3] = ["docker", "embedded", "local"];

/// A server that processes share.
pub struct Shared {
    /// The server.
    pub server: Server,
    /// A session of the administrator: while it lives, the server does not end for want of users. It may have come when
    /// that was decided already: [`using`](super::using) in its first statement finds out.
    pub session: PgConnection,
}

/// A server that processes share, as one sees it who does not use it.
pub struct Running {
    /// The server.
    pub server: Server,
    /// A session of the administrator.
    pub session: PgConnection,
    /// How many processes use it.
    pub users: u64,
    /// How long ago it was started.
    pub age: Duration,
}

/// A server that somebody left to others.
struct Visited {
    /// Until it is seen to be gone.
    entry: Mutex<Option<File>>,
    log: Option<PathBuf>,
}

impl Holder for Visited {
    fn stop(self: Box<Self>) -> Boxed<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn keep(self: Box<Self>, _purpose: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn share(self: Box<Self>, _note: &Note) -> Result<()> {
        Ok(())
    }

    fn let_go(&self) {
        if let Ok(mut entry) = self.entry.lock() {
            entry.take();
        }
    }

    fn log_tail(&self) -> Option<String> {
        Some(last_lines(&fs::read(self.log.as_ref()?).ok()?))
    }
}

/// Gets a server that other processes have, too, if they ask for the same and give the same key. Whoever gives another
/// key has another server, with roles of its own. It ends when nobody has used it for as long as `idle`, counted from the
/// last process's end. One that is given by URL is shared as it is.
///
/// # Errors
/// As [`start`].
pub async fn share(request: &ServerRequest, key: &str, idle: Duration) -> Result<Shared> {
    if matches!(request.choice, ServerChoice::External(_)) {
        let server = start(request).await?;
        let session = connect(&server).await?;
        return Ok(Shared { server, session });
    }
    let key = digest(request, key);
    // What costs nothing where it is there already: tests are as fast as this.
    if let Some(shared) = enter(&key).await? {
        return Ok(shared);
    }
    let gate = blocking(|| Registry::open()?.gate()).await?;
    if let Some(shared) = enter(&key).await? {
        return Ok(shared);
    }
    let server = start(request).await?;
    let mut session = connect(&server).await?;
    watch::arm(connect(&server).await?, &mut session, idle).await?;
    server.leave(&key)?;
    let entered = enter(&key).await?;
    drop(gate);
    session.close().await.doing("close a connection")?;
    entered.ok_or_else(|| Error::Server("one that was started to be shared is gone".to_owned()))
}

/// Makes sure that a shared server ends when nobody has used it for as long as `idle`, whatever became of the session
/// that should see to it.
///
/// # Errors
/// A server that can't be reached.
pub async fn watched(server: &Server, session: &mut PgConnection, idle: Duration) -> Result<()> {
    if server.is_disposable() && !watch::is_armed(session).await? {
        watch::arm(connect(server).await?, session, idle).await?;
    }
    Ok(())
}

/// All servers that processes of this user share. Looking at one keeps it no longer than the look.
///
/// # Errors
/// Where there is no folder to look in.
pub async fn running() -> Result<Vec<Running>> {
    let found = blocking(|| Ok(Registry::open()?.shared(None))).await?;
    let mut all = Vec::new();
    for (note, entry) in found {
        // One that does not answer is a leftover, or ends just now.
        let Ok(Shared {
            server,
            mut session,
        }) = open(note, entry).await
        else {
            continue;
        };
        let Ok((users, seconds)) = watch::users(&mut session).await else {
            continue;
        };
        all.push(Running {
            server,
            session,
            users,
            age: Duration::from_secs(seconds),
        });
    }
    Ok(all)
}

/// Enters a server that somebody left under a key; `None` where there is none.
async fn enter(key: &str) -> Result<Option<Shared>> {
    // A few small files: a thread for it would take longer.
    let found = Registry::open()?.shared(Some(key));
    for (note, entry) in found {
        // One that ends just now, or was killed, is no use; a sweep removes it.
        if let Ok(shared) = open(note, entry).await {
            return Ok(Some(shared));
        }
    }
    Ok(None)
}

/// Enters a server that somebody left.
async fn open(note: Note, entry: File) -> Result<Shared> {
    let kind = KINDS.into_iter().find(|kind| *kind == note.kind);
    let kind = kind.ok_or_else(|| Error::Server(format!("a shared one of kind {}", note.kind)))?;
    // While the session lives the server does not end, and while the entry is held it stays.
    let log = note.log();
    let server = Server::noted(
        kind,
        note,
        Box::new(Visited {
            entry: Mutex::new(Some(entry)),
            log,
        }),
    );
    let session = connect(&server).await?;
    Ok(Shared { server, session })
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
