//! Foreign keys that lost the tenant column.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use watertight::model::{RunVerdict, Severity};

use super::{mutant, named, root};

/// A composite key as the migrations write it.
struct Key {
    table: String,
    name: String,
}

impl Key {
    fn object(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}

/// Every key `FOREIGN KEY (organisation_id, …)` of the migrations, by text: what the harness reads is under test.
fn composite() -> Vec<Key> {
    let mut files: Vec<_> = fs::read_dir(root().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".up.sql"))
        .collect();
    files.sort();
    let mut keys = Vec::new();
    for file in files {
        let mut table = String::new();
        for line in fs::read_to_string(file).unwrap().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE" | "ALTER", "TABLE", name, ..] => (*name).clone_into(&mut table),
                [
                    ..,
                    "CONSTRAINT",
                    name,
                    "FOREIGN",
                    "KEY",
                    "(organisation_id,",
                    _,
                ] => {
                    keys.push(Key {
                        table: table.clone(),
                        name: (*name).to_owned(),
                    });
                }
                _ => {}
            }
        }
    }
    keys
}

/// The keys without the tenant column; what they refer to becomes unique by itself, as they then need.
fn without_tenant(keys: &[&Key]) -> String {
    let list: Vec<String> = keys
        .iter()
        .map(|key| format!("('{}', '{}')", key.table, key.name))
        .collect();
    format!(
        "DO $$
        DECLARE
            k record;
        BEGIN
            FOR k IN
                SELECT c.conrelid::regclass AS child, c.confrelid::regclass AS parent, c.confrelid, c.conname,
                    regexp_replace(regexp_replace(pg_get_constraintdef(c.oid),
                        'KEY \\(organisation_id, ', 'KEY ('), '\\(organisation_id, id\\)', '(id)') AS definition
                FROM (VALUES {}) m (child, name)
                JOIN pg_constraint c ON c.conrelid = m.child::regclass AND c.conname = m.name
            LOOP
                IF NOT EXISTS (SELECT FROM pg_constraint
                               WHERE conrelid = k.confrelid AND conname = 'mutant_' || k.confrelid) THEN
                    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE (id)', k.parent, 'mutant_' || k.confrelid);
                END IF;
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.child, k.conname);
                EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.child, k.conname, k.definition);
            END LOOP;
        END
        $$;\n",
        list.join(", ")
    )
}

/// Each half alone: the mutated keys are named, and no key of the other half is.
#[rstest]
#[case::all(|_| true)]
#[case::even(|number| number % 2 == 0)]
#[case::odd(|number| number % 2 == 1)]
#[tokio::test]
async fn a_key_without_the_tenant_is_named(#[case] chosen: fn(usize) -> bool) {
    let all = composite();
    assert!(all.len() > 60, "{}", all.len());
    let keys: Vec<&Key> = all
        .iter()
        .enumerate()
        .filter(|(number, _)| chosen(*number))
        .map(|(_, key)| key)
        .collect();
    let report = mutant(&without_tenant(&keys), &["cross-tenant-reference"]).await;
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    assert_eq!(report.verdict().exit_status(), 1);
    let expected: BTreeSet<String> = keys.iter().map(|key| key.object()).collect();
    let found: BTreeSet<String> = named(&report, "cross-tenant-reference")
        .into_iter()
        .collect();
    let missed: Vec<_> = expected.difference(&found).collect();
    let wrong: Vec<_> = found.difference(&expected).collect();
    assert!(
        missed.is_empty() && wrong.is_empty(),
        "missed {missed:?}\nwrong {wrong:?}\n{:#?}",
        report.inconclusive
    );
    for finding in &report.findings {
        assert_eq!(finding.severity, Severity::Leak, "{}", finding.object);
        assert!(finding.fix.contains("organisation_id"), "{}", finding.fix);
        assert!(finding.sql.contains("ROLLBACK"), "{}", finding.sql);
    }
}

/// The kinds of keys that a schema can have are among the reference application's.
#[test]
fn the_keys_are_of_all_kinds() {
    let names: BTreeSet<String> = composite().iter().map(Key::object).collect();
    for name in [
        // deferred; deferrable; of a partitioned table; optional; of a join table; to itself
        "outreach.campaigns.campaigns_first_step_fkey",
        "outreach.step_experiments.step_experiments_winner_variant_fkey",
        "tracking.message_events.message_events_message_fkey",
        "crm.notes.notes_company_fkey",
        "crm.list_members.list_members_list_fkey",
        "iam.memberships.memberships_invited_by_fkey",
        "outreach.templates.templates_previous_version_fkey",
    ] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
}
