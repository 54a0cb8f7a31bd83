//! Policies that hold nobody, read off the catalog where nobody can be logged in as to attack them.

use std::collections::BTreeSet;

use crate::check::arms::{self, Wide};
use crate::check::policy::{self, owned_tables, plain_case};
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Defect, Observation, Policy, Severity, Table, Verdict, literal};

/// The check.
pub(crate) static CHECK: PolicyTooWide = PolicyTooWide;

/// Reads every policy of tenants' tables.
pub(crate) struct PolicyTooWide;

/// The subject of the case of a table itself.
const TABLE: &str = "table";

impl Check for PolicyTooWide {
    fn page(&self) -> Page {
        Page {
            id: "policy-too-wide",
            title: "a policy does not keep tenants apart",
            what: "Read off the catalog, where there are policies and no `[access]` to log in by (with it, \
                   row-level-security-read and\nrow-level-security-write attack them). Row-level security is enabled on every \
                   table of tenants' rows. No permissive\npolicy of theirs holds for every row, or for whoever set no \
                   context, or asks nothing of the row; WITH CHECK asks for\nthe tenant where USING does. Policies for roles \
                   that no policy about rows is for are operators', and are left alone.",
            why: "Policies of a table where row-level security is not enabled hold nobody. Permissive ones are OR-ed: a single \
                  wide one\nopens the table, however narrow the others are. Where WITH CHECK is wider than USING, rows are \
                  written into other\norganisations. The owner of a table is held by FORCE alone: a note, as who logs in is not \
                  known.",
            example: "CREATE POLICY notes_all ON notes USING (true);",
            fix: "ALTER POLICY notes_all ON notes USING (organisation_id = current_setting('app.organisation_id')::uuid);",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let mut tables = scene.catalog.roots();
        if scene.tenancy.access.is_some() || tables.all(|table| table.policies.is_empty()) {
            return Vec::new();
        }
        let id = self.page().id;
        let mut cases = Vec::new();
        for (table, _) in owned_tables(scene) {
            cases.push(plain_case(id, &table.name, TABLE, Vec::new()));
            let permissive = table.policies.iter().filter(|policy| policy.permissive);
            cases.extend(
                permissive
                    .filter(|_| table.row_security)
                    .map(|policy| Case {
                        check: id,
                        object: table.name.object(&policy.name),
                        subject: String::new(),
                        attempts: Vec::new(),
                    }),
            );
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        if case.subject == TABLE {
            let table = scene.catalog.root(&case.object);
            return table.map_or_else(gone, |table| of_table(scene, table));
        }
        let mut tables = scene.catalog.roots();
        let found = tables.find_map(|table| {
            let mut policies = table.policies.iter();
            let policy = policies.find(|one| table.name.names(&one.name, &case.object))?;
            Some((table, policy))
        });
        found.map_or_else(gone, |(table, policy)| of_policy(scene, table, policy))
    }
}

fn gone() -> Verdict {
    Verdict::Inconclusive("it is not in the catalog".to_owned())
}

/// Whether row-level security is on, and for whom.
fn of_table(scene: Scene<'_>, table: &Table) -> Verdict {
    let name = &table.name;
    let defect = |severity, message: String, fix| {
        let oid = literal(&name.quoted());
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity,
            message,
            sql: format!(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = {oid}::regclass;"
            ),
            sqlstate: None,
            fix,
        }))
    };
    let fix = || policy::fix(scene, table, &name.to_string());
    if table.row_security && table.force_row_security {
        return Verdict::Held("row-level security is enabled and forced".to_owned());
    }
    if table.row_security {
        return defect(
            Severity::Note,
            "row-level security is not forced: it does not hold the table's owner".to_owned(),
            format!("ALTER TABLE {} FORCE ROW LEVEL SECURITY;", name.quoted()),
        );
    }
    if !table.policies.is_empty() {
        return defect(
            Severity::Weakness,
            "it has policies, and row-level security is not enabled: they hold nobody".to_owned(),
            fix(),
        );
    }
    // Where policies are few, the others' tables are kept apart in another way.
    let (guarded, all) = owned_tables(scene).fold((0, 0), |(guarded, all), (table, _)| {
        (guarded + usize::from(table.row_security), all + 1)
    });
    let usual = guarded * 2 >= all;
    let severity = if usual {
        Severity::Weakness
    } else {
        Severity::Note
    };
    let message = format!(
        "row-level security is not enabled: no policy holds here, as one does on {guarded} of {all} tables of tenants' rows"
    );
    defect(severity, message, fix())
}

