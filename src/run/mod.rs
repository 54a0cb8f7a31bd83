//! Runs cases against databases: one transaction a stage, one subtransaction an attempt, everything rolled back.
//!
//! The owner's attempts share a session: the seeded database first, then world after world, each loaded in a
//! subtransaction of one transaction, which freezes `now()` over all worlds. The application's attempts log in as
//! its role; one session never sets a context, since a setting that was set once is
//! `''` afterwards and not unset.

mod session;
mod trial;

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

pub use self::trial::Trial;

use crate::database::{connect, execute};
use crate::error::{Doing, Error, Result};
use crate::load::{Layout, load};
use crate::model::{
    Access, Attempt, Case, Catalog, Context, Dataset, Observation, Session, Stage, Worlds,
};

/// Where cases run.
#[derive(Clone, Debug)]
pub struct Arena<'a> {
    /// The seeded database, as the owner with row-level security out of the way.
    pub seeded: PgConnectOptions,
    /// A migrated database without rows, as the same.
    pub blank: PgConnectOptions,
    /// The seeded database as the application's role, where that is configured.
    pub application: Option<PgConnectOptions>,
    /// How the application acts as one tenant.
    pub access: Option<&'a Access>,
    /// The schema.
    pub catalog: &'a Catalog,
    /// The rows.
    pub worlds: &'a Worlds,
    /// The bound on a statement, in seconds.
    pub timeout: u32,
}

impl<'a> Arena<'a> {
    fn layout(&self) -> Layout<'a> {
        Layout {
            catalog: self.catalog,
            order: &self.worlds.order,
            late: &self.worlds.late,
            socket: self.blank.get_socket().is_some(),
        }
    }
}

