//! Clones that are made before anybody asks. All that is known of them lies with the server, in their names: whatever
//! process claims one renames it, and orders another, which the server makes to the end whatever becomes of the process.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::inherited::{inherited, passes_on};
use super::lease::{self, Lease, MARK};
use super::seats::{Answer, Seats};
use super::{creation, execute, published, scalar};
use crate::error::{Doing as _, Result};
use crate::model::{literal, quoted};

/// So many clones are ready for use, of all templates of a server together.
const READY: i64 = 16;

/// With fewer, more are made: those who ask one after the other are not disturbed by the making.
pub(super) const FEW: usize = 8;

/// With more databases of dead processes than this, a process that leaves removes some before it ends. Those that live on for
/// a while do so anyway; those of quick tests end before, and a suite of them would fill the memory.
pub(super) const MANY: i64 = 32;

/// So many are made at a time: more would only wait for each other.
const MAKERS: i32 = 3;

/// The first key of the advisory locks of those who make clones: "wato".
const MAKER_SPACE: i32 = 0x7761_746f;

/// What the server has for one who wants a clone.
pub(super) struct Found {
    /// The note of the template, where it is there.
    pub(super) note: Option<String>,
    /// Whether a clone lacks what the template has.
    pub(super) passes_on: bool,
    /// The clones that are ready.
    pub(super) ready: Vec<String>,
    /// How many clones are ready, of all templates.
    pub(super) stock: usize,
    /// The databases of runs, living and dead ones.
    pub(super) used: Vec<String>,
    /// The name of the clone that was taken.
    pub(super) claimed: Option<String>,
}

impl Found {
    /// Whether there may be many that dead processes left.
    pub(super) fn many(&self) -> bool {
        i64::try_from(self.used.len()).is_ok_and(|used| used > MANY)
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

/// Asks for so many seats, and looks what there is of a template, in one round trip.
pub(super) async fn sit_and_look(
    session: &mut PgConnection,
    lease: &Lease,
    (seats, count): (&Seats, usize),
    template: &str,
) -> Result<(Answer, Found)> {
    let sql = format!("{}; {}", seats.asking(lease, count), looking(template));
    let rows = rows(session, sql).await?;
    let found = found(rows.get(1..).unwrap_or_default(), template)?;
    Ok((answer(&rows)?, found))
}

/// Looks what there is of a template.
pub(super) async fn look(session: &mut PgConnection, template: &str) -> Result<Found> {
    found(&rows(session, looking(template)).await?, template)
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

fn looking(template: &str) -> String {
    let template = literal(template);
    format!(
        "SELECT datname::text, CASE WHEN datname = {template} THEN shobj_description(oid, 'pg_database') END,
                CASE WHEN datname = {template} THEN {} ELSE false END
         FROM pg_database d WHERE datconnlimit = {MARK}",
        passes_on("d")
    )
}

fn found(rows: &[PgRow], template: &str) -> Result<Found> {
    let ready = ready(template);
    let mut found = Found {
        note: None,
        passes_on: false,
        ready: Vec::new(),
        stock: 0,
        used: Vec::new(),
        claimed: None,
    };
    for row in rows {
        let name: String = row.try_get(0).doing(CLAIMING)?;
        found.stock += usize::from(name.starts_with("watertight_ready_"));
        if name.starts_with(&ready) {
            found.ready.push(name);
        } else if lease::is_of_run(&name) {
            found.used.push(name);
        } else if name == template {
            let comment: Option<String> = row.try_get(1).doing(CLAIMING)?;
            found.note = comment.and_then(|comment| published::note(&comment));
            found.passes_on = row.try_get(2).doing(CLAIMING)?;
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
        let ready = found.ready.swap_remove(index);
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
