//! [`Clerk`]: who serves at a [`Desk`](super::Desk), in the one session that a process has at a server.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};

use super::desk::{Answer, Claim, Done, How, Order, Reply, Request};
use super::errand::{self, Errands};
use super::lease::{Lease, leftovers, remove_some};
use super::pool::{self, Found};
use super::seats::{self, Seats};
use super::{application, keep};
use crate::error::Result;
use crate::model::MigrateAs;
use crate::server::{self, Server, ServerRequest, Shared};

/// How long nobody has to ask for anything before a clone is taken that was not asked for: whoever got one connects to it
/// just now.
const QUIET: Duration = Duration::from_millis(5);

/// So long it counts that the server was seen to be there.
const SEEN: Duration = Duration::from_millis(250);

/// How often it is looked again whether seats are free.
const AGAIN: Duration = Duration::from_millis(25);

/// How often a process whose tests ask for databases sees to what others left.
const SWEEPING: Duration = Duration::from_secs(1);

/// How often one does whose tests have long asked for nothing.
const RARELY: Duration = Duration::from_secs(30);

/// So many databases that are done with are left while tests ask for more.
const CONDEMNED: usize = 8;

/// So many databases of dead processes are removed by a process in its one session: one more than it leaves itself.
const SOME: usize = 2;

/// Who serves.
pub(super) struct Clerk {
    pub(super) server: &'static Server,
    session: PgConnection,
    lease: Lease,
    idle: Duration,
    clones: u32,
    /// How many clones tests got.
    served: u32,
    seats: Seats,
    /// Those who wait for seats.
    waiting: VecDeque<(Order, Reply)>,
    /// Databases to be removed.
    condemned: VecDeque<String>,
    errands: Errands,
    /// A template, and what was found of it: a clone that is this process's before it is asked for.
    ahead: Option<(String, Found)>,
    /// What is done once nobody asks for anything.
    owed: Owed,
    swept: Instant,
    /// How long nothing has to happen until that is seen to again.
    rest: Duration,
    /// When the server was seen to be there.
    seen: Instant,
    /// Whether one who leaves waits until something is done.
    owes: Arc<AtomicBool>,
    own: WeakUnboundedSender<Request>,
}

/// What a clerk does once nobody asks for anything.
#[derive(Default)]
struct Owed {
    /// To have somebody end the server when nobody uses it.
    watch: bool,
    /// To have a clone of this template before it is asked for: who asked twice asks again.
    ahead: Option<String>,
    /// To have successors made of clones of this template.
    successor: Option<String>,
    /// To have the server's catalogs cleaned.
    vacuum: bool,
    /// To remove some of these, where they are of dead processes.
    removal: Vec<String>,
}

impl Owed {
    fn is_something(&self) -> bool {
        self.watch
            || self.ahead.is_some()
            || self.successor.is_some()
            || self.vacuum
            || !self.removal.is_empty()
    }

    /// Whether one who leaves waits until it is done, and not only until a successor is ordered: more is left than may be.
    fn much(&self) -> bool {
        self.vacuum || self.removal.len() > pool::MANY
    }
}

/// What one finds who seeks seats and a clone.
enum Sought {
    /// Too few seats are free; what to say.
    Waits(String),
    Has(Vec<i32>, Found),
}

