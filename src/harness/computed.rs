//! What expressions of queries come to in the seeded rows: nothing but the server can compute that.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::database::execute;
use crate::error::{Doing as _, Result};
use crate::model::{Catalog, Query, Tenancy, quoted};
use crate::query::{Source, infer};

/// So many rows are asked; those of the acting tenant lie first.
const ROWS: usize = 100;

/// Gives queries the values of the expressions that their parameters are compared with. Where the server refuses to
/// compute one there are none.
pub(super) async fn compute(
    connection: &mut PgConnection,
    (catalog, tenancy): (&Catalog, &Tenancy),
    queries: &mut [Query],
) -> Result<()> {
    for query in queries.iter_mut().filter(|query| query.problem.is_none()) {
        for (number, sources) in infer(catalog, query).sources {
            for source in &sources {
                let Some(asked) = asked(catalog, tenancy, source) else {
                    continue;
                };
                if let Some(values) = values(connection, query, asked).await? {
                    query.computed.insert(number, values);
                }
            }
        }
    }
    Ok(())
}

/// The query for whose each row is, and what an expression comes to in it.
fn asked(catalog: &Catalog, tenancy: &Tenancy, source: &Source) -> Option<String> {
    let Source::Computed {
        table, alias, sql, ..
    } = source
    else {
        return None;
    };
    let of = quoted(alias);
    let whose = tenancy.tenant_expression(catalog, table, &of);
    let whose = whose.map_or_else(|| "NULL".to_owned(), |whose| format!("({whose})::text"));
    Some(format!(
        "SELECT {whose}, ({sql})::text FROM {} AS {of} WHERE ({sql}) IS NOT NULL \
         ORDER BY {of}.tableoid, {of}.ctid LIMIT {ROWS}",
        table.quoted()
    ))
}

/// What it answers; `None` where the server refuses it.
async fn values(
    connection: &mut PgConnection,
    query: &Query,
    asked: String,
) -> Result<Option<Vec<(Option<String>, String)>>> {
    let begin = "BEGIN READ ONLY; SET LOCAL statement_timeout = '2s'";
    execute(connection, begin).await?;
    if let Some(look) = query.looking() {
        execute(connection, &look).await?;
    }
    let asked = sqlx::raw_sql(AssertSqlSafe(asked));
    let rows = connection.fetch_all(asked).await;
    execute(connection, "ROLLBACK").await?;
    let Ok(rows) = rows else { return Ok(None) };
    let values = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let values: sqlx::Result<Vec<_>> = values.collect();
    let values = values.doing(format!("compute what {} compares", query.object))?;
    Ok(Some(values))
}
