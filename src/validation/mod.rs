//! The validation suites: what can be said of a database that is in use, without writing to it and without attacks.
//!
//! Each suite is one query, over the catalog and the rows. A run of `validate` asks them one by one; as a file they are
//! asked by `psql` alone. Both are made of the same texts, in `suites/`.

mod facts;
mod judge;
mod script;

pub use facts::{Expected, Facts};
pub use judge::{Answer, explained, fill};
pub use script::{guarded, query, script};

/// One suite.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// What reports and `[[allow]]` call it.
    pub id: &'static str,
    /// What it looks at, in a few words.
    pub title: &'static str,
    /// Why rows cross, or what is lost, where it is not so.
    pub why: &'static str,
    /// A query of one row for each object: object, state, severity, the ids of the run's checks that look at the same,
    /// message and way out.
    items: &'static str,
}

macro_rules! suites {
    ($($id:literal, $file:literal, $title:literal, $why:literal;)*) => {
        /// All of them, in the order in which they are asked.
        pub const SUITES: &[Suite] = &[$(Suite {
            id: $id,
            title: $title,
            why: $why,
            items: include_str!(concat!("suites/", $file, ".sql")),
        }),*];
    };
}

suites! {
    "schemas-and-tables", "schemas_and_tables", "every table is there, and it is known whose its rows are",
        "What nobody said of a table nobody can hold it to.";
    "composite-primary-keys", "composite_primary_keys", "primary keys have the tenant",
        "Keys of other tables can carry the tenant only where the key that they refer to has it.";
    "composite-foreign-keys", "composite_foreign_keys", "foreign keys carry the tenant",
        "A key without the tenant lets a row refer to another tenant's, and row-level security does not stop it.";
    "tenant-first-in-indexes", "tenant_first", "every index begins with the tenant",
        "Nothing leaks by it, but what a query costs grows with the other tenants' rows.";
    "tenant-not-null", "tenant_not_null", "tenant columns are NOT NULL",
        "A row without a tenant is guarded by nothing, and its composite keys are not checked.";
    "isolation", "isolation", "no row refers to another tenant's",
        "What crossed before a key was there is still there, is joined and shown.";
    "unique-per-tenant", "unique_per_tenant", "unique keys have the tenant",
        "A refusal tells one tenant that another has the value.";
    "enums-and-checks", "enums_and_checks", "enums have labels, and CHECKs hold for every row",
        "A CHECK that is not valid or not enforced says nothing of the rows.";
    "migration-history", "migration_history", "the migrations were applied, as they are",
        "What was not applied, or was changed afterwards, is not what was tested.";
    "row-level-security", "row_level_security", "row-level security is on, and no policy or view opens it",
        "A table, a policy or a view that is open shows every tenant's rows to a query that forgets its predicate.";
    "roles-and-grants", "roles_and_grants", "the application's role is held by policies, and may no more than it needs",
        "Policies hold no superuser, and TRUNCATE and functions with other rights pass them by.";
    "triggers-and-generated-columns", "triggers_and_generated_columns", "triggers are on, and generated columns depend on their row alone",
        "What a trigger guards is open while it is off.";
}

/// The suite of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.id == id)
}
