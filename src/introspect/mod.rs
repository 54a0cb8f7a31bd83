//! `pg_catalog` → [`Catalog`]: a handful of queries whatever the size of the schema.

mod functions;
mod sequences;
mod snapshot;
mod types;
mod views;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, PgConnection, Row};

pub use snapshot::snapshot;

use crate::error::{Doing, Error, Result};
use crate::model::{
    Action, Catalog, CheckConstraint, Column, ForeignKey, Index, IndexKey, Policy, Publication,
    RelationName, Role, Table,
};

/// Tables of the user: no system schemas, no members of extensions, not the harness's own schema.
const USER_TABLES: &str = "c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'watertight') AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";

/// Counting stops here: what matters is whether migrations left rows, and roughly how many.
const COUNTED_ROWS: usize = 1_000;

/// Reads the catalog of the database that the connection is in.
///
/// # Errors
/// [`Error::Database`] when a catalog query is refused.
pub async fn introspect(connection: &mut PgConnection) -> Result<Catalog> {
    let mut tables = BTreeMap::new();
    for raw in rows::<RawTable>(connection, "tables", &tables_sql()).await? {
        let table = raw.into_table();
        tables.insert(table.name.clone(), table);
    }
    for raw in rows::<RawKey>(connection, "foreign keys", &foreign_keys_sql()).await? {
        if let Some(table) = tables.get_mut(&raw.on.name()) {
            let key = raw.into_foreign_key()?;
            table.foreign_keys.push(key);
        }
    }
    for raw in rows::<RawIndex>(connection, "indexes", &indexes_sql()).await? {
        if let Some(table) = tables.get_mut(&raw.on.name()) {
            table.indexes.push(raw.into_index());
        }
    }
    for raw in rows::<On<Policy>>(connection, "policies", &policies_sql()).await? {
        if let Some(table) = tables.get_mut(&raw.on.name()) {
            table.policies.push(raw.item);
        }
    }
    count_existing(connection, &mut tables).await?;
    let roles = rows::<Role>(connection, "roles", ROLES).await?;
    let sequences = sequences::read(connection).await?;
    let views = views::read(connection).await?;
    let (definers, invokers) = functions::read(connection).await?;
    let types = types::read(connection, &tables).await?;
    let functions = rows::<RawFunction>(connection, "functions", FUNCTIONS).await?;
    Ok(Catalog {
        tables,
        types,
        roles: roles
            .into_iter()
            .map(|role| (role.name.clone(), role))
            .collect(),
        sequences,
        views,
        definers,
        invokers,
        functions: functions.into_iter().map(|f| (f.name, f.source)).collect(),
    })
}

/// The values of some columns of the rows that migrations left behind in a table, as text, in a stable order.
///
/// # Errors
/// [`Error::Database`] when the table can't be read.
pub async fn existing_rows(
    connection: &mut PgConnection,
    table: &RelationName,
    columns: &[&str],
) -> Result<Vec<Vec<Option<String>>>> {
    let list = columns
        .iter()
        .map(|column| format!("{}::text", crate::model::quoted(column)))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!(
        "SELECT {list} FROM {} ORDER BY {} LIMIT {COUNTED_ROWS}",
        table.quoted(),
        (1..=columns.len())
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    );
    let found = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .doing(format!("read the rows of {table}"))?;
    found
        .iter()
        .map(|row| {
            (0..columns.len())
                .map(|i| row.try_get(i).doing(format!("read the rows of {table}")))
                .collect()
        })
        .collect()
}

/// Runs a query whose single column is JSON, and reads each row as a `T`.
async fn rows<T: DeserializeOwned>(
    connection: &mut PgConnection,
    what: &str,
    sql: &str,
) -> Result<Vec<T>> {
    let found = sqlx::raw_sql(AssertSqlSafe(format!(
        "SELECT row_to_json(q)::text FROM ({sql}) q"
    )))
    .fetch_all(connection)
    .await
    .doing(format!("read the catalog's {what}"))?;
    found
        .iter()
        .map(|row| {
            let text: String = row.try_get(0).doing(format!("read the catalog's {what}"))?;
            serde_json::from_str(&text)
                .map_err(|error| Error::Server(format!("the catalog's {what}: {error}: {text}")))
        })
        .collect()
}

