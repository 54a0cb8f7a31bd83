//! Whose a row is: the class of every table, as data.

use std::collections::BTreeMap;

use super::{Catalog, RelationName, Token, TokenKind, Tokens, literal, quoted, split};

/// What NULL in a tenant column means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullMeans {
    /// A defect.
    #[default]
    Error,
    /// A template row that everyone reads and nobody changes.
    Shared,
}

/// The class of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// The table of tenants; the column is their id.
    Root {
        /// The tenants' id.
        column: String,
    },
    /// Has the tenant column.
    Scoped {
        /// The tenant column.
        column: String,
    },
    /// Its tenant is that of the row that this foreign key refers to.
    Derived {
        /// The key that defines the tenancy; it is not itself attacked.
        foreign_key: String,
    },
    /// Global rows that a tenant sees through a scoped table.
    Linked {
        /// The scoped table.
        through: RelationName,
        /// Its column that refers to the row.
        column: String,
    },
    /// Reference data: read by everyone, written by no tenant.
    Shared,
    /// None of these; the text is the line of configuration that would settle it.
    Unclassified {
        /// What would settle it.
        advice: String,
    },
    /// The book-keeping of a migration tool; nobody's rows.
    History,
}

impl Class {
    /// The word for it in reports.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Root { .. } => "root",
            Self::Scoped { .. } => "scoped",
            Self::Derived { .. } => "derived",
            Self::Linked { .. } => "linked",
            Self::Shared => "shared",
            Self::Unclassified { .. } => "unclassified",
            Self::History => "history",
        }
    }
}

/// Stands for the tenant in the name of a role.
const TENANT: &str = "{tenant}";

/// How the application acts as one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The role that the application logs in as; `{tenant}` stands for the tenant.
    pub role: String,
    /// Statements that set the tenant, `$1` being the tenant as text.
    pub context: Vec<String>,
    /// Where each tenant has a role of its own: the roles that it is a member of. Empty: the one that the schema shows.
    pub member_of: Vec<String>,
    /// Whether each tenant has a role of its own, also once `role` is that of the acting one.
    pub per_tenant: bool,
}

impl Access {
    /// The role that the application logs in as for a tenant.
    #[must_use]
    pub fn role_of(&self, tenant: &str) -> String {
        self.role.replace(TENANT, tenant)
    }

    /// The statements that set the context of a tenant, one a text.
    #[must_use]
    pub fn statements(&self, tenant: &str) -> Vec<String> {
        let tenant = literal(tenant);
        let named = self.context.iter().map(|sql| sql.replace("$1", &tenant));
        named
            .flat_map(|sql| match split(&sql) {
                Ok(statements) => statements.into_iter().map(|one| one.text).collect(),
                // The server says what is wrong with it.
                Err(_) => vec![sql],
            })
            .collect()
    }

    /// The settings that the context sets, as far as its text says so: by `set_config('name', …)` or `SET name`.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        let mut found = Vec::new();
        for sql in &self.context {
            let tokens: Vec<Token<'_>> = Tokens::new(sql).flatten().collect();
            for (at, token) in tokens.iter().enumerate() {
                let rest = &tokens[at + 1..];
                if token.is("set_config") {
                    let name = rest.get(1).filter(|name| name.kind == TokenKind::Literal);
                    found.extend(name.map(|name| name.text.trim_matches('\'').to_owned()));
                } else if at == 0 && token.is("set") {
                    let words = rest
                        .iter()
                        .skip_while(|word| word.is("local") || word.is("session"))
                        .take_while(|word| !word.is("to") && !word.is_symbol('='));
                    found.push(words.map(|word| word.text).collect());
                }
            }
        }
        found
    }
}

/// Whose every table's rows are.
#[derive(Clone, Debug, Default)]
pub struct Tenancy {
    /// By table; partitions are not listed.
    pub classes: BTreeMap<RelationName, Class>,
    /// The table of tenants and its id column.
    pub root: Option<(RelationName, String)>,
    /// The OID of the tenant column's type.
    pub type_oid: u32,
    /// The tenant column's type, as Postgres prints it.
    pub type_name: String,
    /// What NULL in a tenant column means.
    pub null_means: NullMeans,
    /// How the application acts as one tenant, where that is configured.
    pub access: Option<Access>,
}

impl Tenancy {
    /// The class of a table; a partition has that of its root.
    #[must_use]
    pub fn class(&self, catalog: &Catalog, table: &RelationName) -> Option<&Class> {
        let root = catalog.tables.get(table)?.partition_of.as_ref();
        self.classes.get(root.unwrap_or(table))
    }

    /// The tenant column of a scoped table or of the root; `None` for every other class.
    #[must_use]
    pub fn tenant_column(&self, table: &RelationName) -> Option<&str> {
        match self.classes.get(table)? {
            Class::Root { column } | Class::Scoped { column } => Some(column),
            _ => None,
        }
    }

    /// An SQL expression for the tenant of the row that `alias` names, or `None` where the table's rows have none.
    ///
    /// A derived table's is a subquery along its defining key; a linked row has many tenants or none.
    #[must_use]
    pub fn tenant_expression(
        &self,
        catalog: &Catalog,
        table: &RelationName,
        alias: &str,
    ) -> Option<String> {
        self.tenant_expression_at(catalog, table, alias, 0)
    }

    fn tenant_expression_at(
        &self,
        catalog: &Catalog,
        table: &RelationName,
        alias: &str,
        depth: usize,
    ) -> Option<String> {
        // A chain longer than this goes round in a circle.
        if depth > 16 {
            return None;
        }
        let entry = catalog.tables.get(table)?;
        let table = entry.partition_of.as_ref().unwrap_or(table);
        match self.classes.get(table)? {
            Class::Root { column } | Class::Scoped { column } => {
                Some(format!("{alias}.{}", quoted(column)))
            }
            Class::Derived { foreign_key } => {
                let key = entry
                    .foreign_key(foreign_key)
                    .or_else(|| catalog.tables.get(table)?.foreign_key(foreign_key))?;
                let parent = format!("p{depth}");
                let inner = self.tenant_expression_at(catalog, &key.target, &parent, depth + 1)?;
                let joined = key
                    .pairs()
                    .map(|(child, target)| {
                        format!("{parent}.{} = {alias}.{}", quoted(target), quoted(child))
                    })
                    .collect::<Vec<_>>()
                    .join(" AND ");
                Some(format!(
                    "(SELECT {inner} FROM {} {parent} WHERE {joined})",
                    key.target.quoted()
                ))
            }
            _ => None,
        }
    }

    /// Tables whose rows belong to one tenant each: the root, the scoped and the derived ones.
    pub fn owned(&self) -> impl Iterator<Item = &RelationName> {
        self.classes.iter().filter_map(|(name, class)| {
            matches!(
                class,
                Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. }
            )
            .then_some(name)
        })
    }
}
