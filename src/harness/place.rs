//! Where in the user's files the object of a finding was made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::check::Scene;
use crate::migration::{Definitions, ObjectKind};
use crate::model::{Finding, Place, RelationName, Report, Severity, Table, printed};

/// Bytes of a file that are kept to show lines of.
const MOST_SHOWN: u64 = 4 << 20;

/// The place of a finding's object, where its text can be found.
pub(super) fn of(
    finding: &Finding,
    migrations: &Definitions<'_>,
    scene: Scene<'_>,
) -> Option<Place> {
    if let Some(query) = scene
        .queries
        .iter()
        .find(|query| query.object == finding.object)
    {
        return (!query.file.is_empty()).then(|| Place {
            file: query.file.clone(),
            line: query.line,
        });
    }
    let mut views = scene.catalog.views.keys();
    if let Some(view) = views.find(|view| view.is(&finding.object)) {
        return migrations.locate(ObjectKind::View, view, "");
    }
    if let Some(function) = scene.catalog.definer(&finding.object) {
        return migrations.locate(ObjectKind::Function, &function.relation(), "");
    }
    let mut roles = scene.catalog.roles.keys();
    if let Some(role) = roles.find(|role| printed(role) == finding.object) {
        let nowhere = RelationName::new("", "");
        return migrations.locate(ObjectKind::Role, &nowhere, role);
    }
    let mut sequences = scene.catalog.sequences.iter();
    if let Some(sequence) = sequences.find(|sequence| sequence.name.is(&finding.object)) {
        let (table, column) = sequence.feeds.first()?;
        return migrations.locate(ObjectKind::Column, table, column);
    }
    let mut near = scene
        .catalog
        .roots()
        .filter(|table| finding.object.starts_with(&table.name.to_string()));
    near.find_map(|table| {
        let (kind, name) = part(table, &finding.object)?;
        migrations.locate(kind, &table.name, &name)
    })
}

/// The files that findings are places in, as far as they can be read: they are shown, and no more hangs on them.
pub(super) fn sources(report: &Report) -> BTreeMap<String, String> {
    let open = report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note);
    let files: BTreeSet<&String> = open
        .filter_map(|finding| Some(&finding.place.as_ref()?.file))
        .collect();
    let texts = files.into_iter().filter_map(|file| {
        let small = fs::metadata(file).is_ok_and(|facts| facts.len() <= MOST_SHOWN);
        let text = small.then(|| fs::read_to_string(file).ok()).flatten()?;
        Some((file.clone(), text))
    });
    texts.collect()
}

/// Which part of the table the object is.
fn part(table: &Table, object: &str) -> Option<(ObjectKind, String)> {
    let is = |name: &str| table.name.names(name, object);
    if table.name.is(object) {
        return Some((ObjectKind::Table, table.name.name.clone()));
    }
    if let Some(key) = table.foreign_keys.iter().find(|key| is(&key.name)) {
        return Some((ObjectKind::Constraint, key.name.clone()));
    }
    if let Some(index) = table.indexes.iter().find(|index| is(&index.name)) {
        return Some((ObjectKind::Index, index.name.clone()));
    }
    if let Some(policy) = table.policies.iter().find(|policy| is(&policy.name)) {
        return Some((ObjectKind::Policy, policy.name.clone()));
    }
    if let Some(trigger) = table.triggers.iter().find(|name| is(name)) {
        return Some((ObjectKind::Trigger, trigger.clone()));
    }
    let column = table.columns.iter().find(|column| is(&column.name))?;
    Some((ObjectKind::Column, column.name.clone()))
}
