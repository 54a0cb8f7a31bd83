//! Leaks are shown by the few rows that matter, found in a bounded number of executions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use sqlx::Connection as _;
use watertight::generate::{self, Ground};
use watertight::load;
use watertight::model::{Dataset, Finding, RelationName, ShrinkLimits, WorldKind, Worlds};

use super::{application, run, settings, worlds};
use crate::{psql, server};

/// More than any leak takes.
const MOST: usize = 300;

/// Defects of many shapes, and the least rows that show them: of the acting organisation and of everyone else, the
/// organisations themselves among them.
const LEAKS: [(&str, &str, usize, usize); 12] = [
    (
        "by_colliding_names",
        "SELECT c.id FROM crm.companies c JOIN crm.companies o ON o.name = c.name WHERE c.organisation_id = $1",
        2,
        2,
    ),
    (
        "by_count",
        "SELECT o.id, (SELECT count(*) FROM crm.people) FROM iam.organisations o WHERE o.id = $1",
        1,
        2,
    ),
    (
        "by_ties",
        "SELECT p.id FROM crm.people p
         WHERE p.organisation_id = $1 AND p.created_at < $2 OR (p.created_at = $2 AND p.id < $3)
         ORDER BY p.created_at DESC, p.id DESC LIMIT $4",
        0,
        2,
    ),
    (
        "through_three_tables",
        "SELECT p.id, c.name FROM crm.people p
         JOIN crm.positions po ON po.person_id = p.id JOIN crm.companies c ON c.id = po.company_id
         WHERE p.organisation_id = $1",
        4,
        2,
    ),
    (
        "by_not_exists",
        "SELECT po.id FROM crm.positions po
         WHERE po.organisation_id = $1 AND po.email IS NOT NULL
           AND NOT EXISTS (SELECT FROM outreach.suppressions s WHERE s.email = po.email)",
        4,
        2,
    ),
    (
        "by_upsert",
        "WITH known AS (
             UPDATE crm.companies c SET name = $3 WHERE c.siren = $2 AND c.deleted_at IS NULL RETURNING c.siren
         )
         INSERT INTO crm.companies (organisation_id, siren, name)
         SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM known)",
        1,
        2,
    ),
    (
        "by_shared_rows",
        "SELECT n.code, count(c.id) FROM crm.naf_codes n JOIN crm.companies c ON c.naf_code = n.code
         WHERE EXISTS (SELECT FROM crm.companies own WHERE own.organisation_id = $1 AND own.naf_code = n.code)
         GROUP BY n.code",
        2,
        2,
    ),
    (
        "by_aggregate",
        "SELECT c.id, c.revenue, (SELECT max(m.revenue) FROM crm.companies m) FROM crm.companies c
         WHERE c.organisation_id = $1",
        2,
        2,
    ),
    (
        "by_or",
        "SELECT c.id FROM crm.companies c WHERE c.organisation_id = $1 AND c.deleted_at IS NULL OR c.name = $2",
        0,
        2,
    ),
    (
        "by_id_alone",
        "SELECT p.id, p.full_name FROM crm.people p WHERE p.id = $1",
        0,
        2,
    ),
    (
        "by_delete",
        "DELETE FROM crm.tags t WHERE t.id = $2
         AND EXISTS (SELECT FROM iam.organisations o WHERE o.id = $1)",
        1,
        2,
    ),
    (
        "by_window",
        "SELECT r.id, r.place FROM (
             SELECT p.id, p.organisation_id, rank() OVER (ORDER BY p.family_name) AS place FROM crm.people p
         ) r WHERE r.organisation_id = $1",
        2,
        2,
    ),
];

fn count(datasets: &[&Dataset]) -> usize {
    let tables = datasets.iter().flat_map(|dataset| dataset.values());
    tables.map(|rows| rows.rows.len()).sum()
}

/// What `psql` printed of results, before and after the second world was left.
fn results(printed: &[String]) -> (Vec<&str>, Vec<&str>) {
    let tags = [
        "BEGIN",
        "DEALLOCATE",
        "TRUNCATE",
        "PREPARE",
        "SAVEPOINT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "SET",
        "RESET",
        "ROLLBACK",
    ];
    let is_result = |line: &&str| !tags.contains(&line.split(' ').next().unwrap_or_default());
    let left = printed.iter().position(|line| line == "ROLLBACK").unwrap();
    let (with, alone) = printed.split_at(left);
    let with = with.iter().map(String::as_str).filter(is_result);
    (
        with.collect(),
        alone.iter().map(String::as_str).filter(is_result).collect(),
    )
}

