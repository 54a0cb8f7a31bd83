//! [`Desk`]: where a process's tests get their databases and leave them.
//!
//! One session serves all of them, whatever runtimes they have: it lives on a thread of its own. Its locks say that the
//! process lives. What need not be waited for, as making successors and removing what is done with, is ordered once nobody
//! asks, or in other sessions: an order that was sent is carried out, even where the process ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::clerk::Clerk;
use crate::error::{Error, Result};
use crate::model::MigrateAs;
use crate::server::{Server, ServerRequest};

/// So long one who leaves waits at most.
const SETTLING: Duration = Duration::from_secs(1);

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
    /// Whether something is to be done before this process ends.
    owes: Arc<AtomicBool>,
}

impl Desk {
    /// Opens it, at a server that others share ([`crate::server::share`]).
    ///
    /// # Errors
    /// As [`crate::server::share`].
    pub async fn open(
        request: ServerRequest,
        key: String,
        idle: Duration,
        migrate_as: MigrateAs,
    ) -> Result<Self> {
        let (requests, queue) = unbounded_channel();
        let own = requests.downgrade();
        let owes = Arc::new(AtomicBool::default());
        let told = Arc::clone(&owes);
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
            owes,
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

    /// Gives databases of this process back: they are removed, if it lives to see it; else by whoever comes next. This returns
    /// when what others need of a process that ends is ordered, and where too many databases are left, when some are removed.
    pub fn leave(&self, names: Vec<String>, seats: Vec<i32>) {
        let (done, settled) = std::sync::mpsc::channel();
        let done = self.owes.load(Ordering::Relaxed).then_some(done);
        let _ = self.requests.send(Request::Leave(names, seats, done));
        let _ = settled.recv_timeout(SETTLING);
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