impl Clerk {
    /// Enters a server that others share ([`server::share`]).
    pub(super) async fn new(
        request: &ServerRequest,
        key: &str,
        idle: Duration,
        migrate_as: MigrateAs,
        (own, owes): (WeakUnboundedSender<Request>, Arc<AtomicBool>),
    ) -> Result<Self> {
        let Shared { server, session } = server::share(request, key, idle).await?;
        // For as long as the process lives.
        let server: &'static Server = Box::leak(Box::new(server));
        let owner = application::owner_of(server, migrate_as).role;
        Ok(Self {
            errands: Errands::new(server, &owner),
            server,
            session,
            lease: Lease::new(),
            idle,
            clones: 0,
            served: 0,
            seats: Seats::default(),
            waiting: VecDeque::new(),
            condemned: VecDeque::new(),
            ahead: None,
            owed: Owed::default(),
            swept: Instant::now(),
            rest: SWEEPING,
            seen: Instant::now(),
            owes,
            own,
        })
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn serve(mut self, mut requests: UnboundedReceiver<Request>) {
        loop {
            let patience = self.patience();
            match tokio::time::timeout(patience, requests.recv()).await {
                Ok(None) => return,
                Ok(Some(request)) => {
                    self.rest = SWEEPING;
                    self.answer(request).await;
                    self.look_again().await;
                    self.remove_some(CONDEMNED);
                }
                Err(_) if patience == QUIET => self.do_something_owed().await,
                Err(_) => {
                    if patience == self.rest {
                        self.rest = RARELY;
                    }
                    self.free().await;
                    self.look_again().await;
                    // Nobody waits for it: once nobody asks for anything.
                    self.remove_some(0);
                }
            }
            // Tests that are quick end before this: what they have to do they owe.
            if self.swept.elapsed() >= SWEEPING {
                self.swept = Instant::now();
                self.sweep().await;
            }
        }
    }

    /// How long a request is waited for before something else is done.
    fn patience(&self) -> Duration {
        if self.owed.is_something() {
            QUIET
        } else if self.waiting.is_empty() && self.condemned.is_empty() && !self.seats.has_spare() {
            self.rest
        } else {
            AGAIN
        }
    }

    /// Does one thing that is owed, in the session that serves: where each test has a process, another session for it would
    /// cost more than what it does.
    async fn do_something_owed(&mut self) {
        if std::mem::take(&mut self.owed.watch) {
            self.watch().await;
        } else if self.owed.ahead.is_some() {
            self.be_ahead().await;
        } else if self.owed.successor.is_some() {
            self.succeed(None).await;
        } else {
            self.tidy().await;
        }
    }

    /// Does what others need of it for one who may end as soon as `done` is dropped.
    async fn settle(&mut self, done: Done) {
        if self.owed.much() {
            self.succeed(None).await;
            self.tidy().await;
            drop(done);
        } else {
            self.succeed(Some(done)).await;
        }
    }

    /// Makes a clone for those who come next, where one is owed. Whoever waits for the order to be sent may end then: the
    /// server carries it out.
    async fn succeed(&mut self, sent: Option<Done>) {
        let Some(template) = self.owed.successor.take() else {
            return;
        };
        let making = pool::make_ready(&mut self.session, &template, &self.errands.owner);
        let mut making = std::pin::pin!(making);
        let begun = poll_fn(|context| Poll::Ready(making.as_mut().poll(context))).await;
        drop(sent);
        self.owes.store(self.owed.much(), Ordering::Relaxed);
        if begun.is_pending() {
            // Who finds none makes one for himself, and is told why that fails.
            let _ = making.await;
        }
    }

    /// Removes some of what dead processes left, in the server's catalogs, too, where it is this process's turn.
    async fn tidy(&mut self) {
        let names = std::mem::take(&mut self.owed.removal);
        let _ = remove_some(&mut self.session, &self.lease, &names, SOME).await;
        if std::mem::take(&mut self.owed.vacuum) {
            let _ = pool::vacuum(&mut self.session).await;
        }
        self.owes
            .store(self.owed.successor.is_some(), Ordering::Relaxed);
    }

    /// Takes a clone before it is asked for.
    async fn be_ahead(&mut self) {
        let Some(template) = self.owed.ahead.take() else {
            return;
        };
        // Who asks for it is told why where this fails.
        if let Ok(mut found) = pool::look(&mut self.session, self.server, &template).await
            && self.take(&template, &mut found).await.is_ok()
        {
            self.seen = Instant::now();
            self.ahead = found.claimed.is_some().then_some((template, found));
        }
    }

    fn next_name(&mut self) -> String {
        self.clones += 1;
        format!("watertight_{}_{}", self.lease.id(), self.clones)
    }

    /// Sees to what others left.
    async fn sweep(&mut self) {
        self.watch().await;
        let left = leftovers(&mut self.session).await.unwrap_or_default();
        self.errands.sweep(left);
    }

    /// Has somebody end the server when nobody uses it.
    async fn watch(&mut self) {
        let _ = server::watched(self.server, &mut self.session, self.idle).await;
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Claim(order, reply) if self.waiting.is_empty() => {
                self.claim(order, reply).await;
            }
            Request::Claim(order, reply) => self.waiting.push_back((order, reply)),
            Request::Leave(names, seats, done) => {
                self.seats.leave(seats);
                self.condemned.extend(names);
                if let Some(done) = done {
                    self.settle(done).await;
                }
            }
            Request::Keep(name, done) => {
                let _ = keep(&mut self.session, &name).await;
                let _ = done.send(());
            }
        }
    }

    /// Serves those who wait for seats, in their order.
    async fn look_again(&mut self) {
        while let Some((order, reply)) = self.waiting.pop_front() {
            let before = self.waiting.len();
            if !reply.is_closed() {
                self.claim(order, reply).await;
            }
            if self.waiting.len() > before {
                break;
            }
        }
    }

