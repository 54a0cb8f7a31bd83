//! Cases → verdicts → report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::attacked::{Objects, count};
use super::{jobs, place, remarks};
use crate::check::{self, Check, Scene, coverage};
use crate::error::{Error, Result};
use crate::migration::MigrationSet;
use crate::model::{
    Case, Counterexample, Coverage, Finding, Inconclusive, Report, RunSettings, Shard, Tally,
    Verdict,
};
use crate::run::Arena;
use crate::server::Server;

/// A check may ask for a follow-up so often.
const FOLLOW_UPS: usize = 9;

/// So many branches without a row are named.
const MOST_UNMET: usize = 6;

/// A case and what came of it.
pub(super) struct Judged {
    pub(super) case: Case,
    pub(super) verdict: Verdict,
    /// For a leak that other rows may show too: what is run in smaller worlds.
    pub(super) smaller: Option<Case>,
    pub(super) counterexample: Option<Box<Counterexample>>,
    /// What its few rows show.
    pub(super) difference: String,
}

/// The cases of the selected checks.
pub(super) fn selected(scene: Scene<'_>, settings: &RunSettings) -> Result<Vec<Case>> {
    let ids: Vec<&str> = check::ALL.iter().map(|check| check.page().id).collect();
    if let Some(pattern) = settings.unknown_pattern(&ids) {
        return Err(Error::Usage(format!(
            "no check is called `{pattern}`; there are {}",
            ids.join(", ")
        )));
    }
    Ok(chosen(planned(scene), settings))
}

