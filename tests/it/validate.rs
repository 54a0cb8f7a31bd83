//! The validation suites, as the command asks them and as `psql` does: the reference is valid, and a defect of each suite is
//! named by it, both ways.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use watertight::model::Severity;
use watertight::server::Server;
use watertight::{Harness, document};

use crate::command_line::{text, watertight};
use crate::fixture;
use crate::folder::Folder;

/// A defect, and the suites that name it, with the object.
struct Defect {
    sql: &'static str,
    named: &'static [(&'static str, &'static str)],
}

const DEFECTS: &[Defect] = &[
    Defect {
        sql: "CREATE TABLE crm.stray (id int)",
        named: &[("schemas-and-tables", "crm.stray")],
    },
    Defect {
        sql: "ALTER TABLE tracking.link_clicks DROP CONSTRAINT link_clicks_pkey",
        named: &[("composite-primary-keys", "tracking.link_clicks")],
    },
    Defect {
        sql: "ALTER TABLE crm.person_tags DROP CONSTRAINT person_tags_tag_fkey, ADD CONSTRAINT person_tags_tag_fkey
            FOREIGN KEY (organisation_id, tag_id) REFERENCES crm.tags (organisation_id, id) ON DELETE CASCADE NOT VALID",
        named: &[("composite-foreign-keys", "crm.person_tags.person_tags_tag_fkey")],
    },
    Defect {
        sql: "CREATE INDEX tags_wrong ON crm.tags (name, organisation_id)",
        named: &[("tenant-first-in-indexes", "crm.tags.tags_wrong")],
    },
    Defect {
        sql: "ALTER TABLE tracking.link_clicks DROP CONSTRAINT link_clicks_pkey, ALTER COLUMN organisation_id DROP NOT NULL",
        named: &[
            ("composite-primary-keys", "tracking.link_clicks"),
            ("tenant-not-null", "tracking.link_clicks.organisation_id"),
        ],
    },
    Defect {
        sql: "SET session_replication_role = replica; UPDATE tracking.link_clicks c SET organisation_id = o.id
            FROM iam.organisations o WHERE o.id <> c.organisation_id
              AND NOT EXISTS (SELECT FROM tracking.links l WHERE l.organisation_id = o.id AND l.id = c.link_id)",
        named: &[("isolation", "tracking.link_clicks.link_clicks_link_fkey")],
    },
    Defect {
        sql: "CREATE UNIQUE INDEX tags_wrong ON crm.tags (organisation_id, name, (id::text)) WHERE false;
            CREATE UNIQUE INDEX tags_alone ON crm.tags (name) WHERE false",
        named: &[
            ("unique-per-tenant", "crm.tags.tags_alone"),
            ("tenant-first-in-indexes", "crm.tags.tags_alone"),
        ],
    },
    Defect {
        sql: "ALTER TABLE crm.tags ADD CONSTRAINT tags_wrong CHECK (name <> 'x') NOT VALID",
        named: &[("enums-and-checks", "crm.tags.tags_wrong")],
    },
    Defect {
        sql: "CREATE TYPE crm.nothing AS ENUM ()",
        named: &[("enums-and-checks", "crm.nothing")],
    },
    Defect {
        sql: "UPDATE watertight.migrations SET checksum = 'x' WHERE name LIKE '0008%'",
        named: &[("migration-history", "0008_tracking")],
    },
    Defect {
        sql: "CREATE POLICY wide ON crm.tags FOR SELECT TO app USING (true)",
        named: &[("row-level-security", "crm.tags.wide")],
    },
    Defect {
        sql: "ALTER TABLE crm.tags DISABLE ROW LEVEL SECURITY",
        named: &[("row-level-security", "crm.tags")],
    },
    Defect {
        sql: "GRANT SELECT ON tracking.message_events_default TO app;
            ALTER TABLE tracking.message_events_default DISABLE ROW LEVEL SECURITY",
        named: &[("row-level-security", "tracking.message_events_default")],
    },
    Defect {
        sql: "CREATE VIEW crm.all_tags AS SELECT * FROM crm.tags; GRANT SELECT ON crm.all_tags TO app",
        named: &[("row-level-security", "crm.all_tags")],
    },
    Defect {
        sql: "GRANT TRUNCATE ON crm.tags TO app",
        named: &[("roles-and-grants", "crm.tags")],
    },
    Defect {
        sql: "GRANT UPDATE ON crm.naf_codes TO app",
        named: &[("roles-and-grants", "crm.naf_codes")],
    },
    Defect {
        sql: "ALTER TABLE crm.people DISABLE TRIGGER people_set_updated_at",
        named: &[("triggers-and-generated-columns", "crm.people.people_set_updated_at")],
    },
    Defect {
        sql: "CREATE FUNCTION crm.f(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1;
            ALTER TABLE crm.tags ADD COLUMN computed text GENERATED ALWAYS AS (crm.f(name)) STORED;
            ALTER FUNCTION crm.f(text) STABLE",
        named: &[("triggers-and-generated-columns", "crm.tags.computed")],
    },
    // A key that carries no tenant, with the unique key that it needs.
    Defect {
        sql: "ALTER TABLE crm.tags ADD CONSTRAINT tags_wrong UNIQUE (id);
            ALTER TABLE crm.person_tags DROP CONSTRAINT person_tags_tag_fkey, ADD CONSTRAINT person_tags_tag_fkey
            FOREIGN KEY (tag_id) REFERENCES crm.tags (id) ON DELETE CASCADE",
        named: &[
            ("composite-foreign-keys", "crm.person_tags.person_tags_tag_fkey"),
            ("unique-per-tenant", "crm.tags.tags_wrong"),
            ("tenant-first-in-indexes", "crm.tags.tags_wrong"),
        ],
    },
    // As a data fix by hand leaves them.
    Defect {
        sql: "ALTER TABLE tracking.link_clicks DISABLE TRIGGER ALL",
        named: &[("composite-foreign-keys", "tracking.link_clicks.link_clicks_link_fkey")],
    },
];

