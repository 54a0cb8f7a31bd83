//! The house stays in order: who may know whom, and a fixture pair for every check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use watertight::check;

/// Plain data: knows nothing of ours.
const DATA: &str = "model";

/// No clock, no environment, no connection: know the data, and the check the oracle of queries.
const PURE: [(&str, &[&str]); 8] = [
    ("tenancy", &[]),
    ("generate", &[]),
    ("query", &[]),
    ("check", &["query"]),
    ("mutate", &["query"]),
    ("report", &[]),
    ("validation", &["check"]),
    ("document", &["validation"]),
];

/// Know the data, errors, and the I/O rooms that they stand on.
const IO: [(&str, &[&str]); 8] = [
    ("config", &[]),
    ("server", &[]),
    ("migration", &[]),
    ("database", &["server", "migration"]),
    ("introspect", &["database"]),
    ("load", &["database"]),
    ("operations", &["database", "introspect", "server"]),
    ("run", &["database", "load"]),
];

/// See everything. (`lib` is the table of contents; `bin` calls the command line; an error has a data type.)
const COMPOSERS: [&str; 6] = ["bin", "cli", "error", "fixtures", "harness", "lib"];

/// The rooms that a room may know, or none where it is in no list.
fn allowed(room: &str) -> Option<BTreeSet<&str>> {
    let find = |list: &[(&str, &'static [&'static str])]| {
        list.iter()
            .find(|(name, _)| *name == room)
            .map(|(_, rooms)| rooms.iter().copied())
    };
    let mut rooms: BTreeSet<&str> = BTreeSet::new();
    if room == DATA {
    } else if let Some(others) = find(&PURE) {
        rooms.extend(others.chain([DATA]));
    } else if let Some(others) = find(&IO) {
        rooms.extend(others.chain([DATA, "error"]));
    } else {
        return None;
    }
    Some(rooms)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The rooms that a text names by `crate::…`, and by `super::` where that is the crate.
fn known(text: &str, is_front_door: bool) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let mut collect = |prefix: &str| {
        for (start, _) in text.match_indices(prefix) {
            let rest = &text[start + prefix.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                // `use crate::{a, b::{c, d}}` is flat enough to read: what stands outside of inner braces.
                Some(list) => outermost(list),
                None => vec![rest],
            };
            rooms.extend(
                names
                    .into_iter()
                    .map(word)
                    .filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase())),
            );
        }
    };
    collect("crate::");
    if is_front_door {
        collect("super::");
    }
    rooms
}

/// The items of a list up to its closing brace, without those of lists inside it.
fn outermost(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_u32, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(list[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn rooms_know_whom_they_may() {
    let source = root().join("src");
    let mut seen = BTreeSet::new();
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let first = inside.components().next().unwrap();
        let room = Path::new(first.as_os_str()).with_extension("");
        let room = room.to_str().unwrap().to_owned();
        let parts = inside.components().count();
        // In `src/room.rs` and `src/room/mod.rs`, `super` is the crate. (Tests inside them say `super` of the room.)
        let is_front_door = parts == 1 || (parts == 2 && inside.ends_with("mod.rs"));
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        seen.insert(room.clone());
        let Some(allowed) = allowed(&room) else {
            assert!(
                COMPOSERS.contains(&room.as_str()),
                "{}: a new room, `{room}`: say in tests/it/tidy.rs whom it may know",
                inside.display()
            );
            continue;
        };
        for other in known(text, is_front_door && room != "lib") {
            assert!(
                other == room || allowed.contains(other.as_str()),
                "{}: `{room}` may not know `{other}` (only {allowed:?}); see ARCHITECTURE.md",
                inside.display()
            );
        }
    }
    // The lists name rooms that are there.
    for room in PURE.iter().chain(&IO).map(|(room, _)| *room).chain([DATA]) {
        assert!(seen.contains(room), "there is no room `{room}`");
    }
}

#[test]
fn what_is_pure_asks_nothing_of_the_world() {
    for room in PURE.map(|(room, _)| room).into_iter().chain([DATA]) {
        for path in sources(&root().join("src")) {
            let inside = path.strip_prefix(root().join("src")).unwrap();
            if !(inside.starts_with(room) || inside == Path::new(&format!("{room}.rs"))) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for door in [
                "sqlx::",
                "tokio::",
                "std::env",
                "std::fs",
                "std::net",
                "std::process",
                "SystemTime",
                "Instant::now",
                "new_v4",
            ] {
                assert!(!text.contains(door), "{}: `{door}`", inside.display());
            }
        }
    }
}

#[test]
fn every_check_has_its_pair_and_every_pair_its_check() {
    let folder = root().join("fixtures/checks");
    let registered: BTreeSet<String> = check::ALL
        .iter()
        .map(|check| check.page().id.to_owned())
        .collect();
    assert_eq!(registered.len(), check::ALL.len(), "ids are unique");
    let pairs: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(pairs, registered);
    for id in &registered {
        let mut files: Vec<_> = fs::read_dir(folder.join(id))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["isolated.sql", "leaky.sql"], "{id}");
        // One file each, called like the check, so that it is found by its id.
        let file = root().join(format!("src/check/checks/{}.rs", id.replace('-', "_")));
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn a_scan_finds_what_it_must() {
    let text = "use crate::model::{Case, Table};\nuse crate::{query, server::{Login, Server}};\nlet x = crate::run::Arena;";
    let rooms: Vec<String> = known(text, false).into_iter().collect();
    assert_eq!(rooms, ["model", "query", "run", "server"]);
    assert_eq!(
        known("use super::load;", true).into_iter().next().unwrap(),
        "load"
    );
    assert!(known("use super::load;", false).is_empty());
}
