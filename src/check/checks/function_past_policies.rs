//! A function with its owner's rights that shows or changes what the policies would keep from its caller.

use std::collections::BTreeMap;

use crate::check::door::{self, Seen};
use crate::check::policy::{applies, may_call};
use crate::check::witness::theirs;
use crate::check::{Check, Page, Scene};
use crate::model::{
    Attempt, Case, Definer, Observation, Query, RelationName, Stage, Verdict, WorldKind,
};
use crate::query::{Binding, Inferred, Source, bindings, tenant_parameter};

/// The check.
pub(crate) static CHECK: FunctionPastPolicies = FunctionPastPolicies;

/// Calls every `SECURITY DEFINER` function as the application in one organisation's context, with its own and with others'
/// values, in worlds that differ in everyone else's rows.
pub(crate) struct FunctionPastPolicies;

impl Check for FunctionPastPolicies {
    fn page(&self) -> Page {
        Page {
            id: "function-past-policies",
            title: "a SECURITY DEFINER function reaches rows that its caller's policies hide",
            what: "Every SECURITY DEFINER function over guarded tables that the application's role may call is called as \
                   that\nrole in one organisation's context: with the organisation's own values, with others' ids and with \
                   another\norganisation's id, in worlds that differ in everyone else's rows. What it returns must be the \
                   same, and\nothers' rows must be as before.",
            why: "The function has the rights of its owner. Where the owner is above the policies, what the function does \
                  not\ncheck itself nobody checks: an id from another organisation is as good as one's own.",
            example: "CREATE FUNCTION person(p_id uuid) RETURNS people LANGUAGE sql SECURITY DEFINER\n  AS 'SELECT * FROM \
                      people WHERE id = p_id';",
            fix: "ALTER FUNCTION person(uuid) SECURITY INVOKER;\nOr compare the tenant with the context in the function, and \
                  never with an argument.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        let wanted = |definer: &Definer| scene.focus.includes(&definer.object());
        let mut wanted = guarded(scene)
            .filter(|(definer, _)| wanted(definer))
            .peekable();
        if wanted.peek().is_none() {
            return Vec::new();
        }
        let witness = theirs(scene);
        wanted
            .map(|(definer, tables)| {
                let query = query(definer);
                let all = if may_call(scene, definer) {
                    values(scene, definer, &query, &tables)
                } else {
                    Vec::new()
                };
                let mut case = door::case(scene, self.page().id, &query, &all);
                for attempt in &mut case.attempts {
                    watch(attempt, &witness);
                }
                case
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(definer) = scene.catalog.definer(&case.object) else {
            return Verdict::Inconclusive("the function is not in the catalog".to_owned());
        };
        if case.attempts.is_empty() {
            return Verdict::NotApplicable("the role may not call it".to_owned());
        }
        match door::seen(scene, case, seen) {
            Seen::Through(found, attempt) => {
                let fix = format!("ALTER FUNCTION {} SECURITY INVOKER;", definer.quoted());
                door::leaked(scene, &found, attempt, fix)
            }
            Seen::Kept => Verdict::Held("it reaches the organisation's rows alone".to_owned()),
            Seen::Refused(code, message) => Verdict::Inconclusive(format!(
                "it failed with every value that was tried: {message} (SQLSTATE {code})"
            )),
            Seen::Empty => Verdict::Inconclusive(
                "it returned no row with any value that was tried, so that nothing was proved"
                    .to_owned(),
            ),
        }
    }
}

/// Functions that mention tables with policies, with the tables that they mention.
fn guarded(scene: Scene<'_>) -> impl Iterator<Item = (&Definer, Vec<RelationName>)> {
    scene.catalog.definers.iter().filter_map(move |definer| {
        let tables = mentioned(scene, definer);
        door::guards(scene, &tables).then_some((definer, tables))
    })
}

/// The tables that a function's definition names, also in the texts that it may execute.
fn mentioned(scene: Scene<'_>, definer: &Definer) -> Vec<RelationName> {
    let words: Vec<&str> = definer
        .definition
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let named = |table: &RelationName| words.contains(&table.name.as_str());
    let mut found: Vec<RelationName> = scene
        .catalog
        .tables
        .keys()
        .filter(|t| named(t))
        .cloned()
        .collect();
    for (view, of) in &scene.catalog.views {
        if named(view) {
            found.extend(of.reads.iter().cloned());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The call, with the arguments as parameters.
fn query(definer: &Definer) -> Query {
    let arguments: Vec<String> = definer
        .arguments
        .iter()
        .enumerate()
        .map(|(number, (_, of))| format!("${}::{of}", number + 1))
        .collect();
    let call = definer.relation().quoted();
    let sql = format!("SELECT * FROM {call}({}) f", arguments.join(", "));
    let named = definer.arguments.iter().map(|(name, of)| {
        let name = (!name.is_empty()).then(|| plain(name).to_owned());
        (name, of.clone())
    });
    door::query(&definer.object(), sql, named.collect())
}

/// An argument's name without what only says that it is one.
fn plain(name: &str) -> &str {
    ["p_", "_", "in_", "arg_", "v_", "i_"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(name)
}

/// What the arguments are called with: as a query's parameters that are compared with the columns of their names.
fn values(
    scene: Scene<'_>,
    definer: &Definer,
    query: &Query,
    tables: &[RelationName],
) -> Vec<Binding> {
    if definer.arguments.is_empty() {
        return vec![door::nothing_bound()];
    }
    // Which table's id an `id` is nobody says: each is tried.
    let mut all: Vec<Binding> = Vec::new();
    for number in 0..tables.len().min(TABLES) {
        let mut tables = tables.to_vec();
        tables.rotate_left(number);
        let arguments = definer.arguments.iter().enumerate();
        let sources: BTreeMap<usize, Vec<Source>> = arguments
            .map(|(number, (name, _))| (number + 1, compared(scene, plain(name), &tables)))
            .collect();
        let inferred = Inferred {
            sources,
            tables,
            ..Inferred::default()
        };
        let mut some = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
        if let Some(tenant) = tenant_parameter(query, &inferred, scene.tenancy)
            && let Some(own) = some.first().cloned()
        {
            for other in scene.worlds.tenants.iter().skip(1) {
                let mut one = own.clone();
                "another organisation's id".clone_into(&mut one.label);
                one.values[tenant - 1] = Some(other.clone());
                some.push(one);
            }
        }
        some.retain(|one| all.iter().all(|other| other.values != one.values));
        all.extend(some);
    }
    all
}

/// Of so many tables the values are tried.
const TABLES: usize = 4;

/// The columns that an argument of this name stands for: those that are called so; else those that end so, the tenant's
/// where it begins so, and the key of the table that `x_id` names.
fn compared(scene: Scene<'_>, name: &str, tables: &[RelationName]) -> Vec<Source> {
    let columns: Vec<(&RelationName, &str)> = tables
        .iter()
        .filter_map(|table| scene.catalog.tables.get(table))
        .flat_map(|table| {
            table
                .columns
                .iter()
                .map(|column| (&table.name, column.name.as_str()))
        })
        .collect();
    let is_tenant =
        |table: &RelationName, column: &str| scene.tenancy.tenant_column(table) == Some(column);
    let of = name.strip_suffix("_id").unwrap_or(name);
    let ending = format!("_{name}");
    let keyed = |table: &RelationName, column: &str| {
        let key = scene
            .catalog
            .tables
            .get(table)
            .map(|table| table.primary_key());
        key.and_then(|key| key.last().copied()) == Some(column)
            && (table.name == of || table.name.strip_suffix('s') == Some(of))
    };
    let exact: Vec<_> = columns
        .iter()
        .filter(|(_, column)| *column == name)
        .collect();
    let chosen = if exact.is_empty() {
        let near = |(table, column): &&(&RelationName, &str)| {
            if is_tenant(table, column) {
                of.len() > 2 && column.starts_with(of)
            } else {
                column.ends_with(&ending) || keyed(table, column)
            }
        };
        columns.iter().filter(near).collect()
    } else {
        exact
    };
    chosen
        .into_iter()
        .map(|(table, column)| Source::Column {
            table: (*table).clone(),
            column: (*column).to_owned(),
            by: '=',
            field: None,
        })
        .collect()
}

/// Others' rows must be as before; that there are new organisations is no harm.
fn watch(attempt: &mut Attempt, witness: &str) {
    if matches!(attempt.stage, Stage::World { kind, .. } if kind != WorldKind::Absent) {
        attempt.witness = Some(witness.to_owned());
    }
}
