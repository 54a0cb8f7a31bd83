//! [`Desk`]: where a process's tests get their databases and leave them.
//!
//! One session serves all of them, whatever runtimes they have: it lives on a thread of its own. Its locks say that the
//! process lives. What need not be waited for, as making successors and removing what is done with, is ordered in other
//! sessions: an order that was sent is carried out, even where the process ends.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::mpsc::{
    UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel,
};
use tokio::sync::oneshot;

use super::errand::{self, Places};
use super::lease::{Lease, leftovers};
use super::{application, keep, pool};
use crate::error::{Error, Result};
use crate::model::MigrateAs;
use crate::server::{self, Server, ServerRequest, Shared};

/// How often it is looked again whether seats are free.
const AGAIN: Duration = Duration::from_millis(25);

/// So many databases that are done with are left while tests ask for more.
const CONDEMNED: usize = 8;

/// So long a process that leaves removes what dead ones left, at most.
const REAPING: Duration = Duration::from_secs(1);

/// How often a process that lives on sees to what others left.
const SWEEPING: Duration = Duration::from_secs(1);

/// What a test wants.
#[derive(Clone, Debug)]
pub struct Order {
    /// The published template.
    pub template: String,
    /// The connections that the test may open, at most.
    pub connections: u32,
    /// What of the template it gets.
    pub how: How,
    /// Whether it was said already that it has to wait.
    pub(super) told: bool,
}

/// What of a template a test gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A clone, one that is ready where there is one.
    Ready,
    /// A clone that is made now.
    Now,
    /// The template itself, to be left as it is.
    Shared,
}

impl Order {
    /// With up to so many connections.
    #[must_use]
    pub fn new(template: String, connections: u32, how: How) -> Self {
        Self {
            template,
            connections,
            how,
            told: false,
        }
    }
}

/// What a test gets.
#[derive(Debug)]
pub struct Claim {
    /// The note of the template; `None` where it isn't there, and then neither is a database.
    pub note: Option<String>,
    /// The database.
    pub name: String,
    /// Whether it is removed when it is given back.
    pub goes: bool,
    /// What is given back with [`Desk::leave`].
    pub seats: Vec<i32>,
}

/// What one who asked is told.
pub(super) enum Answer {
    Waits(String),
    Is(Result<Claim>),
}

pub(super) type Reply = UnboundedSender<Answer>;

/// Who waits for something to be done is told by this being dropped.
pub(super) type Done = std::sync::mpsc::Sender<()>;

pub(super) enum Request {
    Claim(Order, Reply),
    Leave(Vec<String>, Vec<i32>, Option<Done>),
    Keep(String, Done),
}

/// Where the tests of this process get databases of one server.
pub struct Desk {
    server: &'static Server,
    requests: UnboundedSender<Request>,
    /// Whether dead processes have left many databases.
    many: Arc<AtomicBool>,
}

