//! [`Seats`]: a bound on connections over all processes. A seat is a lock that one process has.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::desk::Order;
use super::execute;
use super::lease::Lease;
use crate::error::{Error, Result};
use crate::server;

/// The first key of the advisory locks on connections: "wate".
const SPACE: i32 = 0x7761_7465;

/// Connections that tests have not: sessions that claim and make databases, and people who look at them.
const RESERVED: i32 = 40;

/// The seats of a process.
#[derive(Default)]
pub(super) struct Seats {
    held: BTreeSet<i32>,
    /// Those that no test has: one that left just now makes room for the next without asking.
    spare: Vec<i32>,
}

/// What one is told who asks for seats.
#[derive(Default)]
pub(super) struct Answer {
    /// Those that one got; there may be fewer.
    pub(super) taken: Vec<i32>,
    /// How many seats there are at all.
    all: i32,
    /// Whether the server has nobody who ends it.
    pub(super) unwatched: bool,
}

impl Seats {
    /// How many are missing for a test that wants so many.
    pub(super) fn missing(&self, wanted: u32) -> usize {
        usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.spare.len())
    }

    /// The statement that asks for so many more, and takes the lease with the first ones. A few words, as most of its time goes
    /// into what a new session plans first.
    pub(super) fn asking(&self, lease: &Lease, count: usize) -> String {
        let (using, lease, unwatched) = (server::using(), lease.lock(), server::unwatched());
        // A session may take its own lock again.
        let held = listed(&self.held);
        format!(
            "SELECT {using}, {lease}, {unwatched}, current_setting('max_connections')::int - {RESERVED},
               ARRAY(SELECT seat FROM generate_series(1, current_setting('max_connections')::int - {RESERVED}) seat
                     WHERE CASE WHEN seat = ANY ('{{{held}}}'::int[]) THEN false ELSE pg_try_advisory_lock({SPACE}, seat) END
                     LIMIT {count})"
        )
    }

    /// So many that no test has.
    pub(super) fn take(&mut self, wanted: u32) -> Vec<i32> {
        let left = self.spare.len().saturating_sub(wanted as usize);
        self.spare.split_off(left)
    }

    /// Takes in what no test has, now or any more.
    pub(super) fn leave(&mut self, seats: Vec<i32>) {
        self.held.extend(&seats);
        self.spare.extend(seats);
    }

    /// Whether there are some that no test has.
    pub(super) fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Gives those to other processes.
    pub(super) async fn free(&mut self, session: &mut PgConnection) -> Result<()> {
        let spare = std::mem::take(&mut self.spare);
        if spare.is_empty() {
            return Ok(());
        }
        self.held.retain(|seat| !spare.contains(seat));
        let sql = format!(
            "SELECT pg_advisory_unlock({SPACE}, seat) FROM unnest('{{{}}}'::int[]) seat",
            listed(&spare)
        );
        execute(session, &sql).await
    }
}

impl Answer {
    /// Reads the row of [`Seats::asking`].
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            unwatched: row.try_get(2)?,
            all: row.try_get(3)?,
            taken: row.try_get(4)?,
        })
    }

    /// What one says who waits for others to leave.
    ///
    /// # Errors
    /// It would be no use to wait.
    pub(super) fn wait(&self, order: &Order) -> Result<String> {
        let (wanted, all) = (order.connections, self.all);
        if i64::from(wanted) > i64::from(all) {
            return Err(Error::Usage(format!(
                "a test asks for {wanted} connections, and the server has {all} for tests: ask for fewer, or raise its \
                 max_connections"
            )));
        }
        Ok(format!(
            "waiting for {wanted} connections: other tests have all {all} that the server has for tests"
        ))
    }
}

fn listed<'a>(seats: impl IntoIterator<Item = &'a i32>) -> String {
    let seats: Vec<String> = seats.into_iter().map(ToString::to_string).collect();
    seats.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_that_one_left_serve_the_next_and_are_asked_for_once() {
        let mut seats = Seats::default();
        assert_eq!(seats.missing(3), 3);
        seats.leave(vec![4, 7, 9]);
        let mut taken = seats.take(3);
        taken.sort_unstable();
        assert_eq!(
            (taken.as_slice(), seats.missing(2)),
            ([4, 7, 9].as_slice(), 2)
        );
        // What a test has is not asked for again: the session would get it.
        assert!(seats.asking(&Lease::new(), 2).contains("'{4,7,9}'"));
        seats.leave(taken);
        assert_eq!((seats.missing(4), seats.has_spare()), (1, true));
        assert_eq!(seats.take(2).len(), 2);
        assert_eq!(seats.missing(2), 1);
    }
}
