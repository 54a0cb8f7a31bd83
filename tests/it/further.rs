//! `--cases`: queries in further sets of worlds.

use crate::command_line::{HELD, test_db, text};
use crate::folder::Folder;

/// A condition that few rows meet, and that nobody can read off it: a leak by chance.
const RARE: &str = "-- name: rare :many
SELECT id FROM people WHERE organisation_id = $1 OR md5(id::text) < '01';
-- name: right :many
SELECT id FROM people WHERE organisation_id = $1;
";

#[test]
fn what_one_set_of_rows_misses_another_shows() {
    let folder = Folder::new(&[("migrations/1_a.sql", HELD), ("queries/a.sql", RARE)]);
    let run = |seed: usize, cases: &str| {
        let seed = format!("{seed:016x}@1795363445");
        let options = ["--queries", "queries", "--regressions", "none"];
        let wanted = [
            "--seed",
            &seed,
            "--cases",
            cases,
            "--only",
            "query-interference",
        ];
        let output = test_db(&folder, &[&options[..], &wanted].concat());
        (output.status.code(), text(&output.stdout))
    };
    // A seed that does not show it by itself.
    let (seed, held) = (1..20)
        .map(|seed| (seed, run(seed, "1")))
        .find_map(|(seed, (status, shown))| (status == Some(0)).then_some((seed, shown)))
        .unwrap();
    assert!(!held.contains("sets"), "{held}");
    let (_, few) = run(seed, "2");
    let (status, many) = run(seed, "12");
    assert_eq!(status, Some(1), "{many}");
    assert!(
        many.contains("a.sql:rare") && many.contains("of 12 of --cases"),
        "{many}"
    );
    assert!(
        !many.contains("leak: query-interference on a.sql:right"),
        "{many}"
    );
    assert!(
        few.contains("in each of 2 sets") && many.contains("in each of 12 sets"),
        "{many}"
    );
    // The same seed, the same sets.
    let findings = |shown: &str| shown.split("took ").next().map(str::to_owned);
    assert_eq!(findings(&run(seed, "12").1), findings(&many));
}
