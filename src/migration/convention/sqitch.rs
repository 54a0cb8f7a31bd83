//! sqitch: `deploy/<name>.sql` and `revert/<name>.sql` in the order of `sqitch.plan`.

use std::path::PathBuf;

use super::{Convention, Entry, Fit, Label, Part, Transaction, Version};
use crate::error::{Error, Result};
use crate::migration::folder::{Folder, relative};

/// As of sqitch 1. The scripts open their own transactions; `verify` is not run.
pub(super) struct Sqitch;

const PLAN: &str = "sqitch.plan";

impl Convention for Sqitch {
    fn name(&self) -> &'static str {
        "sqitch"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        if folder.at(PLAN).is_some() {
            Fit::Content
        } else {
            Fit::No
        }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        let plan = folder.path.join(PLAN);
        let text = std::fs::read_to_string(&plan).map_err(|e| Error::io(relative(&plan), e))?;
        let mut entries = Vec::new();
        for (index, name) in scripts(&text).into_iter().enumerate() {
            let file = |way: &str| -> PathBuf { folder.path.join(way).join(format!("{name}.sql")) };
            let entry = |part, path| Entry {
                label: Label {
                    part,
                    version: Some(Version::place(index)),
                    name: name.clone(),
                },
                path,
            };
            if !file("deploy").is_file() {
                return Err(Error::Usage(format!(
                    "migrations: `{}` names the change `{name}`, and there is no `{}`",
                    relative(&plan).display(),
                    relative(&file("deploy")).display()
                )));
            }
            entries.push(entry(Part::Up, file("deploy")));
            if file("revert").is_file() {
                entries.push(entry(Part::Down, file("revert")));
            }
        }
        Ok(entries)
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::Never
    }
}

/// The scripts of a plan, in order. Of a change that was reworked, an earlier version has the tag before which it stands.
fn scripts(plan: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut tags: Vec<(usize, String)> = Vec::new();
    for line in plan.lines().map(str::trim) {
        let Some(word) = line.split_whitespace().next() else {
            continue;
        };
        if let Some(tag) = word.strip_prefix('@') {
            tags.push((names.len(), tag.to_owned()));
        } else if !word.starts_with(['%', '#', '-']) {
            names.push(word.trim_start_matches('+').to_owned());
        }
    }
    let reworked = |index: usize| names[index + 1..].contains(&names[index]);
    (0..names.len())
        .map(|index| {
            let tag = tags.iter().find(|(before, _)| *before > index);
            match tag.filter(|_| reworked(index)) {
                Some((_, tag)) => format!("{}@{tag}", names[index]),
                None => names[index].clone(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reworked_change_has_its_tag() {
        let plan = "%syntax-version=1.0.0\n%project=a\n\nusers 2024-01-01T00:00:00Z A <a@b> # x\n@v1 2024\n\
                    users [users@v1] 2024\nlists [users] 2024\n";
        assert_eq!(scripts(plan), ["users@v1", "users", "lists"]);
    }
}
