//! Keys that carry the tenant and are not checked: the rows show it.

use watertight::Harness;

use crate::fixture::{lines, settings};
use crate::folder::Folder;

const SCHEMA: &str = "
CREATE TABLE organisations (id uuid PRIMARY KEY);
INSERT INTO organisations VALUES
    ('00000000-0000-4000-8000-000000000001'), ('00000000-0000-4000-8000-000000000002');
CREATE TABLE people (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL,
    PRIMARY KEY (organisation_id, id)
);
INSERT INTO people VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-00000000000a');
CREATE TABLE notes (
    organisation_id uuid NOT NULL REFERENCES organisations,
    id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (organisation_id, id),
    CONSTRAINT notes_person_fkey FOREIGN KEY (organisation_id, person_id) REFERENCES people
);
";

/// A row that crossed.
const IMPORT: &str = "INSERT INTO notes VALUES ('00000000-0000-4000-8000-000000000002', \
    '00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a');\n";

async fn found(rest: &str) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new(&[
        (
            "watertight.toml",
            "[run]\nmigrate_as = \"superuser\"\nonly = [\"cross-tenant-reference\"]\n",
        ),
        ("migrations/0001_schema.sql", &format!("{SCHEMA}{rest}")),
    ]);
    let file = folder.path().join("watertight.toml");
    let report = Harness::new(settings(&file, "local"))
        .run(&|_| {})
        .await
        .unwrap();
    let messages = report.findings.iter().map(|f| f.message.clone()).collect();
    (lines(&report), messages)
}

const LEAK: &str = "leak cross-tenant-reference public.notes.notes_person_fkey";

#[tokio::test]
async fn a_key_whose_triggers_are_off_is_named() {
    let (lines, messages) = found("ALTER TABLE notes DISABLE TRIGGER ALL;").await;
    assert_eq!(lines, [LEAK]);
    assert!(messages[0].starts_with("INSERT of a row"), "{messages:?}");
}

#[tokio::test]
async fn rows_that_crossed_are_found_behind_a_key_that_is_on_again() {
    let rest = format!(
        "ALTER TABLE notes DISABLE TRIGGER ALL;\n{IMPORT}ALTER TABLE notes ENABLE TRIGGER ALL;\n\
         ALTER TABLE notes VALIDATE CONSTRAINT notes_person_fkey;"
    );
    let (lines, messages) = found(&rest).await;
    assert_eq!(lines, [LEAK]);
    assert!(messages[0].starts_with("1 row(s)"), "{messages:?}");
}

#[tokio::test]
async fn the_same_schema_with_its_key_on_holds() {
    let (lines, _) = found("").await;
    assert_eq!(lines, Vec::<String>::new());
}