/// Runs and judges the cases of the selected checks, and finds which branches of the queries make a difference over
/// the acting tenant's rows.
pub(super) async fn judge(
    arenas: &[Arena<'_>],
    scene: Scene<'_>,
    settings: &RunSettings,
    selected: Vec<Case>,
    progress: &dyn Fn(&str),
) -> Result<(Vec<Judged>, Coverage)> {
    let queried = |object: &str| settings.selects("query-interference", object);
    judge_cases(arenas, scene, selected, &queried, progress).await
}

/// The cases that were selected, of this part of the run.
pub(super) fn chosen(mut cases: Vec<Case>, settings: &RunSettings) -> Vec<Case> {
    cases.retain(|case| settings.selects(case.check, &case.object));
    match settings.shard {
        Some(shard) => part(cases, shard),
        None => cases,
    }
}

/// The cases of all checks on what the scene is looked at for.
pub(super) fn planned(scene: Scene<'_>) -> Vec<Case> {
    let checks = check::ALL.iter();
    let cases = checks.flat_map(|check| check.plan(scene));
    cases
        .filter(|case| scene.focus.includes(&case.object))
        .collect()
}

/// Runs and judges cases, and finds which branches of these queries make a difference.
pub(super) async fn judge_cases(
    arenas: &[Arena<'_>],
    scene: Scene<'_>,
    open: Vec<Case>,
    queried: &dyn Fn(&str) -> bool,
    progress: &dyn Fn(&str),
) -> Result<(Vec<Judged>, Coverage)> {
    // A case and its follow-ups keep their place: of several ways, the first that was planned is told.
    let (mut numbers, mut open): (Vec<usize>, Vec<Case>) = open.into_iter().enumerate().unzip();
    let (mut coverage, mut branches) = coverage::open(scene, queried);
    let mut judged = Vec::new();
    for round in 0..=FOLLOW_UPS {
        let planned = open.len();
        // They want a world that is there in the first round anyway.
        if round < 2 {
            open.extend(coverage::cases(scene, &branches, round == 0));
        }
        let mut observations = jobs::spread(arenas, &open, progress).await?;
        let probed = observations.split_off(planned);
        coverage::close(&mut branches, &open.split_off(planned), &probed);
        let mut again = Vec::new();
        for ((number, case), seen) in numbers.into_iter().zip(open).zip(observations) {
            let Some(check) = check::find(case.check) else {
                continue;
            };
            match Check::judge(check, scene, &case, &seen) {
                Verdict::FollowUp(next) if round < FOLLOW_UPS => again.push((number, *next)),
                verdict => {
                    let leaked = matches!(verdict, Verdict::Leaked(_));
                    let smaller = leaked.then(|| check.smaller(scene, &case, &seen));
                    let judgement = Judged {
                        case,
                        verdict,
                        smaller: smaller.flatten(),
                        counterexample: None,
                        difference: String::new(),
                    };
                    judged.push((number, judgement));
                }
            }
        }
        (numbers, open) = again.into_iter().unzip();
        if open.is_empty() && (round > 0 || branches.is_empty()) {
            break;
        }
    }
    coverage::settle(&mut coverage, &branches);
    judged.sort_by_key(|(number, _)| *number);
    let judged = judged.into_iter().map(|(_, judged)| judged).collect();
    Ok((judged, coverage))
}

/// The cases of a part of the run. All ways to attack an object are in one part, so that what is told of it is whole, and
/// every check has its objects in all parts.
fn part(cases: Vec<Case>, shard: Shard) -> Vec<Case> {
    let mut numbers: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    let mine = cases.into_iter().filter(|case| {
        let next = numbers.len();
        let number = numbers
            .entry((case.check, case.object.clone()))
            .or_insert(next);
        *number % shard.count.max(1) + 1 == shard.index
    });
    mine.collect()
}

/// What is said of branches that made no difference.
pub(super) fn unmet(coverage: &Coverage) -> Option<String> {
    let shown = coverage
        .unmet
        .iter()
        .take(MOST_UNMET)
        .map(|one| format!("{} line {} ({})", one.query, one.line, one.branch));
    let shown: Vec<String> = shown.collect();
    let more = match coverage.unmet.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more, in the JSON report"),
    };
    let shown = shown.join("; ");
    (!shown.is_empty()).then(|| {
        format!(
            "branches of queries that made no difference, where a leak may be missed: {shown}{more}"
        )
    })
}

/// Fills the report with verdicts: tallies, findings with their places, what was not judged, and what a run that
/// saw too little must say of itself.
pub(super) fn fill(
    report: &mut Report,
    judged: Vec<Judged>,
    migrations: &MigrationSet,
    scene: Scene<'_>,
    server: &Server,
) {
    let mut findings: BTreeMap<(String, String), (Finding, usize)> = BTreeMap::new();
    let mut inconclusive: BTreeMap<(&'static str, String), String> = BTreeMap::new();
    let objects = Objects::of(scene);
    for judged in judged {
        let case = judged.case;
        if let Some(attacked) = objects.attacked(&case) {
            count(report.attacks.entry(attacked).or_default(), &judged.verdict);
        }
        let tally = report.checks.entry(case.check).or_default();
        tally.cases += 1;
        match judged.verdict {
            Verdict::Held(reason) => held(tally, reason),
            Verdict::NotApplicable(_) => tally.not_applicable += 1,
            Verdict::Inconclusive(reason) => {
                tally.inconclusive += 1;
                inconclusive
                    .entry((case.check, case.object))
                    .or_insert(reason);
            }
            Verdict::FollowUp(_) => {
                tally.inconclusive += 1;
                let reason = "it asked for one follow-up after the other".to_owned();
                inconclusive
                    .entry((case.check, case.object))
                    .or_insert(reason);
            }
            Verdict::Leaked(defect) => {
                tally.leaked += 1;
                let mut finding = defect.into_finding(case.check, case.object);
                finding.counterexample = judged.counterexample;
                finding.difference = judged.difference;
                let key = (finding.check.to_owned(), finding.object.clone());
                findings
                    .entry(key)
                    .and_modify(|(first, ways)| {
                        *ways += 1;
                        if finding.severity < first.severity {
                            *first = finding.clone();
                        }
                    })
                    .or_insert((finding, 1));
            }
        }
    }
    let major = server
        .version()
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    let definitions = migrations.definitions();
    report.findings = findings
        .into_values()
        .map(|(mut finding, ways)| {
            if ways > 1 {
                let _ = write!(finding.message, " (and in {} more ways)", ways - 1);
            }
            finding.place = place::of(&finding, &definitions, scene);
            finding.versions = vec![major.clone()];
            finding
        })
        .collect();
    report
        .findings
        .sort_by(|a, b| (a.severity, a.check, &a.object).cmp(&(b.severity, b.check, &b.object)));
    report.inconclusive = inconclusive
        .into_iter()
        .map(|((check, object), reason)| Inconclusive {
            check,
            object,
            reason,
            accepted: false,
            versions: Vec::new(),
        })
        .collect();
    report.inconclusive.extend(vacuous(report, scene));
    report.inconclusive.sort();
    report.remarks = remarks::of(scene);
    report.satisfied.clone_from(&scene.worlds.satisfied);
}

fn held(tally: &mut Tally, reason: String) {
    tally.held += 1;
    *tally.reasons.entry(reason).or_default() += 1;
}

/// What a run that saw too little says of itself: it is never green.
fn vacuous(report: &Report, scene: Scene<'_>) -> Vec<Inconclusive> {
    let mut found = Vec::new();
    let mut say = |object: &str, reason: String| {
        found.push(Inconclusive {
            check: "run",
            object: object.to_owned(),
            reason,
            accepted: false,
            versions: Vec::new(),
        });
    };
    if report.schema.tables == 0 {
        say(
            "tables",
            "the migrations make no table: nothing was checked".to_owned(),
        );
    } else if scene.tenancy.owned().next().is_none() {
        say(
            "tenants",
            "no table has the tenant column: nothing was checked. Name it by --tenant-column or [tenant] column"
                .to_owned(),
        );
    } else if report.checks.values().all(|tally| tally.cases == 0) {
        say(
            "checks",
            "no case was selected: nothing was checked".to_owned(),
        );
    }
    for (table, why) in &scene.worlds.gaps {
        say(
            &table.to_string(),
            format!("no rows could be made for it: {why}"),
        );
    }
    found
}
