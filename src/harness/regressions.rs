//! Leaks that earlier runs found, in a file beside `watertight.toml`: tried first, as a property test does.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde_json::json;

use super::assemble::Judged;
use crate::check::{self, Check, Scene};
use crate::error::{Error, Result};
use crate::model::{Regression, Report, Settings, Stage, Verdict};
use crate::run::{Arena, Trial};

/// The file's name.
const FILE: &str = "watertight-regressions.json";

/// The file, where leaks are stored at all: beside the settings unless it was named.
pub(super) fn path(settings: &Settings) -> Option<PathBuf> {
    match &settings.run.regressions {
        Some(path) if path.as_os_str().is_empty() => None,
        Some(path) => Some(path.clone()),
        None => Some(settings.file.as_ref()?.with_file_name(FILE)),
    }
}

/// Reads what is stored; nothing where there is no file yet.
pub(super) fn read(settings: &Settings) -> Result<Vec<Regression>> {
    let Some(path) = path(settings) else {
        return Ok(Vec::new());
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(&path, error)),
    };
    let wrong = |message: String| Error::Configuration {
        place: path.display().to_string(),
        message,
    };
    let mut file: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if file["format"] != json!(1) {
        return Err(wrong(
            "its format is not 1: it was written by a newer watertight".to_owned(),
        ));
    }
    serde_json::from_value(file["cases"].take()).map_err(|error| wrong(error.to_string()))
}

/// Tries stored leaks. What no longer fits the schema is passed over, and said.
pub(super) async fn replay(
    arena: &Arena<'_>,
    scene: Scene<'_>,
    stored: &[Regression],
    settings: &Settings,
    remarks: &mut Vec<String>,
) -> Result<Vec<Judged>> {
    let mut judged = Vec::new();
    let selected = |one: &&Regression| settings.run.selects(&one.check, &one.object);
    let mut stored = stored.iter().filter(selected).peekable();
    // Of several parts of a run, one tries them.
    let elsewhere = settings.run.shard.is_some_and(|shard| shard.index > 1);
    if elsewhere || stored.peek().is_none() {
        return Ok(judged);
    }
    let mut trial = Trial::open(arena).await?;
    for one in stored {
        match again(&mut trial, scene, one).await? {
            Ok(found) => judged.push(found),
            Err(why) => remarks.push(format!(
                "a stored leak of {} was passed over: {why}",
                one.object
            )),
        }
    }
    trial.close().await?;
    Ok(judged)
}

/// Tries one stored leak, or says why it can't be tried.
async fn again(
    trial: &mut Trial<'_>,
    scene: Scene<'_>,
    stored: &Regression,
) -> Result<std::result::Result<Judged, String>> {
    let worlds = match stored.worlds(scene.catalog, scene.worlds) {
        Ok(worlds) => worlds,
        Err(why) => return Ok(Err(why)),
    };
    let scene = Scene {
        worlds: &worlds,
        ..scene
    };
    let case = stored.kind().zip(check::find(&stored.check));
    let case = case.and_then(|(kind, check)| {
        let layout = stored.layout;
        let stage = Stage::World { kind, layout };
        let case = check.stored(scene, &stored.object, stage, &stored.values)?;
        Some((check, case))
    });
    let Some((check, case)) = case else {
        return Ok(Err("it is gone, or takes other parameters".to_owned()));
    };
    let Some(seen) = trial.run(&worlds, &case.attempts).await? else {
        return Ok(Err("the server refuses its rows now".to_owned()));
    };
    Ok(Ok(Judged {
        verdict: Check::judge(check, scene, &case, &seen),
        difference: check.difference(scene, &case, &seen),
        case,
        smaller: None,
        counterexample: None,
    }))
}

/// Adds what was replayed to what was judged: a leak that the run found again by itself is not told twice.
pub(super) fn add(judged: &mut Vec<Judged>, replayed: Vec<Judged>) {
    let leaks = |one: &Judged| matches!(one.verdict, Verdict::Leaked(_));
    for one in replayed {
        let known = judged.iter().any(|other| {
            leaks(other)
                && (other.case.check, &other.case.object) == (one.case.check, &one.case.object)
        });
        if !known || !leaks(&one) {
            judged.push(one);
        }
    }
}

/// Stores the leaks of a report that are not accepted, one for each object, and keeps those that were stored.
pub(super) fn write(settings: &Settings, mut stored: Vec<Regression>, report: &mut Report) {
    let Some(path) = path(settings) else { return };
    let open = report.findings.iter().filter(|finding| !finding.accepted);
    let new: Vec<Regression> = open
        .filter_map(|finding| Regression::of(finding.counterexample.as_ref()?, &report.seed))
        .filter(|new| {
            let same = |old: &Regression| (&old.check, &old.object) == (&new.check, &new.object);
            !stored.iter().any(same)
        })
        .collect();
    if new.is_empty() {
        return;
    }
    let count = new.len();
    stored.extend(new);
    stored.sort_by(|a, b| (&a.check, &a.object).cmp(&(&b.check, &b.object)));
    let text = format!("{:#}\n", json!({ "format": 1, "cases": stored }));
    report.remarks.push(match fs::write(&path, text) {
        Ok(()) => format!(
            "{count} leaks were stored in {}, to be tried first by the next run: commit it",
            path.display()
        ),
        Err(error) => format!("leaks could not be stored in {}: {error}", path.display()),
    });
}
