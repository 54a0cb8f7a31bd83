//! Clones that are made before anybody asks. All that is known of them lies with the server, in their names: whatever
//! process claims one renames it, and orders another, which the server makes to the end whatever becomes of the process.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::desk::{How, Order};
use super::inherited::{inherited, passes_on};
use super::lease::{Lease, MARK};
use super::{creation, execute, published, scalar};
use crate::error::{Doing as _, Error, Result};
use crate::model::{literal, quoted};
use crate::server;

/// So many clones are ready for use, of all templates of a server together.
const READY: i64 = 16;

/// With fewer, more are made: those who ask one after the other are not disturbed by the making.
const FEW: i64 = 8;

/// With more databases of dead processes than this, a process that leaves removes some before it ends. Those that live on for
/// a while do so anyway; those of quick tests end before, and a suite of them would fill the memory.
pub(super) const MANY: i64 = 32;

/// So many are made at a time: more would only wait for each other.
const MAKERS: i32 = 3;

/// The first key of the advisory locks of those who make clones: "wato".
const MAKER_SPACE: i32 = 0x7761_746f;

/// The first key of the advisory locks of those who claim one: "watc".
const CLAIM_SPACE: i32 = 0x7761_7463;

/// The first key of the advisory locks on connections: "wate".
const SEAT_SPACE: i32 = 0x7761_7465;

/// Connections that tests have not: sessions that claim and make databases, and people who look at them.
const RESERVED: i32 = 40;

/// What was found of a template by one who wants a clone.
pub(super) struct Found {
    /// The note of the template, where it is there.
    pub(super) note: Option<String>,
    /// Whether a clone was ready; it has the name now that was wanted for it.
    pub(super) claimed: bool,
    /// The seats that were taken; too few seats were free where there are none.
    pub(super) seats: Vec<i32>,
    /// How many seats there are at all.
    pub(super) all: i32,
    /// Whether enough clones are ready for those who come soon.
    pub(super) plenty: bool,
    /// Whether there may be many that dead processes left.
    pub(super) many: bool,
}

impl Found {
    /// Why it would be no use to wait.
    pub(super) fn refused(&self, order: &Order) -> Option<Error> {
        let (wanted, all) = (order.connections, self.all);
        (i64::from(wanted) > i64::from(all)).then(|| {
            Error::Usage(format!(
                "a test asks for {wanted} connections, and the server has {all} for tests: ask for fewer, or raise its \
                 max_connections"
            ))
        })
    }
}

/// Takes the lease, seats besides those that are held, and a clone of a template that is ready. Without seats no clone
/// is taken.
pub(super) async fn claim(
    session: &mut PgConnection,
    (lease, order): (&Lease, &Order),
    name: &str,
    held: &BTreeSet<i32>,
) -> Result<Found> {
    let ready = literal(&ready(&order.template));
    let (passes_on, inherited) = (
        passes_on(&order.template),
        literal(&inherited(&order.template, name)),
    );
    let (template, name) = (literal(&order.template), literal(name));
    let (lease, held, using) = (lease.lock(), listed(held), server::using());
    let (seats, pooled) = (order.connections, order.how == How::Ready);
    // A claimer's lock on the clone lasts until the new name can be seen; who read the old one before finds nothing by it.
    // Few statements, as most of the time goes into what a new session plans first.
    let sql = format!(
        "DO $claim$
DECLARE clone record; claimed text := ''; taken int[];
BEGIN
  PERFORM {using}, {lease};
  -- A session may take its own lock again.
  taken := ARRAY(SELECT seat FROM generate_series(1, current_setting('max_connections')::int - {RESERVED}) seat
    WHERE CASE WHEN seat = ANY ('{{{held}}}'::int[]) THEN false ELSE pg_try_advisory_lock({SEAT_SPACE}, seat) END
    LIMIT {seats});
  IF cardinality(taken) < {seats} THEN
    PERFORM pg_advisory_unlock({SEAT_SPACE}, seat) FROM unnest(taken) seat;
    taken := '{{}}';
  ELSE
    FOR clone IN SELECT oid, datname FROM pg_database
                 WHERE starts_with(datname, {ready}) AND datconnlimit = {MARK} AND {pooled} ORDER BY oid LOOP
      CONTINUE WHEN NOT pg_try_advisory_xact_lock({CLAIM_SPACE}, clone.oid::int);
      BEGIN
        EXECUTE format('ALTER DATABASE %I RENAME TO %I', clone.datname, {name});
        claimed := {name};
        EXIT;
      EXCEPTION WHEN object_in_use OR invalid_catalog_name THEN
      END;
    END LOOP;
  END IF;
  IF claimed <> '' AND {passes_on} THEN EXECUTE {inherited}; END IF;
  PERFORM set_config('watertight.claimed', claimed, false), set_config('watertight.seats', taken::text, false);
END $claim$;
SELECT (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {template}),
       current_setting('watertight.claimed') <> '', current_setting('watertight.seats')::int[],
       current_setting('max_connections')::int - {RESERVED},
       (SELECT count(*) FROM pg_database WHERE starts_with(datname, 'watertight_ready_') AND datconnlimit = {MARK}) >= {FEW},
       (SELECT count(*) FROM pg_database WHERE datconnlimit = {MARK}) > {MANY} + {READY}"
    );
    let claiming = "claim a database";
    let row = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_one(session)
        .await
        .doing(claiming)?;
    let read = || {
        let comment: Option<String> = row.try_get(0)?;
        Ok::<_, sqlx::Error>(Found {
            note: comment.and_then(|comment| published::note(&comment)),
            claimed: row.try_get(1)?,
            seats: row.try_get(2)?,
            all: row.try_get(3)?,
            plenty: row.try_get(4)?,
            many: row.try_get(5)?,
        })
    };
    read().doing(claiming)
}

/// Gives seats back.
pub(super) async fn leave(session: &mut PgConnection, seats: &[i32]) -> Result<()> {
    let sql = format!(
        "SELECT pg_advisory_unlock({SEAT_SPACE}, seat) FROM unnest('{{{}}}'::int[]) seat",
        listed(seats)
    );
    execute(session, &sql).await
}

fn listed<'a>(seats: impl IntoIterator<Item = &'a i32>) -> String {
    let seats: Vec<String> = seats.into_iter().map(ToString::to_string).collect();
    seats.join(",")
}

/// Makes clones of a template, up to so many, until enough are ready or enough others are at it.
pub(super) async fn fill(
    session: &mut PgConnection,
    template: &str,
    owner: &str,
    most: usize,
) -> Result<()> {
    let ready = ready(template);
    let maker = format!(
        "SELECT maker FROM generate_series(1, {MAKERS}) maker
         WHERE (SELECT count(*) FROM pg_database WHERE datname ~ '^watertight_ready_' AND datconnlimit = {MARK}) < {READY}
           AND EXISTS (SELECT FROM pg_database WHERE datname = {})
           AND pg_try_advisory_lock({MAKER_SPACE}, maker) LIMIT 1",
        literal(template)
    );
    for _ in 0..most {
        let maker: Option<i32> =
            scalar(session, maker.clone(), "look how many databases are ready").await?;
        let Some(maker) = maker else {
            return Ok(());
        };
        let (id, ..) = uuid::Uuid::new_v4().as_fields();
        execute(
            session,
            &creation(&format!("{ready}{id:08x}"), template, owner),
        )
        .await?;
        execute(
            session,
            &format!("SELECT pg_advisory_unlock({MAKER_SPACE}, {maker})"),
        )
        .await?;
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
