//! Mutants: each defect is noticed, named at its line, and mended by the fix that is given; what is missed is said.

use std::path::{Path, PathBuf};

use rstest::rstest;
use watertight::model::{Allow, Equivalent, Fate, Mutation, Notice, Settings, Shard, Tried};
use watertight::report::render_mutation;
use watertight::{Harness, Result};

use crate::fixture::{Fixture, settings};
use crate::folder::Folder;

const SETTINGS: &str = "
[tenant]
column = \"org_id\"
table = \"orgs\"
[access]
role = \"app\"
context = [\"SELECT set_config('app.org', $1, true)\"]
[run]
queries = \"queries\"
";

const SCHEMA: &str = "CREATE ROLE app NOLOGIN;
CREATE TABLE orgs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
CREATE TABLE people (
    org_id uuid NOT NULL REFERENCES orgs,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email text NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, email)
);
CREATE TABLE notes (
    org_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    person_id uuid,
    body text NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, person_id) REFERENCES people ON DELETE SET NULL (person_id)
);
CREATE INDEX notes_person_idx ON notes (org_id, person_id);
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON people USING (org_id = NULLIF(current_setting('app.org', true), '')::uuid);
CREATE POLICY own ON notes USING (org_id = NULLIF(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON people, notes TO app;
";

const QUERIES: &str = "-- name: notes_of :many
SELECT n.id, p.email FROM notes n
JOIN people p ON p.org_id = n.org_id AND p.id = n.person_id
WHERE n.org_id = $1 AND (p.email = $2 OR n.body LIKE $3)
ORDER BY n.id;
";

/// What is made of it: each kind with how many there are.
const MADE: [(&str, usize); 28] = [
    ("command-without-policy", 2),
    ("index-reordered", 1),
    ("key-clears-tenant", 1),
    ("key-dropped", 1),
    ("key-follows-parent", 1),
    ("key-match-full", 1),
    ("key-not-valid", 1),
    ("key-without-tenant", 1),
    ("policy-added", 8),
    ("policy-dropped", 2),
    ("policy-reads-all", 2),
    ("policy-without-context", 2),
    ("policy-writes-all", 2),
    ("query-full-join", 1),
    ("query-left-join", 1),
    ("query-parentheses", 1),
    ("query-predicate", 2),
    ("role-bypasses", 1),
    ("role-monitors", 1),
    ("role-owns", 1),
    ("role-superuser", 1),
    ("row-security-off", 2),
    ("row-security-unforced", 1),
    ("tenant-nullable", 2),
    ("truncate-granted", 2),
    ("unique-without-tenant", 3),
    ("key-not-enforced", 0),
    ("view-granted", 0),
];

fn small() -> (Folder, Settings) {
    let folder = Folder::new(&[
        ("watertight.toml", SETTINGS),
        ("migrations/0001_schema.sql", SCHEMA),
        ("queries/notes.sql", QUERIES),
    ]);
    let settings = settings(&folder.path().join("watertight.toml"), "local");
    (folder, settings)
}

async fn mutate(settings: Settings) -> Result<Mutation> {
    Box::pin(Harness::new(settings).mutate(&|_| {})).await
}

fn survivors(mutation: &Mutation) -> Vec<&Tried> {
    let tried = mutation.tried.iter();
    tried.filter(|one| one.fate == Fate::Survived).collect()
}

/// Nothing survived, and no rule said of a noticed one that it can't be.
fn assert_noticed(mutation: &Mutation) {
    assert!(mutation.holds(), "{:#?}", survivors(mutation));
    let disputed = mutation
        .remarks
        .iter()
        .filter(|one| one.contains("though it is said"));
    assert_eq!(disputed.count(), 0, "{:#?}", mutation.remarks);
}

/// So many in a hundred of those that findings noticed, schema and roles alone.
fn share(mutation: &Mutation, fits: impl Fn(&Tried) -> bool) -> usize {
    let of_schema = mutation
        .tried
        .iter()
        .filter(|one| !one.is_of_query() && matches!(one.fate, Fate::Killed(Notice::Finding(_))));
    let all: Vec<&Tried> = of_schema.collect();
    assert!(!all.is_empty());
    100 * all.iter().filter(|one| fits(one)).count() / all.len()
}

/// One finding names what was changed and where it was made, and its fix mends it.
fn assert_named_and_mended(mutation: &Mutation) {
    let named = share(mutation, |one| one.named.as_ref().is_some_and(|n| n.place));
    let mended = share(mutation, |one| {
        one.named.as_ref().is_some_and(|n| n.mended == Some(true))
    });
    let text = render_mutation(mutation, "text").unwrap();
    assert!(named >= 95 && mended >= 90, "{named} {mended}\n{text}");
}

#[tokio::test]
async fn every_defect_of_a_small_schema_is_noticed_named_and_mended() {
    let (_folder, settings) = small();
    let mutation = mutate(settings).await.unwrap();
    assert_noticed(&mutation);
    assert_named_and_mended(&mutation);
    for (operator, number) in MADE {
        let of = mutation.tried.iter().filter(|one| one.operator == operator);
        assert_eq!(of.count(), number, "{operator}");
    }
    let equivalent: Vec<&str> = mutation
        .tried
        .iter()
        .filter(|one| matches!(one.fate, Fate::Equivalent(_)))
        .map(|one| one.operator)
        .collect();
    assert_eq!(
        equivalent,
        [
            "row-security-unforced",
            "command-without-policy",
            "command-without-policy",
            "query-left-join",
            "query-full-join"
        ]
    );
    let json: serde_json::Value =
        serde_json::from_str(&render_mutation(&mutation, "json").unwrap()).unwrap();
    assert_eq!(json["mutants"], mutation.tried.len());
    assert_eq!(json["equivalent"], 5);
    assert_eq!(json["killed"], mutation.tried.len() - 5);
    assert_eq!(json["survived"], serde_json::json!([]));
}

#[tokio::test]
async fn what_nothing_notices_survives_unless_it_is_said_to_be_equivalent() {
    let (_folder, mut settings) = small();
    settings.run.only = vec![
        "key-without-tenant".to_owned(),
        "row-security-off:*.notes".to_owned(),
    ];
    // A set-up that accepts whatever is found of keys misses their defects.
    settings.allow.push(Allow {
        check: "*".into(),
        object: "public.notes.notes_org_id_person_id_fkey".into(),
        reason: "tried".into(),
        place: "watertight.toml:1".into(),
    });
    let mutation = mutate(settings.clone()).await.unwrap();
    let missed: Vec<&str> = survivors(&mutation)
        .iter()
        .map(|one| one.operator)
        .collect();
    assert_eq!(missed, ["key-without-tenant"]);
    assert_eq!(mutation.killed(), 1);
    assert!(!mutation.holds());

    let entry = |object: &str| Equivalent {
        mutant: "key-*".into(),
        object: object.into(),
        detail: "*".into(),
        reason: "tried".into(),
        place: "watertight.toml:9".into(),
    };
    settings.equivalent = vec![entry("public.notes.*")];
    let mutation = mutate(settings).await.unwrap();
    assert!(mutation.holds() && mutation.equivalent() == 1);

    let (_folder, mut settings) = small();
    settings.access = None;
    settings.run.queries = None;
    settings.equivalent = vec![entry("public.people.*")];
    let mutation = mutate(settings).await.unwrap();
    assert_noticed(&mutation);
    let mistake = mutation.mistake.unwrap();
    assert_eq!(mistake.place, "watertight.toml:9");
    assert!(
        mutation
            .tried
            .iter()
            .all(|one| !one.operator.starts_with("policy-"))
    );
    assert!(
        mutation
            .remarks
            .iter()
            .any(|one| one.contains("no [access]"))
    );
    assert!(
        mutation
            .remarks
            .iter()
            .any(|one| one.contains("none were read"))
    );
}

fn reference() -> Settings {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    settings(&root.join("watertight.toml"), "local")
}

#[tokio::test]
async fn a_sample_of_the_applications_defects_is_noticed() {
    let mut settings = reference();
    settings.run.shard = Some(Shard {
        index: 7,
        count: 60,
    });
    let mutation = mutate(settings).await.unwrap();
    assert!(mutation.tried.len() > 10, "{}", mutation.tried.len());
    assert_noticed(&mutation);
}

#[tokio::test]
#[ignore = "minutes"]
async fn every_defect_of_the_application_is_noticed_named_and_mended() {
    let mutation = mutate(reference()).await.unwrap();
    assert_noticed(&mutation);
    assert_named_and_mended(&mutation);
    let of_schema = mutation.tried.iter();
    let of_schema = of_schema.filter(|one| !one.is_of_query()).count();
    assert!(of_schema >= 300, "{of_schema}");
    assert_eq!(mutation.mistake, None);
}

/// In other styles: bigint tenants, quoted camel case and text, no table of tenants and partitions, derived tenancy,
/// a role for each organisation.
#[rstest]
#[case("school")]
#[case("storefront")]
#[case("telemetry")]
#[case("parcels")]
#[case("practice")]
#[tokio::test]
#[ignore = "a minute"]
async fn every_defect_of_another_style_is_noticed(#[case] name: &str) {
    let path = PathBuf::from(format!(
        "{}/fixtures/schemas/{name}.sql",
        env!("CARGO_MANIFEST_DIR")
    ));
    let fixture = Fixture::read(&path);
    let mutation = mutate(fixture.settings("local")).await.unwrap();
    assert_noticed(&mutation);
    assert_named_and_mended(&mutation);
    assert_eq!(mutation.mistake, None);
}
