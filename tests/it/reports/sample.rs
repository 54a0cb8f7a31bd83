//! Reports to show: one that held, one with everything that can be wrong and names that mean harm, one of several
//! versions, and one of a large schema.

use watertight::model::{
    Actor, Attacked, Explained, Finding, Inconclusive, Place, Report, Severity, Shard, Tally,
    UnmetBranch,
};
use watertight::report;

/// A name that would be a script if it were not escaped.
pub(super) const HOSTILE: &str = "crm.\"</code><script>window.crossed=1</script><img src=x onerror='window.crossed=1'>]]>&amp;\"";

fn tally(held: usize, leaked: usize, inconclusive: usize, not_applicable: usize) -> Tally {
    Tally {
        cases: held + leaked + inconclusive + not_applicable,
        held,
        leaked,
        inconclusive,
        not_applicable,
        reasons: [("refused by the key (23503)".to_owned(), held)].into(),
    }
}

fn attack(report: &mut Report, object: &str, actor: Actor, operation: &str, tally: Tally) {
    let attacked = Attacked {
        object: object.to_owned(),
        actor,
        operation: operation.to_owned(),
    };
    report.attacks.insert(attacked, tally);
}

/// Every command by every actor on a table.
fn attack_all(report: &mut Report, object: &str) {
    for operation in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        for actor in [
            Actor::Organisation(1),
            Actor::Unset,
            Actor::Empty,
            Actor::Malformed,
        ] {
            attack(report, object, actor, operation, tally(1, 0, 0, 0));
        }
    }
    attack(report, object, Actor::Owner, "INSERT", tally(2, 0, 0, 1));
    attack(report, object, Actor::Owner, "UPDATE", tally(2, 0, 0, 1));
}

fn finding(severity: Severity, check: &'static str, object: &str) -> Finding {
    Finding {
        check,
        severity,
        object: object.to_owned(),
        message: "INSERT of a row of crm.notes that refers to another tenant's row of crm.people was accepted (and in 1 more ways)".to_owned(),
        sql: "BEGIN;\nINSERT INTO \"crm\".\"notes\" (\"organisation_id\", \"id\", \"person_id\") VALUES ('2d3f4d94-ab2c-4c2a-b3f9-10d8c3d504a2', 'ea6f5a60-f21b-44c9-a8c8-04d56fc5abe2', '38c7a963-6ff1-40c9-9bde-5509cef48f61');\nSET CONSTRAINTS ALL IMMEDIATE;\n-- rows that refer across tenants:\nSELECT count(*) FROM \"crm\".\"notes\" c JOIN \"crm\".\"people\" p ON p.\"id\" = c.\"person_id\" WHERE c.\"organisation_id\" IS DISTINCT FROM p.\"organisation_id\";\nROLLBACK;".to_owned(),
        sqlstate: None,
        place: Some(Place { file: "migrations/0001.sql".to_owned(), line: 12 }),
        fix: String::new(),
        accepted: false,
        acquitted: Vec::new(),
        versions: vec!["18".to_owned()],
        difference: String::new(),
        counterexample: None,
    }
}

fn unsure(object: &str) -> Inconclusive {
    Inconclusive {
        check: "row-level-security-read",
        object: object.to_owned(),
        reason: "the role does not see its own rows in its own context, so that nothing was proved"
            .to_owned(),
        accepted: false,
        versions: vec!["18".to_owned()],
    }
}

