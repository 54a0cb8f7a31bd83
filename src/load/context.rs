//! The tenant's context while its rows are loaded: a trigger may ask strictly who is acting.

use sqlx::PgConnection;

use super::{Layout, run};
use crate::error::Result;
use crate::model::{Access, Dataset, Tenancy, literal};

/// The tenant whose rows a data set has; `None` for shared ones.
fn tenant<'d>(tenancy: &Tenancy, dataset: &'d Dataset) -> Option<&'d str> {
    dataset.iter().find_map(|(table, rows)| {
        let column = tenancy.tenant_column(table)?;
        (0..rows.rows.len()).find_map(|row| rows.cell(row, column)?.as_deref())
    })
}

/// Sets the context of the tenant whose rows come next.
pub(super) async fn enter(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    dataset: &Dataset,
) -> Result<()> {
    let (Some(access), Some(tenant)) = (&layout.tenancy.access, tenant(layout.tenancy, dataset))
    else {
        return leave(connection, layout).await;
    };
    run(connection, &access.statements(tenant).join(";\n")).await
}

/// Takes the context away: what follows in the transaction acts as nobody.
pub(super) async fn leave(connection: &mut PgConnection, layout: Layout<'_>) -> Result<()> {
    let resets: Vec<String> = layout
        .tenancy
        .access
        .iter()
        .flat_map(Access::settings)
        .map(|name| format!("SELECT pg_catalog.set_config({}, '', true)", literal(&name)))
        .collect();
    if resets.is_empty() {
        return Ok(());
    }
    run(connection, &resets.join(";\n")).await
}
