//! CHECKs that can't be read: values are tried on the server, taken from the settings, or said to be wanted.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection, Row as _};
use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::Report;

use crate::fixture::SEED;
use crate::folder::Folder;
use crate::server;

/// What only the server can say, in every way: by functions, across columns, by what it computes.
const TRIED: &str = "
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, name text NOT NULL);
    CREATE FUNCTION is_slug(t text) RETURNS bool LANGUAGE sql IMMUTABLE AS
        $$ SELECT t ~ '^[a-z]+(-[a-z]+)+$' AND length(t) < 30 $$;
    CREATE FUNCTION mod97(t text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
        DECLARE n int := 0; BEGIN
            IF t !~ '^[0-9]{6}$' THEN RAISE 'no number'; END IF;
            FOR i IN 1..6 LOOP n := (n * 10 + substr(t, i, 1)::int) % 97; END LOOP;
            RETURN n; END $$;
    CREATE TABLE lines (organisation_id uuid NOT NULL REFERENCES orgs, id bigint NOT NULL,
        slug text NOT NULL CHECK (is_slug(slug)), number text NOT NULL UNIQUE CHECK (mod97(number) < 20),
        quantity numeric(8,3) NOT NULL CHECK (quantity > 0), price numeric(8,4) NOT NULL, amount numeric(12,2) NOT NULL,
        week date NOT NULL CHECK (extract(isodow FROM week) = 1), label text NOT NULL,
        parts int[] NOT NULL CHECK (cardinality(parts) = 3), total int NOT NULL, body jsonb NOT NULL,
        CHECK (amount = round(quantity * price, 2)), CHECK (total = parts[1] + parts[2] + parts[3]),
        CHECK (label = to_char(week, 'IYYY-IW')), CHECK ((body -> 'lines' -> 0 ->> 'code') IS NOT NULL),
        PRIMARY KEY (organisation_id, id));
";

/// What no value is found for.
const SECRET: &str = "
    CREATE TABLE locks (organisation_id uuid NOT NULL, id bigint NOT NULL,
        code text NOT NULL CHECK (md5(code) = '5ebe2294ecd0e0f08eab7690d2a6ee69'), PRIMARY KEY (organisation_id, id));
";

fn settings(sql: &str, more: &str, options: Vec<(&'static str, Vec<String>)>) -> (Harness, Folder) {
    let folder = Folder::new(&[("watertight.toml", more), ("migrations/0001_all.sql", sql)]);
    let mut all = vec![("seed", vec![SEED.to_owned()])];
    all.extend(options);
    let settings = config::load(CommandLine {
        config: Some(folder.path().join("watertight.toml")),
        options: all,
        command: Vec::new(),
    })
    .unwrap();
    (Harness::new(settings), folder)
}

async fn run(sql: &str, more: &str) -> Report {
    let options = vec![
        ("server", vec!["local".to_owned()]),
        ("only", vec!["unclassified-table".to_owned()]),
    ];
    let (harness, _folder) = settings(sql, more, options);
    harness.run(&|_| {}).await.unwrap()
}

/// How each constraint was met, by its object.
fn means(report: &Report) -> BTreeMap<&str, &str> {
    let all = report.satisfied.iter();
    all.map(|one| (one.object.as_str(), one.means.word()))
        .collect()
}

#[tokio::test]
async fn what_cannot_be_read_is_tried_and_said() {
    let report = run(TRIED, "[tenant]\ntable = \"public.orgs\"\n").await;
    assert!(report.inconclusive.is_empty(), "{:?}", report.inconclusive);
    let means = means(&report);
    for check in [
        "slug_check",
        "number_check",
        "week_check",
        "check",
        "check1",
        "check2",
        "body_check",
    ] {
        let object = format!("public.lines.lines_{check}");
        assert_eq!(means[object.as_str()], "tried on the server", "{object}");
    }
    assert_eq!(
        means["public.lines.lines_parts_check"],
        "tried on the server"
    );
}

#[tokio::test]
async fn what_nothing_is_found_for_is_named_until_the_settings_know_it() {
    let report = run(SECRET, "").await;
    let [gap] = report.inconclusive.as_slice() else {
        panic!("{:?}", report.inconclusive);
    };
    assert_eq!(gap.object, "public.locks");
    for words in [
        "locks_code_check",
        "md5(code) = '5ebe",
        "[generate.columns]",
    ] {
        assert!(gap.reason.contains(words), "{gap:?}");
    }
    let known = "[generate.columns]\n\"public.locks.code\" = [\"secret\", \"wrong\"]\n";
    let report = run(SECRET, known).await;
    assert!(report.inconclusive.is_empty(), "{:?}", report.inconclusive);
    assert_eq!(
        means(&report)["public.locks.locks_code_check"],
        "sampled from the settings"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_bulk_are_made_of_what_was_tried() {
    let server = server::local().await;
    let url = server.url(server.administrator(), server.maintenance_database());
    let options = vec![
        ("server", vec![url]),
        ("rows", vec!["200".to_owned()]),
        ("organisations", vec!["2".to_owned()]),
    ];
    // Without the key that would want as many numbers as there are rows.
    let sql = TRIED.replace(" UNIQUE CHECK", " CHECK");
    let (harness, _folder) = settings(&sql, "[tenant]\ntable = \"public.orgs\"\n", options);
    let seeded = harness.seed_database(None, &|_| {}, &|_| {}).await.unwrap();
    let lines = seeded
        .tables
        .iter()
        .find(|t| t.table.name == "lines")
        .unwrap();
    assert_eq!((lines.rows, lines.asked), (400, 400), "{lines:?}");
    let url = seeded.opened[0]
        .trim_start_matches("psql '")
        .trim_end_matches('\'');
    let mut connection = PgConnection::connect(url).await.unwrap();
    let row = sqlx::query("SELECT count(DISTINCT (slug, week, amount)) FROM lines")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let different: i64 = row.get(0);
    assert!(different > 30, "{different}");
}
