//! Mutants of queries: all of them together, over the original's worlds.

use std::collections::BTreeMap;

use super::bench::{Bench, Place};
use super::fate::Seen;
use super::stage::tried;
use crate::check::Scene;
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Result};
use crate::model::{Fate, Named, Query, Tried};
use crate::mutate::{Change, Mutant};
use sqlx::Connection as _;

/// So many are tried at once: what a message to the server may hold is bounded.
const TOGETHER: usize = 150;

impl Bench<'_> {
    /// Sees what notices each.
    pub(super) async fn try_queries(&self, mutants: &[&Mutant]) -> Result<Vec<Tried>> {
        let databases =
            Databases::open(self.server, self.harness.settings().run.migrate_as).await?;
        let mut found = Vec::new();
        for some in mutants.chunks(TOGETHER) {
            found.extend(self.try_some(&databases, some).await?);
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
        connection.close().await.doing("close a connection")?;
        let scene = Scene {
            catalog: &self.ground.schema.catalog,
            tenancy: &self.ground.schema.tenancy,
            worlds: &self.ground.worlds,
            queries: &queries,
        };
        let place = Place {
            seeded: self.ground.seeded.clone(),
            blank: self.blank.clone(),
            application: self.application.clone(),
            thrown: None,
        };
        let is_query = |object: &str| queries.iter().any(|query| query.object == object);
        let seen = self
            .judge(databases, &place, scene, &|case| is_query(&case.object))
            .await?;
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
    let named = of.findings.first().map(|finding| Named {
        object: of.findings.len() == 1,
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
