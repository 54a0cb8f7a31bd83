//! What a [`Desk`](super::Desk) has done in other sessions, while it serves the next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::mpsc::WeakUnboundedSender;

use super::desk::{Answer, Claim, Reply, Request};
use super::inherited::inherited;
use super::lease::remove_leftovers;
use super::{connect, creation, drop_database, execute, pool};
use crate::error::{Doing as _, Result};
use crate::model::literal;
use crate::server::Server;

/// Sessions of this process for errands of one kind.
const PLACES: usize = 2;

/// How long sessions of a database have to end by themselves: where one is forced to, the server looks for its end every
/// 100 ms.
const ENDING: Duration = Duration::from_millis(300);

/// The places for errands of one kind.
#[derive(Clone, Default)]
struct Places(Arc<AtomicUsize>);

/// One of them, taken until it is dropped.
pub(super) struct Place(Places);

impl Places {
    /// A place, where it is wanted and one is free.
    fn take_if(&self, wanted: bool) -> Option<Place> {
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

/// Those who run errands at a server.
#[derive(Clone)]
pub(super) struct Errands {
    server: &'static Server,
    /// Who owns the databases.
    pub(super) owner: Arc<str>,
    /// Sessions that have nothing to do just now: opening one costs as much as most errands.
    idle: Arc<Mutex<Vec<PgConnection>>>,
    making: Places,
    removing: Places,
}

impl Errands {
    pub(super) fn new(server: &'static Server, owner: &str) -> Self {
        Self {
            server,
            owner: owner.into(),
            idle: Arc::default(),
            making: Places::default(),
            removing: Places::default(),
        }
    }

    /// Runs one in a session; one that fails is not used again.
    async fn run<T>(&self, errand: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut session = if let Some(session) = idle {
            session
        } else {
            let server = self.server;
            connect(&server.options(server.administrator(), server.maintenance_database())).await?
        };
        let done = errand(&mut session).await?;
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(session);
        }
        Ok(done)
    }

    /// Makes a database for one who found none ready.
    pub(super) async fn make(
        self,
        template: String,
        claim: Claim,
        reply: Reply,
        own: WeakUnboundedSender<Request>,
    ) {
        let made = self.run(async |session| {
            execute(session, &creation(&claim.name, &template, &self.owner)).await?;
            execute(session, &inherited(&template, &claim.name)).await
        });
        match made.await {
            Ok(()) => give(claim, &reply, &own),
            Err(error) => {
                back(claim, &own);
                let _ = reply.send(Answer::Is(Err(error)));
            }
        }
    }

    /// Has clones made for those who come next, where there is somebody to do it.
    pub(super) fn fill(&self, template: String) {
        let Some(place) = self.making.take_if(true) else {
            return;
        };
        let errands = self.clone();
        tokio::spawn(async move {
            // Who comes next makes one for himself where this fails, and is told why that fails.
            let filled = errands
                .run(async |session| pool::fill(session, &template, &errands.owner).await)
                .await;
            drop((filled, place));
        });
    }

    /// Somebody who removes databases, where one is wanted and is there.
    pub(super) fn remover_if(&self, wanted: bool) -> Option<Place> {
        self.removing.take_if(wanted)
    }

    /// Removes a database; where that fails, whoever comes next does.
    pub(super) async fn remove(self, name: String, place: Place) {
        let others = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = {}",
            literal(&name)
        );
        let removed = self.run(async |session| {
            let started = Instant::now();
            while started.elapsed() < ENDING {
                let others: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(others.clone()))
                    .persistent(false)
                    .fetch_one(&mut *session)
                    .await
                    .doing("look for sessions of a database")?;
                if others == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
            drop_database(session, &name).await
        });
        let _ = removed.await;
        drop(place);
    }

    /// Removes what dead processes left, in several sessions where there is much: this process may end soon, and each session
    /// carries out what it was last told.
    pub(super) fn sweep(&self, left: i64) {
        let mut wanted = left;
        while let Some(place) = self.removing.take_if(wanted > 0) {
            wanted -= 1;
            let errands = self.clone();
            tokio::spawn(async move {
                let swept = errands.run(async |session| {
                    remove_leftovers(session).await?;
                    pool::remove_orphans(session).await
                });
                drop((swept.await, place));
            });
        }
    }
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
