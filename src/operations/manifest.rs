//! [`Manifest`]: what a database held at one moment, to be compared with what comes out of its backup.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use super::roles;
use super::settled::settled;
use crate::database::execute;
use crate::error::{Doing as _, Result};
use crate::introspect::snapshot;

/// The format of manifests; one of another is not read.
pub(super) const FORMAT: u32 = 1;

/// The most differences that are told.
const TOLD: usize = 20;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Schema and rows.
    Full,
    /// The schema alone.
    Schema,
    /// The rows, for a database that migrations have made; the schema lies beside them, to try them on.
    Data,
}

impl Kind {
    /// Its word on the command line and in names of files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Schema => "schema",
            Self::Data => "data",
        }
    }

    /// Whether rows are in it.
    #[must_use]
    pub fn has_rows(self) -> bool {
        self != Self::Schema
    }
}

/// A table whose rows are counted, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// As it stands in SQL: `"crm"."people"`.
    pub table: String,
    /// The tenant of the row [`Counted::ROW`], as SQL; none where the rows have no tenant.
    pub tenant: Option<String>,
}

impl Counted {
    /// The name of the row in [`Counted::tenant`]: no column is called so.
    pub const ROW: &'static str = "watertight_row";
}

/// The rows of one organisation in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The organisation, as text; none where the rows have no tenant.
    pub organisation: Option<String>,
    /// How many.
    pub rows: i64,
    /// The sum of their hashes, which is the same in whatever order they lie.
    pub digest: String,
}

/// What a database held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this file.
    pub format: u32,
    /// What was saved.
    pub kind: Kind,
    /// The database's name.
    pub database: String,
    /// The server's host and port.
    pub server: String,
    /// The server's version.
    pub version: String,
    /// Its major version, which `pg_restore` must have too.
    pub major: u32,
    /// When, by the server's clock: seconds since 1970.
    pub taken_at: i64,
    /// The same as it stands in names: `20261125T203000123Z`.
    pub stamp: String,
    /// What `CREATE DATABASE` is told of encoding and collation.
    pub locale: String,
    /// Schemas, tables, columns, constraints, policies, privileges …: a line for each.
    pub schema: BTreeSet<String>,
    /// The roles that own something here or may do something, with their attributes and memberships.
    pub roles: BTreeSet<String>,
    /// The database's own settings and privileges.
    pub properties: BTreeSet<String>,
    /// How the rows were counted.
    pub counted: Vec<Counted>,
    /// By table, its rows.
    pub rows: BTreeMap<String, Vec<Rows>>,
}

/// The database and its locale, the time, the version.
const SELF: &str = "SELECT current_database()::text, current_setting('server_version'),
        current_setting('server_version_num')::int4, extract(epoch FROM now())::int8,
        to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISSMS\"Z\"'),
        format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(d.encoding), d.datcollate, d.datctype)
          || CASE d.datlocprovider
               WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'))
               WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d) ->> 'datlocale')
               ELSE '' END
     FROM pg_catalog.pg_database d WHERE d.datname = current_database()";

/// What decides how a value reads as text, and so its hash.
const PRINTED: &str = "SET extra_float_digits = 1; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';
    SET timezone = 'UTC'; SET bytea_output = 'hex'; SET xmloption = 'content'; SET statement_timeout = 0;
    SET row_security = off; SET lc_monetary = 'C'";

impl Manifest {
    /// Reads the database that the connection is in, in the transaction that it is in. Rows that a policy hides from the
    /// connection's role are an error, never left out.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when a query is refused.
    pub async fn read(
        connection: &mut PgConnection,
        kind: Kind,
        server: String,
        counted: Vec<Counted>,
    ) -> Result<Self> {
        execute(connection, PRINTED).await?;
        let (database, version, number, taken_at, stamp, locale): (
            String,
            String,
            i32,
            i64,
            String,
            String,
        ) = sqlx::query_as(SELF)
            .fetch_one(&mut *connection)
            .await
            .doing("ask the database what it is")?;
        let schema = snapshot(connection).await?;
        let roles = roles::lines(connection, roles::ROLES).await?;
        let properties = roles::lines(connection, roles::PROPERTIES).await?;
        let mut rows = BTreeMap::new();
        if kind.has_rows() {
            for table in &counted {
                let found = count(connection, table).await?;
                rows.insert(table.table.clone(), found);
            }
        }
        Ok(Self {
            format: FORMAT,
            kind,
            database,
            server,
            version,
            major: u32::try_from(number).unwrap_or_default() / 10_000,
            taken_at,
            stamp,
            locale,
            schema: schema.into_iter().collect(),
            roles: roles.into_iter().collect(),
            properties: properties.into_iter().collect(),
            counted,
            rows,
        })
    }

