//! Reports, from data to text.

use super::*;
use crate::model::{
    Actor, Allow, Attacked, Finding, Inconclusive, Place, Report, RunVerdict, Severity, Shard,
    Tally,
};

fn finding(severity: Severity, check: &'static str, object: &str) -> Finding {
    Finding {
        check,
        severity,
        object: object.into(),
        message: "A row of A\nrefers to a row of B.".into(),
        sql: "SELECT 1;\nSELECT 2;".into(),
        sqlstate: None,
        place: Some(Place {
            file: "migrations/1.sql".into(),
            line: 7,
        }),
        fix: "alter table t;".into(),
        accepted: false,
        acquitted: Vec::new(),
        versions: vec!["15".into()],
        difference: String::new(),
        counterexample: None,
    }
}

fn unsure(check: &'static str, object: &str) -> Inconclusive {
    Inconclusive {
        check,
        object: object.into(),
        reason: "The control failed.".into(),
        accepted: false,
        versions: Vec::new(),
    }
}

fn held() -> Report {
    let mut report = Report {
        seed: "42@2026-01-01".into(),
        ..Report::default()
    };
    report.server.kind = "local".into();
    report.server.version = "15.18".into();
    report.server.chosen = "local 15.18 (docker passed over: no daemon)".into();
    report.schema.tables = 30;
    report.schema.classes = [("scoped".to_owned(), 26), ("shared".to_owned(), 4)].into();
    report.dataset.rows = 1_200;
    report.timings.check = 1_234;
    report.checks.insert(
        "cross-tenant-reference",
        Tally {
            cases: 122,
            held: 122,
            reasons: [
                ("by foreign key".to_owned(), 120),
                ("by policy".to_owned(), 2),
            ]
            .into(),
            ..Tally::default()
        },
    );
    report
}

fn leaked() -> Report {
    let mut report = held();
    report.findings = vec![
        finding(Severity::Leak, "reference", "crm.a.a_fkey"),
        finding(Severity::Weakness, "unique", "crm.a.a_key"),
        finding(Severity::Note, "uuid", "crm.a.a_pkey"),
        finding(Severity::Note, "uuid", "crm.b.b_pkey"),
        finding(Severity::Note, "uuid", "iam.c.c_pkey"),
    ];
    report.inconclusive = vec![unsure("policy", "crm.tags")];
    report
}

fn text(report: &Report) -> String {
    render(report, "text", false).unwrap()
}

#[test]
fn a_held_run_fits_a_screen() {
    assert_eq!(
        text(&held()),
        "\
HELD: no row crossed between organisations in 122 cases

covered  30 tables (26 scoped, 4 shared), 0 columns, 0 foreign keys, 0 policies, 0 queries
seeded   0 organisations with 1,200 rows
server   local 15.18 (docker passed over: no daemon)

check                   cases   held  leaked  inconclusive    n/a
cross-tenant-reference    122    122       0             0      0  120 × by foreign key, 2 × by policy

took     1.23 s (server 0.00 s, migrate 0.00 s, seed 0.00 s, check 1.23 s)
again    --seed 42@2026-01-01
"
    );
}

#[test]
fn a_leaked_run_says_what_where_and_how_to_repeat_and_mend_it() {
    let text = text(&leaked());
    let summary = "LEAKED: 1 leak, 1 weakness, 1 inconclusive, 3 notes in 122 cases\n";
    assert!(
        text.starts_with(summary) && text.ends_with(summary),
        "{text}"
    );
    assert!(
        text.contains(
            "
leak: reference on crm.a.a_fkey
  migrations/1.sql:7
  A row of A
  refers to a row of B.
  To repeat it in psql:
    SELECT 1;
    SELECT 2;
  To mend it:
    alter table t;

weakness: unique on crm.a.a_key
"
        ),
        "{text}"
    );
    assert!(
        text.contains("\ninconclusive: policy on crm.tags\n  The control failed.\n"),
        "{text}"
    );
    assert!(
        text.contains("\nnote: uuid on 2 objects in crm, as crm.a.a_pkey\n"),
        "{text}"
    );
    assert!(
        text.contains("\nnote: uuid on iam.c.c_pkey: A row of A refers to a row of B.\n"),
        "{text}"
    );
    assert!(!text.contains('\x1b'));
    assert!(
        render(&leaked(), "text", true)
            .unwrap()
            .contains("\x1b[1;31mleak\x1b[0m")
    );
}

