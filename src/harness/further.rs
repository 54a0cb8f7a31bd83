//! Queries in further sets of worlds (`--cases`): what one set of rows does not show another may.

use std::collections::BTreeSet;

use sqlx::Connection as _;

use super::arena::Arenas;
use super::assemble::{self, Judged};
use super::queries::Sources;
use super::{Ground, Harness, covered};
use crate::check::{self, Scene};
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Result};
use crate::generate::Seed;
use crate::model::{Focus, Query, Verdict};
use crate::server::Server;

/// The check whose cases are run again.
const QUERIES: &str = "query-interference";

/// Spreads the numbers of sets over all seeds: the golden ratio's part of 2⁶⁴.
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

impl Harness {
    /// Judges the queries in as many further sets of worlds as are asked for, each of a seed that follows from the run's.
    /// What leaks there and not before is told instead; what was the same in all of them says so. Returns what assertions
    /// acquit of it.
    pub(super) async fn judge_further(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        (ground, sources): (&Ground, &Sources),
        judged: &mut [Judged],
        progress: &dyn Fn(&str),
    ) -> Result<Vec<covered::Acquitted>> {
        let sets = self.settings.run.cases.saturating_sub(1);
        let mut acquitted = Vec::new();
        if sources.queries.is_empty() {
            return Ok(acquitted);
        }
        for set in 1..=sets {
            progress(&format!("queries in further worlds, {set} of {sets}"));
            let seed = Seed {
                number: ground
                    .seed
                    .number
                    .wrapping_add(STRIDE.wrapping_mul(set as u64)),
                ..ground.seed
            };
            // What leaks already is not looked at again: nor is it acquitted by what another set shows.
            let open = judged
                .iter()
                .filter(|one| !matches!(one.verdict, Verdict::Leaked(_)));
            let open: BTreeSet<String> = open.map(|one| one.case.object.clone()).collect();
            let work = self.one_set(
                server,
                databases,
                (ground, sources),
                (seed, &open),
                progress,
            );
            let (mut found, told) = Box::pin(work).await?;
            acquitted.push(told);
            for judged in judged.iter_mut().filter(|one| one.case.check == QUERIES) {
                let same = found
                    .iter()
                    .position(|one| one.case.object == judged.case.object);
                if let Some(position) = same {
                    learn(judged, found.swap_remove(position), (set, sets));
                }
            }
        }
        Ok(acquitted)
    }

    /// The queries' cases in the worlds of a seed, and what is acquitted of them.
    async fn one_set(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        (ground, sources): (&Ground, &Sources),
        (seed, open): (Seed, &BTreeSet<String>),
        progress: &dyn Fn(&str),
    ) -> Result<(Vec<Judged>, covered::Acquitted)> {
        let schema = &ground.schema;
        let queries: &[Query] = &sources.queries;
        let seeded = databases.clone_template(&schema.catalog).await?;
        let options = databases.administrator(&seeded);
        let mut connection = connect(&options).await?;
        let genes = self.genes_for(seed, schema, Some(queries));
        let socket = options.get_socket().is_some();
        let (worlds, _) = self
            .populate(&mut connection, schema.of_worlds(), genes, socket)
            .await?;
        connection.close().await.doing("close a connection")?;
        let ground = Ground {
            migrations: ground.migrations.clone(),
            schema: schema.clone(),
            worlds,
            seed,
            seeded,
            application: ground.application.clone(),
            timings: ground.timings,
        };
        let scene = Scene {
            catalog: &ground.schema.catalog,
            tenancy: &ground.schema.tenancy,
            worlds: &ground.worlds,
            queries,
            focus: &Focus::All,
        };
        let planned = check::find(QUERIES).map(|check| check.plan(scene));
        let mut cases = assemble::chosen(planned.unwrap_or_default(), &self.settings.run);
        cases.retain(|case| open.contains(&case.object));
        // Each organisation's own role is there for those of the first set alone.
        let per_tenant = schema
            .tenancy
            .access
            .as_ref()
            .is_some_and(|access| access.per_tenant);
        cases.retain(|case| {
            let mut attempts = case.attempts.iter();
            !per_tenant || attempts.all(|one| one.session == crate::model::Session::Owner)
        });
        let arenas = Arenas::open(self, server, databases, &ground, &cases).await?;
        let [arena, ..] = arenas.all.as_slice() else {
            return Ok((Vec::new(), covered::Acquitted::default()));
        };
        let judging = assemble::judge_cases(&arenas.all, scene, cases, &|_| false, progress);
        let (mut judged, _) = judging.await?;
        let found = self.conclude(arena, scene, (&ground, sources), &mut judged, progress);
        let acquitted = found.await?;
        Ok((judged, acquitted))
    }
}

/// What a further set shows of a query beside what is known of it.
fn learn(known: &mut Judged, found: Judged, (set, sets): (usize, usize)) {
    match (&mut known.verdict, found.verdict) {
        (_, Verdict::Leaked(mut defect)) => {
            let (set, sets) = (set + 1, sets + 1);
            defect.message = format!("{} (in set {set} of {sets} of --cases)", defect.message);
            *known = Judged {
                verdict: Verdict::Leaked(defect),
                ..found
            };
        }
        (Verdict::Held(reason), Verdict::Held(_)) if set == sets => {
            *reason = format!("{reason}, in each of {} sets", sets + 1);
        }
        _ => {}
    }
}
