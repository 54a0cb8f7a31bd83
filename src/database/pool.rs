//! Clones that are made before anybody asks. All that is known of them lies with the server, in their names: whatever
//! process claims one renames it, and orders another, which the server makes to the end whatever becomes of the process.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::inherited::{PASSES_ON, inherited};
use super::lease::{self, Lease, MARK};
use super::seats::{Answer, Seats};
use super::{creation, execute, published, scalar};
use crate::error::{Doing as _, Result};
use crate::model::{literal, quoted};
use crate::server::{Server, recalled, remember};

/// So many clones are ready for use, of all templates of a server together.
const READY: i64 = 16;

/// With fewer, more are made: those who ask one after the other are not disturbed by the making.
pub(super) const FEW: usize = 8;

/// With more databases of dead processes than this, a process that leaves removes some before it ends. Those that live on for
/// a while do so anyway; those of quick tests end before, and a suite of them would fill the memory.
pub(super) const MANY: usize = 32;

/// So many are made at a time: more would only wait for each other.
const MAKERS: i32 = 3;

/// After so many clones [`vacuum`] is called. Databases are numbered one by one.
const TURN: i64 = 32;

/// The first key of the advisory locks of those who make clones: "wato".
const MAKER_SPACE: i32 = 0x7761_746f;

/// What the server has for one who wants a clone.
pub(super) struct Found {
    /// The template's number, which no other database of the server ever has.
    template: Option<i64>,
    /// The note of the template, where it is there.
    pub(super) note: Option<String>,
    /// Whether a clone lacks what the template has.
    pub(super) passes_on: bool,
    /// The clones that are ready, and their numbers.
    ready: Vec<(String, i64)>,
    /// How many clones are ready, of all templates.
    pub(super) stock: usize,
    /// The databases of runs, living and dead ones.
    pub(super) used: Vec<String>,
    /// The name of the clone that was taken.
    pub(super) claimed: Option<String>,
    /// Whether it is this clone's turn to have [`vacuum`] called.
    pub(super) turn: bool,
}

impl Found {
    /// With what there is to know of the template. It stays as it was published, so that the first to ask tells the others.
    async fn known(mut self, session: &mut PgConnection, server: &Server) -> Result<Self> {
        let Some(template) = self.template else {
            return Ok(self);
        };
        let server = server.own_name();
        let place = server.map(|server| format!("template-{server}-{template}"));
        let told = place.as_deref().and_then(recalled);
        if let Some((sign, note)) = told.as_deref().and_then(|told| told.split_at_checked(1)) {
            self.passes_on = sign == "+";
            self.note = Some(note.to_owned());
            return Ok(self);
        }
        let sql = format!(
            "SELECT shobj_description(oid, 'pg_database'), {PASSES_ON} FROM pg_database d WHERE oid = {template}"
        );
        for row in rows(session, sql).await? {
            let comment: Option<String> = row.try_get(0).doing(CLAIMING)?;
            self.note = comment.and_then(|comment| published::note(&comment));
            self.passes_on = row.try_get(1).doing(CLAIMING)?;
        }
        if let (Some(place), Some(note)) = (place, &self.note) {
            let sign = if self.passes_on { '+' } else { '-' };
            remember(&place, &format!("{sign}{note}"));
        }
        Ok(self)
    }
}

/// Asks for so many seats.
pub(super) async fn sit(
    session: &mut PgConnection,
    lease: &Lease,
    seats: &Seats,
    count: usize,
) -> Result<Answer> {
    answer(&rows(session, seats.asking(lease, count)).await?)
}

/// Asks for so many seats, and looks what there is of a template, in one round trip where that is known already.
pub(super) async fn sit_and_look(
    (session, server): (&mut PgConnection, &Server),
    lease: &Lease,
    (seats, count): (&Seats, usize),
    template: &str,
) -> Result<(Answer, Found)> {
    let sql = format!("{}; {}", seats.asking(lease, count), looking());
    let rows = rows(session, sql).await?;
    let found = found(rows.get(1..).unwrap_or_default(), template)?;
    Ok((answer(&rows)?, found.known(session, server).await?))
}

/// Looks what there is of a template.
pub(super) async fn look(
    session: &mut PgConnection,
    server: &Server,
    template: &str,
) -> Result<Found> {
    let found = found(&rows(session, looking()).await?, template)?;
    found.known(session, server).await
}

const CLAIMING: &str = "claim a database";

async fn rows(session: &mut PgConnection, sql: String) -> Result<Vec<PgRow>> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(session)
        .await
        .doing(CLAIMING)
}

fn answer(rows: &[PgRow]) -> Result<Answer> {
    let row = rows.first().ok_or(sqlx::Error::RowNotFound);
    row.and_then(Answer::read).doing(CLAIMING)
}

fn looking() -> String {
    format!("SELECT datname::text, oid::int8 FROM pg_database WHERE datconnlimit = {MARK}")
}

