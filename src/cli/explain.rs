//! `explain CHECK`: the check's page.

use super::{output, usage};
use crate::check;
use crate::error::Result;

pub(super) fn run(id: &str) -> Result<u8> {
    let Some(check) = check::find(id) else {
        let known: Vec<String> = check::ALL
            .iter()
            .map(|check| check.page())
            .map(|page| format!("  {}: {}", page.id, page.title))
            .collect();
        return Err(usage(format!(
            "there is no check `{id}`; there are\n{}",
            known.join("\n")
        )));
    };
    output::print(&format!("{}\n", check.page().to_string().trim_end()))?;
    Ok(0)
}