async fn count_existing(
    connection: &mut PgConnection,
    tables: &mut BTreeMap<RelationName, Table>,
) -> Result<()> {
    // A branch a table: in blocks, since a statement of thousands of branches costs more than its parts.
    let names: Vec<RelationName> = tables
        .values()
        .filter(|table| table.partition_of.is_none())
        .map(|table| table.name.clone())
        .collect();
    for block in names.chunks(200) {
        let sql = block
            .iter()
            .enumerate()
            .map(|(i, name)| {
                format!(
                    "SELECT {i}::int4, (SELECT count(*) FROM (SELECT FROM {} LIMIT {COUNTED_ROWS}) q)::int8",
                    name.quoted()
                )
            })
            .collect::<Vec<_>>()
            .join(" UNION ALL ");
        for row in sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .doing("count the rows that migrations left")?
        {
            let i: i32 = row.try_get(0).doing("count rows")?;
            let count: i64 = row.try_get(1).doing("count rows")?;
            if let Some(table) = usize::try_from(i)
                .ok()
                .and_then(|i| block.get(i))
                .and_then(|name| tables.get_mut(name))
            {
                table.existing_rows = usize::try_from(count).unwrap_or(0);
            }
        }
    }
    Ok(())
}

/// A relation's name in a catalog row.
#[derive(Deserialize)]
struct RawName {
    schema: String,
    relation: String,
}

impl RawName {
    fn name(&self) -> RelationName {
        RelationName::new(&self.schema, &self.relation)
    }
}

/// Something on a relation.
#[derive(Deserialize)]
struct On<T> {
    #[serde(flatten)]
    on: RawName,
    item: T,
}

#[derive(Deserialize)]
struct RawTable {
    #[serde(flatten)]
    on: RawName,
    owner: String,
    partitioned: bool,
    bounds: Vec<String>,
    root_schema: Option<String>,
    root_relation: Option<String>,
    row_security: bool,
    force_row_security: bool,
    columns: Vec<Column>,
    checks: Vec<CheckConstraint>,
    privileges: BTreeMap<String, Vec<String>>,
    triggers: Vec<String>,
    notifying: Vec<String>,
    published: Vec<Publication>,
}

impl RawTable {
    fn into_table(self) -> Table {
        Table {
            name: self.on.name(),
            owner: self.owner,
            partitioned: self.partitioned,
            bounds: self.bounds,
            partition_of: self
                .root_schema
                .zip(self.root_relation)
                .map(|(schema, name)| RelationName::new(schema, name)),
            columns: self.columns,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: self.checks,
            policies: Vec::new(),
            row_security: self.row_security,
            force_row_security: self.force_row_security,
            privileges: self.privileges,
            triggers: self.triggers,
            notifying: self.notifying,
            published: self.published,
            existing_rows: 0,
        }
    }
}

#[derive(Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one a column of pg_constraint"
)]
struct RawKey {
    #[serde(flatten)]
    on: RawName,
    name: String,
    columns: Vec<String>,
    target_schema: String,
    target_relation: String,
    target_columns: Vec<String>,
    match_full: bool,
    on_delete: String,
    on_delete_columns: Vec<String>,
    on_update: String,
    deferrable: bool,
    initially_deferred: bool,
    validated: bool,
    enforced: bool,
    period: bool,
}

