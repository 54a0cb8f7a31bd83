//! Roles: who owns the databases, and who the application logs in as.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};

use super::execute;
use crate::error::{Doing, Error, Result};
use crate::model::{Access, Catalog, MigrateAs, RelationName, literal, quoted};
use crate::server::{Login, Server};

/// Owns the databases where the administrator is a superuser.
const OWNER: &str = "watertight_owner";

/// Logs in for the application's role where that can't be changed to do so itself.
const MEMBER: &str = "watertight_application";

/// Marks the roles that the harness made.
pub(super) const MARK: &str = "made by watertight";

/// Makes sure of a role that owns databases and is no superuser.
pub(super) async fn ensure_owner(server: &Server, maintenance: &mut PgConnection) -> Result<()> {
    // Others may be at it at the same time, and a role takes one change at a time.
    execute(
        maintenance,
        "SELECT pg_advisory_lock(hashtext('watertight owner'))",
    )
    .await?;
    let login = ensure_role(server, maintenance, OWNER, "CREATEDB CREATEROLE", MARK).await;
    execute(
        maintenance,
        "SELECT pg_advisory_unlock(hashtext('watertight owner'))",
    )
    .await?;
    login.map(drop)
}

/// Whether databases belong to a role of the harness's own.
pub(super) fn owns(server: &Server, migrate_as: MigrateAs) -> bool {
    migrate_as == MigrateAs::Owner && server.is_superuser()
}

/// Who owns databases.
#[must_use]
pub fn owner_of(server: &Server, migrate_as: MigrateAs) -> Login {
    if !owns(server, migrate_as) {
        return server.administrator().clone();
    }
    Login {
        role: OWNER.to_owned(),
        password: Some(password(server, OWNER)),
    }
}

/// How to log in as the application's role: a role that could see everything is refused by name.
///
/// On a server of our own the role itself is given a password. On one that was given by URL no role is changed that
/// the harness didn't make: a member of the role logs in there.
///
/// # Errors
/// [`Error::Usage`] for a role that is missing or that would make every test vacuous.
pub async fn application_login(
    server: &Server,
    maintenance: &mut PgConnection,
    catalog: &Catalog,
    access: &Access,
) -> Result<Login> {
    let name = &access.role;
    refuse_vacuous(catalog, access)?;
    if !server.is_disposable() {
        let member = ensure_role(server, maintenance, MEMBER, "", MARK).await?;
        let sql = format!("GRANT {} TO {}", quoted(name), quoted(MEMBER));
        execute(maintenance, &sql).await?;
        if !server.is_superuser() {
            // Queries that run in a tenant's context are tried in the administrator's session, as the role.
            let sql = format!("GRANT {} TO CURRENT_USER", quoted(name));
            execute(maintenance, &sql).await?;
        }
        return Ok(member);
    }
    let password = password(server, name);
    let sql = format!(
        "ALTER ROLE {} LOGIN PASSWORD {}",
        quoted(name),
        literal(&password)
    );
    execute_quietly(maintenance, &sql, name).await?;
    Ok(Login {
        role: name.clone(),
        password: Some(password),
    })
}

/// Refuses a role that could see everything, by its name and with the statement that makes a right one.
///
/// # Errors
/// [`Error::Usage`] for a role that is missing or that would make every test vacuous.
pub fn refuse_vacuous(catalog: &Catalog, access: &Access) -> Result<()> {
    let name = &access.role;
    let Some(role) = catalog.roles.get(name) else {
        return Err(Error::Usage(format!(
            "[access] role = {name:?}: there is no such role. The migrations should make it: CREATE ROLE {} LOGIN \
             NOSUPERUSER NOBYPASSRLS",
            quoted(name)
        )));
    };
    let vacuous = |why: String, mend: String| {
        Err(Error::Usage(format!(
            "[access] role = {name:?}: {why}, so row-level security would not hold for it and every test would pass. {mend}"
        )))
    };
    if role.superuser || role.bypass_rls {
        let what = if role.superuser {
            "is a superuser"
        } else {
            "has BYPASSRLS"
        };
        return vacuous(
            format!("it {what}"),
            format!(
                "Mend it with: ALTER ROLE {} NOSUPERUSER NOBYPASSRLS",
                quoted(name)
            ),
        );
    }
    // Who is a member of the owner is as good as the owner.
    let owners = catalog.rights_of(name).into_iter().map(str::to_owned);
    let owners: BTreeSet<String> = owners.collect();
    if let Some((table, mend)) = unforced(catalog, &owners) {
        return vacuous(format!("it owns {table}"), mend);
    }
    Ok(())
}

