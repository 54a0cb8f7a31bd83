//! What Postgres says about the user's schema: tables, columns, types, constraints, policies.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RelationName;

/// Everything that was read from one database's `pg_catalog`.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Ordinary and partitioned tables, and partitions, by name.
    pub tables: BTreeMap<RelationName, Table>,
    /// Types that columns use, and those that these are made of, by OID: a key for look-ups, never in an output.
    pub types: BTreeMap<u32, Type>,
    /// Roles of the server.
    pub roles: BTreeMap<String, Role>,
    /// Sequences, in the order of their names.
    pub sequences: Vec<Sequence>,
    /// Views, materialized ones too.
    pub views: BTreeMap<RelationName, View>,
    /// Functions with the rights of their owner (`SECURITY DEFINER`), in the order of their names; no triggers.
    pub definers: Vec<Definer>,
    /// Functions with the rights of who calls them, likewise.
    pub invokers: Vec<Definer>,
    /// The text of functions that CHECKs may call, by name.
    pub functions: BTreeMap<String, String>,
}

impl Catalog {
    /// The tables that stand for themselves: partitions fold into their root.
    pub fn roots(&self) -> impl Iterator<Item = &Table> {
        self.tables
            .values()
            .filter(|table| table.partition_of.is_none())
    }

    /// The one of [`Self::roots`] that is printed so.
    #[must_use]
    pub fn root(&self, object: &str) -> Option<&Table> {
        self.roots().find(|table| table.name.is(object))
    }

    /// A role, those that it is a member of, and `public`: whose privileges it has.
    #[must_use]
    pub fn rights_of<'a>(&'a self, role: &'a str) -> Vec<&'a str> {
        let mut roles = vec!["public", role];
        if let Some(role) = self.roles.get(role) {
            roles.extend(role.member_of.iter().map(String::as_str));
        }
        roles
    }

    /// The table that a query means by this name: in its schema, in the first of those that are looked in, in `public`, or
    /// the only one of the name.
    #[must_use]
    pub fn table_called(
        &self,
        relation: &str,
        schema: Option<&str>,
        looked_in: &[String],
    ) -> Option<RelationName> {
        let there = |name: &RelationName| self.tables.contains_key(name);
        if let Some(schema) = schema {
            return Some(RelationName::new(schema, relation)).filter(there);
        }
        let schemas = looked_in.iter().map(String::as_str).chain(["public"]);
        let mut candidates = schemas.map(|schema| RelationName::new(schema, relation));
        candidates.find(there).or_else(|| {
            let mut tables = self.tables.keys();
            tables.find(|table| table.name == relation).cloned()
        })
    }

    /// The one of the definers that is printed so.
    #[must_use]
    pub fn definer(&self, object: &str) -> Option<&Definer> {
        let mut definers = self.definers.iter();
        definers.find(|definer| definer.object() == object)
    }

    /// The types that a column's type rests on, from domains down to their base.
    #[must_use]
    pub fn base_type(&self, mut oid: u32) -> u32 {
        while let Some(Type {
            kind: TypeKind::Domain { base, .. },
            ..
        }) = self.types.get(&oid)
        {
            oid = *base;
        }
        oid
    }
}

/// A view, or a materialized one.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The tables that it reads, through other views as well, in the order of their names.
    pub reads: Vec<RelationName>,
    /// The materialized views that hold what it shows, itself among them; to be refreshed in this order.
    pub refreshed: Vec<RelationName>,
    /// A materialized view.
    pub materialized: bool,
    /// Reads with the rights of who asks (`security_invoker`).
    pub invoker: bool,
    /// Privileges by role (`public` for all).
    pub privileges: BTreeMap<String, Vec<String>>,
}

/// A function, and whether it has the rights of its owner, whoever calls it.
#[derive(Clone, Debug, Deserialize)]
pub struct Definer {
    /// `SECURITY DEFINER`.
    pub definer: bool,
    /// The schema.
    pub schema: String,
    /// The name within the schema.
    pub name: String,
    /// The types of its arguments, as Postgres prints them.
    pub signature: String,
    /// What goes in: name (empty where it has none) and type.
    pub arguments: Vec<(String, String)>,
    /// Its definition, as Postgres prints it.
    pub definition: String,
    /// It fixes `search_path` for itself.
    pub fixes_search_path: bool,
    /// Who may call it; `public` for all.
    pub callers: Vec<String>,
}

impl Definer {
    /// Schema and name.
    #[must_use]
    pub fn relation(&self) -> RelationName {
        RelationName::new(&self.schema, &self.name)
    }

    /// As reports name it: with the types of its arguments.
    #[must_use]
    pub fn object(&self) -> String {
        format!("{}({})", self.relation(), self.signature)
    }

    /// As SQL names it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}({})", self.relation().quoted(), self.signature)
    }
}

