//! Mutants of queries: all of them together, over the original's worlds.

use std::collections::BTreeMap;

use super::bench::Bench;
use super::fate::Seen;
use super::stage::tried;
use crate::check::Scene;
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Result};
use crate::model::{Fate, Focus, Named, Query, Tried};
use crate::mutate::{Change, Mutant};
use sqlx::Connection as _;

/// So many are tried at once: what a message to the server may hold is bounded.
const TOGETHER: usize = 150;

impl Bench<'_> {
    /// Sees what notices each. Where some keep the harness from its work, they are tried in halves, down to the one that does.
    pub(super) async fn try_queries(
        &self,
        mutants: &[&Mutant],
        progress: &dyn Fn(&str),
    ) -> Result<Vec<Tried>> {
        let databases =
            Databases::open(self.server, self.harness.settings().run.migrate_as).await?;
        let mut found = Vec::new();
        let mut open: Vec<&[&Mutant]> = mutants.chunks(TOGETHER).rev().collect();
        while let Some(some) = open.pop() {
            let all = mutants.len();
            progress(&format!("mutants of queries: {} of {all}", found.len()));
            match (self.try_some(&databases, some).await, some) {
                (Ok(tried), _) => found.extend(tried),
                (Err(error), [one]) => found.push(tried(one, Fate::Failed(error.to_string()))),
                (Err(_), _) => {
                    let (first, rest) = some.split_at(some.len() / 2);
                    open.extend([rest, first]);
                }
            }
        }
        databases.remove().await?;
        Ok(found)
    }

    async fn try_some(&self, databases: &Databases<'_>, mutants: &[&Mutant]) -> Result<Vec<Tried>> {
        let mut queries: Vec<Query> = Vec::new();
        let mut connection = connect(&databases.administrator(&self.ground.seeded)).await?;
        let mut refused: BTreeMap<String, String> = BTreeMap::new();
        for mutant in mutants {
            let Change::Query(query) = &mutant.change else {
                continue;
            };
            let mut query = query.as_ref().clone();
            super::super::queries::describe(&mut connection, &mut query).await?;
            match query.problem.take() {
                Some(why) => {
                    refused.insert(query.object.clone(), why);
                }
                None => queries.push(query),
            }
        }
        let schema = &self.ground.schema;
        let known = (&schema.catalog, &schema.tenancy);
        super::super::computed::compute(&mut connection, known, &mut queries).await?;
        connection.close().await.doing("close a connection")?;
        let objects = queries.iter().map(|query| query.object.clone());
        let focus = Focus::Objects(objects.collect());
        let scene = Scene {
            catalog: &self.ground.schema.catalog,
            tenancy: &self.ground.schema.tenancy,
            worlds: &self.ground.worlds,
            queries: &queries,
            focus: &focus,
        };
        let place = self.original();
        let seen = self.judge(databases, &place, scene).await?;
        let tried = mutants.iter().map(|mutant| {
            let object = &mutant.named[0];
            match refused.get(object) {
                Some(why) => tried(mutant, Fate::Unmade(why.clone())),
                None => judged(mutant, object, &seen),
            }
        });
        Ok(tried.collect())
    }
}

fn judged(mutant: &Mutant, object: &str, seen: &Seen) -> Tried {
    let of = Seen {
        findings: seen
            .findings
            .iter()
            .filter(|one| one.object == object)
            .cloned()
            .collect(),
        inconclusive: seen
            .inconclusive
            .iter()
            .filter(|one| one.object == object)
            .cloned()
            .collect(),
        ..Seen::default()
    };
    // All are of this one query: what it costs beside what it leaks is no second object.
    let named = of.findings.first().map(|finding| Named {
        object: true,
        place: finding.place.is_some(),
        ..Named::default()
    });
    // What never works is no query that anybody ships.
    let broken = of.inconclusive.first().filter(|one| {
        let reason = one.reason.as_str();
        of.findings.is_empty() && reason.starts_with("it failed with every binding")
    });
    if let Some(broken) = broken {
        return tried(mutant, Fate::Unmade(broken.reason.clone()));
    }
    let fate = match (of.fate(), mutant.equivalent) {
        (Fate::Survived, Some(why)) => Fate::Equivalent(why.to_owned()),
        (fate, _) => fate,
    };
    Tried {
        noticed: of.noticed(),
        named,
        ..tried(mutant, fate)
    }
}
