//! What a person sees who pastes a finding's SQL into `psql`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use watertight::model::Report;

/// The URL of a report's kept database, as the administrator.
pub(crate) fn kept(report: &Report) -> String {
    let line = report.kept.first().expect("the database is kept");
    line.trim_start_matches("psql '")
        .trim_end_matches('\'')
        .to_owned()
}

/// Everything that `psql` prints, values and command tags alone. An error ends the test.
pub(crate) fn paste(url: &str, sql: &str) -> Vec<String> {
    let mut child = Command::new("psql")
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`psql` is there: it comes with Postgres' client programs");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(sql.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{sql}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}
