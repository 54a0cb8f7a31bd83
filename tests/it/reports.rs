//! Reports as those read them who are not us: against published schemas, and in a browser.

mod browser;
mod sample;

use std::process::Command;

use serde_json::Value;
use watertight::report::render;

use crate::folder::Folder;

/// The programs that read reports are asked where this is 1: `chromium` and `libxml2-utils` of Debian.
fn programs() -> bool {
    let wanted = std::env::var("WATERTIGHT_TEST_BROWSER").is_ok_and(|value| value == "1");
    if !wanted {
        eprintln!("not tried: WATERTIGHT_TEST_BROWSER is not 1");
    }
    wanted
}

fn reports() -> Vec<watertight::model::Report> {
    vec![
        sample::held(),
        sample::leaked(),
        sample::merged(),
        sample::large(40),
    ]
}

#[test]
fn sarif_is_what_its_published_schema_says() {
    let mut schema: Value =
        serde_json::from_str(include_str!("reports/sarif-schema-2.1.0.json")).unwrap();
    // As published it ends with a bracket too many. No report says which language it is in.
    for place in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][place]["properties"]["language"];
        assert!(
            language
                .as_object_mut()
                .unwrap()
                .remove("pattern")
                .is_some()
        );
    }
    let schema = jsonschema::validator_for(&schema).unwrap();
    for report in reports() {
        let text = render(&report, "sarif", false).unwrap();
        let log: Value = serde_json::from_str(&text).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&log)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    // The schema is one that refuses.
    let mut log: Value =
        serde_json::from_str(&render(&sample::leaked(), "sarif", false).unwrap()).unwrap();
    log["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&log));
}

#[test]
fn sarif_says_what_where_and_how_bad() {
    let log = |report| -> Value {
        serde_json::from_str(&render(&report, "sarif", false).unwrap()).unwrap()
    };
    let leaked = log(sample::leaked());
    let run = &leaked["runs"][0];
    assert_eq!(
        run["automationDetails"]["id"],
        "watertight/docker/postgres-18/"
    );
    let result = &run["results"][0];
    assert_eq!(result["level"], "error");
    assert_eq!(
        result["partialFingerprints"]["checkAndObject/v1"],
        "cross-tenant-reference:crm.notes.notes_person_fkey"
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "migrations/0001.sql");
    assert_eq!(place["region"]["startLine"], 12);
    let rule = result["ruleIndex"].as_u64().unwrap();
    assert_eq!(
        run["tool"]["driver"]["rules"][usize::try_from(rule).unwrap()]["id"],
        "cross-tenant-reference"
    );
    let results = run["results"].as_array().unwrap();
    let accepted = results
        .iter()
        .find(|one| one["properties"]["severity"] == "weakness")
        .unwrap();
    assert_eq!(accepted["suppressions"][0]["status"], "accepted");
    assert!(results.iter().any(|one| one["kind"] == "open"));
    assert_eq!(
        log(sample::merged())["runs"][0]["automationDetails"]["id"],
        "watertight/"
    );
}

#[test]
fn junit_is_what_its_published_schema_says() {
    if !programs() {
        return;
    }
    let scratch = Folder::new(&[]);
    let validate = |text: &str| {
        let file = scratch.path().join("report.xml");
        std::fs::write(&file, text).unwrap();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reports/junit-10.xsd");
        Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema", schema])
            .arg(&file)
            .output()
            .expect("xmllint: apt-get install libxml2-utils")
    };
    for report in reports() {
        let output = validate(&render(&report, "junit", false).unwrap());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(
        !validate("<testsuites><testsuite/></testsuites>")
            .status
            .success()
    );
}

#[test]
fn junit_counts_its_cases() {
    let text = render(&sample::leaked(), "junit", false).unwrap();
    let first = text.lines().nth(1).unwrap();
    let tests = text.matches("<testcase ").count();
    assert_eq!(
        first,
        format!("<testsuites name=\"watertight\" tests=\"{tests}\" failures=\"4\" errors=\"1\">")
    );
    assert_eq!(text.matches("<failure ").count(), 4);
    assert_eq!(text.matches("<error ").count(), 1);
    assert!(!text.contains("<script>"), "{text}");
}

#[test]
fn markdown_stays_within_what_github_takes() {
    let mut report = sample::large(40);
    let leak = sample::leaked().findings.remove(0);
    let unsure = sample::leaked().inconclusive.remove(0);
    for number in 0..5_000 {
        let mut leak = leak.clone();
        leak.object = format!("crm.notes.key_{number}");
        leak.fix = format!("ALTER TABLE t{number} {};", "x".repeat(300));
        report.findings.push(leak);
        let mut case = unsure.clone();
        case.object = format!("crm.notes.key_{number}");
        case.reason = "x".repeat(300);
        report.inconclusive.push(case);
    }
    let text = render(&report, "markdown", false).unwrap();
    assert!(text.contains("findings"), "a check with many is one entry");
    let entries = text.matches("<b>leak</b>").count();
    assert!(entries < 20, "{entries}");
    assert!(text.len() <= 1024 * 1024, "{}", text.len());
    assert!(text.trim_end().ends_with("in the other reports."));
}