/// A table whose owner is among these roles and is not held to its policies, and how that is mended.
pub(super) fn unforced<'c>(
    catalog: &'c Catalog,
    roles: &BTreeSet<String>,
) -> Option<(&'c RelationName, String)> {
    let table = catalog
        .roots()
        .find(|table| roles.contains(&table.owner) && !table.force_row_security)?;
    let mend = format!(
        "Mend it with: ALTER TABLE {0} OWNER TO <another role>, or ALTER TABLE {0} FORCE ROW LEVEL SECURITY",
        table.name.quoted()
    );
    Some((&table.name, mend))
}

/// The login that [`application_login`] or [`Databases::tenant_roles`](super::Databases::tenant_roles) gave a role on this server before.
#[must_use]
pub fn application_of(server: &Server, access: &Access, tenant: &str) -> Login {
    let role = if server.is_disposable() || access.per_tenant {
        access.role_of(tenant)
    } else {
        MEMBER.to_owned()
    };
    Login {
        password: Some(password(server, &role)),
        role,
    }
}

/// Drops the roles that migrations made, on a server of our own where no database needs them: a migration that makes
/// one finds none.
///
/// # Errors
/// [`Error::Database`] where they can't be listed; a role that something still needs stays.
pub(super) async fn forget_roles(maintenance: &mut PgConnection) -> Result<()> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT rolname::text FROM pg_roles WHERE oid >= 16384
           AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM $1",
    )
    .bind(MARK)
    .fetch_all(&mut *maintenance)
    .await
    .doing("look for roles")?;
    for name in names {
        let _ = execute(maintenance, &format!("DROP ROLE {}", quoted(&name))).await;
    }
    Ok(())
}

/// Makes sure of a role that can log in. One that the harness did not make is left alone on a server that is not its own.
pub(super) async fn ensure_role(
    server: &Server,
    maintenance: &mut PgConnection,
    name: &str,
    attributes: &str,
    mark: &str,
) -> Result<Login> {
    let found: Option<Option<String>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = {}",
        literal(name)
    )))
    .fetch_optional(&mut *maintenance)
    .await
    .doing(format!("look for the role {name}"))?;
    let verb = match found {
        None => "CREATE",
        Some(Some(found)) if found == mark => "ALTER",
        Some(_) if server.is_disposable() => "ALTER",
        Some(_) => {
            return Err(Error::Usage(format!(
                "the server has a role {name} that the harness did not make; rename or drop it"
            )));
        }
    };
    let password = password(server, name);
    let sql = format!(
        "{verb} ROLE {} LOGIN {attributes} PASSWORD {}",
        quoted(name),
        literal(&password)
    );
    execute_quietly(maintenance, &sql, name).await?;
    execute(
        maintenance,
        &format!("COMMENT ON ROLE {} IS {}", quoted(name), literal(mark)),
    )
    .await?;
    Ok(Login {
        role: name.to_owned(),
        password: Some(password),
    })
}

/// A password that two runs on one server agree on and that nobody guesses who lacks the administrator's.
fn password(server: &Server, role: &str) -> String {
    let secret = server.administrator().password.clone().unwrap_or_default();
    let (host, port) = server.tcp();
    let digest = Sha256::digest(format!("watertight {role} {secret} {host} {port}"));
    let number = digest
        .iter()
        .take(16)
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}

/// Runs a statement with a password in it: an error must not repeat the statement.
async fn execute_quietly(connection: &mut PgConnection, sql: &str, role: &str) -> Result<()> {
    use sqlx::Executor as _;
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
        .doing(format!("give the role {role} a login"))
}
