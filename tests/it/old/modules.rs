//! One file of a system in modules: a schema for each, partitions, views, functions, generated columns, trees, circles,
//! polymorphic ids, and policies on some tables.

use std::fmt::Write as _;

use super::{Old, earlier, noun, pick, plural};

const SCHEMAS: [&str; 7] = [
    "sales", "stock", "people", "billing", "support", "planning", "media",
];
const KINDS: [&str; 8] = [
    "",
    "tree",
    "entry",
    "event",
    "assignment",
    "metric",
    "subject",
    "draft",
];

const START: &str = "
CREATE SCHEMA core;
CREATE TYPE core.state AS ENUM ('draft', 'active', 'closed');
CREATE TABLE core.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, region text NOT NULL DEFAULT 'eu');
CREATE TABLE core.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES core.tenants, email text NOT NULL, full_name text NOT NULL, team_id uuid, UNIQUE (tenant_id, email));
CREATE TABLE core.teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES core.tenants, name text NOT NULL, lead_id uuid REFERENCES core.users);
ALTER TABLE core.users ADD FOREIGN KEY (team_id) REFERENCES core.teams;
CREATE TABLE core.languages (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE core.feature_flags (name text PRIMARY KEY, enabled boolean NOT NULL DEFAULT false);
CREATE FUNCTION core.current_tenant() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('app.tenant', true), '')::uuid $$;
";

pub(super) fn schema(tables: usize) -> Old {
    let mut text = String::from(START);
    for name in SCHEMAS {
        let _ = writeln!(text, "CREATE SCHEMA {name};");
    }
    for number in 0..tables.saturating_sub(5) {
        table(&mut text, number / KINDS.len(), number % KINDS.len());
    }
    Old {
        style: "modules",
        tenant_column: "tenant_id",
        files: vec![("schema.sql".to_owned(), text)],
    }
}

/// The module of a noun, and its table with it.
fn home(number: usize) -> (&'static str, String) {
    let module = SCHEMAS[number % SCHEMAS.len()];
    (module, format!("{module}.{}", plural(&noun(number))))
}