    /// How many rows there are of how many organisations.
    #[must_use]
    pub fn size(&self) -> (i64, usize) {
        let all = || self.rows.values().flatten();
        let organisations: BTreeSet<&str> = all()
            .filter_map(|rows| rows.organisation.as_deref())
            .collect();
        (all().map(|rows| rows.rows).sum(), organisations.len())
    }

    /// What a restored database has less, more or else: sentences, none where all is equal.
    #[must_use]
    pub fn differences(&self, restored: &Self) -> Vec<String> {
        let mut told = differing(&self.schema, &restored.schema);
        told.extend(differing(&self.properties, &restored.properties));
        for (table, rows) in &self.rows {
            let none = Vec::new();
            told.extend(of_rows(
                table,
                rows,
                restored.rows.get(table).unwrap_or(&none),
            ));
        }
        shortened(told)
    }

    /// Roles that were restored with other attributes or memberships. (On a server that had them already, they are as they
    /// were there.)
    #[must_use]
    pub fn role_differences(&self, restored: &Self) -> Vec<String> {
        // The new server's own superuser and its roles are its business.
        let missing = self.roles.difference(&restored.roles);
        shortened(missing.map(|line| format!("missing: {line}")).collect())
    }
}

async fn count(connection: &mut PgConnection, counted: &Counted) -> Result<Vec<Rows>> {
    let row = Counted::ROW;
    let tenant = counted.tenant.as_deref().unwrap_or("NULL");
    let sql = format!(
        "SELECT ({tenant})::text AS organisation, count(*) AS rows,
            coalesce(sum(hashtextextended({row}::text, 0)::numeric), 0)::text AS digest
         FROM {} {row} GROUP BY 1 ORDER BY 1",
        counted.table
    );
    let found: Vec<(Option<String>, i64, String)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .doing(format!("count the rows of {}", counted.table))?;
    let rows = found.into_iter().map(|(organisation, rows, digest)| Rows {
        organisation,
        rows,
        digest,
    });
    Ok(rows.collect())
}

/// Lines of one side alone, but for what printing a definition again may change.
fn differing(saved: &BTreeSet<String>, restored: &BTreeSet<String>) -> Vec<String> {
    let forms = |lines: &BTreeSet<String>| -> BTreeMap<String, String> {
        lines
            .iter()
            .map(|line| (settled(line), line.clone()))
            .collect()
    };
    let (before, after) = (forms(saved), forms(restored));
    let only = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>, word: &str| {
        one.iter()
            .filter(|(form, _)| !other.contains_key(*form))
            .map(|(_, line)| format!("{word}: {line}"))
            .collect::<Vec<_>>()
    };
    let mut told = only(&before, &after, "missing");
    told.extend(only(&after, &before, "not saved"));
    told
}

fn of_rows(table: &str, saved: &[Rows], restored: &[Rows]) -> Vec<String> {
    let by_organisation = |rows: &[Rows]| -> BTreeMap<Option<String>, Rows> {
        rows.iter()
            .map(|rows| (rows.organisation.clone(), rows.clone()))
            .collect()
    };
    let (before, after) = (by_organisation(saved), by_organisation(restored));
    let organisations: BTreeSet<&Option<String>> = before.keys().chain(after.keys()).collect();
    organisations
        .into_iter()
        .filter_map(|organisation| {
            let whose = organisation
                .as_ref()
                .map_or_else(String::new, |id| format!(" of organisation {id}"));
            let count = |rows: Option<&Rows>| rows.map_or(0, |rows| rows.rows);
            let (one, other) = (before.get(organisation), after.get(organisation));
            let (was, is) = (count(one), count(other));
            if was != is {
                Some(format!(
                    "{table}: {was} rows{whose} were saved, {is} came back"
                ))
            } else if one.map(|rows| &rows.digest) != other.map(|rows| &rows.digest) {
                Some(format!(
                    "{table}: values in the {is} rows{whose} are others"
                ))
            } else {
                None
            }
        })
        .collect()
}

fn shortened(mut told: Vec<String>) -> Vec<String> {
    let more = told.len().saturating_sub(TOLD);
    if more > 0 {
        told.truncate(TOLD);
        told.push(format!("… and {more} more"));
    }
    told
}
