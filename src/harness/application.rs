//! Who the application logs in as.

use crate::database::{Databases, Lasting, application_login, application_of, connect};
use crate::error::Result;
use crate::server::{Login, Server};

use super::Schema;

/// How to log in as the application, where `[access]` says who that is. Where each tenant has a role of its own, the
/// roles of these tenants are made, and the schema's application is the first's from then on.
pub(crate) async fn login(
    server: &Server,
    databases: &mut Databases<'_>,
    schema: &mut Schema,
    tenants: &[String],
    lasting: Lasting,
) -> Result<Option<Login>> {
    let Some(access) = &mut schema.tenancy.access else {
        return Ok(None);
    };
    if access.per_tenant {
        let catalog = &mut schema.catalog;
        databases
            .tenant_roles(catalog, access, tenants, lasting)
            .await?;
        let first = tenants.first().map_or("", String::as_str);
        access.role = access.role_of(first);
        return Ok(Some(application_of(server, access, first)));
    }
    let options = server.options(server.administrator(), server.maintenance_database());
    let mut maintenance = connect(&options).await?;
    let login = application_login(server, &mut maintenance, &schema.catalog, access).await?;
    Ok(Some(login))
}
