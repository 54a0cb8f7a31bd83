//! Catalog and settings → the class of every table.

pub mod guess;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Access, Catalog, Class, ForeignKey, RelationName, Table, Tenancy, TenantSettings,
};

/// Book-keeping tables of migration tools: nobody's rows.
const HISTORIES: [&str; 24] = [
    "_sqlx_migrations",
    "flyway_schema_history",
    "schema_migrations",
    "ar_internal_metadata",
    "__diesel_schema_migrations",
    "_prisma_migrations",
    "goose_db_version",
    "alembic_version",
    "django_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "databasechangelog",
    "databasechangeloglock",
    "refinery_schema_history",
    "pgmigrations",
    "__drizzle_migrations",
    "SequelizeMeta",
    "mikro_orm_migrations",
    "kysely_migration",
    "kysely_migration_lock",
    "atlas_schema_revisions",
    "__EFMigrationsHistory",
    "doctrine_migration_versions",
    "phinxlog",
];

/// Book-keeping tables whose names alone could be anybody's, and a column that no other table of that name would have.
const COMMON: [(&str, &[&str]); 2] = [
    ("migrations", &["id", "migration", "batch"]),
    ("migrations", &["id", "timestamp", "name"]),
];

/// Tables that are Supabase's own and not a project's.
const STUBS: [(&str, &str, &str); 3] = [
    ("auth", "users", "raw_app_meta_data"),
    ("storage", "buckets", "allowed_mime_types"),
    ("storage", "objects", "path_tokens"),
];

/// Whether a migration tool keeps its books in the table.
fn is_history(table: &Table, catalog: &Catalog) -> bool {
    let name = table.name.name.as_str();
    let has = |columns: &[&str]| {
        table.columns.len() == columns.len()
            && columns.iter().all(|column| table.column(column).is_some())
    };
    let stub = STUBS.iter().any(|(schema, known, column)| {
        (*schema, *known) == (table.name.schema.as_str(), name) && table.column(column).is_some()
    });
    // A project's own rows may belong to Supabase's users: then the project has to say whose these are.
    let referred = || {
        let mut others = catalog
            .roots()
            .filter(|other| other.name.schema != table.name.schema);
        others.any(|other| {
            other
                .foreign_keys
                .iter()
                .any(|key| key.target == table.name)
        })
    };
    HISTORIES.contains(&name)
        || (stub && !referred())
        || table.name.schema == "sqitch"
        || COMMON
            .iter()
            .any(|(common, columns)| *common == name && has(columns))
}

/// Classifies every table.
///
/// # Errors
/// A sentence that names a declared table or column that is not there, and the nearest way out.
pub fn classify(
    catalog: &Catalog,
    declared: &TenantSettings,
    access: Option<&Access>,
) -> Result<Tenancy, String> {
    let mut tenancy = Tenancy {
        null_means: declared.null_means,
        access: access.cloned(),
        ..Tenancy::default()
    };
    declare(catalog, declared, &mut tenancy)?;
    let columns = declared_columns(catalog, declared)?;
    for table in catalog.roots() {
        if tenancy.classes.contains_key(&table.name) {
            continue;
        }
        let column = columns.get(&table.name).unwrap_or(&declared.column);
        if table.column(column).is_some() {
            tenancy.classes.insert(
                table.name.clone(),
                Class::Scoped {
                    column: column.clone(),
                },
            );
        } else if is_history(table, catalog) {
            tenancy.classes.insert(table.name.clone(), Class::History);
        }
    }
    find_root(catalog, declared, &mut tenancy)?;
    derive(catalog, &mut tenancy);
    for table in catalog.roots() {
        if !tenancy.classes.contains_key(&table.name) {
            let advice = advice(catalog, declared, &tenancy, table);
            tenancy
                .classes
                .insert(table.name.clone(), Class::Unclassified { advice });
        }
    }
    set_type(catalog, &mut tenancy);
    Ok(tenancy)
}

/// Enters what the user declared: shared, linked and derived tables.
fn declare(
    catalog: &Catalog,
    declared: &TenantSettings,
    tenancy: &mut Tenancy,
) -> Result<(), String> {
    for name in &declared.shared {
        let table = known(catalog, "tenant.shared", name)?;
        tenancy.classes.insert(table.name.clone(), Class::Shared);
    }
    for (name, path) in &declared.linked {
        let table = known(catalog, "tenant.linked", name)?;
        let (through, column) = path
            .rsplit_once('.')
            .ok_or_else(|| format!("tenant.linked: `{path}` is not `schema.table.column`"))?;
        let through = known(catalog, "tenant.linked", through)?;
        let column = crate::model::split_dotted(column)?.concat();
        if through.column(&column).is_none() {
            return Err(format!(
                "tenant.linked: {} has no column `{column}`",
                through.name
            ));
        }
        tenancy.classes.insert(
            table.name.clone(),
            Class::Linked {
                through: through.name.clone(),
                column,
            },
        );
    }
    for (name, key) in &declared.derived {
        let table = known(catalog, "tenant.derived", name)?;
        if table.foreign_key(key).is_none() {
            let has: Vec<&str> = table.foreign_keys.iter().map(|k| k.name.as_str()).collect();
            return Err(format!(
                "tenant.derived: {} has no foreign key `{key}`; it has {}",
                table.name,
                has.join(", ")
            ));
        }
        tenancy.classes.insert(
            table.name.clone(),
            Class::Derived {
                foreign_key: key.clone(),
            },
        );
    }
    Ok(())
}

