//! A role for each tenant, where `{tenant}` stands in the name of the application's.

use std::collections::BTreeSet;

use super::application::{MARK, ensure_role, unforced};
use super::{Databases, execute};
use crate::error::{Error, Result};
use crate::model::{Access, Catalog, Role, quoted};

/// The longest name that Postgres keeps whole, in bytes.
const LONGEST_NAME: usize = 63;

/// Whether roles outlive the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// They are dropped with the run's databases.
    Run,
    /// They stay on the server, as templates do.
    Server,
}

impl Databases<'_> {
    /// Makes sure that every tenant has its role, with a login, and adds these to the catalog.
    ///
    /// # Errors
    /// [`Error::Usage`] where it can't be told what the roles are members of; for a role that is no name, that the
    /// harness did not make, or that would make every test vacuous.
    pub async fn tenant_roles(
        &mut self,
        catalog: &mut Catalog,
        access: &Access,
        tenants: &[String],
        lasting: Lasting,
    ) -> Result<()> {
        let refuse =
            |why: String| Error::Usage(format!("[access] role = {:?}: {why}", access.role));
        let groups = groups(catalog, access).map_err(refuse)?;
        let member_of = with_theirs(catalog, &groups);
        if let Some((table, mend)) = unforced(catalog, &member_of) {
            return Err(refuse(format!(
                "it is a member of the owner of {table}, so row-level security would not hold for it and every test \
                 would pass. {mend}"
            )));
        }
        let mark = match lasting {
            Lasting::Run => self.lease.mark(),
            Lasting::Server => MARK.to_owned(),
        };
        for tenant in tenants {
            let name = access.role_of(tenant);
            let role = Role {
                name: name.clone(),
                superuser: false,
                bypass_rls: false,
                can_login: true,
                member_of: member_of.iter().cloned().collect(),
            };
            fit(catalog, &name).map_err(refuse)?;
            ensure_role(self.server, &mut self.maintenance, &name, "", &mark).await?;
            if lasting == Lasting::Run {
                self.roles.push(name.clone());
            }
            for group in &groups {
                let sql = format!("GRANT {} TO {}", quoted(group), quoted(&name));
                execute(&mut self.maintenance, &sql).await?;
            }
            if !self.server.is_superuser() {
                // Queries that run in a tenant's context are tried in the administrator's session, as the role.
                let sql = format!("GRANT {} TO CURRENT_USER", quoted(&name));
                execute(&mut self.maintenance, &sql).await?;
            }
            catalog.roles.insert(name, role);
        }
        Ok(())
    }
}

/// Whether a role of this name can be a tenant's.
fn fit(catalog: &Catalog, name: &str) -> std::result::Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!(
            "`{name}` is longer than the {LONGEST_NAME} bytes that Postgres keeps of a name"
        ));
    }
    let known = catalog.roles.get(name);
    if known.is_some_and(|role| role.superuser || role.bypass_rls) {
        return Err(format!(
            "{name} bypasses row-level security, and every test would pass. Mend it with: ALTER ROLE {} NOSUPERUSER \
             NOBYPASSRLS",
            quoted(name)
        ));
    }
    Ok(())
}

/// Roles, and those that they are members of.
fn with_theirs(catalog: &Catalog, groups: &[String]) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = groups.iter().cloned().collect();
    for group in groups {
        let above = catalog.roles.get(group).map(|role| &role.member_of);
        all.extend(above.into_iter().flatten().cloned());
    }
    all
}

/// What the roles of tenants are members of: as the settings say, else the one role that tables or policies name besides
/// their owners; none where `public` has it all.
fn groups(catalog: &Catalog, access: &Access) -> std::result::Result<Vec<String>, String> {
    if !access.member_of.is_empty() {
        let unknown = |name: &&String| !catalog.roles.contains_key(*name);
        return match access.member_of.iter().find(unknown) {
            None => Ok(access.member_of.clone()),
            Some(name) => Err(format!(
                "member_of names {name:?}, and there is no such role. The migrations should make it: CREATE ROLE {} \
                 NOLOGIN",
                quoted(name)
            )),
        };
    }
    let owners: BTreeSet<&String> = catalog.roots().map(|table| &table.owner).collect();
    let named = catalog.roots().flat_map(|table| {
        let policies = table.policies.iter().flat_map(|policy| &policy.roles);
        table.privileges.keys().chain(policies)
    });
    let named: BTreeSet<&String> = named
        .filter(|name| !owners.contains(name) && *name != "public")
        .filter(|name| {
            let role = catalog.roles.get(*name);
            role.is_some_and(|role| !role.superuser && !role.bypass_rls)
        })
        .collect();
    match named.len() {
        0 | 1 => Ok(named.into_iter().cloned().collect()),
        _ => {
            let all: Vec<&str> = named.iter().map(|name| name.as_str()).collect();
            Err(format!(
                "tables and policies name {}: say by `member_of` which of them an organisation's role is a member of",
                all.join(", ")
            ))
        }
    }
}