pub(super) fn held() -> Report {
    let mut report = Report {
        seed: "9a0210780aa04331@1795395768".to_owned(),
        ..Report::default()
    };
    report.server.kind = "docker".into();
    report.server.version = "18.6".into();
    report.server.chosen = "docker PostgreSQL 18.6 from image postgres:18".into();
    report.schema.tables = 34;
    report.schema.scoped = 31;
    report.schema.columns = 336;
    report.schema.foreign_keys = 108;
    report.schema.policies = 33;
    report.schema.queries = 61;
    report.schema.classes = [("scoped".to_owned(), 31), ("shared".to_owned(), 3)].into();
    report.dataset.organisations = 3;
    report.dataset.rows = 794;
    report.timings.server = 3610;
    report.timings.migrate = 530;
    report.timings.seed = 870;
    report.timings.check = 3400;
    report.coverage.parameters = 136;
    report.coverage.bound = 134;
    report.coverage.branches = 46;
    report.coverage.met = 45;
    report.coverage.unmet = vec![UnmetBranch {
        query: "people.sql:people_speaking".to_owned(),
        line: 54,
        branch: "OR p.languages && $2::TEXT[]".to_owned(),
    }];
    for (id, tally) in [
        ("cross-tenant-reference", tally(150, 0, 0, 66)),
        ("query-interference", tally(60, 0, 0, 1)),
        ("row-level-security-read", tally(132, 0, 0, 0)),
        ("row-level-security-write", tally(380, 0, 0, 36)),
    ] {
        let explained = Explained {
            title: "a foreign key accepts another tenant's row".to_owned(),
            why: "A key that doesn't carry the tenant is satisfied by any organisation's row."
                .to_owned(),
        };
        report.explained.insert(id, explained);
        report.checks.insert(id, tally);
    }
    report.remarks =
        vec!["unique over all tenants, so without twins: iam.api_keys.key_hash".to_owned()];
    for table in [
        "crm.companies",
        "crm.notes",
        "crm.people",
        "iam.memberships",
        "tracking.message_events",
    ] {
        attack_all(&mut report, table);
    }
    report
}

pub(super) fn leaked() -> Report {
    let mut report = held();
    report
        .checks
        .insert("cross-tenant-reference", tally(146, 4, 0, 66));
    report
        .checks
        .insert("row-level-security-read", tally(131, 0, 1, 0));
    attack_all(&mut report, HOSTILE);
    attack(
        &mut report,
        "crm.notes",
        Actor::Owner,
        "INSERT",
        tally(0, 2, 0, 1),
    );
    attack(
        &mut report,
        "crm.people",
        Actor::Organisation(1),
        "SELECT",
        tally(0, 0, 1, 0),
    );
    for key in [
        "notes_person_fkey",
        "notes_author_fkey",
        "notes_reader_fkey",
    ] {
        let mut leak = finding(
            Severity::Leak,
            "cross-tenant-reference",
            &format!("crm.notes.{key}"),
        );
        leak.fix = format!(
            "ALTER TABLE \"crm\".\"people\" ADD UNIQUE (\"organisation_id\", \"id\");\nALTER TABLE \"crm\".\"notes\" DROP CONSTRAINT \"{key}\", ADD CONSTRAINT \"{key}\" FOREIGN KEY (\"organisation_id\", \"person_id\") REFERENCES \"crm\".\"people\" (\"organisation_id\", \"id\");"
        );
        report.findings.push(leak);
    }
    let mut query = finding(Severity::Leak, "query-interference", HOSTILE);
    query.message =
        format!("its result changes with another organisation's rows: {HOSTILE}\u{202e}\u{7}");
    query.place = None;
    query.fix = "Compare organisation_id with $1".into();
    report.texts.insert(
        HOSTILE.to_owned(),
        "SELECT `a` FROM people ``` WHERE a < 1 && b > '</pre>'".to_owned(),
    );
    report.findings.push(query);
    let mut accepted = finding(
        Severity::Weakness,
        "unique-without-tenant",
        "iam.organisations.slug",
    );
    accepted.accepted = true;
    report.findings.push(accepted);
    report.findings.push(finding(
        Severity::Note,
        "unique-without-tenant",
        "crm.tags.tags_id_key",
    ));
    report.inconclusive.push(unsure("crm.people"));
    report
}

/// Three versions: one that held, one that leaks, one of which there was no server.
pub(super) fn merged() -> Report {
    let mut older = held();
    older.server.version = "15.18".into();
    older.server.kind = "local".into();
    let mut failed = Report {
        failure: Some("Docker has no image postgres:17".to_owned()),
        ..Report::default()
    };
    failed.server.version = "17".into();
    failed.shard = Some(Shard { index: 1, count: 1 });
    report::merge(vec![leaked(), older, failed])
}

/// So many tables.
pub(super) fn large(tables: usize) -> Report {
    let mut report = leaked();
    report.schema.tables = tables;
    for number in 0..tables {
        let table = format!("schema_{}.a_table_with_a_long_name_{number:03}", number % 7);
        attack_all(&mut report, &table);
        let mut leak = finding(Severity::Leak, "row-level-security-read", &table);
        leak.fix = format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;");
        report.findings.push(leak);
        report.inconclusive.push(unsure(&table));
    }
    report
}