/// A sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Schema and name.
    pub name: RelationName,
    /// What it gives out first.
    pub start: i64,
    /// How many values it has, upwards; below zero where it counts downwards.
    pub room: i64,
    /// Columns of whole numbers that take their values from it: tables and columns.
    pub feeds: Vec<(RelationName, String)>,
}

impl Sequence {
    /// The call that sets it to its beginning.
    #[must_use]
    pub fn restart(&self) -> String {
        self.set(self.start)
    }

    /// The call that sets it beyond what loading rows took from it (a trigger may do so), and short of where generated
    /// ids begin.
    #[must_use]
    pub fn advance(&self) -> String {
        let step = if self.room.unsigned_abs() > 1_000_000 {
            500_000
        } else {
            500.min(self.room.abs() / 2)
        };
        self.set(self.start.saturating_add(step * self.room.signum()))
    }

    /// The statements that set it behind the values that its columns have now, where it is not there already.
    pub fn pass(&self) -> impl Iterator<Item = String> + '_ {
        let name = self.name.quoted();
        let sequence = super::literal(&name);
        let last = self.start.saturating_add(self.room);
        let (far, bounded, beyond) = if self.room < 0 {
            ("min", "greatest", "<=")
        } else {
            ("max", "least", ">=")
        };
        self.feeds.iter().map(move |(table, column)| {
            format!(
                "SELECT setval({sequence}, {bounded}(r.last, {last})::int8) \
                 FROM (SELECT {far}({})::numeric AS last FROM {}) r, {name} s WHERE r.last {beyond} s.last_value",
                super::quoted(column),
                table.quoted()
            )
        })
    }

    fn set(&self, value: i64) -> String {
        let name = super::literal(&self.name.quoted());
        format!("setval({name}, {value}, false)")
    }
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Schema and name.
    pub name: RelationName,
    /// The owner's name.
    pub owner: String,
    /// Partitioned: rows live in its partitions.
    pub partitioned: bool,
    /// What each partition that holds rows wants of them, as Postgres prints it; of the topmost table alone.
    pub bounds: Vec<String>,
    /// The topmost table that this is a partition of.
    pub partition_of: Option<RelationName>,
    /// Columns in their order.
    pub columns: Vec<Column>,
    /// Indexes, among them those of primary keys, unique and exclusion constraints.
    pub indexes: Vec<Index>,
    /// Foreign keys; those that a partition has from its root are left out.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints.
    pub checks: Vec<CheckConstraint>,
    /// Row-level security policies.
    pub policies: Vec<Policy>,
    /// Row-level security is enabled.
    pub row_security: bool,
    /// Row-level security holds for the owner too.
    pub force_row_security: bool,
    /// Privileges by role (`public` for all): `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.
    pub privileges: BTreeMap<String, Vec<String>>,
    /// Triggers and rules of the user's own that are on, in the order of their names.
    pub triggers: Vec<String>,
    /// Those of them that send messages (`NOTIFY`).
    pub notifying: Vec<String>,
    /// The publications that it is part of, in the order of their names.
    pub published: Vec<Publication>,
    /// How many rows the migrations left behind; counted up to a bound.
    pub existing_rows: usize,
}

impl Table {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns of the primary key, in its order; empty where there is none.
    #[must_use]
    pub fn primary_key(&self) -> Vec<&str> {
        self.indexes
            .iter()
            .find(|index| index.primary)
            .map(Index::plain_columns)
            .unwrap_or_default()
    }

    /// The columns that can be written: all but the generated ones.
    pub fn writable_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.generated == Generated::No)
    }

    /// The foreign key of this name.
    #[must_use]
    pub fn foreign_key(&self, name: &str) -> Option<&ForeignKey> {
        self.foreign_keys.iter().find(|key| key.name == name)
    }
}

/// A column.
#[derive(Clone, Debug, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type's OID: a key of [`Catalog::types`].
    pub type_oid: u32,
    /// The type's modifier (length, precision); -1 for none.
    pub modifier: i32,
    /// Of an array, as it was declared: a hint, which Postgres does not hold to.
    #[serde(default)]
    pub dimensions: usize,
    /// The type as Postgres prints it: `character varying(20)`.
    pub type_name: String,
    /// Declared NOT NULL.
    pub not_null: bool,
    /// The default's expression.
    pub default: Option<String>,
    /// Computed from other columns.
    pub generated: Generated,
    /// What a generated column is computed by.
    pub formula: Option<String>,
    /// An identity column.
    pub identity: bool,
    /// Values of the user's own, instead of generated ones; empty where none were given.
    #[serde(default)]
    pub samples: Vec<String>,
}

/// Whether and how a column is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Generated {
    /// An ordinary column.
    No,
    /// `GENERATED ALWAYS AS … STORED`.
    Stored,
    /// `GENERATED ALWAYS AS … VIRTUAL` (Postgres 18).
    Virtual,
}

