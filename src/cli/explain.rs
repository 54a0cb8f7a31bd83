//! `explain CHECK`: the check's page.

use super::{call, output, usage};
use crate::error::Result;

pub(super) fn run(check: &str) -> Result<u8> {
    let pages = call::pages();
    let Some(page) = pages.iter().find(|page| page.id == check) else {
        let known: Vec<String> = pages
            .iter()
            .map(|page| format!("  {}: {}", page.id, page.title))
            .collect();
        return Err(usage(format!(
            "there is no check `{}`; there are\n{}",
            output::disarmed(check),
            known.join("\n")
        )));
    };
    let text = page.text.trim_end();
    output::print(&format!("{}: {}\n\n{text}\n", page.id, page.title))?;
    Ok(0)
}
