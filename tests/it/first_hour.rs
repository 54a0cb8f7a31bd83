//! The first hour on an old schema: a report that can be read, nearly every table tried, and green with its baseline.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;

use crate::command_line::{text, watertight};
use crate::folder::Folder;
use crate::old::{Old, schemas};

/// What a run says and leaves.
struct Seen {
    status: Option<i32>,
    shown: String,
    report: Value,
    took: Duration,
}

/// A run from start to report, with nothing said but where the migrations lie and which column is the tenant's.
fn check(folder: &Folder, old: &Old, more: &[&str]) -> Seen {
    let path = old.files[0].0.as_str();
    let below = path.rsplit_once('/').map_or(path, |(folder, _)| folder);
    let migrations = match old.style {
        "rails" | "modules" => path,
        _ => below,
    };
    let mut arguments = vec!["check", "--server", "local", "--migrations", migrations];
    arguments.extend(["--tenant-column", old.tenant_column]);
    arguments.extend(["--report", "json=r.json", "--report", "html=r.html"]);
    arguments.extend(more);
    let started = Instant::now();
    let output = watertight(folder, &arguments, &[]);
    let took = started.elapsed();
    let shown = text(&output.stdout);
    let json = std::fs::read_to_string(folder.path().join("r.json"));
    let json = json.unwrap_or_else(|_| panic!("{shown}{}", text(&output.stderr)));
    Seen {
        status: output.status.code(),
        shown,
        report: serde_json::from_str(&json).unwrap(),
        took,
    }
}

/// The lines that begin an entry of the report.
fn roots(shown: &str) -> usize {
    const WORDS: [&str; 4] = ["leak: ", "weakness: ", "inconclusive: ", "note: "];
    let lines = shown.lines();
    lines
        .filter(|line| WORDS.iter().any(|word| line.starts_with(word)))
        .count()
}

/// Tables of which nothing is left open: whose they are is known, and no case of theirs could not be judged.
fn tried(report: &Value) -> usize {
    let tables = report["schema"]["tables"].as_u64().unwrap();
    let open = report["inconclusive"].as_array().unwrap();
    let table = |case: &Value| {
        let object = case["object"].as_str().unwrap();
        object.split('.').take(2).collect::<Vec<_>>().join(".")
    };
    let open: BTreeSet<String> = open.iter().map(table).collect();
    usize::try_from(tables).unwrap() - open.len()
}

/// Tables of which some attack held or leaked: not those whose rows are only reached through the row that says whose they are.
fn attacked(report: &Value) -> usize {
    let tables = report["attacks"].as_object().unwrap().values();
    let known = |table: &&Value| {
        let actors = table.as_object().unwrap().values();
        let mut tallies = actors.flat_map(|actor| actor.as_object().unwrap().values());
        tallies.any(|tally| tally.get("held").or(tally.get("leaked")).is_some())
    };
    tables.filter(known).count()
}

/// One style, of so many tables; returns the first run.
fn first_hour(old: &Old, tables: usize) -> (Folder, Seen) {
    let folder = Folder::new(&[]);
    for (path, sql) in &old.files {
        folder.write(path, sql.as_bytes());
    }
    let first = check(&folder, old, &[]);
    assert_eq!(first.status, Some(1), "{}: {}", old.style, first.shown);
    assert!(roots(&first.shown) <= 20, "{}: {}", old.style, first.shown);
    let all = usize::try_from(first.report["schema"]["tables"].as_u64().unwrap()).unwrap();
    let tried = tried(&first.report);
    assert_eq!(all, tables, "{}", old.style);
    // The handful that comes with every style is nobody's: few of many.
    assert!(tried * 10 >= (tables - 6) * 9, "{}: {tried}", old.style);
    assert!(attacked(&first.report) * 10 >= tables * 8, "{}", old.style);
    // Other rows each time: what is known of the schema is none of one seed.
    let known = ["--baseline", "known.toml"];
    let written = check(&folder, old, &[&known[..], &["--write-baseline"]].concat());
    assert_eq!(written.status, Some(0), "{}: {}", old.style, written.shown);
    let next = check(&folder, old, &known);
    assert_eq!(next.status, Some(0), "{}: {}", old.style, next.shown);
    (folder, first)
}

#[rstest]
fn an_old_schema_is_told_in_twenty_lines_and_green_with_its_baseline(
    #[values(0, 1, 2, 3, 4)] style: usize,
) {
    const TABLES: usize = 48;
    let old = &schemas(TABLES)[style];
    first_hour(old, TABLES);
}

/// Minutes: `cargo nextest run --run-ignored only -E 'test(four_hundred_old_tables)' --no-capture` prints what it took.
#[rstest]
#[ignore = "minutes"]
fn four_hundred_old_tables_take_less_than_a_minute(#[values(0, 1, 2, 3, 4)] style: usize) {
    const TABLES: usize = 400;
    let old = &schemas(TABLES)[style];
    let (folder, first) = first_hour(old, TABLES);
    let html = std::fs::metadata(folder.path().join("r.html"))
        .unwrap()
        .len();
    assert!(tried(&first.report) * 10 >= TABLES * 9);
    eprintln!(
        "{}: {:.1} s, {} root lines of {}, {} of {TABLES} tables tried, {} attacked, {} KiB of HTML, {}",
        old.style,
        first.took.as_secs_f64(),
        roots(&first.shown),
        first.shown.lines().count(),
        tried(&first.report),
        attacked(&first.report),
        html / 1024,
        first.shown.lines().next().unwrap_or_default()
    );
    assert!(first.took < Duration::from_mins(1), "{:?}", first.took);
}
