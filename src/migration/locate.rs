//! Finds the statement of a [`MigrationSet`] that made an object, so that a finding can name file and line.

use std::collections::BTreeMap;

use super::definition::{Head, skip};
use super::set::{Migration, MigrationSet};
use crate::model::{Place, RelationName, Statement, Token};

/// What kind of object is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A column of a table.
    Column,
    /// A constraint of a table, named or not.
    Constraint,
    /// An index of a table, or the constraint that it belongs to.
    Index,
    /// A policy of a table.
    Policy,
    /// A trigger of a table.
    Trigger,
    /// A view or materialized view.
    View,
    /// A function or procedure, whatever its arguments.
    Function,
    /// A role, which is in no schema: `relation` is not looked at.
    Role,
}

impl MigrationSet {
    /// The file and line of the statement that made or last changed an object. `relation` is the table that
    /// it belongs to, or the table, view or function itself (`name` is not looked at then). An object that no
    /// statement names is looked for where its table is made.
    ///
    /// The text is searched, not the database: what a function or a `DO` block made is not found, and an
    /// unqualified name is taken to mean any schema.
    #[must_use]
    pub fn locate(&self, kind: ObjectKind, relation: &RelationName, name: &str) -> Option<Place> {
        self.definitions().locate(kind, relation, name)
    }

    /// What its statements define, for whoever looks for many objects.
    pub(crate) fn definitions(&self) -> Definitions<'_> {
        let mut of: BTreeMap<String, Vec<Defining<'_>>> = BTreeMap::new();
        for migration in &self.migrations {
            for statement in &migration.script {
                let Some(head) = Head::read(statement) else {
                    continue;
                };
                let on = if head.table.is_empty() {
                    &head.name
                } else {
                    &head.table
                };
                if let Some(relation) = on.last().cloned() {
                    of.entry(relation)
                        .or_default()
                        .push((migration, statement, head));
                }
            }
        }
        Definitions(of)
    }
}

/// A statement that defines something, and its migration.
type Defining<'a> = (&'a Migration, &'a Statement, Head<'a>);

/// The statements that define something, in their order, by the table, view or function that they are about.
pub(crate) struct Definitions<'a>(BTreeMap<String, Vec<Defining<'a>>>);

impl Definitions<'_> {
    /// As [`MigrationSet::locate`].
    pub(crate) fn locate(
        &self,
        kind: ObjectKind,
        relation: &RelationName,
        name: &str,
    ) -> Option<Place> {
        let wanted = Wanted {
            kind,
            relation,
            name,
        };
        let table = Wanted {
            kind: ObjectKind::Table,
            ..wanted
        };
        self.last(&wanted).or_else(|| self.last(&table))
    }

    fn last(&self, wanted: &Wanted<'_>) -> Option<Place> {
        let about = match wanted.kind {
            ObjectKind::Role => wanted.name,
            _ => &wanted.relation.name,
        };
        let about = self.0.get(about)?;
        about.iter().rev().find_map(|(migration, statement, head)| {
            let offset = wanted.offset_in(head)?;
            Some(Place {
                file: migration.file.display().to_string(),
                line: statement.line_at(offset),
            })
        })
    }
}

#[derive(Clone, Copy)]
struct Wanted<'a> {
    kind: ObjectKind,
    relation: &'a RelationName,
    name: &'a str,
}