impl Desk {
    /// Opens it, at a server that others share ([`server::share`]).
    ///
    /// # Errors
    /// As [`server::share`].
    pub async fn open(
        request: ServerRequest,
        key: String,
        idle: Duration,
        migrate_as: MigrateAs,
    ) -> Result<Self> {
        let (requests, queue) = unbounded_channel();
        let own = requests.downgrade();
        let many = Arc::new(AtomicBool::default());
        let told = Arc::clone(&many);
        let (opened, opening) = oneshot::channel();
        let thread = std::thread::Builder::new().name("watertight".to_owned());
        let thread = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    match Clerk::new(&request, &key, idle, migrate_as, (own, told)).await {
                        Ok(clerk) => {
                            let _ = opened.send(Ok(clerk.server));
                            clerk.serve(queue).await;
                        }
                        Err(error) => drop(opened.send(Err(error))),
                    }
                }),
                Err(error) => drop(opened.send(Err(Error::Server(format!(
                    "could not start a runtime: {error}"
                ))))),
            }
        });
        thread.map_err(|error| Error::Server(format!("could not start a thread: {error}")))?;
        let server = opening.await.unwrap_or_else(|_| Err(closed()))?;
        Ok(Self {
            server,
            requests,
            many,
        })
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &'static Server {
        self.server
    }

    /// A database that nobody else has. Where tests have all connections of the server, this waits and says so.
    ///
    /// # Errors
    /// A server that is gone, or can't make the database.
    pub async fn claim(&self, order: Order) -> Result<Claim> {
        let (reply, mut answers) = unbounded_channel();
        let sent = self.requests.send(Request::Claim(order, reply));
        sent.map_err(|_| closed())?;
        while let Some(answer) = answers.recv().await {
            match answer {
                // Here and not where it is found: what is printed belongs to the test that waits.
                Answer::Waits(why) => eprintln!("watertight: {why}"),
                Answer::Is(claim) => return claim,
            }
        }
        Err(closed())
    }

    /// Gives databases of this process back: they are removed, if it lives to see it; else by whoever comes next. Where too
    /// many are left so, this returns when some of them are removed.
    pub fn leave(&self, names: Vec<String>, seats: Vec<i32>) {
        let (done, reaped) = std::sync::mpsc::channel();
        let done = self.many.load(Ordering::Relaxed).then_some(done);
        let _ = self.requests.send(Request::Leave(names, seats, done));
        let _ = reaped.recv_timeout(REAPING);
    }

    /// Leaves a database of this process to people; returns when that is so.
    pub fn keep(&self, name: &str) {
        let (done, kept) = std::sync::mpsc::channel();
        let _ = self.requests.send(Request::Keep(name.to_owned(), done));
        let _ = kept.recv_timeout(Duration::from_secs(5));
    }
}

fn closed() -> Error {
    Error::Server("the session that databases are claimed in has ended".to_owned())
}

/// Who serves.
struct Clerk {
    server: &'static Server,
    session: PgConnection,
    lease: Lease,
    owner: String,
    idle: Duration,
    clones: u32,
    /// The seats of this process's tests.
    seats: BTreeSet<i32>,
    /// Those who wait for seats.
    waiting: VecDeque<(Order, Reply)>,
    /// Databases to be removed.
    condemned: VecDeque<String>,
    making: Places,
    removing: Places,
    /// The template of which clones are to be made for those who come next.
    owed: Option<String>,
    many: Arc<AtomicBool>,
    own: WeakUnboundedSender<Request>,
}

impl Clerk {
    async fn new(
        request: &ServerRequest,
        key: &str,
        idle: Duration,
        migrate_as: MigrateAs,
        (own, many): (WeakUnboundedSender<Request>, Arc<AtomicBool>),
    ) -> Result<Self> {
        let Shared { server, session } = server::share(request, key, idle).await?;
        // For as long as the process lives.
        let server: &'static Server = Box::leak(Box::new(server));
        Ok(Self {
            owner: application::owner_of(server, migrate_as).role,
            server,
            session,
            lease: Lease::new(),
            idle,
            clones: 0,
            seats: BTreeSet::new(),
            waiting: VecDeque::new(),
            condemned: VecDeque::new(),
            making: Places::default(),
            removing: Places::default(),
            owed: None,
            many,
            own,
        })
    }

    async fn serve(mut self, mut requests: UnboundedReceiver<Request>) {
        let mut swept: Option<Instant> = None;
        loop {
            let request = if self.waiting.is_empty() && self.condemned.is_empty() {
                requests.recv().await
            } else {
                let soon = tokio::time::timeout(AGAIN, requests.recv()).await;
                let Ok(request) = soon else {
                    self.look_again().await;
                    // Nobody waits for it: once nobody asks for anything.
                    self.remove_some(0);
                    continue;
                };
                request
            };
            let Some(request) = request else {
                return;
            };
            self.answer(request).await;
            self.look_again().await;
            self.remove_some(CONDEMNED);
            // It can wait for the first one to be served.
            if swept.is_none_or(|at| at.elapsed() > SWEEPING) {
                swept = Some(Instant::now());
                self.sweep().await;
            }
            if let Some(template) = self.owed.take() {
                self.fill(template).await;
            }
        }
    }