fn table(text: &mut String, number: usize, kind: usize) {
    let one = noun(number);
    let (module, base) = home(number);
    let name = if kind == 0 {
        base.clone()
    } else {
        format!("{module}.{}", plural(&format!("{one}_{}", KINDS[kind])))
    };
    let id = "id uuid PRIMARY KEY DEFAULT gen_random_uuid()".to_owned();
    let tenant = "tenant_id uuid NOT NULL REFERENCES core.tenants".to_owned();
    let parent = format!("{one}_id uuid NOT NULL REFERENCES {base} ON DELETE CASCADE");
    let mut after = String::new();
    let mut tail = "";
    let columns = match kind {
        0 => {
            let mut columns = vec![
                id,
                tenant,
                "name text NOT NULL".to_owned(),
                "state core.state NOT NULL DEFAULT 'draft'".to_owned(),
                "net numeric(12,2) NOT NULL DEFAULT 0".to_owned(),
                "gross numeric(12,2) GENERATED ALWAYS AS (net * 1.2) STORED".to_owned(),
                "search tsvector GENERATED ALWAYS AS (to_tsvector('simple', name)) STORED"
                    .to_owned(),
                "owner_id uuid REFERENCES core.users".to_owned(),
                "approved_by_id uuid".to_owned(),
                "created_at timestamptz NOT NULL DEFAULT now()".to_owned(),
            ];
            for salt in ["a", "b"] {
                let other = earlier(&format!("{name}{salt}"), number)
                    .map(|other| (noun(other), home(other).1));
                if let Some((other, target)) = other.filter(|(other, _)| {
                    !columns
                        .iter()
                        .any(|known| known.starts_with(&format!("{other}_id")))
                }) {
                    columns.push(format!(
                        "{other}_id uuid REFERENCES {target} ON DELETE SET NULL"
                    ));
                }
            }
            // A circle: each has one that is current.
            columns.push(format!("current_{one}_draft_id uuid"));
            let _ = writeln!(
                after,
                "CREATE VIEW {module}.active_{} AS SELECT p.id, p.tenant_id, p.name, u.full_name AS owner FROM {base} p LEFT JOIN core.users u ON u.id = p.owner_id WHERE p.state = 'active';",
                plural(&one)
            );
            if pick(&name, 3) == 0 {
                let _ = writeln!(
                    after,
                    "ALTER TABLE {base} ENABLE ROW LEVEL SECURITY;\nCREATE POLICY own ON {base} USING (tenant_id = core.current_tenant());"
                );
            }
            columns
        }
        1 => vec![
            id,
            tenant,
            format!("parent_id uuid REFERENCES {name}"),
            "label text NOT NULL".to_owned(),
            "depth integer NOT NULL DEFAULT 0 CHECK (depth >= 0)".to_owned(),
            "CHECK (parent_id <> id)".to_owned(),
        ],
        2 => vec![
            id,
            parent,
            "position integer NOT NULL".to_owned(),
            "body jsonb NOT NULL DEFAULT '{}'".to_owned(),
            format!("UNIQUE ({one}_id, position)"),
        ],
        // By month, and only ever added to: nothing holds what they name.
        3 => {
            tail = " PARTITION BY RANGE (at)";
            for (month, next) in [("2025_01", "2025-02-01"), ("2025_02", "2025-03-01")] {
                let from = month.replace('_', "-");
                let _ = writeln!(
                    after,
                    "CREATE TABLE {name}_{month} PARTITION OF {name} FOR VALUES FROM ('{from}-01') TO ('{next}');"
                );
            }
            let _ = writeln!(
                after,
                "CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT;"
            );
            vec![
                "id uuid NOT NULL DEFAULT gen_random_uuid()".to_owned(),
                "tenant_id uuid NOT NULL".to_owned(),
                format!("{one}_id uuid NOT NULL"),
                "user_id uuid".to_owned(),
                "kind text NOT NULL".to_owned(),
                "data jsonb".to_owned(),
                "at timestamptz NOT NULL".to_owned(),
                "PRIMARY KEY (id, at)".to_owned(),
            ]
        }
        4 => vec![
            id,
            tenant,
            parent,
            "user_id uuid NOT NULL REFERENCES core.users".to_owned(),
            "team_id uuid REFERENCES core.teams".to_owned(),
            "during tstzrange NOT NULL".to_owned(),
            format!("UNIQUE ({one}_id, user_id)"),
        ],
        5 => vec![
            tenant,
            format!("{one}_id uuid NOT NULL REFERENCES {base}"),
            "day date NOT NULL".to_owned(),
            "hits integer NOT NULL DEFAULT 0".to_owned(),
            "rate double precision".to_owned(),
            format!("PRIMARY KEY ({one}_id, day)"),
        ],
        6 => vec![
            id,
            tenant,
            format!("subject_type text NOT NULL CHECK (subject_type IN ('{one}', 'user', 'team'))"),
            "subject_id uuid NOT NULL".to_owned(),
            "watcher_ids uuid[] NOT NULL DEFAULT '{}'".to_owned(),
            "comment text".to_owned(),
        ],
        _ => {
            let _ = writeln!(
                after,
                "ALTER TABLE {base} ADD FOREIGN KEY (current_{one}_draft_id) REFERENCES {name};"
            );
            let _ = writeln!(
                after,
                "CREATE FUNCTION {module}.publish_{one}(draft uuid) RETURNS uuid LANGUAGE sql AS $$ UPDATE {base} SET current_{one}_draft_id = draft WHERE id = (SELECT {one}_id FROM {name} d WHERE d.id = draft) RETURNING id $$;"
            );
            vec![
                id,
                tenant,
                parent,
                "number integer NOT NULL".to_owned(),
                "text text NOT NULL".to_owned(),
                format!("UNIQUE ({one}_id, number)"),
            ]
        }
    };
    let _ = writeln!(
        text,
        "CREATE TABLE {name} (\n    {}\n){tail};\n{after}",
        columns.join(",\n    ")
    );
}
