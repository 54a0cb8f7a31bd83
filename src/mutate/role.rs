//! A role of the application that row-level security does not hold for, or that sees what others run.

use super::{Change, Mutant, Original, Part, Rows};
use crate::model::{Focus, printed, quoted};

/// A superuser, one with BYPASSRLS, one with a dashboard's rights, an owner.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let Some(access) = original.access() else {
        return Vec::new();
    };
    let role = quoted(&access.role);
    let none = || Focus::Objects(Vec::new());
    let mut found = Vec::new();
    for (operator, word) in [
        ("role-superuser", "SUPERUSER"),
        ("role-bypasses", "BYPASSRLS"),
    ] {
        let mut mutant = Mutant::new(operator, access.role.clone(), Part::Other, none());
        mutant.change = Change::Roles {
            sql: format!("ALTER ROLE {role} {word};"),
            undo: format!("ALTER ROLE {role} NO{word};"),
        };
        found.push(mutant);
    }
    let mut watching = Mutant::new(
        "role-monitors",
        printed(&access.role),
        Part::Other,
        Focus::Objects(vec![printed(&access.role)]),
    );
    watching.change = Change::Roles {
        sql: format!("GRANT pg_monitor TO {role};"),
        undo: format!("REVOKE pg_monitor FROM {role};"),
    };
    found.push(watching);
    let guarded = original.owned().find(|(table, _)| table.row_security);
    if let Some((table, _)) = guarded {
        let name = table.name.quoted();
        let sql = format!(
            "ALTER TABLE {name} OWNER TO {role}; ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;"
        );
        let part = Part::Table(table.name.clone());
        let mutant = Mutant::new("role-owns", table.name.to_string(), part, none());
        found.push(mutant.made_by(sql, Rows::Same));
    }
    found
}
