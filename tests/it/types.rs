//! Every type that a column of this server can have, one by one.

use std::fmt::Write as _;

use sqlx::Row as _;
use watertight::config::{self, CommandLine};
use watertight::model::{Report, printed, quoted};
use watertight::{Harness, Result};

use crate::fixture::SEED;
use crate::folder::Folder;
use crate::scratch::Database;

/// Types of which Postgres itself reads no value: it and its extensions keep their own things in them.
const UNREADABLE: [&str; 10] = [
    "ghstore",
    "gtsvector",
    "intbig_gkey",
    "ltree_gist",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
];

/// Extensions that bring types, those of them that are installed on this machine.
const EXTENSIONS: &str = "SELECT name FROM pg_available_extensions
    WHERE name IN ('citext', 'cube', 'hstore', 'intarray', 'isn', 'lo', 'ltree', 'seg', 'vector') ORDER BY name";

/// The types of the server that a column may be of, but for arrays (each stands for its own) and rows of catalogs.
const TYPES: &str = "SELECT n.nspname, t.typname, t.typarray <> 0 FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd') AND n.nspname IN ('pg_catalog', 'public')
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) ORDER BY 1, 2";

/// A table for each type, with a column of it and arrays of up to three dimensions.
async fn schema() -> (String, Vec<String>) {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let mut sql = String::new();
    for row in sqlx::query(EXTENSIONS)
        .fetch_all(&mut connection)
        .await
        .unwrap()
    {
        let name: String = row.get(0);
        let create = format!("CREATE EXTENSION {};\n", quoted(&name));
        sqlx::raw_sql(sqlx::AssertSqlSafe(create.clone()))
            .execute(&mut connection)
            .await
            .unwrap();
        sql.push_str(&create);
    }
    let mut tables = Vec::new();
    for row in sqlx::query(TYPES).fetch_all(&mut connection).await.unwrap() {
        let (schema, name, has_array): (String, String, bool) =
            (row.get(0), row.get(1), row.get(2));
        let of = format!("{}.{}", quoted(&schema), quoted(&name));
        let table = format!("t_{}", name.replace(' ', "_"));
        let arrays = format!(", a1 {of}[] NOT NULL, a2 {of}[][] NOT NULL, a3 {of}[][][] NOT NULL");
        let _ = writeln!(
            sql,
            "CREATE TABLE {} (organisation_id int NOT NULL, value {of} NOT NULL{});",
            quoted(&table),
            if has_array { &arrays } else { "" }
        );
        tables.push(table);
    }
    (sql, tables)
}

async fn run(sql: &str, more: &str) -> Result<Report> {
    let settings = format!("[run]\norganisations = 2\nrows = 4\n{more}");
    let folder = Folder::new(&[
        ("watertight.toml", &settings),
        ("migrations/0001_types.sql", sql),
    ]);
    let settings = config::load(CommandLine {
        config: Some(folder.path().join("watertight.toml")),
        options: vec![
            ("server", vec!["local".to_owned()]),
            ("seed", vec![SEED.to_owned()]),
            ("only", vec!["unclassified-table".to_owned()]),
            // Only a superuser may make some of the extensions.
            ("migrate_as", vec!["superuser".to_owned()]),
        ],
        command: Vec::new(),
    })
    .unwrap();
    Harness::new(settings).run(&|_| {}).await
}

#[tokio::test]
async fn every_type_of_the_server_has_values() {
    let (sql, tables) = schema().await;
    assert!(tables.len() > 70, "{tables:?}");
    let report = run(&sql, "").await.unwrap();
    let mut expected: Vec<String> = tables
        .iter()
        .filter(|table| UNREADABLE.contains(&&table[2..]))
        .map(|table| format!("public.{}", printed(table)))
        .collect();
    expected.sort();
    let gaps: Vec<&str> = report
        .inconclusive
        .iter()
        .map(|gap| gap.object.as_str())
        .collect();
    assert_eq!(gaps, expected, "{:#?}", report.inconclusive);
    // What has no values is named, with the way out.
    for gap in &report.inconclusive {
        let way_out = format!("column {}.value: no values are known", gap.object);
        assert!(gap.reason.contains(&way_out), "{gap:?}");
        assert!(gap.reason.contains("[generate.types]"), "{gap:?}");
    }
    // At least four rows of the acting organisation, and its six twins.
    let filled = tables.len() - expected.len();
    assert!(report.dataset.rows >= filled * 10, "rows of each table");
}

/// A base type that nobody knows, as those of extensions are; one table with a column of it.
const OWN_TYPE: &str = "CREATE TYPE shade;
    CREATE FUNCTION shade_in(cstring) RETURNS shade AS 'textin' LANGUAGE internal IMMUTABLE STRICT;
    CREATE FUNCTION shade_out(shade) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT;
    CREATE TYPE shade (INPUT = shade_in, OUTPUT = shade_out, LIKE = text);
    CREATE TABLE walls (organisation_id int NOT NULL, id int PRIMARY KEY, paint shade NOT NULL, nick_name text NOT NULL
        CHECK (nick_name = ANY ('{Jo,Al}')), twice int GENERATED ALWAYS AS (id * 2) STORED);";

#[tokio::test]
async fn an_unknown_type_has_the_values_that_the_settings_give() {
    let report = run(OWN_TYPE, "").await.unwrap();
    let reason = &report.inconclusive[0].reason;
    assert!(
        reason.contains("public.walls.paint: no values are known for the type shade"),
        "{reason}"
    );
    for settings in [
        "[generate.types]\n\"public.shade\" = [\"red\", \"dark blue\"]",
        "[generate.columns]\n\"*.paint\" = [\"red\"]\n\"public.walls.nick_name\" = [\"Jo\"]",
    ] {
        let report = run(OWN_TYPE, settings).await.unwrap();
        assert!(
            report.inconclusive.is_empty(),
            "{settings}: {:?}",
            report.inconclusive
        );
        assert!(report.dataset.rows >= 10, "{settings}");
    }
}

#[tokio::test]
async fn a_name_that_is_nowhere_is_refused_with_the_nearest() {
    for (settings, words) in [
        (
            "[generate.columns]\n\"public.walls.pain\" = [\"a\"]",
            "the nearest is `public.walls.paint`",
        ),
        (
            "[generate.types]\n\"shape\" = [\"a\"]",
            "the nearest is `public.shade`",
        ),
        (
            "[generate.columns]\n\"public.walls.twice\" = [\"1\"]",
            "Postgres computes its values",
        ),
    ] {
        let error = run(OWN_TYPE, settings).await.unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains("watertight.toml"),
            "{error}"
        );
    }
}