#[test]
fn what_could_not_be_judged_for_one_reason_is_told_together() {
    let mut report = held();
    report.inconclusive = vec![
        unsure("policy", "crm.a"),
        unsure("policy", "crm.b"),
        unsure("reference", "crm.a.k"),
    ];
    let text = text(&report);
    assert!(
        text.starts_with("INCONCLUSIVE: 3 inconclusive in 122 cases\n"),
        "{text}"
    );
    assert!(
        text.contains("\ninconclusive: policy on 2 objects\n    crm.a\n    crm.b\n  The control failed.\n\ninconclusive: reference on crm.a.k\n"),
        "{text}"
    );
}

#[test]
fn sql_with_a_quoted_line_break_is_pasted_as_it_is() {
    let mut report = leaked();
    report.findings[0].sql = "SELECT 'a\nb';".into();
    assert!(text(&report).contains("in psql:\nSELECT 'a\nb';\n"));
}

#[test]
fn hostile_names_reach_no_terminal() {
    let mut report = leaked();
    report.findings[0].object = "crm.\"\x1b[2J\n::error::owned\"".into();
    report.findings[0].sql = "::set-output".into();
    for format in ["text", "github"] {
        let text = render(&report, format, false).unwrap();
        assert!(!text.contains('\x1b'), "{text}");
        assert!(!text.contains("\n::error::owned"), "{text}");
    }
    let github = render(&report, "github", false).unwrap();
    assert!(!github.contains("  ::set-output") && github.contains(": :set-output"));
}

#[test]
fn json_is_format_1() {
    let text = render(&leaked(), "json", true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "format",
            "verdict",
            "seed",
            "server",
            "schema",
            "dataset",
            "checks",
            "findings",
            "inconclusive",
            "timings_ms",
            "coverage",
            "remarks",
            "constraints",
            "attacks",
            "deny_weakness",
            "shard",
            "mistake",
            "runs"
        ]
    );
    assert_eq!(value["verdict"], "leaked");
    assert_eq!(value["server"]["kind"], "local");
    assert_eq!(value["checks"][0]["id"], "cross-tenant-reference");
    assert_eq!(value["checks"][0]["held"], 122);
    let first = &value["findings"][0];
    assert_eq!(first["severity"], "leak");
    assert_eq!(
        (&first["file"], &first["line"]),
        (&"migrations/1.sql".into(), &7.into())
    );
    assert_eq!(first["sqlstate"], serde_json::Value::Null);
    assert_eq!(first["fingerprint"], "reference:crm.a.a_fkey");
    assert_eq!(value["inconclusive"][0]["reason"], "The control failed.");
    assert_eq!(
        render(&leaked(), "json", false).unwrap(),
        text,
        "the same report, the same bytes"
    );
}

