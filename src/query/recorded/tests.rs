//! From lines of the log to what is remembered of them.

use super::*;

fn line(session: &str, message: &str, detail: &str) -> String {
    entry(session, "LOG", "00000", message, detail)
}

fn entry(session: &str, severity: &str, code: &str, message: &str, detail: &str) -> String {
    serde_json::json!({
        "session_id": session, "error_severity": severity, "state_code": code,
        "message": message, "detail": detail, "application_name": "app",
    })
    .to_string()
}

fn recorded(lines: &[String]) -> Recorder {
    let mut recorder = Recorder::new("watertight", None);
    for line in lines {
        recorder.take(line);
    }
    recorder
}

fn texts(recorder: &Recorder) -> Vec<&str> {
    recorder
        .groups
        .values()
        .map(|group| group.found.sql.as_str())
        .collect()
}

#[test]
fn statements_of_one_shape_are_one() {
    let recorder = recorded(&[
        line("a", "statement: SELECT * FROM t WHERE a = 'x'", ""),
        line(
            "b",
            "statement: select * from t -- why\n where a = 'y';",
            "",
        ),
        line(
            "a",
            "execute s1: SELECT * FROM t WHERE a = $1",
            "parameters: $1 = 'z'",
        ),
    ]);
    assert_eq!(texts(&recorder), ["SELECT * FROM t WHERE a = $1"]);
    let group = recorder.groups.values().next().unwrap();
    assert_eq!(group.values, [["x", "y", "z"]]);
    assert_eq!(group.executions, 3);
}

#[test]
fn sessions_that_act_as_one_tenant_are_known() {
    let access = Access {
        role: "app".to_owned(),
        context: vec!["SELECT set_config('app.tenant', $1, true)".to_owned()],
        ..Access::default()
    };
    let mut recorder = Recorder::new("watertight", Some(&access));
    for line in [
        line("a", "statement: BEGIN;", ""),
        line(
            "a",
            "statement: SELECT set_config('app.tenant', '7', true);",
            "",
        ),
        line("a", "statement: SELECT count(*) FROM t;", ""),
        line("b", "statement: SELECT a FROM t;", ""),
        line("a", "statement: COMMIT;", ""),
        line("a", "statement: SELECT b FROM t;", ""),
    ] {
        recorder.take(&line);
    }
    let found: Vec<_> = recorder
        .groups
        .values()
        .map(|group| (group.found.sql.as_str(), group.in_context))
        .collect();
    assert!(found.contains(&("SELECT count(*) FROM t", 1)), "{found:?}");
    assert!(found.contains(&("SELECT a FROM t", 0)), "{found:?}");
    assert!(found.contains(&("SELECT b FROM t", 0)), "{found:?}");
}

#[test]
fn what_is_inside_of_other_statements_is_found() {
    let recorder = recorded(&[
        line(
            "a",
            "statement: COPY (SELECT a FROM t WHERE (b)) TO STDOUT",
            "",
        ),
        line(
            "a",
            "statement: DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT b FROM t",
            "",
        ),
        line(
            "a",
            "statement: EXECUTE q(now(), f(1, 'y'), 'x')",
            "prepare: PREPARE q (text, int) AS SELECT c FROM t WHERE d = $3;",
        ),
        line("a", "statement: BEGIN; UPDATE t SET a = 'x'; COMMIT", ""),
        line("a", "statement: COPY t FROM STDIN", ""),
        line("a", "statement: CREATE TABLE u ()", ""),
        line("a", "statement: CALL p('x')", ""),
    ]);
    assert_eq!(
        texts(&recorder),
        [
            "SELECT a FROM t WHERE (b)",
            "SELECT b FROM t",
            "SELECT c FROM t WHERE d = $3",
            "UPDATE t SET a = $1",
        ]
    );
    let values: Vec<_> = recorder
        .groups
        .values()
        .map(|group| group.values.clone())
        .collect();
    assert_eq!(values[2], [vec![], vec![], vec!["x".to_owned()]]);
    assert_eq!(recorder.of_sessions, 2);
    let others: Vec<&str> = recorder.others.keys().map(String::as_str).collect();
    assert_eq!(others, ["CALL", "COPY", "CREATE"]);
}

#[test]
fn what_the_server_refused_is_known() {
    let recorder = recorded(&[
        line("a", "statement: SELECT nothing FROM t", ""),
        entry("a", "ERROR", "42703", "column does not exist", ""),
        line("a", "statement: INSERT INTO t VALUES (1)", ""),
        entry("a", "ERROR", "23505", "duplicate key", ""),
        entry("b", "ERROR", "42601", "of another session", ""),
    ]);
    let refused: Vec<usize> = recorder
        .groups
        .values()
        .map(|group| group.refused)
        .collect();
    assert_eq!(texts(&recorder).len(), 2);
    assert_eq!(refused, [0, 1]);
}

#[test]
fn the_shortest_list_is_tested_and_values_are_bounded() {
    let lists = (1..40).map(|length| {
        let list: Vec<String> = (0..length).map(|n| (n * length).to_string()).collect();
        line(
            "a",
            &format!(
                "statement: SELECT * FROM t WHERE a IN ({})",
                list.join(", ")
            ),
            "",
        )
    });
    let recorder = recorded(&lists.rev().collect::<Vec<_>>());
    assert_eq!(texts(&recorder), ["SELECT * FROM t WHERE a IN ($1)"]);
    let many: Vec<String> = (0..1000)
        .map(|n| {
            line(
                "a",
                &format!("statement: SELECT * FROM t WHERE a = {n}"),
                "",
            )
        })
        .collect();
    let recorder = recorded(&many);
    assert_eq!(
        recorder.groups.values().next().unwrap().values[0].len(),
        MOST_VALUES
    );
}

#[test]
fn hostile_lines_are_passed_over() {
    let recorder = recorded(&[
        String::new(),
        "{".to_owned(),
        line("a", "statement: ", ""),
        line("a", "statement: '", ""),
        line("a", "statement: COPY (SELECT 1", ""),
        line("a", "statement: EXECUTE q(", "prepare: PREPARE"),
        line("a", "execute ", ""),
        line(
            "a",
            "execute x: $0 $99999999999999999999",
            "parameters: $1 =",
        ),
        line("a", "statement: SELECT $0", ""),
    ]);
    assert!(texts(&recorder).len() <= 2);
}