    /// Has successors made of a clone that was ready.
    async fn fill(&mut self, template: String) {
        let Some(place) = self.making.take_if(true) else {
            return;
        };
        // The first that a process asks for is its last where each test has a process: it opens no session for that order.
        if self.clones == 1 {
            let _ = pool::fill(&mut self.session, &template, &self.owner, 1).await;
        }
        let of = (template, self.owner.clone());
        tokio::spawn(errand::fill(self.server, of, place));
    }

    /// Sees to what others left.
    async fn sweep(&mut self) {
        let _ = server::watched(self.server, &mut self.session, self.idle).await;
        let left = leftovers(&mut self.session).await.unwrap_or_default();
        self.many.store(left > pool::MANY, Ordering::Relaxed);
        errand::sweep(self.server, left, &self.removing);
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Claim(order, reply) if self.waiting.is_empty() => {
                self.claim(order, reply).await;
            }
            Request::Claim(order, reply) => self.waiting.push_back((order, reply)),
            Request::Leave(names, seats, done) => {
                if let Some(done) = done {
                    tokio::spawn(errand::reap(self.server, done));
                }
                self.free(&seats).await;
                self.condemned.extend(names);
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
        while let Some(place) = self.removing.take_if(self.condemned.len() > most) {
            if let Some(name) = self.condemned.pop_front() {
                tokio::spawn(errand::remove(self.server, name, place));
            }
        }
    }

    async fn claim(&mut self, order: Order, reply: Reply) {
        self.clones += 1;
        let name = format!("watertight_{}_{}", self.lease.id(), self.clones);
        let found =
            match pool::claim(&mut self.session, (&self.lease, &order), &name, &self.seats).await {
                Ok(found) => found,
                Err(error) => return drop(reply.send(Answer::Is(Err(error)))),
            };
        // Those of the living count, too, until it is looked which are dead.
        if found.many {
            self.many.store(true, Ordering::Relaxed);
        }
        if let Some(refused) = found.refused(&order) {
            return drop(reply.send(Answer::Is(Err(refused))));
        }
        if found.seats.is_empty() {
            return self.wait(order, reply, found.all);
        }
        let claim = Claim {
            note: found.note,
            goes: order.how != How::Shared,
            name: if order.how == How::Shared {
                order.template.clone()
            } else {
                name
            },
            seats: found.seats,
        };
        self.seats.extend(&claim.seats);
        if claim.note.is_none() {
            self.free(&claim.seats).await;
            let seats = Vec::new();
            return drop(reply.send(Answer::Is(Ok(Claim { seats, ..claim }))));
        }
        let (server, own, owner) = (self.server, self.own.clone(), self.owner.clone());
        if found.claimed || order.how == How::Shared {
            errand::give(claim, &reply, &own);
        } else {
            let template = order.template.clone();
            tokio::spawn(errand::make(server, (template, owner), claim, reply, own));
        }
        if order.how == How::Ready && !found.plenty {
            self.owed = Some(order.template);
        }
    }

    async fn free(&mut self, seats: &[i32]) {
        let _ = pool::leave(&mut self.session, seats).await;
        self.seats.retain(|seat| !seats.contains(seat));
    }

    /// Has one wait until others leave.
    fn wait(&mut self, order: Order, reply: Reply, all: i32) {
        if !order.told {
            let _ = reply.send(Answer::Waits(format!(
                "waiting for {} connections: other tests have all {all} that the server has for tests",
                order.connections
            )));
        }
        self.waiting.push_front((
            Order {
                told: true,
                ..order
            },
            reply,
        ));
    }
}