#[test]
fn github_annotations_are_escaped_and_bounded() {
    let mut report = leaked();
    report.findings[0].message = "100%\nof a:b, c".into();
    report.findings[0].object = "a:b,c".into();
    let github = render(&report, "github", false).unwrap();
    assert!(
        github.contains(
            "\n::error file=migrations/1.sql,line=7,title=leak%3A reference on a%3Ab%2Cc::100%25%0Aof a:b, c%0ATo mend:%0Aalter table t;\n"
        ),
        "{github}"
    );
    assert!(github.contains("\n::warning file=migrations/1.sql,line=7,title=weakness%3A unique"));
    assert!(
        github.contains(
            "\n::warning title=inconclusive%3A policy on crm.tags::The control failed.\n"
        )
    );
    report.deny_weakness = true;
    assert!(
        render(&report, "github", false)
            .unwrap()
            .contains("\n::error file=migrations/1.sql,line=7,title=weakness")
    );

    report.findings = vec![finding(Severity::Leak, "reference", "crm.a.a_fkey"); 25];
    report.findings[0].accepted = true;
    let github = render(&report, "github", false).unwrap();
    assert_eq!(github.matches("\n::error").count(), 10);
    assert!(github.ends_with("::error::15 more in the report above\n::warning title=inconclusive%3A policy on crm.tags::The control failed.\n"), "{github}");
}

fn allow(check: &str, object: &str) -> Allow {
    Allow {
        check: check.into(),
        object: object.into(),
        reason: "known".into(),
        place: "watertight.toml:3".into(),
    }
}

