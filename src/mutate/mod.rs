//! One-defect mutants of a schema and its queries: what a run over them must notice.
//!
//! A mutant is data: the statements that make it, the object that it is about, and what it touches. Nothing here knows a
//! database; the harness makes them, and runs the checks over each.

mod doors;
mod index;
mod key;
mod policy;
mod query;
mod role;
mod tenant;

use crate::model::{Access, Catalog, Class, Focus, Query, RelationName, Table, Tenancy};

/// What is mutated.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// The application's queries.
    pub queries: &'a [Query],
    /// The server's major version.
    pub version: u32,
}

impl<'a> Original<'a> {
    fn access(self) -> Option<&'a Access> {
        self.tenancy.access.as_ref()
    }

    /// Tables whose rows belong to one tenant each, with their class.
    fn owned(self) -> impl Iterator<Item = (&'a Table, &'a Class)> {
        self.catalog.roots().filter_map(move |table| {
            let class = self.tenancy.classes.get(&table.name)?;
            matches!(
                class,
                Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. }
            )
            .then_some((table, class))
        })
    }

    /// Whether the application's role holds a privilege, itself or through another role.
    fn may(self, privileges: &std::collections::BTreeMap<String, Vec<String>>, one: &str) -> bool {
        let Some(access) = self.access() else {
            return false;
        };
        let roles = self.catalog.rights_of(&access.role);
        roles.iter().any(|role| {
            let held = privileges.get(*role);
            held.is_some_and(|held| held.iter().any(|privilege| privilege == one))
        })
    }
}

/// What becomes of a mutant's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Every row that the original takes is taken: nothing is made anew.
    Same,
    /// A column that foreign keys refer to is unique by itself: other rows, the same for all of these mutants.
    UniqueTargets,
    /// Some may be refused: they are made anew.
    Anew,
}

/// How a mutant differs.
#[derive(Clone, Debug)]
pub enum Change {
    /// These statements make it of the original schema.
    Schema {
        /// The statements.
        sql: String,
        /// What becomes of the rows.
        rows: Rows,
    },
    /// Likewise, and they reach beyond the database: no other mutant may be there at the same time.
    Roles {
        /// The statements.
        sql: String,
        /// Those that make it undone.
        undo: String,
    },
    /// This query stands in the place of the original's.
    Query(Box<Query>),
}

/// What a mutant is of, as it is looked for in migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A constraint of a table.
    Constraint(RelationName, String),
    /// An index of a table.
    Index(RelationName, String),
    /// A column of a table.
    Column(RelationName, String),
    /// A policy of a table.
    Policy(RelationName, String),
    /// A table.
    Table(RelationName),
    /// A view.
    View(RelationName),
    /// A function.
    Function(RelationName),
    /// A role, or a query: nothing of a table's.
    Other,
}

/// A schema, role or query with one defect.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What was done: a word for it.
    pub operator: &'static str,
    /// The object that it was done to, as reports name it.
    pub object: String,
    /// Where several of a kind are made of one object: which, in a few words.
    pub detail: String,
    /// How it differs.
    pub change: Change,
    /// What to try first; all is tried where that notices nothing.
    pub touches: Focus,
    /// What it is of.
    pub part: Part,
    /// The objects that a finding may name: it, or the table whose policy is gone, the column whose key is.
    pub named: Vec<String>,
    /// An object that had to be made with it: what is found of that says nothing of the defect.
    pub beside: Option<String>,
    /// Why no row can cross by this defect, where that can be said of it; asked only where nothing noticed it.
    pub equivalent: Option<&'static str>,
}

impl Mutant {
    fn new(operator: &'static str, object: String, part: Part, touches: Focus) -> Self {
        Self {
            operator,
            named: vec![object.clone()],
            beside: None,
            object,
            detail: String::new(),
            change: Change::Schema {
                sql: String::new(),
                rows: Rows::Same,
            },
            touches,
            part,
            equivalent: None,
        }
    }

