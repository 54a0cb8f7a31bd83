//! The files that `init` writes.

use std::fmt::Write as _;

use crate::harness::Survey;
use crate::model::{Class, MigrateSettings};

/// The alias of Cargo.
pub(super) const ALIAS: &str = "[alias]\nxtask = \"run --quiet --package xtask --\"\n";

/// A string as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Tables of which nobody knows yet whose their rows are, with the line that would say it.
pub(super) fn unclassified(survey: &Survey) -> Vec<(String, String)> {
    let unknown = |(table, class): (&crate::model::RelationName, &Class)| match class {
        Class::Unclassified { advice } => Some((table.to_string(), advice.clone())),
        _ => None,
    };
    survey.tenancy.classes.iter().filter_map(unknown).collect()
}

/// `watertight.toml`.
pub(super) fn settings(survey: &Survey, migrate: &MigrateSettings) -> String {
    let mut text = "# Whose the rows are, as the schema itself says it. Read it once: what is wrong here is not tested.\n\n"
        .to_owned();
    text.push_str("[migrate]\n");
    if let Some(command) = &migrate.command {
        let _ = writeln!(text, "command = {}", quoted(command));
    }
    if let Some(path) = &migrate.path {
        let _ = writeln!(text, "path = {}", quoted(&path.display().to_string()));
    }
    if let Some(convention) = &migrate.convention {
        let _ = writeln!(text, "convention = {}", quoted(convention));
    }
    if migrate.supabase {
        text.push_str("supabase = true\n");
    }
    if migrate.stub_roles.all {
        text.push_str("stub_roles = true\n");
    }
    let _ = write!(text, "\n[tenant]\ncolumn = {}\n", quoted(&survey.column));
    if let Some((table, _)) = &survey.tenancy.root {
        let _ = writeln!(text, "table = {}", quoted(&table.to_string()));
    }
    let count = |wanted: fn(&Class) -> bool| {
        survey
            .tenancy
            .classes
            .values()
            .filter(|c| wanted(c))
            .count()
    };
    let _ = writeln!(
        text,
        "# {} tables have the column, {} follow from their keys",
        count(|class| matches!(class, Class::Scoped { .. })),
        count(|class| matches!(class, Class::Derived { .. }))
    );
    let unknown = unclassified(survey);
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|(table, _)| quoted(table)).collect();
        text.push_str("# Of these it is not known; those that everybody reads and no tenant writes are `shared`:\n");
        let _ = writeln!(text, "# shared = [{}]", names.join(", "));
    }
    access(&mut text, survey);
    text.push_str("\n[run]\nbaseline = \"watertight-baseline.toml\"\n");
    text
}

/// How the application acts as one tenant; as a comment where the schema doesn't say.
fn access(text: &mut String, survey: &Survey) {
    let role = survey.role.as_deref().unwrap_or("app");
    let setting = survey.setting.as_deref().unwrap_or("app.tenant");
    let known = survey.role.is_some() && survey.setting.is_some();
    let mark = if known { "" } else { "# " };
    if known {
        text.push('\n');
    } else {
        text.push_str("\n# Without it, policies are not attacked:\n");
    }
    let statement = format!(
        "SELECT set_config('{}', $1, true)",
        setting.replace('\'', "''")
    );
    let _ = writeln!(
        text,
        "{mark}[access]\n{mark}role = {}\n{mark}context = [{}]",
        quoted(role),
        quoted(&statement)
    );
}

/// The workflow of GitHub, for a workspace that has `cargo xtask`.
pub(super) const WORKFLOW: &str = "name: watertight

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

jobs:
  isolation:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cargo xtask test-db --format github
";