/// A server with the reference database, migrated and seeded, as a template.
struct Stage {
    server: Server,
    folder: Folder,
    template: String,
}

impl Stage {
    async fn new() -> Self {
        let server = crate::server::local().await;
        let folder = crate::reference::application(&[]);
        let url = server.url(server.administrator(), "postgres");
        let output = watertight(
            &folder,
            &[
                "seed",
                "--server",
                &url,
                "--rows",
                "4",
                "--organisations",
                "3",
            ],
            &[],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        let (_, rest) = said.split_once("psql 'postgres://").unwrap();
        let (opened, _) = rest.split_once('\'').unwrap();
        let template = opened.rsplit('/').next().unwrap();
        let template = template.split('?').next().unwrap().to_owned();
        Self {
            server,
            folder,
            template,
        }
    }

    /// A copy of the database with a defect; its URL.
    async fn with(&self, name: &str, sql: &str) -> String {
        let clone = format!("CREATE DATABASE {name} TEMPLATE \"{}\"", self.template);
        run_on(&self.server, "postgres", &clone).await;
        run_on(&self.server, name, sql).await;
        self.server.url(self.server.administrator(), name)
    }

    fn print(&self, more: &[&str]) -> String {
        let output = watertight(
            &self.folder,
            &[&["validate", "--print-sql", "--strict"], more].concat(),
            &[("WATERTIGHT_SERVER", "local")],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        self.folder.write("validate.sql", &output.stdout);
        text(&output.stdout)
    }

    fn validate(&self, url: &str) -> Output {
        let arguments = ["validate", "--strict", "--format", "json", "--server", url];
        watertight(&self.folder, &arguments, &[])
    }

    fn psql(&self, url: &str) -> Output {
        Command::new("psql")
            .args(["-X", "-f", "validate.sql", url])
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }
}

async fn run_on(server: &Server, database: &str, sql: &str) {
    let options = server.options(server.administrator(), database);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    connection.close().await.unwrap();
}

/// Suite and object of all that is not accepted.
fn named(output: &Output) -> BTreeSet<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let lists = ["findings", "inconclusive"].map(|key| report[key].as_array().unwrap().clone());
    lists
        .into_iter()
        .flatten()
        .filter(|one| one["accepted"] == false)
        .map(|one| {
            let word = |key: &str| one[key].as_str().unwrap().to_owned();
            (word("check"), word("object"))
        })
        .collect()
}

/// The same, of what `psql` printed.
fn printed(output: &Output) -> BTreeSet<(String, String)> {
    let mut suite = String::new();
    let mut found = BTreeSet::new();
    for line in text(&output.stdout).lines() {
        if let Some(item) = line.strip_prefix("    ") {
            let (object, _) = item.split_once(": ").unwrap();
            found.insert((suite.clone(), object.to_owned()));
        } else {
            line.split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .clone_into(&mut suite);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_valid_and_a_defect_of_each_suite_is_named_by_it() {
    let stage = Stage::new().await;
    let script = stage.print(&[]);
    let url = stage.with("valid", "SELECT").await;
    let output = stage.validate(&url);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "held");
    assert_eq!(report["checks"].as_array().unwrap().len(), 12);
    for check in report["checks"].as_array().unwrap() {
        assert!(check["held"].as_u64().unwrap() > 0, "{check}");
        assert!(script.contains(check["id"].as_str().unwrap()));
    }
    let output = stage.psql(&url);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stdout).lines().count(), 12, "{output:?}");
    let mut suites = BTreeSet::new();
    for (number, defect) in DEFECTS.iter().enumerate() {
        let url = stage.with(&format!("defect_{number}"), defect.sql).await;
        let expected = defect.named.iter();
        let expected: BTreeSet<(String, String)> = expected
            .map(|(suite, object)| ((*suite).to_owned(), (*object).to_owned()))
            .collect();
        suites.extend(defect.named.iter().map(|(suite, _)| *suite));
        let output = stage.validate(&url);
        assert_eq!(named(&output), expected, "{}", defect.sql);
        assert!(
            matches!(output.status.code(), Some(1 | 4)),
            "{}",
            defect.sql
        );
        let output = stage.psql(&url);
        assert_eq!(printed(&output), expected, "{}\n{output:?}", defect.sql);
        assert_eq!(output.status.code(), Some(3), "{}", defect.sql);
        assert!(text(&output.stderr).contains("not valid"), "{output:?}");
    }
    assert_eq!(suites.len(), 12, "a defect of each: {suites:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_and_nothing_is_green_that_was_not_looked_at() {
    let stage = Stage::new().await;
    let script = stage.print(&[]);
    assert_eq!(script.matches("BEGIN TRANSACTION READ ONLY;").count(), 12);
    // Empty: nothing crossed, as nothing is there.
    let url = stage
        .with("empty", "TRUNCATE iam.organisations, iam.users CASCADE")
        .await;
    let output = stage.validate(&url);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        named(&output),
        [("isolation".to_owned(), "(all)".to_owned())].into()
    );
    let output = stage.psql(&url);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("INCONCLUSIVE  isolation"));
    // No tables at all.
    run_on(&stage.server, "postgres", "CREATE DATABASE bare").await;
    let bare = stage.server.url(stage.server.administrator(), "bare");
    let output = stage.psql(&bare);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("crm.people: the table is not there"));
    // A role that policies hide rows from is refused by them, not shown a part.
    run_on(
        &stage.server,
        "empty",
        "CREATE ROLE reader LOGIN PASSWORD 'sesame'; GRANT pg_read_all_data TO reader; GRANT USAGE ON SCHEMA watertight TO reader",
    )
    .await;
    let (host, port) = stage.server.tcp();
    let output = stage.validate(&format!("postgres://reader:sesame@{host}:{port}/empty"));
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stdout);
    assert!(said.contains("row-level security policy"), "{said}");
    assert!(!format!("{output:?}").contains("sesame"));
    // As a run's, its report is merged with others, and its suites are explained.
    stage.folder.write("report.json", &output.stdout);
    let merged = watertight(&stage.folder, &["report", "merge", "report.json"], &[]);
    assert_eq!(merged.status.code(), Some(4), "{}", text(&merged.stderr));
    let output = watertight(&stage.folder, &["explain", "isolation"], &[]);
    assert!(text(&output.stdout).contains("no row refers to another tenant's"));
    // Without a URL there is nothing to validate.
    let output = watertight(&stage.folder, &["validate"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let output = stage.validate(&stage.server.url(stage.server.administrator(), "absent"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("absent"), "{output:?}");
}

/// Where the checks find nothing, nothing is wrong here either, whatever the style and the names; and no suite fails.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_any_style_is_served(
    #[files("fixtures/checks/*/isolated.sql")]
    #[files("fixtures/schemas/*.sql")]
    path: PathBuf,
) {
    let server = crate::server::local().await;
    let fixture = fixture::Fixture::read(&path);
    let url = server.url(server.administrator(), "postgres");
    let settings = fixture.settings(&url);
    let folder = settings.migrate.required_path().unwrap();
    let sql = std::fs::read_to_string(folder.join("0001_fixture.sql")).unwrap();
    run_on(&server, "postgres", &sql).await;
    let harness = Harness::new(settings);
    let report = Box::pin(harness.validate(false, &|_| {})).await.unwrap();
    let findings = report.findings.iter().filter(|one| !one.accepted);
    let wrong: Vec<String> = findings
        .filter(|one| one.severity != Severity::Note)
        .map(|one| format!("{} {} {}", one.check, one.object, one.message))
        .collect();
    if fixture.expected.iter().all(|line| line.starts_with("note")) {
        assert!(wrong.is_empty(), "the checks found nothing: {wrong:?}");
    }
    for one in &report.inconclusive {
        let known = one.object == "(all)" || one.check == "schemas-and-tables";
        assert!(known && !one.reason.contains("could not"), "{one:?}");
    }
    let script = Box::pin(harness.validation_script(true, false, &|_| {}));
    let folder = Folder::new(&[("validate.sql", &script.await.unwrap())]);
    let output = Command::new("psql")
        .args(["-X", "-f", "validate.sql", &url])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = text(&output.stdout);
    let suites = said.lines().filter(|line| !line.starts_with(' '));
    assert_eq!(suites.count(), 12, "{output:?}");
    for line in wrong {
        let object = line.split(' ').nth(1).unwrap_or_default();
        assert!(said.contains(object), "{line}: {said}");
    }
    server.stop().await.unwrap();
}

/// Every table and relation is drawn, whatever their names, in words that Mermaid takes (tried with 11.16).
#[tokio::test(flavor = "multi_thread")]
async fn diagrams_hold_every_table_and_relation_in_words_that_mermaid_takes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas/hostile-names.sql");
    let fixture = fixture::Fixture::read(&path);
    let harness = Harness::new(fixture.settings("local"));
    let validated = Box::pin(harness.documented(&|_| {})).await.unwrap();
    let text = document::diagram(&validated.catalog, &validated.tenancy);
    println!("{text}");
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_[]".contains(c))
    };
    let quoted = |text: &str| {
        let inside = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        inside.is_some_and(|text| !text.contains(['"', '%', '\\', '\t']))
    };
    let (mut entities, mut relations) = (0, 0);
    let blocks = text.split("```mermaid\nerDiagram\n").skip(1);
    for (number, block) in blocks.enumerate() {
        let (block, _) = block.split_once("```").unwrap();
        for line in block.lines().map(str::trim).filter(|line| *line != "}") {
            if let Some((id, shown)) = line.split_once("[\"") {
                assert!(word(id), "{line}");
                let shown = shown.trim_end_matches(" {").trim_end_matches(']');
                assert!(quoted(&format!("\"{shown}")), "{line}");
                entities += usize::from(number == 0);
            } else if let Some((sides, name)) = line.split_once(" : ") {
                let sides: Vec<&str> = sides.split(' ').collect();
                assert!(word(sides[0]) && word(sides[2]) && quoted(name), "{line}");
                relations += usize::from(number == 0);
            } else {
                let (words, comment) = line.split_once(" \"").unwrap_or((line, "\""));
                let mut words = words.split(' ');
                assert!(words.by_ref().take(2).all(word), "{line}");
                assert!(
                    words.all(|key| ["PK", "FK", "PK,"].contains(&key)),
                    "{line}"
                );
                assert!(quoted(&format!("\"{comment}")) || comment == "\"", "{line}");
            }
        }
    }
    let tables: Vec<_> = validated.catalog.roots().collect();
    assert_eq!(entities, tables.len());
    let keys: usize = tables.iter().map(|table| table.foreign_keys.len()).sum();
    assert_eq!(relations, keys);
}