    fn made_by(mut self, sql: String, rows: Rows) -> Self {
        self.change = Change::Schema { sql, rows };
        self
    }

    fn but_equivalent(mut self, why: Option<&'static str>) -> Self {
        self.equivalent = why;
        self
    }
}

/// The words for all that is done, each with what it is.
pub const OPERATORS: &[(&str, &str)] = &[
    (
        "key-without-tenant",
        "the tenant is taken off a foreign key",
    ),
    ("key-dropped", "a foreign key is dropped"),
    ("key-not-valid", "a foreign key is NOT VALID"),
    (
        "key-not-enforced",
        "a foreign key is NOT ENFORCED (Postgres 18)",
    ),
    ("key-match-full", "an optional foreign key is MATCH FULL"),
    (
        "key-clears-tenant",
        "ON DELETE SET NULL loses its column list",
    ),
    ("key-follows-parent", "a foreign key is ON UPDATE CASCADE"),
    (
        "unique-without-tenant",
        "the tenant is taken off a primary key, a unique key or an exclusion",
    ),
    (
        "index-reordered",
        "the tenant is no longer an index's first column",
    ),
    (
        "tenant-nullable",
        "NOT NULL is dropped from a tenant column",
    ),
    ("row-security-off", "row-level security is disabled"),
    (
        "row-security-unforced",
        "row-level security is not forced on the owner",
    ),
    ("policy-dropped", "a policy is dropped"),
    ("policy-reads-all", "USING is widened to true"),
    ("policy-writes-all", "WITH CHECK is widened to true"),
    (
        "policy-added",
        "a permissive policy is added that holds for every row",
    ),
    (
        "policy-without-context",
        "a policy holds for every row where no tenant is set",
    ),
    (
        "command-without-policy",
        "a policy for all commands is for SELECT alone",
    ),
    (
        "truncate-granted",
        "TRUNCATE is granted to the application's role",
    ),
    (
        "partition-granted",
        "a partition without policies is granted to the application's role",
    ),
    ("view-with-owners-rights", "a view loses security_invoker"),
    (
        "view-granted",
        "a materialized view is granted to the application's role",
    ),
    (
        "function-with-owners-rights",
        "a function becomes SECURITY DEFINER",
    ),
    (
        "function-granted",
        "a SECURITY DEFINER function is granted to the application's role",
    ),
    (
        "function-search-path",
        "a SECURITY DEFINER function loses its search_path",
    ),
    ("role-superuser", "the application's role is a superuser"),
    ("role-bypasses", "the application's role has BYPASSRLS"),
    (
        "role-monitors",
        "the application's role is a member of pg_monitor",
    ),
    (
        "role-owns",
        "the application's role owns a table that is not forced",
    ),
    ("query-predicate", "a predicate over the tenant is dropped"),
    ("query-parentheses", "parentheses around an OR are dropped"),
    ("query-left-join", "a join becomes a LEFT JOIN"),
    ("query-full-join", "a join becomes a FULL JOIN"),
    (
        "query-predicate-moved",
        "a predicate over the tenant moves from WHERE to the ON of an outer join",
    ),
];

/// All mutants, those of the schema first.
#[must_use]
pub fn plan(original: Original<'_>) -> Vec<Mutant> {
    let mut all = Vec::new();
    all.extend(key::mutants(original));
    all.extend(index::mutants(original));
    all.extend(tenant::mutants(original));
    if original.access().is_some() {
        all.extend(policy::mutants(original));
        all.extend(doors::mutants(original));
        all.extend(role::mutants(original));
    }
    all.extend(query::mutants(original));
    all
}

/// The statements that make every column unique by itself that foreign keys refer to: the rows of
/// [`Rows::UniqueTargets`] hold there.
#[must_use]
pub fn unique_targets(original: Original<'_>) -> Vec<String> {
    key::unique_targets(original)
}