fn declared_columns(
    catalog: &Catalog,
    declared: &TenantSettings,
) -> Result<BTreeMap<RelationName, String>, String> {
    let mut columns = BTreeMap::new();
    for (name, column) in &declared.columns {
        let table = known(catalog, "tenant.columns", name)?;
        if table.column(column).is_none() {
            return Err(format!(
                "tenant.columns: {} has no column `{column}`",
                table.name
            ));
        }
        columns.insert(table.name.clone(), column.clone());
    }
    Ok(columns)
}

fn known<'a>(catalog: &'a Catalog, key: &str, name: &str) -> Result<&'a Table, String> {
    let wanted = RelationName::parse(name).map_err(|error| format!("{key}: {error}"))?;
    if let Some(table) = catalog.tables.get(&wanted) {
        return Ok(table);
    }
    let alike: Vec<String> = catalog
        .tables
        .keys()
        .filter(|other| other.name == wanted.name || other.name.eq_ignore_ascii_case(&wanted.name))
        .map(ToString::to_string)
        .collect();
    Err(if alike.is_empty() {
        format!("{key}: the migrations make no table {wanted}")
    } else {
        format!(
            "{key}: the migrations make no table {wanted}; did you mean {}?",
            alike.join(" or ")
        )
    })
}

/// The table of tenants: the declared one, else the one that most tenant columns refer to.
fn find_root(
    catalog: &Catalog,
    declared: &TenantSettings,
    tenancy: &mut Tenancy,
) -> Result<(), String> {
    let mut votes: BTreeMap<(RelationName, String), usize> = BTreeMap::new();
    for (name, class) in &tenancy.classes {
        if let (Class::Scoped { column }, Some(table)) = (class, catalog.tables.get(name)) {
            for key in &table.foreign_keys {
                if key.columns == [column.clone()] {
                    *votes
                        .entry((key.target.clone(), key.target_columns[0].clone()))
                        .or_default() += 1;
                }
            }
        }
    }
    let elected = votes
        .into_iter()
        .max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)))
        .map(|(root, _)| root);
    let root = match &declared.table {
        Some(name) => {
            let table = known(catalog, "tenant.table", name)?;
            let column = elected
                .filter(|(root, _)| *root == table.name)
                .map(|(_, column)| column)
                .or_else(|| table.primary_key().first().map(ToString::to_string))
                .ok_or_else(|| format!("tenant.table: {} has no primary key", table.name))?;
            Some((table.name.clone(), column))
        }
        None => elected,
    };
    if let Some((name, column)) = root {
        tenancy.classes.insert(
            name.clone(),
            Class::Root {
                column: column.clone(),
            },
        );
        tenancy.root = Some((name, column));
    }
    Ok(())
}

/// Tables whose tenant is that of a parent: a NOT NULL path of foreign keys to an owned table. Level by level, so
/// that the shortest path wins; another key of the table is attacked, which shows whether the two can disagree.
fn derive(catalog: &Catalog, tenancy: &mut Tenancy) {
    loop {
        let owned: BTreeSet<RelationName> = tenancy.owned().cloned().collect();
        let mut found = Vec::new();
        for table in catalog.roots() {
            if tenancy.classes.contains_key(&table.name) {
                continue;
            }
            let paths: Vec<&ForeignKey> = table
                .foreign_keys
                .iter()
                .filter(|key| {
                    owned.contains(&key.target)
                        && key.columns.iter().all(|column| {
                            table.column(column).is_some_and(|column| column.not_null)
                        })
                })
                .collect();
            if let Some(first) = paths.first() {
                found.push((
                    table.name.clone(),
                    Class::Derived {
                        foreign_key: first.name.clone(),
                    },
                ));
            }
        }
        if found.is_empty() {
            return;
        }
        tenancy.classes.extend(found);
    }
}

/// The line of configuration that would settle an unclassified table.
fn advice(
    catalog: &Catalog,
    declared: &TenantSettings,
    tenancy: &Tenancy,
    table: &Table,
) -> String {
    let name = table.name.to_string();
    let referrer = catalog.roots().find_map(|other| {
        other.column(&declared.column)?;
        let key = other
            .foreign_keys
            .iter()
            .find(|key| key.target == table.name && key.columns.len() == 1)?;
        Some(other.name.object(&key.columns[0]))
    });
    if let Some(path) = referrer {
        return format!(
            "[tenant] linked = {{ {} = {} }} where a tenant sees its rows through that column, or shared = [{}]",
            toml_string(&name),
            toml_string(&path),
            toml_string(&name)
        );
    }
    let follows = table
        .foreign_keys
        .iter()
        .find(|key| matches!(tenancy.classes.get(&key.target), Some(Class::Linked { .. })))
        .map_or_else(String::new, |key| {
            format!(
                "; or accept it by [[allow]] where its rows are only reached through {}, which is linked",
                key.target
            )
        });
    format!(
        "[tenant] shared = [{}] where it is reference data, or columns = {{ {} = \"…\" }} where its tenant column \
         has another name{follows}",
        toml_string(&name),
        toml_string(&name)
    )
}

fn toml_string(text: &str) -> String {
    if text.contains('"') {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

/// The tenant's type: that of the root's id, else of the first tenant column.
fn set_type(catalog: &Catalog, tenancy: &mut Tenancy) {
    let column = tenancy
        .root
        .clone()
        .or_else(|| {
            tenancy
                .classes
                .iter()
                .find_map(|(name, class)| match class {
                    Class::Scoped { column } => Some((name.clone(), column.clone())),
                    _ => None,
                })
        })
        .and_then(|(table, column)| catalog.tables.get(&table)?.column(&column).cloned());
    if let Some(column) = column {
        tenancy.type_oid = column.type_oid;
        tenancy.type_name = column.type_name;
    }
}
