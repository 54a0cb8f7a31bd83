//! Every type that a column of this server can have, one by one.

use std::fmt::Write as _;

use sqlx::Row as _;
use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::{Report, printed, quoted};

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

async fn run(sql: &str, more: &str) -> Report {
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
    Harness::new(settings).run(&|_| {}).await.unwrap()
}

#[tokio::test]
async fn every_type_of_the_server_has_values() {
    let (sql, tables) = schema().await;
    assert!(tables.len() > 70, "{tables:?}");
    let report = run(&sql, "").await;
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
    // Four rows of the acting organisation, and its six twins.
    let filled = tables.len() - expected.len();
    assert_eq!(report.dataset.rows, filled * 10, "rows of each table");
}
