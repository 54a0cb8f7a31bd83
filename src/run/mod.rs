//! Runs cases against databases: one transaction a stage, one subtransaction an attempt, everything rolled back.
//!
//! The owner's attempts share a session: the seeded database first, then world after world, each loaded in a
//! subtransaction of one transaction, which freezes `now()` over all worlds. The application's attempts log in as
//! its role; one session never sets a context, since a setting that was set once is
//! `''` afterwards and not unset.

mod batch;
mod beside;
mod session;
mod trial;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

pub use self::session::Late;
use self::session::{Script, Session};
pub use self::trial::Trial;
use crate::database::execute;
use crate::error::{Doing, Error, Result};
use crate::load::{Layout, load};
use crate::model::{
    Access, Attempt, Case, Catalog, Context, Dataset, Observation, Session as Login, Stage,
    Tenancy, WorldKind, Worlds, others_first, permuted, planner,
};

/// Where cases run.
#[derive(Clone, Debug)]
pub struct Arena<'a> {
    /// The seeded database, as the owner with row-level security out of the way.
    pub seeded: PgConnectOptions,
    /// A migrated database without rows, as the same.
    pub blank: PgConnectOptions,
    /// Another with the same rows, as the application's role, where that is configured. Where it is the seeded one
    /// itself, the application waits until the owner is done: it would else wait for rows that the owner's attempts hold.
    pub application: Option<PgConnectOptions>,
    /// The application's through a pooler in transaction mode, with one connection to the server; or why there is none.
    pub pooled: std::result::Result<PgConnectOptions, String>,
    /// One more with the same rows, as the owner, where something is committed.
    pub thrown: Option<PgConnectOptions>,
    /// How the application acts as one tenant.
    pub access: Option<&'a Access>,
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// The rows.
    pub worlds: &'a Worlds,
    /// What puts policies of the harness's own in place of the user's ([`Stage::Shadowed`]); rolled back.
    pub shadow: Vec<String>,
    /// The bound on a statement, in seconds.
    pub timeout: u32,
    /// The queries that take longer.
    pub late: Late,
}

impl<'a> Arena<'a> {
    /// The owner and the application work in one database.
    fn is_shared(&self) -> bool {
        let application = self.application.as_ref();
        application.is_some_and(|options| options.get_database() == self.seeded.get_database())
    }

    fn layout(&self) -> Layout<'a> {
        let socket = self.blank.get_socket().is_some();
        Layout::of(self.catalog, self.tenancy, self.worlds, socket)
    }
}

/// An attempt: the numbers of its case and of itself within it.
type Place = (usize, usize);

/// The object of a case, and an attempt on it.
type Trying<'a> = (&'a str, &'a Attempt);

/// A stage that loses its connection so often is given up: what its other attempts would say is not known.
const RECONNECTS: usize = 3;