    /// Has databases removed that are done with, but for so many.
    fn remove_some(&mut self, most: usize) {
        while let Some(place) = self.errands.remover_if(self.condemned.len() > most) {
            if let Some(name) = self.condemned.pop_front() {
                tokio::spawn(self.errands.clone().remove(name, place));
            }
        }
    }

    async fn claim(&mut self, order: Order, reply: Reply) {
        match self.seek(&order).await {
            Err(error) => drop(reply.send(Answer::Is(Err(error)))),
            Ok(Sought::Waits(why)) => self.wait(order, reply, why).await,
            Ok(Sought::Has(seats, found)) => self.give(order, reply, seats, found),
        }
    }

    /// Takes seats, and with them a clone where one is wanted and ready.
    async fn seek(&mut self, order: &Order) -> Result<Sought> {
        let pooled = order.how == How::Ready;
        let ahead = self
            .ahead
            .take_if(|(template, _)| pooled && *template == order.template);
        let missing = self.seats.missing(order.connections);
        let (session, lease, seats) = (&mut self.session, &self.lease, &self.seats);
        let (answer, mut found) = match ahead {
            Some((_, found)) if missing == 0 && self.seen.elapsed() < SEEN => {
                (seats::Answer::default(), found)
            }
            Some((_, found)) => (pool::sit(session, lease, seats, missing).await?, found),
            None => {
                pool::sit_and_look(
                    (session, self.server),
                    lease,
                    (seats, missing),
                    &order.template,
                )
                .await?
            }
        };
        self.owed.watch |= answer.unwatched && self.server.is_disposable();
        let too_few = answer.taken.len() < missing;
        let why = too_few.then(|| answer.wait(order));
        self.seats.leave(answer.taken);
        if let Some(why) = why {
            if found.claimed.is_some() {
                self.ahead = Some((order.template.clone(), found));
            }
            return why.map(Sought::Waits);
        }
        if pooled && found.claimed.is_none() {
            self.take(&order.template, &mut found).await?;
        }
        Ok(Sought::Has(self.seats.take(order.connections), found))
    }

    /// Takes a clone, where one is ready.
    async fn take(&mut self, template: &str, found: &mut Found) -> Result<()> {
        let name = self.next_name();
        pool::take(&mut self.session, found, (template, name)).await
    }

    /// Gives one who has seats what there is, or has it made.
    fn give(&mut self, order: Order, reply: Reply, seats: Vec<i32>, found: Found) {
        let Order { template, how, .. } = order;
        let Found {
            note,
            claimed,
            stock,
            used,
            turn,
            ..
        } = found;
        self.owed.vacuum |= turn && self.server.is_disposable();
        let usable = note.is_some();
        let is_there = claimed.is_some() || !usable || how == How::Shared;
        let claim = Claim {
            seats: if usable {
                seats
            } else {
                self.seats.leave(seats);
                Vec::new()
            },
            goes: how != How::Shared,
            name: match (how, claimed) {
                (How::Shared, _) => template.clone(),
                (_, Some(name)) => name,
                (_, None) => self.next_name(),
            },
            note,
        };
        if is_there {
            errand::give(claim, &reply, &self.own);
        } else {
            let make = self.errands.clone();
            tokio::spawn(make.make(template.clone(), claim, reply, self.own.clone()));
        }
        if usable && how == How::Ready {
            self.owe(template, stock, used);
        }
    }

    /// What one owes who took a clone of a template, of so many that are ready, where others use these.
    fn owe(&mut self, template: String, stock: usize, used: Vec<String>) {
        self.served += 1;
        // The first that a process asks for is its last where each test has a process.
        let first = self.served == 1;
        if first && used.len() > SOME {
            self.owed.removal = used;
        }
        match stock {
            pool::FEW.. => {}
            SOME.. if first => self.owed.successor = Some(template.clone()),
            _ => self.errands.fill(template.clone()),
        }
        if !first && self.ahead.is_none() {
            self.owed.ahead = Some(template);
        }
        let owes = self.owed.successor.is_some() || self.owed.much();
        self.owes.store(owes, Ordering::Relaxed);
    }

    /// Gives other processes the seats that no test has.
    async fn free(&mut self) {
        let _ = self.seats.free(&mut self.session).await;
    }

    /// Has one wait until others leave.
    async fn wait(&mut self, order: Order, reply: Reply, why: String) {
        self.free().await;
        if !order.told {
            let _ = reply.send(Answer::Waits(why));
        }
        let order = Order {
            told: true,
            ..order
        };
        self.waiting.push_front((order, reply));
    }
}