fn found(rows: &[PgRow], template: &str) -> Result<Found> {
    let ready = ready(template);
    let mut found = Found {
        template: None,
        note: None,
        passes_on: false,
        ready: Vec::new(),
        stock: 0,
        used: Vec::new(),
        claimed: None,
        turn: false,
    };
    for row in rows {
        let name: String = row.try_get(0).doing(CLAIMING)?;
        found.stock += usize::from(name.starts_with("watertight_ready_"));
        if name.starts_with(&ready) {
            found.ready.push((name, row.try_get(1).doing(CLAIMING)?));
        } else if lease::is_of_run(&name) {
            found.used.push(name);
        } else if name == template {
            found.template = Some(row.try_get(1).doing(CLAIMING)?);
        }
    }
    Ok(found)
}

/// Takes one of the clones that are ready, where there are some, and gives it a name.
pub(super) async fn take(
    session: &mut PgConnection,
    found: &mut Found,
    (template, name): (&str, String),
) -> Result<()> {
    // Not the one that everybody takes who comes now.
    let (mut at, ..) = uuid::Uuid::new_v4().as_fields();
    while !found.ready.is_empty() {
        let index = usize::try_from(at).unwrap_or_default() % found.ready.len();
        let (ready, number) = found.ready.swap_remove(index);
        at = at.rotate_left(7);
        let sql = format!(
            "ALTER DATABASE {} RENAME TO {}",
            quoted(&ready),
            quoted(&name)
        );
        let renamed = session.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        found.stock = found.stock.saturating_sub(1);
        match renamed {
            Ok(_) => {
                if found.passes_on {
                    execute(session, &inherited(template, &name)).await?;
                }
                found.claimed = Some(name);
                found.turn = number % TURN == 0;
                return Ok(());
            }
            // Somebody else took it, or looks at it.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some(TAKEN | LOOKED_AT)) => {}
            Err(error) => return Err(error).doing(CLAIMING),
        }
    }
    Ok(())
}

/// `invalid_catalog_name`
const TAKEN: &str = "3D000";

/// `object_in_use`
const LOOKED_AT: &str = "55006";

/// Removes what is dead of what the server knows of all its databases. On a server of our own nothing else does, and after a
/// thousand databases that were made and dropped everything that looks for one would take twice as long.
pub(super) async fn vacuum(session: &mut PgConnection) -> Result<()> {
    let sql = "VACUUM (SKIP_LOCKED) pg_catalog.pg_database, pg_catalog.pg_shdepend";
    execute(session, sql).await
}

/// Makes a clone of a template.
pub(super) async fn make_ready(
    session: &mut PgConnection,
    template: &str,
    owner: &str,
) -> Result<()> {
    let (id, ..) = uuid::Uuid::new_v4().as_fields();
    let name = format!("{}{id:08x}", ready(template));
    execute(session, &creation(&name, template, owner)).await
}

/// Makes clones of a template until enough are ready or enough others are at it.
pub(super) async fn fill(session: &mut PgConnection, template: &str, owner: &str) -> Result<()> {
    let maker = format!(
        "SELECT maker FROM generate_series(1, {MAKERS}) maker
         WHERE (SELECT count(*) FROM pg_database WHERE datname ~ '^watertight_ready_' AND datconnlimit = {MARK}) < {READY}
           AND EXISTS (SELECT FROM pg_database WHERE datname = {})
           AND pg_try_advisory_lock({MAKER_SPACE}, maker) LIMIT 1",
        literal(template)
    );
    let looking = "look how many databases are ready";
    while let Some(maker) = scalar::<i32>(session, maker.clone(), looking).await? {
        make_ready(session, template, owner).await?;
        let unlock = format!("SELECT pg_advisory_unlock({MAKER_SPACE}, {maker})");
        execute(session, &unlock).await?;
    }
    Ok(())
}

/// The condition for clones that are ready, of templates that are gone: nobody will claim them.
pub(super) fn orphaned() -> String {
    format!(
        "datname ~ '^watertight_ready_[0-9a-f]{{16}}_' AND (datconnlimit = -2 OR datconnlimit = {MARK} AND NOT EXISTS (
           SELECT FROM pg_database t WHERE t.datname = 'watertight_template_' || substr(d.datname, 18, 16)))"
    )
}

/// Removes those.
pub(super) async fn remove_orphans(session: &mut PgConnection) -> Result<()> {
    let sql = format!(
        "SELECT datname::text FROM pg_database d WHERE {}",
        orphaned()
    );
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut *session)
        .await
        .doing("look for databases that nobody will claim")?;
    for name in names {
        execute(
            session,
            &format!("DROP DATABASE IF EXISTS {}", quoted(&name)),
        )
        .await?;
    }
    Ok(())
}

/// What the names of a template's ready clones begin with.
fn ready(template: &str) -> String {
    let digest = template.rsplit('_').next().unwrap_or_default();
    format!("watertight_ready_{digest}_")
}