impl Wanted<'_> {
    /// Where in the statement, in bytes, the object is made.
    fn offset_in(&self, head: &Head<'_>) -> Option<usize> {
        let named = head.name.last().is_some_and(|name| name == self.name);
        let found = |yes: bool| yes.then_some(0);
        match (self.kind, head.kind.as_str()) {
            (ObjectKind::Table, "table") => found(head.creates && self.is_relation(&head.name)),
            (ObjectKind::View, "view") | (ObjectKind::Function, "function" | "procedure") => {
                found(self.is_relation(&head.name))
            }
            (ObjectKind::Role, "role" | "user") => found(head.creates && named),
            (ObjectKind::Index, "index")
            | (ObjectKind::Policy, "policy")
            | (ObjectKind::Trigger, "trigger") => found(named && self.is_relation(&head.table)),
            (ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Index, "table") => {
                if !self.is_relation(&head.name) {
                    return None;
                }
                let parts = head.parts();
                parts
                    .iter()
                    .find_map(|item| match self.kind {
                        ObjectKind::Column => self.column_in(item),
                        _ => self.named_in(item),
                    })
                    .or_else(|| parts.iter().find_map(|item| self.unnamed_in(item)))
            }
            _ => None,
        }
    }

    fn is_relation(&self, name: &[String]) -> bool {
        match name {
            [table] => *table == self.relation.name,
            [.., schema, table] => *table == self.relation.name && *schema == self.relation.schema,
            [] => false,
        }
    }

    fn is_name(&self, token: Option<&Token<'_>>) -> bool {
        token
            .and_then(Token::name)
            .is_some_and(|name| name == self.name)
    }

    /// `name type …`, `ADD COLUMN name …`, `ALTER COLUMN name …` or `RENAME x TO name`.
    fn column_in(&self, item: &[Token<'_>]) -> Option<usize> {
        if self.kind != ObjectKind::Column {
            return None;
        }
        let renamed = item.first()?.is("rename")
            && item.iter().rev().nth(1)?.is("to")
            && self.is_name(item.last());
        let column = skip(item, ADDING);
        let defined = !TABLE_CONSTRAINTS.iter().any(|word| column[0].is(word));
        (renamed || (defined && self.is_name(column.first()))).then_some(item[0].offset)
    }

    /// `CONSTRAINT name …` or `RENAME CONSTRAINT x TO name`; not where one is dropped.
    fn named_in(&self, item: &[Token<'_>]) -> Option<usize> {
        let first = item.first()?;
        if ["drop", "validate"].iter().any(|word| first.is(word)) {
            return None;
        }
        if first.is("rename") {
            let constraint = item.get(1)?.is("constraint") && self.is_name(item.last());
            return constraint.then_some(first.offset);
        }
        item.windows(2)
            .find(|pair| pair[0].is("constraint") && self.is_name(pair.get(1)))
            .map(|pair| pair[0].offset)
    }

    /// A constraint that Postgres named after its table and columns, as `people_email_key`.
    fn unnamed_in(&self, item: &[Token<'_>]) -> Option<usize> {
        if self.kind == ObjectKind::Column || ["drop", "rename"].iter().any(|w| item[0].is(w)) {
            return None;
        }
        let table = &self.relation.name;
        let item = skip(item, ADDING);
        let has = |word: &str| item.iter().any(|token| token.is(word));
        if has("primary") && self.is_numbered(&format!("{table}_pkey")) {
            return Some(item[0].offset);
        }
        let columns = if TABLE_CONSTRAINTS.iter().any(|word| item[0].is(word)) {
            let open = item.iter().position(|token| token.is_symbol('('))?;
            let inside = item[open + 1..].iter().take_while(|t| !t.is_symbol(')'));
            inside.filter_map(Token::name).collect::<Vec<_>>().join("_")
        } else {
            item[0].name()?
        };
        let endings = [
            ("references", "fkey"),
            ("unique", "key"),
            ("check", "check"),
            ("exclude", "excl"),
        ];
        endings
            .iter()
            .any(|(word, ending)| {
                has(word) && self.is_numbered(&format!("{table}_{columns}_{ending}"))
            })
            .then_some(item[0].offset)
    }

    /// Whether the object has that name, or that name with a number that told it from another.
    fn is_numbered(&self, name: &str) -> bool {
        self.name
            .strip_prefix(name)
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

/// Words that stand before the name of a column in `ALTER TABLE`.
const ADDING: &str = " add alter column if not exists ";

/// Words that begin what is not a column.
const TABLE_CONSTRAINTS: [&str; 7] = [
    "constraint",
    "primary",
    "unique",
    "foreign",
    "check",
    "exclude",
    "like",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Migration;
    use crate::model::split;

    const SCRIPT: &str = r#"CREATE TABLE crm.people (
    id uuid,
    organisation_id uuid REFERENCES iam.organisations,
    email text UNIQUE,
    "Odd, (name" text CONSTRAINT inline_check CHECK ("Odd, (name" <> ','),
    CONSTRAINT people_pkey PRIMARY KEY (organisation_id, id),
    UNIQUE (organisation_id, email)
);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "People_idx" ON ONLY crm.people (id);
CREATE POLICY own ON crm.people USING (true);
CREATE POLICY own ON crm.other USING (true);
CREATE CONSTRAINT TRIGGER check_it AFTER INSERT OR UPDATE OF email ON crm.people EXECUTE FUNCTION f();
ALTER TABLE ONLY crm.people
    ADD COLUMN list_id uuid REFERENCES crm.lists,
    ADD CONSTRAINT late CHECK (id IS NOT NULL);
ALTER TABLE crm.people RENAME CONSTRAINT a TO renamed;
ALTER TABLE crm.people DROP CONSTRAINT late;
CREATE OR REPLACE FUNCTION crm.f(a int) RETURNS int BEGIN ATOMIC SELECT 1; END;
CREATE VIEW people_view AS SELECT 1;
ALTER POLICY own ON crm.people USING (false);
"#;

    fn line(kind: ObjectKind, relation: &str, name: &str) -> Option<usize> {
        let set = MigrationSet {
            path: "m".into(),
            convention: "one file",
            migrations: vec![Migration {
                file: "m/1.sql".into(),
                name: "1".into(),
                script: split(SCRIPT).unwrap(),
                transaction: true,
                repeatable: false,
                dump: false,
                checksum: String::new(),
                down: None,
            }],
            resets_session: true,
            ..MigrationSet::default()
        };
        let relation = RelationName::parse(relation).unwrap();
        let place = set.locate(kind, &relation, name)?;
        assert_eq!(place.file, "m/1.sql");
        Some(place.line)
    }

    #[test]
    fn objects_are_found_on_their_lines() {
        use ObjectKind::{Column, Constraint, Function, Index, Policy, Table, Trigger, View};
        for (kind, relation, name, expected) in [
            (Table, "crm.people", "", 1),
            (Column, "crm.people", "organisation_id", 3),
            (Column, "crm.people", "list_id", 14),
            (Constraint, "crm.people", "people_organisation_id_fkey", 3),
            (Constraint, "crm.people", "people_email_key", 4),
            (Constraint, "crm.people", "people_email_key1", 4),
            (Constraint, "crm.people", "inline_check", 5),
            (Index, "crm.people", "people_pkey", 6),
            (
                Constraint,
                "crm.people",
                "people_organisation_id_email_key",
                7,
            ),
            (Index, "crm.people", "People_idx", 9),
            (Policy, "crm.people", "own", 20),
            (Policy, "crm.other", "own", 11),
            (Trigger, "crm.people", "check_it", 12),
            (Constraint, "crm.people", "people_list_id_fkey", 14),
            (Constraint, "crm.people", "late", 15),
            (Constraint, "crm.people", "renamed", 16),
            (Function, "crm.f", "", 18),
            (View, "anything.people_view", "", 19),
        ] {
            assert_eq!(
                line(kind, relation, name),
                Some(expected),
                "{relation}.{name}"
            );
        }
    }

    #[test]
    fn what_is_named_nowhere_falls_back_to_its_table() {
        assert_eq!(
            line(ObjectKind::Constraint, "crm.people", "unknown"),
            Some(1)
        );
        assert_eq!(line(ObjectKind::Index, "crm.people", "people_idx"), Some(1));
        assert_eq!(line(ObjectKind::Table, "other.people", ""), None);
        assert_eq!(line(ObjectKind::Policy, "crm.absent", "own"), None);
    }
}
