//! Attempts that act as the application: contexts, privileges, and which policy is to blame.

use std::collections::BTreeMap;

use crate::model::{
    Attempt, Case, Class, Context, Definer, Policy, Purpose, RelationName, Session, Stage, Table,
};

use super::{Scene, predicate};

/// A context in which nothing of the acting tenant's may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// No context was ever set.
    Unset,
    /// The context is empty, as after `SET LOCAL` has ended.
    Empty,
    /// The context is no tenant's id.
    Malformed,
}

impl Stranger {
    pub(super) const ALL: [Self; 3] = [Self::Unset, Self::Empty, Self::Malformed];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unset => "no",
            Self::Empty => "an empty",
            Self::Malformed => "a malformed",
        }
    }

    pub(super) fn context(self) -> Context {
        match self {
            Self::Unset => Context::Unset,
            Self::Empty => Context::Tenant(String::new()),
            Self::Malformed => Context::Tenant("no such organisation'--".to_owned()),
        }
    }
}

/// Row-level security is tested where the application's role is known.
pub(super) fn applies(scene: Scene<'_>) -> bool {
    scene.tenancy.access.is_some()
}

/// The tenant is a context that a session can set: where each has a role of its own, a session is always somebody's.
pub(super) fn has_context(scene: Scene<'_>) -> bool {
    let access = scene.tenancy.access.as_ref();
    access.is_some_and(|access| !access.per_tenant && !access.context.is_empty())
}

/// Tables whose rows are a tenant's, with their class.
pub(super) fn owned_tables(scene: Scene<'_>) -> impl Iterator<Item = (&Table, &Class)> {
    scene.catalog.roots().filter_map(move |table| {
        let class = scene.tenancy.classes.get(&table.name)?;
        matches!(
            class,
            Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. }
        )
        .then_some((table, class))
    })
}

/// Those of them that cases are planned for.
pub(super) fn planned_tables(scene: Scene<'_>) -> impl Iterator<Item = (&Table, &Class)> {
    owned_tables(scene).filter(move |(table, _)| scene.focus.concerns(&table.name))
}

/// An attempt of the application.
pub(super) fn attempt(
    purpose: Purpose,
    label: &str,
    context: Context,
    statement: String,
) -> Attempt {
    Attempt {
        purpose,
        label: label.to_owned(),
        session: Session::Application,
        context,
        stage: Stage::Seeded,
        statements: vec![statement],
        witness: None,
    }
}

/// The application's role, those that it is a member of, and `public`.
fn roles(scene: Scene<'_>) -> Vec<&str> {
    let access = scene.tenancy.access.as_ref();
    access.map_or_else(Vec::new, |access| scene.catalog.rights_of(&access.role))
}

/// Whether the application's role holds one of these privileges, itself or through another role.
pub(super) fn holds(
    scene: Scene<'_>,
    privileges: &BTreeMap<String, Vec<String>>,
    privilege: &str,
) -> bool {
    roles(scene).iter().any(|role| {
        privileges
            .get(*role)
            .is_some_and(|held| held.iter().any(|one| one == privilege))
    })
}

/// Whether the application's role may call a function.
pub(super) fn may_call(scene: Scene<'_>, definer: &Definer) -> bool {
    let roles = roles(scene);
    let mut callers = definer.callers.iter();
    callers.any(|role| roles.contains(&role.as_str()))
}

/// The statement that takes a privilege from the application's role.
pub(super) fn revoke(scene: Scene<'_>, privilege: &str, relations: &str) -> String {
    let access = scene.tenancy.access.as_ref();
    let role = access.map_or_else(String::new, |access| crate::model::quoted(&access.role));
    format!("REVOKE {privilege} ON {relations} FROM {role};")
}

/// Whether the application's role holds a privilege on a table.
pub(super) fn may(scene: Scene<'_>, table: &Table, privilege: &str) -> bool {
    holds(scene, &table.privileges, privilege)
}

/// The policies that decide over a command of the application's role.
pub(super) fn deciding<'a>(scene: Scene<'a>, table: &'a Table, command: &str) -> Vec<&'a Policy> {
    let roles = roles(scene);
    let member = |role: &String| roles.contains(&role.as_str());
    table
        .policies
        .iter()
        .filter(|policy| policy.command == "ALL" || policy.command == command)
        .filter(|policy| policy.roles.iter().any(member))
        .collect()
}