/// Whether a permissive policy asks the row whose it is.
fn of_policy(scene: Scene<'_>, table: &Table, policy: &Policy) -> Verdict {
    let tenants = tenants_roles(scene);
    let meant = |role: &String| role == "public" || tenants.contains(role.as_str());
    if !tenants.is_empty() && !policy.roles.iter().any(meant) {
        return Verdict::NotApplicable("no policy about rows is for its roles".to_owned());
    }
    let narrows =
        |one: &Policy| !one.permissive && (one.command == "ALL" || one.command == policy.command);
    if table.policies.iter().any(narrows) {
        return Verdict::NotApplicable("a restrictive policy stands beside it".to_owned());
    }
    let tenant = scene.tenancy.tenant_column(&table.name);
    let Some((severity, message)) = width(table, policy, tenant) else {
        return Verdict::Held("it asks the row".to_owned());
    };
    let object = table.name.object(&policy.name);
    Verdict::Leaked(Box::new(Defect {
        fix: policy::fix(scene, table, &object),
        object: None,
        severity,
        message,
        sql: format!(
            "SELECT permissive, roles, cmd, qual, with_check FROM pg_policies\nWHERE schemaname = {} AND tablename = {} \
             AND policyname = {};",
            literal(&table.name.schema),
            literal(&table.name.name),
            literal(&policy.name)
        ),
        sqlstate: None,
    }))
}

/// Roles of permissive policies that ask the row: tenants' own, as far as the catalog tells.
fn tenants_roles(scene: Scene<'_>) -> BTreeSet<&str> {
    let tables = owned_tables(scene).map(|(table, _)| table);
    let asking = tables.flat_map(|table| {
        let policies = table.policies.iter().filter(|policy| policy.permissive);
        policies.filter(|policy| {
            let clauses = policy.using.iter().chain(&policy.check);
            clauses
                .into_iter()
                .all(|text| widest(table, text).is_none())
        })
    });
    let roles = asking.flat_map(|policy| &policy.roles);
    roles.map(String::as_str).collect()
}

/// The widest arm of what a policy of a table says. A whole row may be handed to a function by the table's name.
fn widest(table: &Table, text: &str) -> Option<Wide> {
    arms::widest(text, &|name| {
        table.column(name).is_some() || name == table.name.name
    })
}

/// How wide a policy is, where it is too wide.
fn width(table: &Table, policy: &Policy, tenant: Option<&str>) -> Option<(Severity, String)> {
    let clauses = [("USING", &policy.using), ("WITH CHECK", &policy.check)];
    for (clause, text) in clauses {
        let Some(text) = text else { continue };
        let Some(arm) = widest(table, text) else {
            continue;
        };
        let message = match arm {
            Wide::Always => format!("its {clause} holds for every row: `{text}`"),
            Wide::Unset => {
                format!("its {clause} holds for every row where no context is set: `{text}`")
            }
            Wide::Rowless => format!(
                "its {clause} asks nothing of the row: whoever meets it reaches every organisation's rows: `{text}`"
            ),
        };
        let severity = if arm == Wide::Rowless {
            Severity::Note
        } else {
            Severity::Weakness
        };
        return Some((severity, message));
    }
    let (tenant, using, check) = (tenant?, policy.using.as_ref()?, policy.check.as_ref()?);
    (arms::says(using, tenant) && !arms::says(check, tenant)).then(|| {
        let message = format!(
            "its WITH CHECK does not ask for {tenant}, as USING does: rows are written into other organisations"
        );
        (Severity::Weakness, message)
    })
}
