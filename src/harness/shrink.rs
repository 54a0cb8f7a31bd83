//! Leaks → the few rows that show them: smaller and smaller worlds on the blank database, each judged by the check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::strategy::ValueTree as _;

use super::assemble::Judged;
use crate::check::{self, Check, Scene};
use crate::error::Result;
use crate::generate::{Focus, Generator, WorldsTree};
use crate::model::{
    Case, Counterexample, Defect, Observation, ShrinkLimits, Stage, Verdict, Worlds,
};
use crate::run::{Arena, Trial};

/// Looks for the smallest worlds that show each leak, within the limits; a leak that none are found for stays as it
/// is.
pub(super) async fn shrink(
    arena: &Arena<'_>,
    generator: &Arc<Generator<'_>>,
    instant: i64,
    scene: Scene<'_>,
    limits: ShrinkLimits,
    judged: &mut [Judged],
    progress: &dyn Fn(&str),
) -> Result<()> {
    let open = judged.iter_mut().filter(|one| one.smaller.is_some());
    let open: Vec<&mut Judged> = open.collect();
    if open.is_empty() {
        return Ok(());
    }
    let end = Instant::now() + limits.all;
    let mut bench = Bench {
        arena,
        scene,
        trial: None,
    };
    let count = open.len();
    for (number, one) in open.into_iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let Some(case) = one.smaller.take().filter(|_| !left.is_zero()) else {
            continue;
        };
        progress(&format!(
            "looking for the rows that show leak {} of {count}",
            number + 1
        ));
        let Some(worlds) = alone(scene.worlds, &case) else {
            continue;
        };
        let tree = WorldsTree::new(Arc::clone(generator), worlds, focus(scene, &case), instant);
        let budget = (limits.executions, left.min(limits.each));
        if let Some((defect, difference, found)) = bench.smallest(tree, case, budget).await {
            one.verdict = Verdict::Leaked(defect);
            one.difference = difference;
            one.counterexample = Some(Box::new(found));
        }
    }
    match bench.trial {
        Some(trial) => trial.close().await,
        None => Ok(()),
    }
}

/// Where small worlds are tried.
struct Bench<'a> {
    arena: &'a Arena<'a>,
    scene: Scene<'a>,
    trial: Option<Trial<'a>>,
}

impl Bench<'_> {
    /// The smallest worlds of a tree that show a case, the defect as they show it, and as a diff.
    async fn smallest(
        &mut self,
        mut tree: WorldsTree<'_>,
        case: Case,
        (most, time): (usize, Duration),
    ) -> Option<(Box<Defect>, String, Counterexample)> {
        let started = Instant::now();
        let (mut best, mut seen) = self.shows(&tree.current(), &case).await?;
        let mut executions = 1;
        let mut more = tree.simplify();
        while more && executions < most && started.elapsed() < time {
            executions += 1;
            more = match self.shows(&tree.current(), &case).await {
                Some(shown) => {
                    (best, seen) = shown;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        let check = check::find(case.check)?;
        let worlds = tree.best();
        let difference = check.difference(self.with(&worlds), &case, &seen);
        let found = Counterexample {
            worlds,
            values: check.bound(self.scene, &case),
            case,
            executions,
        };
        Some((best, difference, found))
    }

    /// The defect as these worlds show it, and what was seen in them; `None` where they do not, where the server refuses
    /// them, and where it is lost: a smaller world is a help and no more.
    async fn shows(
        &mut self,
        worlds: &Worlds,
        case: &Case,
    ) -> Option<(Box<Defect>, Vec<Observation>)> {
        let mut trial = match self.trial.take() {
            Some(trial) => trial,
            None => Trial::open(self.arena).await.ok()?,
        };
        let seen = trial.run(worlds, &case.attempts).await.ok()?;
        self.trial = Some(trial);
        let seen = seen?;
        let check = check::find(case.check)?;
        match Check::judge(check, self.with(worlds), case, &seen) {
            Verdict::Leaked(defect) => Some((defect, seen)),
            _ => None,
        }
    }

    /// The scene with other worlds.
    fn with<'s>(&'s self, worlds: &'s Worlds) -> Scene<'s> {
        Scene {
            worlds,
            ..self.scene
        }
    }
}

/// The worlds with the one kind of everyone else's rows that the case is about, and no spare ones.
fn alone(worlds: &Worlds, case: &Case) -> Option<Worlds> {
    let Stage::World { kind, .. } = case.attempts.last()?.stage else {
        return None;
    };
    let others = worlds.others.get(&kind)?.clone();
    Some(Worlds {
        others: BTreeMap::from([(kind, others)]),
        spares: Vec::new(),
        ..worlds.clone()
    })
}

/// What a case of a query is about: the tables that it names, and the values that are bound.
fn focus(scene: Scene<'_>, case: &Case) -> Focus {
    let query = scene.query(&case.object);
    let tables = query.map(|query| crate::query::infer(scene.catalog, query).tables);
    let statements = case.attempts.last().map(|attempt| &attempt.statements);
    Focus {
        tables: tables.into_iter().flatten().collect(),
        text: statements.map(|list| list.join("\n")).unwrap_or_default(),
    }
}
