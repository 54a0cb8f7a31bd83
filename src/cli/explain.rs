//! `explain CHECK`: the check's page, or what a suite of `validate` looks at.

use super::{output, usage};
use crate::error::Result;
use crate::{check, validation};

pub(super) fn run(id: &str) -> Result<u8> {
    if let Some(suite) = validation::find(id) {
        output::print(&format!("{}: {}\n\n{}\n", suite.id, suite.title, suite.why))?;
        return Ok(0);
    }
    let Some(check) = check::find(id) else {
        let known: Vec<String> = check::ALL
            .iter()
            .map(|check| check.page())
            .map(|page| format!("  {}: {}", page.id, page.title))
            .chain(
                validation::SUITES
                    .iter()
                    .map(|suite| format!("  {}: {}", suite.id, suite.title)),
            )
            .collect();
        return Err(usage(format!(
            "there is no check `{id}`; there are\n{}",
            known.join("\n")
        )));
    };
    output::print(&format!("{}\n", check.page().to_string().trim_end()))?;
    Ok(0)
}
