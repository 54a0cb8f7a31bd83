//! Marks what is accepted: by `[[allow]]`, or as known by the baseline.

use super::Baseline;
use crate::model::{Allow, Report, glob};

/// Marks the findings and inconclusives that an `[[allow]]` or the baseline accepts, so that the report's verdict
/// leaves them out, and those that tests acquit. Returns the `[[allow]]`s that matched nothing: in a full run these are a mistake, for what
/// they accepted is gone or was misspelt.
pub fn accept<'a>(
    report: &mut Report,
    allow: &'a [Allow],
    baseline: Option<&Baseline>,
) -> Vec<&'a Allow> {
    let mut used = vec![false; allow.len()];
    let mut allowed = |check: &str, object: &str| {
        // All that match are used, not only the first: which one came first must not make another an error.
        let mut any = false;
        for (entry, used) in allow.iter().zip(&mut used) {
            if glob(&entry.check, check) && glob(&entry.object, object) {
                *used = true;
                any = true;
            }
        }
        any
    };
    for finding in &mut report.findings {
        let known = baseline.is_some_and(|baseline| baseline.knows(finding));
        finding.accepted =
            allowed(finding.check, &finding.object) || known || !finding.acquitted.is_empty();
    }
    for case in &mut report.inconclusive {
        let known = baseline.is_some_and(|baseline| baseline.knows_inconclusive(case));
        case.accepted = allowed(case.check, &case.object) || known;
    }
    let unused = allow.iter().zip(used).filter(|(_, used)| !used);
    unused.map(|(entry, _)| entry).collect()
}
