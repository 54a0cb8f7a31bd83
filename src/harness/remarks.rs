//! Remarks of a report, each short enough to be read.

use std::collections::BTreeMap;

use crate::check::Scene;
use crate::model::Means;

/// So many names are read one by one.
const MOST: usize = 12;

/// What the report says beside its verdicts: what is off, and of which tables and columns there is less than asked for.
pub(super) fn of(scene: Scene<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    let policies: usize = scene
        .catalog
        .roots()
        .map(|table| table.policies.len())
        .sum();
    if scene.tenancy.access.is_none() {
        let there = if policies == 0 {
            "there are no policies".to_owned()
        } else {
            format!("the {policies} policies were read, and not attacked")
        };
        remarks.push(format!(
            "row-level security is off: watertight.toml has no [access] with the application's role; {there}"
        ));
    }
    if !scene.worlds.untwinned.is_empty() {
        remarks.push(format!(
            "unique over all tenants, so without twins: {}",
            columns(&scene.worlds.untwinned)
        ));
    }
    if !scene.worlds.short.is_empty() {
        remarks.push(format!(
            "fewer rows than asked for or than their states take: {}",
            short(scene)
        ));
    }
    let tried: Vec<String> = scene
        .worlds
        .satisfied
        .iter()
        .filter(|one| one.means == Means::Tried)
        .map(|one| one.object.clone())
        .collect();
    if !tried.is_empty() {
        remarks.push(format!(
            "tried on the server until it took them, as they can't be read: {}",
            listed(&tried)
        ));
    }
    remarks
}

/// Tables with fewer rows than asked for, those with one reason together.
fn short(scene: Scene<'_>) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (table, why) in &scene.worlds.short {
        reasons.entry(why).or_default().push(table.to_string());
    }
    let parts = reasons
        .into_iter()
        .map(|(why, tables)| format!("{} ({why})", listed(&tables)));
    parts.collect::<Vec<_>>().join("; ")
}

/// Names, as far as anybody reads them.
fn listed(names: &[String]) -> String {
    match names.len().checked_sub(MOST) {
        None | Some(0) => names.join(", "),
        Some(rest) => format!("{} and {rest} more", names[..MOST].join(", ")),
    }
}

/// Columns, those of one name together where there are many.
fn columns(names: &[String]) -> String {
    if names.len() <= MOST {
        return names.join(", ");
    }
    let mut alike: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for name in names {
        let column = name.rsplit('.').next().unwrap_or_default();
        alike.entry(column).or_default().push(name);
    }
    let mut alike: Vec<(&str, Vec<&String>)> = alike.into_iter().collect();
    alike.sort_by_key(|(column, names)| (std::cmp::Reverse(names.len()), *column));
    let told = alike.iter().map(|(column, names)| match names.as_slice() {
        [one] => (*one).clone(),
        several => format!("{column} of {} tables", several.len()),
    });
    listed(&told.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_columns_of_one_name_are_told_as_one() {
        let few = ["a.id".to_owned(), "b.id".to_owned()];
        assert_eq!(columns(&few), "a.id, b.id");
        let mut many: Vec<String> = (0..20).map(|number| format!("s.t{number}.id")).collect();
        many.push("s.t3.slug".to_owned());
        assert_eq!(columns(&many), "id of 20 tables, s.t3.slug");
    }
}