/// An attempt: the numbers of its case and of itself within it.
type Place = (usize, usize);

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
    let mut groups: BTreeMap<(Session, Stage, bool), Vec<Place>> = BTreeMap::new();
    for (c, case) in cases.iter().enumerate() {
        for (a, attempt) in case.attempts.iter().enumerate() {
            let unset = attempt.context == Context::Unset;
            let key = (attempt.session, attempt.stage, unset);
            groups.entry(key).or_default().push((c, a));
        }
    }
    let of = |places: &[Place]| {
        places
            .iter()
            .map(|(c, a)| &cases[*c].attempts[*a])
            .collect::<Vec<_>>()
    };
    let tell = |session, stage, places: &[Place]| progress(&describe(session, stage, places.len()));
    // Three tracks that share nothing but the server: the seeded database as its owner, and as the application, and
    // the worlds one after the other.
    let mut owner = Vec::new();
    let mut application = Vec::new();
    let mut worlds = Vec::new();
    for ((session, stage, unset), places) in groups {
        match (session, stage) {
            (Session::Application, _) => application.push((stage, unset, places)),
            (Session::Owner, Stage::Seeded) => owner.push((stage, unset, places)),
            (Session::Owner, Stage::World { .. }) => worlds.push((stage, unset, places)),
        }
    }
    let on_seeded = async {
        let mut found = Vec::new();
        for (stage, _, places) in owner {
            tell(Session::Owner, stage, &places);
            let seen = Owner::default().run(arena, stage, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        Ok::<_, Error>(found)
    };
    let in_worlds = async {
        let mut found = Vec::new();
        let mut session = Owner::default();
        for (stage, _, places) in worlds {
            tell(Session::Owner, stage, &places);
            let seen = session.run(arena, stage, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        session.close().await?;
        Ok::<_, Error>(found)
    };
    let as_application = async {
        let mut found = Vec::new();
        for (stage, unset, places) in application {
            tell(Session::Application, stage, &places);
            let seen = self::application(arena, unset, of(&places)).await?;
            found.extend(places.into_iter().zip(seen));
        }
        Ok::<_, Error>(found)
    };
    let (on_seeded, in_worlds, as_application) =
        tokio::try_join!(on_seeded, in_worlds, as_application)?;
    let mut observations: Vec<Vec<Observation>> = cases
        .iter()
        .map(|case| vec![Observation::default(); case.attempts.len()])
        .collect();
    for ((c, a), seen) in on_seeded.into_iter().chain(in_worlds).chain(as_application) {
        observations[c][a] = seen;
    }
    Ok(observations)
}

fn describe(session: Session, stage: Stage, attempts: usize) -> String {
    let what = match (session, stage) {
        (Session::Application, _) => "as the application".to_owned(),
        (Session::Owner, Stage::Seeded) => "on the seeded database".to_owned(),
        (Session::Owner, Stage::World { kind, layout }) => {
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
    worlds: Option<PgConnection>,
}

impl Owner {
    async fn run(
        &mut self,
        arena: &Arena<'_>,
        stage: Stage,
        attempts: Vec<&Attempt>,
    ) -> Result<Vec<Observation>> {
        let mut found = Vec::with_capacity(attempts.len());
        let mut losses = 0;
        while found.len() < attempts.len() && losses < RECONNECTS {
            let mut connection = match (stage, self.worlds.take()) {
                (Stage::World { .. }, Some(connection)) => connection,
                (Stage::World { .. }, None) => open(&arena.blank, arena.timeout).await?,
                (Stage::Seeded, _) => open(&arena.seeded, arena.timeout).await?,
            };
            execute(&mut connection, "SAVEPOINT watertight_stage").await?;
            if let Stage::World { kind, layout } = stage {
                enter(&mut connection, arena, kind, layout).await?;
            }
            let mut alive = true;
            while alive && found.len() < attempts.len() {
                let attempt = attempts[found.len()];
                let (observation, lives) =
                    session::attempt(&mut connection, &attempt.statements).await;
                alive = lives;
                found.push(observation);
            }
            if !alive {
                losses += 1;
            } else if let Stage::World { .. } = stage {
                execute(&mut connection, "ROLLBACK TO SAVEPOINT watertight_stage").await?;
                self.worlds = Some(connection);
            } else {
                connection.close().await.doing("close a connection")?;
            }
        }
        found.resize(attempts.len(), session::given_up());
        Ok(found)
    }

    async fn close(self) -> Result<()> {
        match self.worlds {
            Some(connection) => connection.close().await.doing("close a connection"),
            None => Ok(()),
        }
    }
}

/// Opens a session and its one transaction.
async fn open(options: &PgConnectOptions, timeout: u32) -> Result<PgConnection> {
    let mut connection = connect(options).await?;
    session::bound(&mut connection, timeout).await?;
    execute(&mut connection, "BEGIN").await?;
    Ok(connection)
}

/// Loads a world: the acting tenant's rows first, in one of several orders, then everyone else's.
async fn enter(
    connection: &mut PgConnection,
    arena: &Arena<'_>,
    kind: crate::model::WorldKind,
    layout: usize,
) -> Result<()> {
    // Not undone by a rollback: set alike for every world.
    for sequence in &arena.catalog.sequences {
        execute(connection, &format!("SELECT {}", sequence.restart())).await?;
    }
    let loaded = arena.worlds.loaded(kind, layout);
    let datasets: Vec<&Dataset> = loaded.iter().map(AsRef::as_ref).collect();
    load_all(connection, arena.layout(), &datasets).await
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

/// Runs the application's attempts, logged in as its role. What one sets for its transaction ends with its
/// subtransaction.
async fn application(
    arena: &Arena<'_>,
    unset: bool,
    attempts: Vec<&Attempt>,
) -> Result<Vec<Observation>> {
    let Some(options) = &arena.application else {
        return Err(Error::Server(
            "no role of the application is configured".to_owned(),
        ));
    };
    let mut found = Vec::with_capacity(attempts.len());
    let mut losses = 0;
    while found.len() < attempts.len() && losses < RECONNECTS {
        let mut connection = open(options, arena.timeout).await?;
        let mut alive = true;
        while alive && found.len() < attempts.len() {
            let attempt = attempts[found.len()];
            let mut statements: Vec<String> = Vec::new();
            if let (false, Context::Tenant(tenant)) = (unset, &attempt.context) {
                let access = arena.access.into_iter();
                statements.extend(access.flat_map(|access| access.statements(tenant)));
            }
            let before = statements.len();
            statements.extend(attempt.statements.iter().cloned());
            let (mut observation, lives) = session::attempt(&mut connection, &statements).await;
            alive = lives;
            session::forget(&mut observation, before);
            found.push(observation);
        }
        losses += usize::from(!alive);
    }
    found.resize(attempts.len(), session::given_up());
    Ok(found)
}