/// The object to blame: the policy where there is one that can be told, else the table.
pub(super) fn blamed(scene: Scene<'_>, table: &Table, command: &str) -> String {
    if !table.row_security {
        return table.name.to_string();
    }
    let permissive: Vec<&Policy> = deciding(scene, table, command)
        .into_iter()
        .filter(|policy| policy.permissive)
        .collect();
    let tenant = scene.tenancy.tenant_column(&table.name).unwrap_or_default();
    let expression = |policy: &Policy| -> String {
        let writes = matches!(command, "INSERT" | "UPDATE");
        let check = policy.check.clone().filter(|_| writes);
        check.or_else(|| policy.using.clone()).unwrap_or_default()
    };
    // Policies are OR-ed: one that doesn't even look at the tenant opens all.
    let wide = permissive
        .iter()
        .find(|policy| expression(policy) == ALWAYS)
        .or_else(|| {
            permissive
                .iter()
                .find(|policy| !tenant.is_empty() && !expression(policy).contains(tenant))
        });
    match (wide, permissive.as_slice()) {
        (Some(policy), _) | (None, [policy]) => table.name.object(&policy.name),
        _ => table.name.to_string(),
    }
}

/// How Postgres prints an expression that holds for every row.
const ALWAYS: &str = "true";

/// A policy that lets a command write whatever row it likes, while no restrictive policy stands in the way.
pub(super) fn always_true<'a>(
    scene: Scene<'a>,
    table: &'a Table,
    command: &str,
) -> Option<&'a Policy> {
    let deciding = deciding(scene, table, command);
    if !table.row_security || deciding.iter().any(|policy| !policy.permissive) {
        return None;
    }
    let is_true =
        |expression: &Option<String>| expression.as_deref().is_some_and(|text| text == ALWAYS);
    deciding.into_iter().find(|policy| match command {
        "INSERT" => is_true(&policy.check) || (policy.check.is_none() && is_true(&policy.using)),
        "UPDATE" => is_true(&policy.check) || is_true(&policy.using),
        _ => is_true(&policy.using),
    })
}

/// How a table's policies come to be mended: `object` is the one to blame, or the table.
pub(super) fn fix(scene: Scene<'_>, table: &Table, object: &str) -> String {
    let name = table.name.quoted();
    let condition = predicate::own_rows(scene, table);
    if !table.row_security {
        let on = format!(
            "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY; ALTER TABLE {name} FORCE ROW LEVEL SECURITY;"
        );
        let condition = condition.filter(|_| table.policies.is_empty());
        return condition.map_or(on.clone(), |condition| {
            format!("{on}\nCREATE POLICY tenant_isolation ON {name} USING ({condition});")
        });
    }
    let named = |policy: &&Policy| table.name.names(&policy.name, object);
    let blamed: Vec<&Policy> = if table.name.is(object) {
        let permissive = table.policies.iter().filter(|policy| policy.permissive);
        permissive.collect()
    } else {
        table.policies.iter().filter(named).collect()
    };
    match condition {
        Some(condition) if !blamed.is_empty() => {
            let narrowed = blamed
                .into_iter()
                .map(|policy| predicate::narrowed(table, policy, &condition));
            narrowed.collect::<Vec<_>>().join("\n")
        }
        _ => {
            let tenant = scene.tenancy.tenant_column(&table.name);
            format!(
                "Compare {} with the tenant context in USING and WITH CHECK of {object}, and OR it open nowhere",
                tenant.unwrap_or("the tenant")
            )
        }
    }
}

/// The SQL that repeats an attempt of the application in `psql`.
pub(super) fn repeated(scene: Scene<'_>, attempt: &Attempt) -> String {
    let mut statements = Vec::new();
    if let Some(access) = &scene.tenancy.access {
        statements.push(format!(
            "SET LOCAL ROLE {}",
            crate::model::quoted(&access.role)
        ));
        if let Context::Tenant(tenant) = &attempt.context {
            statements.extend(access.statements(tenant));
        }
    }
    statements.extend(attempt.statements.iter().cloned());
    super::row::transaction(&statements)
}

/// A case without attempts, whose verdict follows from the catalog.
pub(super) fn plain_case(
    check: &'static str,
    object: &RelationName,
    subject: &str,
    attempts: Vec<Attempt>,
) -> Case {
    Case {
        check,
        object: object.to_string(),
        subject: subject.to_owned(),
        attempts,
    }
}
