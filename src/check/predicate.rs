//! What a policy should say: the comparison with the tenant's context that the schema's other policies make.

use std::collections::BTreeMap;

use super::{Scene, crossing};
use crate::model::{Class, Policy, Table, Token, Tokens, literal, quoted};

/// Stands for the tenant column in what policies of several tables say alike.
const COLUMN: &str = "\u{1}";

/// The condition that lets a tenant reach its own rows of a table. `None` where the schema does not show how the tenant
/// is told.
pub(super) fn own_rows(scene: Scene<'_>, table: &Table) -> Option<String> {
    own_rows_as(scene, table, &quoted(&table.name.name), 0)
}

/// A chain of tables longer than this goes round in a circle.
const DEPTH: usize = 16;

/// Likewise of a table that is called so in its query, which stands in so many others.
fn own_rows_as(scene: Scene<'_>, table: &Table, own: &str, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let parent_as = |letter: &str| match depth {
        0 => letter.to_owned(),
        _ => format!("{letter}{depth}"),
    };
    match scene.tenancy.classes.get(&table.name)? {
        Class::Root { column } | Class::Scoped { column } => {
            let said = usual(scene).or_else(|| by_setting(scene))?;
            Some(said.replace(COLUMN, &quoted(column)))
        }
        Class::Linked { through, column } => {
            let target = crossing::link_target(scene.catalog, through, column)?;
            let link = scene.catalog.tables.get(through)?;
            let alias = parent_as("m");
            Some(format!(
                "EXISTS (SELECT FROM {} {alias} WHERE {alias}.{} = {own}.{} AND {})",
                through.quoted(),
                quoted(column),
                quoted(&target),
                own_rows_as(scene, link, &alias, depth + 1)?
            ))
        }
        Class::Derived { foreign_key } => {
            let key = table.foreign_key(foreign_key)?;
            let parent = scene.catalog.tables.get(&key.target)?;
            let alias = parent_as("p");
            let pairs = key.pairs().map(|(child, target)| {
                format!("{alias}.{} = {own}.{}", quoted(target), quoted(child))
            });
            Some(format!(
                "EXISTS (SELECT FROM {} {alias} WHERE {} AND {})",
                key.target.quoted(),
                pairs.collect::<Vec<_>>().join(" AND "),
                own_rows_as(scene, parent, &alias, depth + 1)?
            ))
        }
        _ => None,
    }
}

/// The statement that has a policy say so, for the commands that it is for.
pub(super) fn narrowed(table: &Table, policy: &Policy, condition: &str) -> String {
    let mut clauses = String::new();
    if policy.command != "INSERT" {
        clauses.push_str(&format_clause("USING", condition));
    }
    if matches!(policy.command.as_str(), "ALL" | "INSERT" | "UPDATE") {
        clauses.push_str(&format_clause("WITH CHECK", condition));
    }
    format!(
        "ALTER POLICY {} ON {}{clauses};",
        quoted(&policy.name),
        table.name.quoted()
    )
}

fn format_clause(word: &str, condition: &str) -> String {
    format!(" {word} ({condition})")
}

/// What most policies say, where more than one do.
fn usual(scene: Scene<'_>) -> Option<String> {
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for table in scene.catalog.roots() {
        let Some(column) = scene.tenancy.tenant_column(&table.name) else {
            continue;
        };
        for policy in table.policies.iter().filter(|policy| policy.permissive) {
            for text in policy.using.iter().chain(&policy.check) {
                if let Some(general) = general(text, table, column) {
                    *said.entry(general).or_default() += 1;
                }
            }
        }
    }
    let (most, _) = said
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .max_by_key(|(_, times)| *times)?;
    Some(most)
}

/// An expression with the tenant column open; `None` where it is about another column too, or holds for more than one
/// reason.
fn general(text: &str, table: &Table, column: &str) -> Option<String> {
    let tokens: Vec<Token<'_>> = Tokens::new(text).filter_map(Result::ok).collect();
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is("or") {
            return None;
        }
        let Some(name) = token.name() else { continue };
        let beside = |at: Option<usize>| {
            let token = at.and_then(|at| tokens.get(at));
            token.is_some_and(|token| token.is_symbol('.'))
        };
        if name == column {
            if beside(at.checked_sub(1)) {
                return None;
            }
            places.push((token.offset, token.text.len()));
        } else if table.column(&name).is_some() && !beside(Some(at + 1)) {
            return None;
        }
    }
    let mut general = text.to_owned();
    for (offset, length) in places.iter().rev() {
        general.replace_range(*offset..*offset + *length, COLUMN);
    }
    (!places.is_empty()).then_some(general)
}

/// The comparison with the setting that the context sets.
fn by_setting(scene: Scene<'_>) -> Option<String> {
    let settings = scene.tenancy.access.as_ref()?.settings();
    let setting = settings.first()?;
    Some(format!(
        "{COLUMN} = NULLIF(current_setting({}, true), '')::{}",
        literal(setting),
        scene.tenancy.type_name
    ))
}