impl RawKey {
    fn into_foreign_key(self) -> Result<ForeignKey> {
        let action = |code: &str| {
            Ok(match code {
                "a" => Action::NoAction,
                "r" => Action::Restrict,
                "c" => Action::Cascade,
                "n" => Action::SetNull,
                "d" => Action::SetDefault,
                other => {
                    return Err(Error::Server(format!(
                        "unknown action `{other}` of foreign key {}",
                        self.name
                    )));
                }
            })
        };
        Ok(ForeignKey {
            on_delete: action(&self.on_delete)?,
            on_update: action(&self.on_update)?,
            target: RelationName::new(self.target_schema, self.target_relation),
            name: self.name,
            columns: self.columns,
            target_columns: self.target_columns,
            match_full: self.match_full,
            on_delete_columns: self.on_delete_columns,
            deferrable: self.deferrable,
            initially_deferred: self.initially_deferred,
            validated: self.validated,
            enforced: self.enforced,
            period: self.period,
        })
    }
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "one a column of pg_index")]
struct RawIndex {
    #[serde(flatten)]
    on: RawName,
    name: String,
    keys: Vec<RawIndexKey>,
    unique: bool,
    primary: bool,
    exclusion: bool,
    operators: Vec<String>,
    constraint: bool,
    predicate: Option<String>,
    nulls_not_distinct: bool,
    definition: String,
}

#[derive(Deserialize)]
struct RawIndexKey {
    column: Option<String>,
    text: String,
}

impl RawIndex {
    fn into_index(self) -> Index {
        Index {
            name: self.name,
            keys: self
                .keys
                .into_iter()
                .map(|key| match key.column {
                    Some(column) => IndexKey::Column(column),
                    None => IndexKey::Expression { text: key.text },
                })
                .collect(),
            unique: self.unique,
            primary: self.primary,
            exclusion: self.exclusion,
            operators: self.operators,
            constraint: self.constraint,
            predicate: self.predicate,
            nulls_not_distinct: self.nulls_not_distinct,
            definition: self.definition,
        }
    }
}

fn tables_sql() -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS relation, pg_get_userbyid(c.relowner) AS owner,
            c.relkind = 'p' AS partitioned,
            coalesce((SELECT json_agg(coalesce(pg_get_partition_constraintdef(p.relid), 'true') ORDER BY p.relid::regclass::text)
              FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND NOT c.relispartition AND p.isleaf AND p.relid <> c.oid), '[]') AS bounds,
            rn.nspname AS root_schema, r.relname AS root_relation,
            c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security,
            coalesce((SELECT json_agg(json_build_object('name', a.attname, 'type_oid', a.atttypid::int8,
                'modifier', a.atttypmod, 'dimensions', a.attndims, 'type_name', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                'formula', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                'generated', CASE a.attgenerated WHEN 's' THEN 'Stored' WHEN 'v' THEN 'Virtual' ELSE 'No' END,
                'identity', a.attidentity <> '') ORDER BY a.attnum)
              FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
            coalesce((SELECT json_agg(json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid))
                ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), '[]') AS checks,
            coalesce((SELECT json_object_agg(p.grantee, p.list) FROM (
                SELECT CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee) END AS grantee,
                  json_agg(DISTINCT x.privilege_type) AS list
                FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x GROUP BY 1) p), '{{}}') AS privileges,
            coalesce((SELECT json_agg(w.name ORDER BY w.name) FROM (
                SELECT g.tgname AS name FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
                UNION ALL SELECT u.rulename FROM pg_rewrite u WHERE u.ev_class = c.oid AND u.ev_enabled <> 'D') w), '[]') AS triggers,
            coalesce((SELECT json_agg(w.name ORDER BY w.name) FROM (
                SELECT g.tgname AS name, f.prosrc AS text FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
                WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
                UNION ALL SELECT u.rulename, pg_get_ruledef(u.oid) FROM pg_rewrite u WHERE u.ev_class = c.oid AND u.ev_enabled <> 'D') w
              WHERE w.text ~* '\\m(pg_)?notify\\M'), '[]') AS notifying,
            coalesce((SELECT json_agg(json_build_object('name', p.pubname, 'filter', pg_get_expr(m.prqual, m.prrelid)) ORDER BY p.pubname)
              FROM pg_publication p LEFT JOIN pg_publication_rel m ON m.prpubid = p.oid AND m.prrelid = c.oid
              WHERE m.oid IS NOT NULL OR p.puballtables OR EXISTS (
                SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid)), '[]') AS published
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
         LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
         WHERE {USER_TABLES}"
    )
}

