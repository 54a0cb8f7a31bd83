//! `[[allow]]` and `--baseline`: from their files to the report.

use std::fs;
use std::io::ErrorKind;

use crate::error::{Error, Result};
use crate::model::{Mistake, Report, Settings};
use crate::report::{Baseline, accept};

/// Reads the baseline, where one is asked for; before the run, which may take minutes.
pub(super) fn read_baseline(settings: &Settings) -> Result<Option<Baseline>> {
    let writes = settings.run.write_baseline;
    let Some(path) = &settings.run.baseline else {
        if writes {
            return Err(Error::Usage(
                "--write-baseline needs to know where: add --baseline FILE".to_owned(),
            ));
        }
        return Ok(None);
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && writes => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::Usage(format!(
                "there is no baseline `{}`; --write-baseline makes one",
                path.display()
            )));
        }
        Err(error) => return Err(Error::io(path, error)),
    };
    // One that can't be read is an error also where it would be overwritten: it may be another file.
    Baseline::parse(&text)
        .map(Some)
        .map_err(|message| Error::Configuration {
            place: path.display().to_string(),
            message,
        })
}

/// Marks what is accepted and writes the baseline. An `[[allow]]` that matched nothing is noted as a mistake, so that
/// the report can be shown before it.
pub(super) fn accept_and_write(
    settings: &Settings,
    baseline: Option<Baseline>,
    report: &mut Report,
) -> Result<()> {
    let run = &settings.run;
    let baseline = match &run.baseline {
        Some(path) if run.write_baseline => {
            let found = Baseline::of(report);
            // A part of the run says nothing of the other parts.
            let found = match baseline {
                Some(known) if !run.is_full() => found.merged(known),
                _ => found,
            };
            write(path, &found.render()).map_err(|error| Error::io(path, error))?;
            Some(found)
        }
        _ => baseline,
    };
    let unused = accept(report, &settings.allow, baseline.as_ref());
    for run in &mut report.runs {
        // What is unused on one version may be what is accepted on another.
        accept(run, &settings.allow, baseline.as_ref());
    }
    if !run.is_full() {
        return Ok(());
    }
    let gone = baseline.map_or(0, |baseline| baseline.gone(report));
    if gone > 0 {
        report.remarks.push(format!(
            "The baseline knows {gone} that are gone; --write-baseline takes them out."
        ));
    }
    report.mistake = unused.first().map(|allow| Mistake {
        place: allow.place.clone(),
        message: format!(
            "this [[allow]] matched nothing in a full run (check `{}`, object `{}`): take it out, or mend its globs",
            allow.check, allow.object
        ),
    });
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Allow, Finding, RunVerdict, Severity};

    fn report() -> Report {
        Report {
            findings: vec![Finding {
                check: "reference",
                severity: Severity::Leak,
                object: "crm.a.a_fkey".into(),
                message: String::new(),
                sql: String::new(),
                sqlstate: None,
                place: None,
                fix: String::new(),
                accepted: false,
                acquitted: Vec::new(),
                versions: Vec::new(),
                difference: String::new(),
                counterexample: None,
            }],
            ..Report::default()
        }
    }

    #[test]
    fn a_baseline_is_written_and_then_accepts_what_it_knows() {
        let path =
            std::env::temp_dir().join(format!("watertight-{}/baseline.toml", std::process::id()));
        let mut settings = Settings::default();
        settings.run.write_baseline = true;
        let error = read_baseline(&settings).unwrap_err().to_string();
        assert!(error.contains("--baseline FILE"), "{error}");

        settings.run.baseline = Some(path.clone());
        let none = read_baseline(&settings).unwrap();
        assert_eq!(none, None);
        let mut first = report();
        accept_and_write(&settings, none, &mut first).unwrap();
        assert_eq!(first.verdict(), RunVerdict::Held);

        settings.run.write_baseline = false;
        let known = read_baseline(&settings).unwrap();
        let mut second = report();
        second.findings.push(Finding {
            object: "crm.b.b_fkey".into(),
            ..report().findings.remove(0)
        });
        accept_and_write(&settings, known.clone(), &mut second).unwrap();
        let open: Vec<&str> = second
            .findings
            .iter()
            .filter(|f| !f.accepted)
            .map(|f| f.object.as_str())
            .collect();
        assert_eq!(open, ["crm.b.b_fkey"]);

        let mut third = Report::default();
        accept_and_write(&settings, known, &mut third).unwrap();
        assert!(
            third.remarks[0].contains("1 that are gone"),
            "{:?}",
            third.remarks
        );
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        let error = read_baseline(&settings).unwrap_err().to_string();
        assert!(error.contains("--write-baseline"), "{error}");
    }

    #[test]
    fn an_unused_allow_is_an_error_in_a_full_run_only() {
        let mut settings = Settings::default();
        settings.allow.push(Allow {
            check: "policy".into(),
            object: "*".into(),
            reason: "none".into(),
            place: "watertight.toml:9".into(),
        });
        let mut found = report();
        accept_and_write(&settings, None, &mut found).unwrap();
        let mistake = found.mistake.unwrap();
        assert_eq!(mistake.place, "watertight.toml:9");
        assert!(mistake.message.contains("matched nothing"), "{mistake:?}");
        settings.run.only.push("reference".into());
        let mut found = report();
        accept_and_write(&settings, None, &mut found).unwrap();
        assert_eq!(found.mistake, None);
    }
}