/// The diff of a leak names one row of others at least, and tells the results apart by the values that `psql` prints.
fn differs_as_printed(finding: &Finding, (with, alone): (&[&str], &[&str])) {
    let shown = &finding.difference;
    let (rows, results) = shown.split_once("@@ result").expect("it tells the results");
    assert!(rows.contains("\n+organisation "), "{shown}");
    // What `psql` prints then are others' rows as well, before and after.
    if shown.contains("+rows of others changed") {
        return;
    }
    let sides = [('+', with, alone), ('-', alone, with)];
    for (sign, mine, other) in sides {
        let lines: Vec<&str> = results
            .lines()
            .filter(|line| line.starts_with(sign))
            .collect();
        for row in mine.iter().filter(|row| !other.contains(row)) {
            for cell in row.split('|').filter(|cell| !cell.is_empty()) {
                assert!(
                    lines.iter().any(|line| line.contains(cell)),
                    "{cell} is not told:\n{shown}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_leak_is_shown_by_the_rows_that_matter() {
    let mut queries = String::new();
    for (name, sql, ..) in LEAKS {
        queries.extend(["-- name: ", name, " :many\n", sql, ";\n"]);
    }
    let folder = application(&[]);
    fs::remove_dir_all(folder.path().join("fixtures/queries")).unwrap();
    folder.write("fixtures/queries/leaks.sql", queries.as_bytes());
    let server = server::local().await;
    let mut settings = settings(&folder, &["query-interference"]);
    settings.run.server = server
        .url(server.administrator(), server.maintenance_database())
        .as_str()
        .into();
    settings.run.keep = true;
    // On a busy machine a few rows are as few: the number of executions is what is bounded here.
    settings.run.shrink = ShrinkLimits {
        executions: MOST,
        each: Duration::from_mins(10),
        all: Duration::from_mins(10),
    };
    let report = run(settings).await.unwrap();
    let url = psql::kept(&report);
    let mut table = String::from("executions  own rows  others' rows\n");
    let mut wrong = Vec::new();
    for (name, _, own, others) in LEAKS {
        let object = format!("leaks.sql:{name}");
        let mut findings = report.findings.iter();
        let finding = findings
            .find(|finding| finding.object == object)
            .unwrap_or_else(|| panic!("{object}: {:#?}", report.inconclusive));
        let found = finding.counterexample.as_ref().expect("it was shrunk");
        let worlds = &found.worlds;
        let theirs: Vec<&Dataset> = worlds.others.values().flatten().collect();
        let sizes = (count(&[&worlds.acting]), count(&theirs));
        writeln!(
            table,
            "{:>10}  {:>8}  {:>12}  {name}",
            found.executions, sizes.0, sizes.1
        )
        .unwrap();
        if sizes != (own, others) || found.executions >= MOST {
            wrong.push(format!("{name}: {}", finding.message));
        }
        let printed = psql::paste(&url, &finding.sql);
        let (with, alone) = results(&printed);
        assert_ne!(with, alone, "{name}: {printed:#?}\n{}", finding.sql);
        differs_as_printed(finding, (&with, &alone));
    }
    println!("{table}");
    server.stop().await.unwrap();
    assert!(wrong.is_empty(), "{table}\n{wrong:#?}");
}

/// Two organisations have companies of one name.
fn colliding(worlds: &Worlds) -> bool {
    let companies = RelationName::new("crm", "companies");
    let names = |dataset: &Dataset| -> Vec<String> {
        dataset.get(&companies).map_or_else(Vec::new, |rows| {
            let cells = (0..rows.rows.len()).filter_map(|row| rows.cell(row, "name"));
            cells.flatten().cloned().collect()
        })
    };
    let own = names(&worlds.acting);
    let mut others = worlds.others.values().flatten();
    others.any(|dataset| names(dataset).iter().any(|name| own.contains(name)))
}

#[tokio::test]
async fn a_property_that_fails_shrinks_to_one_row_each() {
    let (_database, mut connection, catalog, tenancy) = worlds::schema().await;
    let existing = BTreeMap::new();
    let ground = Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &watertight::generate::Pools::default(),
    };
    let strategy = generate::worlds(ground, 4, 6, 1_795_368_799);
    let config = Config {
        cases: 1,
        max_shrink_iters: u32::try_from(MOST).unwrap(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    };
    let executions = std::cell::Cell::new(0);
    let failed = TestRunner::new(config).run(&strategy, |worlds| {
        executions.set(executions.get() + 1);
        if colliding(&worlds) {
            return Err(TestCaseError::fail("two companies of one name"));
        }
        Ok(())
    });
    let Err(TestError::Fail(_, worlds)) = failed else {
        panic!("{failed:?}");
    };
    assert!(executions.get() < MOST, "{}", executions.get());
    assert_eq!(
        worlds.summary(),
        "organisation 1: 1 row of crm.companies, 1 row of iam.organisations; \
         organisation 2: 1 row of crm.companies, 1 row of iam.organisations"
    );
    assert!(worlds.spares.iter().all(|spares| count(&[spares]) == 0));
    // What is left is as simple as it goes, and the server takes it.
    let name = RelationName::new("crm", "companies");
    let kept = worlds.acting[&name].cell(0, "name").unwrap().as_ref();
    assert_eq!(kept.unwrap().len(), 1, "{kept:?}");
    assert_eq!(worlds.acting[&name].cell(0, "revenue"), Some(&None));
    let datasets = worlds.loaded(WorldKind::Twins, 1);
    let datasets: Vec<&Dataset> = datasets.iter().map(AsRef::as_ref).collect();
    let layout = load::Layout {
        catalog: &catalog,
        tenancy: &tenancy,
        order: &worlds.order,
        late: &worlds.late,
        circles: &worlds.circles,
        socket: true,
    };
    sqlx::raw_sql("BEGIN")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = load::load(&mut connection, layout, &datasets)
        .await
        .unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    connection.close().await.unwrap();
}
