//! The baseline: what was known when a schema adopted the tool. Only what is new fails.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::model::{Finding, Inconclusive, Report, Severity};

/// Fingerprints of known findings and inconclusives, by how bad they are: a known weakness that has become a
/// leak is new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    format: u32,
    #[serde(default)]
    leaks: BTreeSet<String>,
    #[serde(default)]
    weaknesses: BTreeSet<String>,
    #[serde(default)]
    inconclusive: BTreeSet<String>,
}

impl Baseline {
    /// Reads what [`Baseline::render`] wrote.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let baseline: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| {
                let start = text.floor_char_boundary(span.start);
                1 + text[..start].matches('\n').count()
            });
            format!(
                "line {line}: {}; --write-baseline makes a right one",
                e.message()
            )
        })?;
        match baseline.format {
            1 => Ok(baseline),
            other => Err(format!(
                "format {other} is unknown here: it was written by a newer watertight"
            )),
        }
    }

    /// What this report knows, the accepted too: what `--write-baseline` writes. Notes never fail, so none are
    /// in it; nor is what tests acquit, which fails where they no longer do.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let findings = |severity| {
            let findings = report
                .findings
                .iter()
                .filter(move |f| f.severity == severity && f.acquitted.is_empty());
            findings.map(Finding::fingerprint).collect()
        };
        Self {
            format: 1,
            leaks: findings(Severity::Leak),
            weaknesses: findings(Severity::Weakness),
            inconclusive: report
                .inconclusive
                .iter()
                .map(Inconclusive::fingerprint)
                .collect(),
        }
    }

    /// Keeps what another baseline knew as well: for a run of only some checks.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.leaks.extend(other.leaks);
        self.weaknesses.extend(other.weaknesses);
        self.inconclusive.extend(other.inconclusive);
        self
    }

    /// As TOML, one fingerprint a line, sorted: made to be committed and compared.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# What was known when it was written: only what is new fails. Made by `--write-baseline`.\n\
             format = 1\n",
        );
        for (key, fingerprints) in [
            ("leaks", &self.leaks),
            ("weaknesses", &self.weaknesses),
            ("inconclusive", &self.inconclusive),
        ] {
            if fingerprints.is_empty() {
                let _ = writeln!(text, "{key} = []");
                continue;
            }
            let _ = writeln!(text, "{key} = [");
            for fingerprint in fingerprints {
                let _ = writeln!(text, "    {},", toml::Value::from(fingerprint.as_str()));
            }
            text.push_str("]\n");
        }
        text
    }

    /// How many it knows that are not in this report any more.
    #[must_use]
    pub fn gone(&self, report: &Report) -> usize {
        let now = Self::of(report);
        let all = |b: &Self| -> BTreeSet<String> {
            let known = b.leaks.iter().chain(&b.weaknesses).chain(&b.inconclusive);
            known.cloned().collect()
        };
        all(self).difference(&all(&now)).count()
    }

    pub(super) fn knows(&self, finding: &Finding) -> bool {
        let fingerprint = finding.fingerprint();
        match finding.severity {
            Severity::Leak => self.leaks.contains(&fingerprint),
            Severity::Weakness => {
                self.weaknesses.contains(&fingerprint) || self.leaks.contains(&fingerprint)
            }
            Severity::Note => false,
        }
    }

    pub(super) fn knows_inconclusive(&self, case: &Inconclusive) -> bool {
        self.inconclusive.contains(&case.fingerprint())
    }
}