fn foreign_keys_sql() -> String {
    // `conenforced` and `conperiod` are new in Postgres 18: read through JSON, so that one text serves every version.
    format!(
        "SELECT n.nspname AS schema, c.relname AS relation, k.conname AS name,
            (SELECT json_agg(a.attname ORDER BY u.i) FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n) AS columns,
            tn.nspname AS target_schema, t.relname AS target_relation,
            (SELECT json_agg(a.attname ORDER BY u.i) FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
              JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n) AS target_columns,
            k.confmatchtype = 'f' AS match_full, k.confdeltype AS on_delete, k.confupdtype AS on_update,
            coalesce((SELECT json_agg(a.attname ORDER BY a.attname) FROM unnest(k.confdelsetcols) u(n)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), '[]') AS on_delete_columns,
            k.condeferrable AS deferrable, k.condeferred AS initially_deferred, k.convalidated AS validated,
            coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced,
            coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) AS period
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
         WHERE k.contype = 'f' AND k.conparentid = 0 AND {USER_TABLES} ORDER BY k.conname"
    )
}

fn indexes_sql() -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS relation, i.relname AS name,
            (SELECT json_agg(json_build_object('column', a.attname, 'text', pg_get_indexdef(x.indexrelid, u.i::int, true))
                ORDER BY u.i) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u(n, i)
              LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.n AND u.n > 0
              WHERE u.i <= x.indnkeyatts) AS keys,
            x.indisunique AS unique, x.indisprimary AS primary, x.indisexclusion AS exclusion,
            coalesce((SELECT json_agg(o.oprname ORDER BY u.i) FROM pg_constraint k, unnest(k.conexclop) WITH ORDINALITY u(n, i)
              JOIN pg_operator o ON o.oid = u.n WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')), '[]') AS operators,
            EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')) AS constraint,
            pg_get_expr(x.indpred, x.indrelid) AS predicate, x.indnullsnotdistinct AS nulls_not_distinct,
            coalesce((SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
                WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1),
              replace(pg_get_indexdef(x.indexrelid), ' ON ONLY ', ' ON ')) AS definition
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {USER_TABLES} AND NOT i.relispartition ORDER BY i.relname"
    )
}

fn policies_sql() -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS relation, json_build_object('name', p.polname,
            'permissive', p.polpermissive, 'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
              WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            'roles', (SELECT json_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END ORDER BY 1) FROM unnest(p.polroles) r),
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) AS item
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {USER_TABLES} ORDER BY p.polname"
    )
}

#[derive(Deserialize)]
struct RawFunction {
    name: String,
    source: String,
}

/// What CHECKs may call: functions of the user's own in SQL and PL/pgSQL, those of one name together.
const FUNCTIONS: &str = "SELECT p.proname AS name,
        string_agg(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), E'\\n' ORDER BY p.oid::regprocedure::text) AS source
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
       AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend d
         WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
     GROUP BY p.proname ORDER BY p.proname";

const ROLES: &str = "SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolbypassrls AS bypass_rls,
        r.rolcanlogin AS can_login,
        coalesce((SELECT json_agg(m.rolname ORDER BY m.rolname) FROM pg_roles m
          WHERE m.oid <> r.oid AND NOT r.rolsuper AND pg_has_role(r.oid, m.oid, 'MEMBER')), '[]') AS member_of
     FROM pg_roles r WHERE r.rolname NOT LIKE 'pg\\_%'";