/// A type.
#[derive(Clone, Debug)]
pub struct Type {
    /// The name within its schema: `int4`, `citext`.
    pub name: String,
    /// As Postgres prints it, for casts.
    pub printed: String,
    /// The schema.
    pub schema: String,
    /// What it is made of.
    pub kind: TypeKind,
    /// Values of the user's own, instead of generated ones; empty where none were given.
    pub samples: Vec<String>,
}

/// What a type is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// A type of its own, known by its name.
    Base,
    /// One of these labels.
    Enum(Vec<String>),
    /// Another type with constraints.
    Domain {
        /// The type beneath.
        base: u32,
        /// The modifier of the type beneath.
        modifier: i32,
        /// NULL is refused.
        not_null: bool,
        /// The CHECKs' expressions, over `VALUE`.
        checks: Vec<String>,
    },
    /// An array of these.
    Array(u32),
    /// A range over this.
    Range(u32),
    /// Several ranges over this.
    Multirange(u32),
    /// A row of these: name, type and the type's modifier.
    Composite(Vec<(String, u32, i32)>),
}

/// An index.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of an index as Postgres has it"
)]
pub struct Index {
    /// The name; that of its constraint where it has one.
    pub name: String,
    /// What is indexed, in order; included columns are left out.
    pub keys: Vec<IndexKey>,
    /// Refuses equal keys.
    pub unique: bool,
    /// The primary key.
    pub primary: bool,
    /// An exclusion constraint.
    pub exclusion: bool,
    /// An exclusion constraint's operators, one a key: `=`, `&&`.
    pub operators: Vec<String>,
    /// Made by a constraint (primary key, UNIQUE, EXCLUDE) and not by CREATE INDEX.
    pub constraint: bool,
    /// The predicate of a partial index.
    pub predicate: Option<String>,
    /// NULLs are equal to each other.
    pub nulls_not_distinct: bool,
    /// How it was made, as Postgres prints it: of a constraint what stands behind its name, else `CREATE INDEX …`.
    pub definition: String,
}

impl Index {
    /// The plain columns among the keys.
    #[must_use]
    pub fn plain_columns(&self) -> Vec<&str> {
        self.keys
            .iter()
            .filter_map(|key| match key {
                IndexKey::Column(name) => Some(name.as_str()),
                IndexKey::Expression { .. } => None,
            })
            .collect()
    }
}

/// One key of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexKey {
    /// A column.
    Column(String),
    /// An expression and the columns in it.
    Expression {
        /// The expression, as Postgres prints it.
        text: String,
    },
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of a constraint as Postgres has it"
)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring columns; paired by position with `target_columns`.
    pub columns: Vec<String>,
    /// The table referred to.
    pub target: RelationName,
    /// The columns referred to.
    pub target_columns: Vec<String>,
    /// `MATCH FULL`; else `MATCH SIMPLE`.
    pub match_full: bool,
    /// What a delete of the parent does.
    pub on_delete: Action,
    /// `ON DELETE SET NULL (…)`: the columns; empty for all.
    pub on_delete_columns: Vec<String>,
    /// What an update of the parent's key does.
    pub on_update: Action,
    /// May be checked at COMMIT.
    pub deferrable: bool,
    /// Is checked at COMMIT unless told otherwise.
    pub initially_deferred: bool,
    /// Existing rows were checked.
    pub validated: bool,
    /// New rows are checked (always before Postgres 18).
    pub enforced: bool,
    /// `PERIOD`: the last columns are times, and that of the parents must hold the child's (Postgres 18).
    pub period: bool,
}

impl ForeignKey {
    /// The pairs of referring and referred-to columns.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns
            .iter()
            .map(String::as_str)
            .zip(self.target_columns.iter().map(String::as_str))
    }
}

/// What happens to the child when its parent goes or changes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `NO ACTION`.
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

/// A CHECK constraint.
#[derive(Clone, Debug, Deserialize)]
pub struct CheckConstraint {
    /// The constraint's name.
    pub name: String,
    /// The expression, as Postgres prints it.
    pub expression: String,
}

/// A row-level security policy.
#[derive(Clone, Debug, Deserialize)]
pub struct Policy {
    /// The policy's name.
    pub name: String,
    /// Permissive policies are OR-ed, restrictive ones AND-ed.
    pub permissive: bool,
    /// `ALL`, `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub command: String,
    /// The roles it is for; `public` for all.
    pub roles: Vec<String>,
    /// The rows that can be seen.
    pub using: Option<String>,
    /// The rows that can be written; absent: as `using`.
    pub check: Option<String>,
}

/// A publication for logical replication, as a table is part of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Publication {
    /// The publication's name.
    pub name: String,
    /// The rows that it sends; absent: all.
    pub filter: Option<String>,
}

/// A role.
#[derive(Clone, Debug, Deserialize)]
pub struct Role {
    /// The name.
    pub name: String,
    /// Bypasses everything.
    pub superuser: bool,
    /// Bypasses row-level security.
    pub bypass_rls: bool,
    /// May log in.
    pub can_login: bool,
    /// The roles that it is a member of, directly or through others.
    pub member_of: Vec<String>,
}
