//! What a [`Desk`](super::Desk) has done in other sessions, while it serves the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::mpsc::WeakUnboundedSender;

use super::desk::{Answer, Claim, Done, Reply, Request};
use super::inherited::inherited;
use super::lease::remove_leftovers;
use super::{connect, creation, drop_database, execute, pool};
use crate::error::{Doing as _, Result};
use crate::model::literal;
use crate::server::Server;

/// Sessions of this process for errands of one kind.
const PLACES: usize = 2;

/// Clones that are made one after the other once there are few: the first is made whatever becomes of the process.
const SUCCESSORS: usize = 8;

/// So many databases of dead processes are removed by a process that ends where there are too many.
const SOME: usize = 3;

/// How long sessions of a database have to end by themselves: where one is forced to, the server looks for its end every
/// 100 ms.
const ENDING: Duration = Duration::from_millis(300);

/// The places for errands of one kind.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<AtomicUsize>);

/// One of them, taken until it is dropped.
pub(super) struct Place(Places);

impl Places {
    /// A place, where it is wanted and one is free.
    pub(super) fn take_if(&self, wanted: bool) -> Option<Place> {
        if !wanted || self.0.fetch_add(1, Ordering::Relaxed) >= PLACES {
            if wanted {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
            return None;
        }
        Some(Place(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn session(server: &Server) -> Result<PgConnection> {
    connect(&server.options(server.administrator(), server.maintenance_database())).await
}

/// Gives somebody a database, or takes it back where nobody waits for it any more.
pub(super) fn give(claim: Claim, reply: &Reply, own: &WeakUnboundedSender<Request>) {
    let unsent = reply.send(Answer::Is(Ok(claim)));
    if let Err(unsent) = unsent
        && let Answer::Is(Ok(claim)) = unsent.0
    {
        back(claim, own);
    }
}

fn back(claim: Claim, own: &WeakUnboundedSender<Request>) {
    if let Some(own) = own.upgrade() {
        let name = claim.goes.then_some(claim.name);
        let names = name.into_iter().collect();
        let _ = own.send(Request::Leave(names, claim.seats, None));
    }
}

/// Makes a database for one who found none ready.
pub(super) async fn make(
    server: &'static Server,
    (template, owner): (String, String),
    claim: Claim,
    reply: Reply,
    own: WeakUnboundedSender<Request>,
) {
    let made = async {
        let mut session = session(server).await?;
        execute(&mut session, &creation(&claim.name, &template, &owner)).await?;
        execute(&mut session, &inherited(&template, &claim.name)).await
    };
    match made.await {
        Ok(()) => give(claim, &reply, &own),
        Err(error) => {
            back(claim, &own);
            let _ = reply.send(Answer::Is(Err(error)));
        }
    }
}

/// Has clones made for those who come next.
pub(super) async fn fill(
    server: &'static Server,
    (template, owner): (String, String),
    place: Place,
) {
    if let Ok(mut session) = session(server).await {
        // Who comes next makes one for himself where this fails, and is told why that fails.
        let _ = pool::fill(&mut session, &template, &owner, SUCCESSORS).await;
    }
    drop(place);
}

/// Removes a database; where that fails, whoever comes next does.
pub(super) async fn remove(server: &'static Server, name: String, place: Place) {
    let removed = async {
        let mut session = session(server).await?;
        let others = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = {}",
            literal(&name)
        );
        let started = Instant::now();
        while started.elapsed() < ENDING {
            let others: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(others.clone()))
                .fetch_one(&mut session)
                .await
                .doing("look for sessions of a database")?;
            if others == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        drop_database(&mut session, &name).await
    };
    let _ = removed.await;
    drop(place);
}

/// Removes some of what dead processes left, more than one process leaves itself; lets go of `done` then.
pub(super) async fn reap(server: &'static Server, done: Done) {
    if let Ok(mut session) = session(server).await {
        let _ = remove_leftovers(&mut session, SOME).await;
    }
    drop(done);
}

/// Removes what dead processes left, in several sessions where there is much: this process may end soon, and each session
/// carries out what it was last told.
pub(super) fn sweep(server: &'static Server, left: i64, places: &Places) {
    let mut wanted = left;
    while let Some(place) = places.take_if(wanted > 0) {
        wanted -= 1;
        tokio::spawn(async move {
            if let Ok(mut session) = session(server).await {
                let _ = remove_leftovers(&mut session, usize::MAX).await;
                let _ = pool::remove_orphans(&mut session).await;
            }
            drop(place);
        });
    }
}
