//! The SQL that mends a finding does mend it, and leaves all else as it was.

use watertight::Harness;
use watertight::model::RunVerdict;

use crate::fixture::{lines, settings};
use crate::folder::Folder;

/// Keys that name the person alone, each with something that its mended form must keep.
const KEYS: [(&str, &str); 5] = [
    ("plain", "NOT NULL REFERENCES people (id)"),
    (
        "removed",
        "NOT NULL REFERENCES people (id) MATCH FULL ON DELETE CASCADE ON UPDATE CASCADE",
    ),
    ("cleared", "REFERENCES people (id) ON DELETE SET NULL"),
    (
        "emptied",
        "REFERENCES people (id) MATCH FULL ON DELETE SET DEFAULT ON UPDATE SET NULL",
    ),
    (
        "waiting",
        "REFERENCES people (id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED",
    ),
];

/// What the server says of the mended keys, in the order of [`KEYS`].
const MENDED: [&str; 5] = [
    "",
    " MATCH FULL ON UPDATE CASCADE ON DELETE CASCADE",
    " ON DELETE SET NULL (person_id)",
    " ON DELETE SET DEFAULT (person_id)",
    " ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED",
];

fn schema() -> String {
    let mut sql = String::from(
        "CREATE TABLE organisations (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
         CREATE TABLE people (
             organisation_id uuid NOT NULL REFERENCES organisations,
             id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
             PRIMARY KEY (organisation_id, id)
         );\n",
    );
    sql.extend(KEYS.map(|(name, reference)| {
        format!(
            "CREATE TABLE {name} (
                 organisation_id uuid NOT NULL REFERENCES organisations,
                 id uuid NOT NULL DEFAULT gen_random_uuid(),
                 person_id uuid {reference},
                 PRIMARY KEY (organisation_id, id)
             );\n"
        )
    }));
    sql
}

/// Fails with the definition of the first key that is not as it should be.
fn proof() -> String {
    let one = |((name, _), options): (&(&str, &str), &str)| {
        let wanted = format!(
            "FOREIGN KEY (organisation_id, person_id) REFERENCES people(organisation_id, id){options}"
        );
        format!(
            "DO $$ DECLARE found text := pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{name}_person_id_fkey'; \
             BEGIN IF found <> '{wanted}' THEN RAISE EXCEPTION '%', found; END IF; END $$;\n"
        )
    };
    KEYS.iter().zip(MENDED).map(one).collect()
}

#[tokio::test]
async fn a_mended_key_holds_and_keeps_its_actions() {
    let folder = Folder::new(&[
        (
            "watertight.toml",
            "[run]\nonly = [\"cross-tenant-reference\"]\n",
        ),
        ("migrations/0001_schema.sql", &schema()),
    ]);
    let file = folder.path().join("watertight.toml");
    let report = Harness::new(settings(&file, "local"))
        .run(&|_| {})
        .await
        .unwrap();
    let expected: Vec<String> = {
        let mut names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let line =
            |name| format!("leak cross-tenant-reference public.{name}.{name}_person_id_fkey");
        names.into_iter().map(line).collect()
    };
    assert_eq!(lines(&report), expected);

    let fixes: Vec<&str> = report.findings.iter().map(|f| f.fix.as_str()).collect();
    folder.write("migrations/0002_mended.sql", fixes.join("\n").as_bytes());
    folder.write("migrations/0003_proof.sql", proof().as_bytes());
    let report = Harness::new(settings(&file, "local"))
        .run(&|_| {})
        .await
        .unwrap();
    assert_eq!(report.verdict(), RunVerdict::Held, "{:?}", lines(&report));
}