#[test]
fn what_is_allowed_fails_nothing_and_what_allows_nothing_is_named() {
    let mut report = leaked();
    let entries = [
        allow("ref*", "crm.*"),
        allow("policy", "crm.tags"),
        allow("unique", "iam.*"),
    ];
    let unused = accept(&mut report, &entries, None);
    assert_eq!(unused, [&entries[2]]);
    assert_eq!(report.verdict(), RunVerdict::Held);
    assert!(!report.findings[1].accepted, "another check's");
    let shown = text(&report);
    assert!(
        shown.starts_with(
            "HELD: no row crossed between organisations but where that is accepted, in 122 cases (1 weakness, 3 notes, 2 accepted)\n"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("\naccepted: 1 of policy, 1 of reference\n"),
        "{shown}"
    );
    assert!(!shown.contains("leak: "));
    report.deny_weakness = true;
    assert_eq!(report.verdict(), RunVerdict::Leaked);
}

#[test]
fn only_what_is_new_or_worse_than_the_baseline_fails() {
    let mut report = leaked();
    let baseline = Baseline::of(&report);
    assert_eq!(Baseline::parse(&baseline.render()).unwrap(), baseline);
    accept(&mut report, &[], Some(&baseline));
    assert_eq!(report.verdict(), RunVerdict::Held);
    assert_eq!(baseline.gone(&report), 0);

    let mut new = leaked();
    new.findings
        .push(finding(Severity::Leak, "reference", "crm.b.b_fkey"));
    accept(&mut new, &[], Some(&baseline));
    assert_eq!(new.verdict(), RunVerdict::Leaked);

    let mut worse = leaked();
    worse.findings[1].severity = Severity::Leak;
    accept(&mut worse, &[], Some(&baseline));
    assert_eq!(worse.verdict(), RunVerdict::Leaked);

    let mut unsure_now = leaked();
    unsure_now.findings.clear();
    unsure_now
        .inconclusive
        .push(unsure("reference", "crm.a.a_fkey"));
    accept(&mut unsure_now, &[], Some(&baseline));
    assert_eq!(unsure_now.verdict(), RunVerdict::Inconclusive);
    assert_eq!(baseline.gone(&held()), 3);
}

#[test]
fn a_baseline_is_text_to_commit() {
    let mut report = leaked();
    report.findings[0].object = "crm.\"a\"\"b\nc\".k".into();
    let rendered = Baseline::of(&report).render();
    assert!(
        rendered.contains("weaknesses = [\n    \"unique:crm.a.a_key\",\n]\n"),
        "{rendered}"
    );
    assert!(!rendered.contains("uuid"));
    assert_eq!(Baseline::parse(&rendered).unwrap(), Baseline::of(&report));
    let merged = Baseline::of(&held()).merged(Baseline::of(&report));
    assert_eq!(merged, Baseline::of(&report));
    for (text, word) in [
        ("format = 2", "format 2"),
        ("leaks = []", "format"),
        ("format = 1\nleeks = []", "line 2"),
        ("nonsense", "line 1"),
    ] {
        let error = Baseline::parse(text).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn the_formats_are_known_by_name() {
    let all: Vec<&str> = formats().collect();
    assert!(all.starts_with(&["text", "json", "github"]), "{all:?}");
    for format in all {
        let report = render(&held(), format, false).unwrap();
        assert!(report.ends_with('\n'), "{format}: {report}");
    }
    assert_eq!(render(&held(), "pdf", false), None);
}

/// Everything of a report comes back from its JSON.
#[test]
fn a_report_is_read_as_it_was_written() {
    let known = |id: &str| {
        [
            "cross-tenant-reference",
            "policy",
            "reference",
            "unique",
            "uuid",
        ]
        .into_iter()
        .find(|known| *known == id)
    };
    let mut report = leaked();
    report.deny_weakness = true;
    report
        .texts
        .insert("crm.a.a_fkey".into(), "SELECT 1".into());
    let attacked = Attacked {
        object: "crm.a".into(),
        actor: Actor::Owner,
        operation: "INSERT".into(),
    };
    report.attacks.insert(
        attacked,
        Tally {
            cases: 2,
            held: 2,
            ..Tally::default()
        },
    );
    report.shard = Some(Shard { index: 1, count: 2 });
    for report in [report.clone(), merge(vec![report, held()])] {
        let json = render(&report, "json", false).unwrap();
        let again = read(&json, &known).unwrap();
        assert_eq!(render(&again, "json", false).unwrap(), json);
        assert_eq!(again.verdict(), report.verdict());
    }
    for (text, word) in [
        ("{}", "format"),
        ("{\"format\": 1}", "no JSON report"),
        ("nonsense", "no JSON report"),
    ] {
        let error = read(text, &known).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    let json = render(&leaked(), "json", false).unwrap();
    let newer = json.replace("\"format\": 1", "\"format\": 2");
    assert!(read(&newer, &known).unwrap_err().contains("newer"));
    let other = render(&leaked(), "json", false)
        .unwrap()
        .replace("\"uuid\"", "\"other\"");
    assert!(read(&other, &known).unwrap_err().contains("`other`"));
}

#[test]
fn a_merged_report_has_the_worst_of_each_and_says_where_it_shows() {
    let mut other = held();
    other.server.version = "18.6".into();
    let merged = merge(vec![other, leaked()]);
    assert_eq!(merged.verdict(), RunVerdict::Leaked);
    assert_eq!(merged.runs.len(), 2);
    assert_eq!(merged.runs[0].server.version, "15.18");
    let text = text(&merged);
    assert!(
        text.contains("\n  differs: leak: reference on crm.a.a_fkey on Postgres 15, not on 18: "),
        "{text}"
    );
    assert!(text.contains("\nPostgres 18.6, local: HELD: "), "{text}");

    let both = merge(vec![merge(vec![leaked()]), leaked()]);
    assert_eq!(both.runs.len(), 2);
    assert_eq!(both.findings.len(), leaked().findings.len());

    let failed = Report {
        failure: Some("no server".into()),
        ..Report::default()
    };
    let merged = merge(vec![failed, held()]);
    assert_eq!(merged.verdict(), RunVerdict::Failed);
    assert_eq!(merged.verdict().exit_status(), 2);
}

#[test]
fn a_part_of_which_there_is_no_report_was_not_tried() {
    let part = |index| {
        let mut part = held();
        part.shard = Some(Shard { index, count: 3 });
        part
    };
    let whole = merge(vec![part(3), part(1), part(2)]);
    assert_eq!(whole.verdict(), RunVerdict::Held);
    assert_eq!(whole.checks["cross-tenant-reference"].held, 3 * 122);
    assert_eq!(merge(Vec::new()).verdict(), RunVerdict::Inconclusive);
    let lacking = merge(vec![part(1), part(3)]);
    assert_eq!(lacking.verdict(), RunVerdict::Inconclusive);
    assert_eq!(
        lacking.inconclusive[0].object,
        "part 2/3 on local Postgres 15"
    );
}

#[test]
fn findings_that_one_statement_mends_are_told_together() {
    let mut report = leaked();
    report.findings.clear();
    for key in ["a_fkey", "b_fkey"] {
        let mut leak = finding(
            Severity::Leak,
            "cross-tenant-reference",
            &format!("crm.t.{key}"),
        );
        leak.fix = format!(
            "ALTER TABLE \"crm\".\"people\" ADD UNIQUE (\"organisation_id\", \"id\");\nALTER TABLE t ADD {key};"
        );
        report.findings.push(leak);
    }
    for key in ["c_fkey", "d_fkey"] {
        let object = format!("crm.u.{key}");
        let mut leak = finding(Severity::Leak, "cross-tenant-reference", &object);
        leak.fix = format!("Give crm.lines the tenant column\nCarry it in {key}");
        report.findings.push(leak);
    }
    // Advice that many share is no cause.
    for query in ["a.sql:a", "a.sql:b"] {
        let mut leak = finding(Severity::Leak, "query", query);
        leak.fix = "Compare the tenant".into();
        report.findings.push(leak);
    }
    let text = text(&report);
    assert!(
        text.contains("\nleak: cross-tenant-reference: 2 keys need UNIQUE (organisation_id, id) on crm.people\n    crm.t.a_fkey  migrations/1.sql:7\n    crm.t.b_fkey  migrations/1.sql:7\n"),
        "{text}"
    );
    assert!(
        text.contains("\nleak: cross-tenant-reference: 2 keys need the tenant column in crm.lines\n    crm.u.c_fkey"),
        "{text}"
    );
    assert!(
        text.contains("    ALTER TABLE t ADD a_fkey;\n    ALTER TABLE t ADD b_fkey;\n"),
        "{text}"
    );
    assert!(
        text.contains("\nleak: query on a.sql:a\n") && text.contains("\nleak: query on a.sql:b\n"),
        "{text}"
    );
}

#[test]
fn a_check_with_many_causes_is_one_entry() {
    let mut report = leaked();
    let leak = report.findings[0].clone();
    for number in 0..50 {
        let mut leak = leak.clone();
        leak.object = format!("a.t{number}.fkey");
        leak.fix = format!("ALTER TABLE a.t{number} ADD UNIQUE (o, id);");
        report.findings.push(leak);
    }
    let text = render(&report, "text", false).unwrap();
    let entries = text.lines().filter(|line| line.starts_with("leak: "));
    let entries: Vec<&str> = entries.collect();
    assert_eq!(entries.len(), 1, "{text}");
    assert!(entries[0].contains("findings"), "{text}");
    assert!(text.contains("more: --report html=report.html"), "{text}");
}

#[test]
fn a_report_from_json_shows_the_lines_too() {
    let mut report = leaked();
    let lines: Vec<String> = (1..=9).map(|line| format!("line {line}")).collect();
    let file = report.findings[0].place.as_ref().unwrap().file.clone();
    report.sources.insert(file.clone(), lines.join("\n"));
    let json = render(&report, "json", false).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let excerpt = value["findings"][0]["excerpt"].as_array().unwrap();
    assert_eq!(excerpt.len(), 3, "{json}");
    assert_eq!(excerpt[1]["text"], "line 7");
    let known = |id: &str| {
        let all = [
            "cross-tenant-reference",
            "reference",
            "unique",
            "uuid",
            "policy",
        ];
        all.into_iter().find(|known| *known == id)
    };
    let again = read(&json, &known).unwrap();
    assert_eq!(again.sources[&file].lines().nth(6), Some("line 7"));
    assert_eq!(render(&again, "json", false).unwrap(), json);
}
