//! Flyway: `V1.2__name.sql`, then `R__name.sql` in the order of their names; folders below count.

use std::collections::BTreeMap;
use std::path::Path;

use super::cut::{Cut, lines};
use super::{
    Convention, Entry, Fit, History, Label, Part, Transaction, Version, labelled, placeholders,
    stem,
};
use crate::error::Result;
use crate::migration::folder::{File, Folder, begins};
use crate::migration::set::Reading;

/// Flyway's names with its default prefixes and separator. `U…` (undo) and callbacks are ignored; the last `B…` (baseline)
/// stands for the versions up to its own, as on any new database.
pub(super) struct Flyway;

/// Where a project has its settings, beside the migrations or above them.
const SETTINGS: [&str; 6] = [
    "flyway.conf",
    "conf/flyway.conf",
    "flyway.toml",
    "application.properties",
    "src/main/resources/application.properties",
    "flyway.properties",
];

pub(super) fn label(file_name: &str) -> Option<Label> {
    let name = stem(file_name)?;
    if is_callback(name) {
        return Some(Label {
            part: Part::Ignored,
            version: None,
            name: name.to_owned(),
        });
    }
    let (before, _) = name.split_once("__")?;
    let part = match before.get(..1)? {
        "V" => Part::Up,
        "B" => Part::Baseline,
        "U" => Part::Ignored,
        "R" if before.len() == 1 => {
            return Some(Label {
                part: Part::Repeatable,
                version: None,
                name: name.to_owned(),
            });
        }
        _ => return None,
    };
    Some(Label {
        part,
        version: Some(Version::parse(&before[1..], &['.', '_'])?),
        name: name.to_owned(),
    })
}

/// `afterMigrate`, `beforeEachMigrate__description` and the like.
fn is_callback(name: &str) -> bool {
    const EVENTS: [&str; 9] = [
        "Migrate", "Each", "Clean", "Validate", "Undo", "Repair", "Info", "Baseline", "Connect",
    ];
    let after = name
        .strip_prefix("before")
        .or_else(|| name.strip_prefix("after"));
    after.is_some_and(|event| EVENTS.iter().any(|known| event.starts_with(known)))
        || name == "createSchema"
}

impl Convention for Flyway {
    fn name(&self) -> &'static str {
        "Flyway"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        let ours = |file: &File| label(&file.name).is_some_and(|l| l.part != Part::Ignored);
        let some = folder.sql().any(ours);
        let uses = || {
            let says = |name| folder.project_says(name, "flyway");
            says("pom.xml")
                || says("build.gradle")
                || says("build.gradle.kts")
                || !folder.around("flyway.conf").is_empty()
                || !folder.around("flyway.toml").is_empty()
        };
        match some && folder.sql().all(|file| label(&file.name).is_some()) {
            true => Fit::Names.or(Fit::Project, uses()),
            false if some && uses() => Fit::Project,
            false => Fit::No,
        }
    }

    fn history(&self) -> Option<History> {
        Some(History {
            table: "flyway_schema_history",
            columns: "installed_rank integer PRIMARY KEY, version varchar(50), \
                      description varchar(200) NOT NULL, type varchar(20) NOT NULL, \
                      script varchar(1000) NOT NULL, checksum integer, installed_by varchar(100) NOT NULL, \
                      installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL, \
                      success boolean NOT NULL",
        })
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        folder.refuse_circle()?;
        Ok(labelled(folder.sql(), label))
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let mut cut = Cut::whole(text);
        let says =
            |line: &str| begins(line, "-- flyway:executeInTransaction") && line.contains("false");
        if lines(text).any(|(_, line)| says(line)) {
            cut.transaction = Some(Transaction::Never);
        }
        Ok(cut)
    }

    fn fill(
        &self,
        text: String,
        folder: &Folder,
        reading: &Reading,
    ) -> std::result::Result<String, (usize, String)> {
        if !text.contains("${") {
            return Ok(text);
        }
        let settings = settings(folder);
        let is_off = |key: &str, value: &str| settings.get(key).is_some_and(|v| v == value);
        if is_off("placeholderReplacement", "false") {
            return Ok(text);
        }
        let value = |name: &str| {
            let given = reading
                .placeholders
                .get(name)
                .or_else(|| settings.get(&format!("placeholders.{name}")));
            given.cloned().or_else(|| {
                let built_in = match name {
                    "flyway:defaultSchema" => "public",
                    "flyway:table" => "flyway_schema_history",
                    "flyway:timestamp" => "2000-01-01 00:00:00",
                    _ => return None,
                };
                Some(built_in.to_owned())
            })
        };
        placeholders::fill(&text, ("${", "}"), &value)
    }

    fn transaction(&self, path: &Path) -> Transaction {
        if configured_without(path) {
            Transaction::Never
        } else {
            Transaction::AsStatementsAllow
        }
    }
}

/// The project's settings without their prefix, the nearest first.
fn settings(folder: &Folder) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in SETTINGS {
        for text in folder.around(name) {
            let mut section = String::new();
            for line in text.lines().map(str::trim) {
                if let Some(title) = line.strip_prefix('[') {
                    section = format!("{}.", title.trim_end_matches(']'));
                }
                let Some((key, value)) = line.split_once('=') else {
                    continue;
                };
                let key = format!("{section}{}", key.trim());
                let key = key
                    .trim_start_matches("spring.")
                    .trim_start_matches("environments.default.");
                if let Some(key) = key.strip_prefix("flyway.") {
                    let value = value.trim().trim_matches('"').to_owned();
                    found.entry(key.to_owned()).or_insert(value);
                }
            }
        }
    }
    found
}

/// Whether `<file>.conf` beside it says `executeInTransaction=false`.
fn configured_without(path: &Path) -> bool {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".conf");
    let Ok(settings) = std::fs::read_to_string(beside) else {
        return false;
    };
    settings.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim() == "executeInTransaction" && value.trim() == "false"
        })
    })
}