/// Runs all attempts of all cases; the observations are in their order.
///
/// # Errors
/// What is not about an attempt: a database that can't be reached or loaded.
pub async fn run(
    arena: &Arena<'_>,
    cases: &[Case],
    progress: &dyn Fn(&str),
) -> Result<Vec<Vec<Observation>>> {
    let mut groups: BTreeMap<(Login, Stage, bool), Vec<Place>> = BTreeMap::new();
    // Cases share controls. As everything is rolled back, what was tried once need not be tried again.
    let mut first: HashMap<Told<'_>, Place> = HashMap::new();
    let mut again: Vec<(Place, Place)> = Vec::new();
    for (c, case) in cases.iter().enumerate() {
        for (a, attempt) in case.attempts.iter().enumerate() {
            match first.entry(told(attempt)) {
                Entry::Occupied(before) => again.push((*before.get(), (c, a))),
                Entry::Vacant(new) => {
                    new.insert((c, a));
                    let unset = attempt.context == Context::Unset;
                    let key = (attempt.session, attempt.stage, unset);
                    groups.entry(key).or_default().push((c, a));
                }
            }
        }
    }
    let of = |places: &[Place]| {
        places
            .iter()
            .map(|(c, a)| (cases[*c].object.as_str(), &cases[*c].attempts[*a]))
            .collect::<Vec<_>>()
    };
    let tell = |session, stage, places: &[Place]| progress(&describe(session, stage, places.len()));
    // Three tracks that share nothing but the server: the seeded database as its owner, and as the application, and
    // the worlds one after the other.
    let mut owner = Vec::new();
    let mut application = Vec::new();
    let mut worlds = Vec::new();
    let mut committed = Vec::new();
    for ((session, stage, unset), places) in groups {
        match (session, stage) {
            (_, Stage::Thrown | Stage::Beside { .. }) => committed.extend(places),
            (Login::Application, _) => application.push((stage, unset, places)),
            (Login::Owner, Stage::Seeded | Stage::Shadowed) => owner.push((stage, unset, places)),
            (Login::Owner, Stage::World { .. }) => worlds.push((stage, unset, places)),
        }
    }
    // Worlds that share what is loaded first come one after the other.
    worlds.sort_by_key(|(stage, unset, _)| match stage {
        Stage::World { kind, layout } => (common(*kind, *layout), *kind, *unset),
        _ => (None, WorldKind::Absent, *unset),
    });
    let on_seeded = async {
        let mut found = Vec::new();
        for (stage, _, places) in owner {
            tell(Login::Owner, stage, &places);
            let seen = Owner::default().run(arena, stage, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        Ok::<_, Error>(found)
    };
    let in_worlds = async {
        let mut found = Vec::new();
        let mut session = Owner::default();
        for (stage, _, places) in worlds {
            tell(Login::Owner, stage, &places);
            let seen = session.run(arena, stage, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        session.close().await?;
        Ok::<_, Error>(found)
    };
    let as_application = async {
        let mut found = Vec::new();
        for (stage, unset, places) in application {
            tell(Login::Application, stage, &places);
            let seen = self::application(arena, unset, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        Ok::<_, Error>(found)
    };
    let for_good = async {
        if !committed.is_empty() {
            tell(Login::Owner, Stage::Thrown, &committed);
        }
        let seen = self::committed(arena, of(&committed)).await?;
        Ok::<_, Error>(committed.iter().copied().zip(seen).collect::<Vec<_>>())
    };
    let with_rows = Box::pin(async {
        if arena.is_shared() {
            return Ok((on_seeded.await?, as_application.await?, for_good.await?));
        }
        tokio::try_join!(on_seeded, as_application, for_good)
    });
    let ((on_seeded, as_application, for_good), in_worlds) =
        tokio::try_join!(with_rows, in_worlds)?;
    let mut observations: Vec<Vec<Observation>> = cases
        .iter()
        .map(|case| vec![Observation::default(); case.attempts.len()])
        .collect();
    let all = on_seeded.into_iter().chain(in_worlds);
    for ((c, a), seen) in all.chain(as_application).chain(for_good) {
        observations[c][a] = seen;
    }
    for ((c, a), (later, number)) in again {
        observations[later][number] = observations[c][a].clone();
    }
    Ok(observations)
}

/// All of an attempt that what is observed depends on.
type Told<'a> = (Login, Stage, &'a Context, &'a [String], Option<&'a str>);

fn told(attempt: &Attempt) -> Told<'_> {
    (
        attempt.session,
        attempt.stage,
        &attempt.context,
        &attempt.statements,
        attempt.witness.as_deref(),
    )
}

fn describe(session: Login, stage: Stage, attempts: usize) -> String {
    let what = match (session, stage) {
        (Login::Application, _) => "as the application".to_owned(),
        (Login::Owner, Stage::Seeded) => "on the seeded database".to_owned(),
        (Login::Owner, Stage::Shadowed) => {
            "on the seeded database under policies of the harness's own".to_owned()
        }
        (Login::Owner, Stage::Thrown) => "on a copy that is thrown away".to_owned(),
        (Login::Owner, Stage::Beside { .. }) => "beside another client".to_owned(),
        (Login::Owner, Stage::World { kind, layout }) => {
            format!(
                "in the world where the others are {}, layout {layout}",
                kind.word()
            )
        }
    };
    format!("{attempts} attempts {what}")
}

/// The owner's session, which goes from world to world in one transaction.
#[derive(Default)]
struct Owner {
    worlds: Option<Session>,
    /// The layout of the acting tenant's rows that are there, under a savepoint of their own.
    common: Option<usize>,
}

impl Owner {
    async fn run(
        &mut self,
        arena: &Arena<'_>,
        stage: Stage,
        attempts: Vec<Trying<'_>>,
    ) -> Result<Vec<Observation>> {
        let scripts: Vec<Script<'_>> = attempts
            .iter()
            .map(|(about, attempt)| Script {
                statements: attempt.statements.clone(),
                witness: attempt.witness.as_deref(),
                about,
            })
            .collect();
        let mut found = Vec::with_capacity(attempts.len());
        let mut losses = 0;
        while found.len() < attempts.len() && losses < RECONNECTS {
            let mut session = match (stage, self.worlds.take()) {
                (Stage::World { .. }, Some(session)) => session,
                (Stage::World { .. }, None) => {
                    self.common = None;
                    let mut session = Session::open(&arena.blank, arena).await?;
                    let connection = &mut session.connection;
                    execute(connection, "SAVEPOINT watertight_stage").await?;
                    session
                }
                (Stage::Shadowed, _) => {
                    let mut session = Session::open(&arena.seeded, arena).await?;
                    let policies = arena.shadow.join(";\n");
                    if execute(&mut session.connection, &policies).await.is_err() {
                        // A type that can't be compared, a lock: what would have been seen is not known.
                        break;
                    }
                    session
                }
                (Stage::Seeded | Stage::Thrown | Stage::Beside { .. }, _) => {
                    Session::open(&arena.seeded, arena).await?
                }
            };
            session.batches = losses == 0;
            if let Stage::World { kind, layout } = stage {
                self.enter(&mut session, arena, kind, layout).await?;
                // Undone where the next world goes back to the savepoint.
                execute(&mut session.connection, planner(kind, layout)).await?;
            }
            let (seen, alive) = session.run(&scripts[found.len()..]).await;
            found.extend(seen);
            if !alive {
                losses += 1;
            } else if let Stage::World { .. } = stage {
                self.worlds = Some(session);
            } else {
                session
                    .connection
                    .close()
                    .await
                    .doing("close a connection")?;
            }
        }
        found.resize(attempts.len(), session::given_up());
        Ok(found)
    }

    /// Loads a world: the acting tenant's rows first, in one of several orders, then everyone else's. Where its own
    /// rows are there from the world before, they stay.
    async fn enter(
        &mut self,
        session: &mut Session,
        arena: &Arena<'_>,
        kind: WorldKind,
        layout: usize,
    ) -> Result<()> {
        session.forget_rows();
        let connection = &mut session.connection;
        // Not undone by a rollback: set alike for every world.
        for sequence in &arena.catalog.sequences {
            execute(connection, &format!("SELECT {}", sequence.restart())).await?;
        }
        let wanted = common(kind, layout);
        let others = arena.worlds.others(kind);
        if wanted.is_some() && self.common == wanted {
            execute(connection, "ROLLBACK TO SAVEPOINT watertight_common").await?;
            return load_all(connection, arena.layout(), &others).await;
        }
        execute(connection, "ROLLBACK TO SAVEPOINT watertight_stage").await?;
        self.common = wanted;
        if wanted.is_none() {
            let all = arena.worlds.loaded(kind, layout);
            let all: Vec<&Dataset> = all.iter().map(AsRef::as_ref).collect();
            return load_all(connection, arena.layout(), &all).await;
        }
        let acting = permuted(&arena.worlds.acting, layout);
        load_all(connection, arena.layout(), &[&arena.worlds.shared, &acting]).await?;
        execute(connection, "SAVEPOINT watertight_common").await?;
        load_all(connection, arena.layout(), &others).await
    }

    async fn close(self) -> Result<()> {
        match self.worlds {
            Some(session) => session.connection.close().await.doing("close a connection"),
            None => Ok(()),
        }
    }
}

/// The layout of the acting tenant's rows where they are loaded first.
fn common(kind: WorldKind, layout: usize) -> Option<usize> {
    (!others_first(kind, layout)).then_some(layout)
}

/// Loads data sets that were loaded before; a refusal now is the harness's failure.
///
/// # Errors
/// [`Error::Server`] when rows are refused that were accepted before.
pub async fn load_all(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    datasets: &[&Dataset],
) -> Result<()> {
    match load(connection, layout, datasets).await?.first() {
        None => Ok(()),
        Some(refused) => Err(Error::Server(format!(
            "rows of {} that were accepted before are refused now: {}",
            refused.table, refused.message
        ))),
    }
}

/// Runs attempts that begin and end transactions themselves: the owner's in one session, and the application's each in one
/// of its own, as it is about what a session keeps.
async fn committed(arena: &Arena<'_>, attempts: Vec<Trying<'_>>) -> Result<Vec<Observation>> {
    let mut found = Vec::with_capacity(attempts.len());
    let mut owner: Option<PgConnection> = None;
    for (_, attempt) in attempts {
        if let Stage::Beside { first, pooled } = attempt.stage {
            found.push(beside::run(arena, &attempt.statements, (first, pooled)).await?);
            continue;
        }
        let applies = attempt.session == Login::Application;
        let mut connection = match owner.take() {
            Some(connection) if !applies => connection,
            other => {
                owner = other;
                let options = if applies {
                    &arena.application
                } else {
                    &arena.thrown
                };
                let Some(options) = options else {
                    return Err(Error::Server(
                        "there is no copy of the database to commit to".to_owned(),
                    ));
                };
                session::bounded(options, arena.timeout).await?
            }
        };
        found.push(session::once(&mut connection, &attempt.statements).await?);
        if applies {
            connection.close().await.doing("close a connection")?;
        } else {
            owner = Some(connection);
        }
    }
    if let Some(connection) = owner {
        connection.close().await.doing("close a connection")?;
    }
    Ok(found)
}

/// Runs the application's attempts, logged in as its role. What one sets for its transaction ends with its
/// subtransaction.
async fn application(
    arena: &Arena<'_>,
    unset: bool,
    attempts: Vec<Trying<'_>>,
) -> Result<Vec<Observation>> {
    let Some(options) = &arena.application else {
        return Err(Error::Server(
            "no role of the application is configured".to_owned(),
        ));
    };
    let mut prefixes = Vec::with_capacity(attempts.len());
    let mut scripts = Vec::with_capacity(attempts.len());
    for (about, attempt) in attempts {
        let mut statements: Vec<String> = Vec::new();
        if let (false, Context::Tenant(tenant)) = (unset, &attempt.context) {
            let access = arena.access.into_iter();
            statements.extend(access.flat_map(|access| access.statements(tenant)));
        }
        prefixes.push(statements.len());
        statements.extend(attempt.statements.iter().cloned());
        scripts.push(Script {
            statements,
            witness: attempt.witness.as_deref(),
            about,
        });
    }
    let mut found = Vec::with_capacity(scripts.len());
    let mut losses = 0;
    while found.len() < scripts.len() && losses < RECONNECTS {
        let mut session = Session::open(options, arena).await?;
        session.batches = losses == 0;
        let (seen, alive) = session.run(&scripts[found.len()..]).await;
        found.extend(seen);
        if alive {
            let closed = session.connection.close().await;
            closed.doing("close a connection")?;
        } else {
            losses += 1;
        }
    }
    for (observation, before) in found.iter_mut().zip(prefixes) {
        session::forget(observation, before);
    }
    found.resize(scripts.len(), session::given_up());
    Ok(found)
}
