//! Row-level security that is off, gone or too wide.

use super::{Mutant, Original, Part, Rows};
use crate::model::{Access, Class, Focus, Policy, Table, literal, quoted};

/// Commands that a policy may be for.
const COMMANDS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// What is wrong with each guarded table that the application's role may reach.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let Some(access) = original.access() else {
        return Vec::new();
    };
    let linked = original.catalog.roots().filter(|table| {
        let class = original.tenancy.classes.get(&table.name);
        matches!(class, Some(Class::Linked { .. }))
    });
    let owned = original.owned().map(|(table, _)| table);
    let mut found = Vec::new();
    for table in owned.chain(linked) {
        let guarded = Guarded {
            original,
            access,
            table,
        };
        if table.row_security && COMMANDS.iter().any(|command| guarded.may(command)) {
            guarded.mutants(&mut found);
        }
    }
    found
}

/// A table with row-level security.
#[derive(Clone, Copy)]
struct Guarded<'a> {
    original: Original<'a>,
    access: &'a Access,
    table: &'a Table,
}

impl Guarded<'_> {
    fn may(self, command: &str) -> bool {
        self.original.may(&self.table.privileges, command)
    }

    /// The commands of a policy that the role may send.
    fn commands(self, policy: &Policy) -> Vec<&'static str> {
        let fits = |command: &&str| policy.command == "ALL" || policy.command == *command;
        let commands = COMMANDS.into_iter().filter(|command| fits(command));
        commands.filter(|command| self.may(command)).collect()
    }

    fn touches(self) -> Focus {
        Focus::Objects(vec![self.table.name.to_string()])
    }

    /// One of the table itself.
    fn of_table(self, operator: &'static str, sql: String) -> Mutant {
        let part = Part::Table(self.table.name.clone());
        let object = self.table.name.to_string();
        Mutant::new(operator, object, part, self.touches()).made_by(sql, Rows::Same)
    }

    fn of_policy(self, operator: &'static str, policy: &Policy, sql: String) -> Mutant {
        let part = Part::Policy(self.table.name.clone(), policy.name.clone());
        let object = self.table.name.object(&policy.name);
        Mutant::new(operator, object, part, self.touches()).made_by(sql, Rows::Same)
    }

    fn mutants(self, found: &mut Vec<Mutant>) {
        let name = self.table.name.quoted();
        found.push(self.of_table(
            "row-security-off",
            format!("ALTER TABLE {name} DISABLE ROW LEVEL SECURITY;"),
        ));
        if self.table.force_row_security {
            let roles = self.original.catalog.rights_of(&self.access.role);
            let owns = roles.contains(&self.table.owner.as_str());
            let sql = format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;");
            let unforced = self.of_table("row-security-unforced", sql);
            found.push(unforced.but_equivalent((!owns).then_some(
                "the application's role does not own the table, and FORCE concerns owners alone",
            )));
        }
        let roles = self.original.catalog.rights_of(&self.access.role);
        let concerns = |policy: &&Policy| {
            let mut of = policy.roles.iter();
            of.any(|role| roles.contains(&role.as_str()))
        };
        for policy in self.table.policies.iter().filter(concerns) {
            self.policy(policy, found);
        }
        // A restrictive policy holds whatever else is permitted: a further permissive one opens nothing.
        let restrictive = |command: &str| {
            let mut policies = self.table.policies.iter().filter(concerns);
            policies.any(|one| !one.permissive && (one.command == "ALL" || one.command == command))
        };
        for command in COMMANDS {
            if self.may(command) && !restrictive(command) {
                found.push(self.added(command));
            }
        }
    }

    fn added(self, command: &str) -> Mutant {
        let clause = if command == "INSERT" {
            "WITH CHECK (true)"
        } else {
            "USING (true)"
        };
        let name = self.table.name.quoted();
        let role = quoted(&self.access.role);
        let sql =
            format!("CREATE POLICY watertight_mutant ON {name} FOR {command} TO {role} {clause};");
        let mut mutant = self.of_table("policy-added", sql);
        command.clone_into(&mut mutant.detail);
        mutant.named = vec![self.table.name.object("watertight_mutant")];
        mutant
    }

    fn policy(self, policy: &Policy, found: &mut Vec<Mutant>) {
        let (name, on) = (quoted(&policy.name), self.table.name.quoted());
        let commands = self.commands(policy);
        if commands.is_empty() {
            return;
        }
        let mut dropped = self.of_policy(
            "policy-dropped",
            policy,
            format!("DROP POLICY {name} ON {on};"),
        );
        dropped.named.push(self.table.name.to_string());
        let denies = policy.permissive.then_some(
            "a permissive policy less lets nobody reach a row that it could not reach before",
        );
        found.push(dropped.but_equivalent(denies));
        let alter = |clause: &str| format!("ALTER POLICY {name} ON {on} {clause};");
        // A missing WITH CHECK is as USING: it stays so.
        let writes = commands.iter().any(|c| ["INSERT", "UPDATE"].contains(c));
        let check = policy.check.as_deref().or(policy.using.as_deref());
        let kept = match check {
            Some(check) if writes && policy.command != "SELECT" && policy.command != "DELETE" => {
                format!(" WITH CHECK ({check})")
            }
            _ => String::new(),
        };
        if let Some(using) = policy.using.as_deref().filter(|text| *text != "true") {
            let sql = alter(&format!("USING (true){kept}"));
            found.push(self.of_policy("policy-reads-all", policy, sql));
            if let Some(setting) = self.access.settings().first() {
                let unset = format!(
                    "({using}) OR NULLIF(current_setting({}, true), '') IS NULL",
                    literal(setting)
                );
                let sql = alter(&format!("USING ({unset}){kept}"));
                let mutant = self.of_policy("policy-without-context", policy, sql);
                // WITH CHECK is what it was.
                found.push(
                    mutant.but_equivalent((policy.command == "UPDATE").then_some(
                        "a row that is found without a tenant can't be stored without one",
                    )),
                );
            }
        }
        if writes && check.is_some_and(|text| text != "true") {
            let sql = alter("WITH CHECK (true)");
            found.push(self.of_policy("policy-writes-all", policy, sql));
        }
        if policy.command == "ALL" && policy.permissive && commands.len() > 1 {
            let roles: Vec<String> = policy
                .roles
                .iter()
                .map(|role| match role.as_str() {
                    "public" => "PUBLIC".to_owned(),
                    role => quoted(role),
                })
                .collect();
            let using = policy.using.as_deref().unwrap_or("true");
            let sql = format!(
                "DROP POLICY {name} ON {on}; CREATE POLICY {name} ON {on} FOR SELECT TO {} USING ({using});",
                roles.join(", ")
            );
            found.push(self.of_policy("command-without-policy", policy, sql).but_equivalent(Some(
                "a permissive policy for fewer commands lets nobody reach a row that it could not reach before",
            )));
        }
    }
}
