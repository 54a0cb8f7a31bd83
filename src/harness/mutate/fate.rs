//! What the checks say of a schema, and what of it is new.

use std::collections::{BTreeMap, BTreeSet};

use super::super::assemble;
use super::bench::{Bench, Place};
use crate::check::Scene;
use crate::database::Databases;
use crate::error::Result;
use crate::model::{Case, Fate, Finding, Inconclusive, Notice, Report, Severity, Verdict};
use crate::mutate::Mutant;
use crate::report::accept;

/// What the checks said.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// What is not accepted, worst first.
    pub(super) findings: Vec<Finding>,
    pub(super) inconclusive: Vec<Inconclusive>,
    /// Check and object of what held.
    pub(super) held: BTreeSet<(&'static str, String)>,
}

impl Seen {
    /// What was not said before, and of a mutant itself.
    pub(super) fn since(mut self, before: &Self, mutant: &Mutant) -> Self {
        let beside = |object: &String| mutant.beside.as_ref() == Some(object);
        self.findings.retain(|one| !beside(&one.object));
        self.inconclusive.retain(|one| !beside(&one.object));
        let known: BTreeMap<(&str, &str), Severity> = before
            .findings
            .iter()
            .map(|one| ((one.check, one.object.as_str()), one.severity))
            .collect();
        self.findings.retain(|one| {
            let known = known.get(&(one.check, one.object.as_str()));
            known.is_none_or(|severity| one.severity < *severity)
        });
        let known: BTreeSet<(&str, &str)> = before
            .inconclusive
            .iter()
            .map(|one| (one.check, one.object.as_str()))
            .collect();
        self.inconclusive
            .retain(|one| !known.contains(&(one.check, one.object.as_str())));
        self
    }

    /// What it comes to.
    pub(super) fn fate(&self) -> Fate {
        match (self.findings.first(), self.inconclusive.first()) {
            (Some(worst), _) => Fate::Killed(Notice::Finding(worst.severity)),
            (None, Some(_)) => Fate::Killed(Notice::Inconclusive),
            (None, None) => Fate::Survived,
        }
    }

    /// What noticed it.
    pub(super) fn noticed(&self) -> Vec<(String, String)> {
        let findings = self.findings.iter().map(|one| (one.check, &one.object));
        let others = self.inconclusive.iter().map(|one| (one.check, &one.object));
        let all: Vec<(&str, &String)> = if self.findings.is_empty() {
            others.collect()
        } else {
            findings.collect()
        };
        all.into_iter()
            .map(|(check, object)| (check.to_owned(), object.clone()))
            .collect()
    }
}

impl Bench<'_> {
    /// Runs and judges the cases of a scene.
    pub(super) async fn judge(
        &self,
        databases: &Databases<'_>,
        place: &Place,
        scene: Scene<'_>,
    ) -> Result<Seen> {
        let cases = assemble::planned(scene);
        self.judge_cases(databases, place, scene, cases).await
    }

    pub(super) async fn judge_cases(
        &self,
        databases: &Databases<'_>,
        place: &Place,
        scene: Scene<'_>,
        cases: Vec<Case>,
    ) -> Result<Seen> {
        let arena = self.arena(databases, place, scene);
        let arenas = [arena];
        let (judged, _) = assemble::judge_cases(&arenas, scene, cases, &|_| false, &|_| ()).await?;
        let held = judged
            .iter()
            .filter(|one| matches!(one.verdict, Verdict::Held(_)))
            .map(|one| (one.case.check, one.case.object.clone()))
            .collect();
        let mut report = Report::default();
        report.schema.tables = scene.catalog.roots().count();
        assemble::fill(
            &mut report,
            judged,
            &self.ground.migrations,
            scene,
            self.server,
        );
        accept(&mut report, &self.harness.settings().allow, None);
        report.findings.retain(|one| !one.accepted);
        report.inconclusive.retain(|one| !one.accepted);
        Ok(Seen {
            findings: report.findings,
            inconclusive: report.inconclusive,
            held,
        })
    }
}
