//! Numbered files of hand-written SQL: serial keys, an enum for everything, domains, and CHECKs that tie states to columns.

use std::fmt::Write as _;

use super::{Old, earlier, noun, pick, plural};

const KINDS: [&str; 8] = [
    "", "note", "price", "approval", "log", "schedule", "rating", "link",
];
const PER_FILE: usize = 50;

const START: &str = "
CREATE TYPE currency_code AS ENUM ('EUR', 'USD', 'GBP', 'CHF');
CREATE TYPE user_kind AS ENUM ('employee', 'manager', 'external');
CREATE DOMAIN email_address AS text CHECK (VALUE ~ '^[^@ ]+@[^@ ]+$');
CREATE DOMAIN percentage AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE TABLE company (company_id serial PRIMARY KEY, company_name varchar(200) NOT NULL UNIQUE, vat_number varchar(20));
CREATE TABLE app_user (id serial PRIMARY KEY, company_id integer NOT NULL REFERENCES company, login varchar(60) NOT NULL UNIQUE, email email_address NOT NULL, kind user_kind NOT NULL DEFAULT 'employee', manager_id integer REFERENCES app_user);
CREATE TABLE unit_of_measure (id serial PRIMARY KEY, code varchar(8) NOT NULL UNIQUE);
CREATE TABLE tax_rate (id serial PRIMARY KEY, rate percentage NOT NULL, valid_from date NOT NULL);
";

pub(super) fn schema(tables: usize) -> Old {
    let mut files = vec![("sql/001_base.sql".to_owned(), START.to_owned())];
    let all: Vec<usize> = (0..tables.saturating_sub(4)).collect();
    for (part, numbers) in all.chunks(PER_FILE).enumerate() {
        let mut text = String::new();
        for number in numbers {
            table(&mut text, number / KINDS.len(), number % KINDS.len());
        }
        files.push((format!("sql/{:03}_tables.sql", part + 2), text));
    }
    Old {
        style: "enums",
        tenant_column: "company_id",
        files,
    }
}

fn table(text: &mut String, number: usize, kind: usize) {
    let one = noun(number);
    let base = plural(&one);
    let name = if kind == 0 {
        base.clone()
    } else {
        format!("{one}_{}", KINDS[kind])
    };
    let parent = format!("{one}_id integer NOT NULL REFERENCES {base} ON DELETE CASCADE");
    let tenant = "company_id integer NOT NULL REFERENCES company";
    let user = "integer REFERENCES app_user";
    let columns: Vec<String> = match kind {
        0 => {
            let _ = writeln!(
                text,
                "CREATE TYPE {one}_state AS ENUM ('new', 'open', 'on_hold', 'closed', 'cancelled');\nCREATE TYPE {one}_priority AS ENUM ('low', 'normal', 'high');"
            );
            let mut columns = vec![
                tenant.to_owned(),
                "code varchar(30) NOT NULL".to_owned(),
                format!("state {one}_state NOT NULL DEFAULT 'new'"),
                format!("priority {one}_priority NOT NULL DEFAULT 'normal'"),
                "closed_at timestamptz".to_owned(),
                format!("closed_by {user}"),
                "due date".to_owned(),
                "starts date".to_owned(),
                "total numeric(12,2) NOT NULL DEFAULT 0 CHECK (total >= 0)".to_owned(),
                "currency currency_code NOT NULL DEFAULT 'EUR'".to_owned(),
                "discount percentage NOT NULL DEFAULT 0".to_owned(),
                "labels text[] NOT NULL DEFAULT '{}'".to_owned(),
                "CHECK ((state = 'closed') = (closed_at IS NOT NULL))".to_owned(),
                "CHECK (due IS NULL OR starts IS NULL OR due >= starts)".to_owned(),
            ];
            columns.push(
                if pick(&name, 4) == 0 {
                    "UNIQUE (code)"
                } else {
                    "UNIQUE (company_id, code)"
                }
                .to_owned(),
            );
            for salt in ["a", "b", "c"] {
                if let Some(other) = earlier(&format!("{name}{salt}"), number).map(noun) {
                    let column = format!("{other}_id integer");
                    if !columns.iter().any(|known| known.starts_with(&column)) {
                        columns.push(format!(
                            "{column}{} REFERENCES {}",
                            if salt == "a" { " NOT NULL" } else { "" },
                            plural(&other)
                        ));
                    }
                }
            }
            columns
        }
        1 => vec![
            tenant.to_owned(),
            parent,
            format!("written_by {user} NOT NULL"),
            "note text NOT NULL CHECK (length(note) > 0)".to_owned(),
            "pinned boolean NOT NULL DEFAULT false".to_owned(),
        ],
        2 => vec![
            parent,
            "amount numeric(12,4) NOT NULL CHECK (amount > 0)".to_owned(),
            "currency currency_code NOT NULL".to_owned(),
            "valid daterange NOT NULL CHECK (NOT isempty(valid))".to_owned(),
            "tax_rate_id integer REFERENCES tax_rate".to_owned(),
            format!("UNIQUE ({one}_id, currency, valid)"),
        ],
        3 => {
            let _ = writeln!(
                text,
                "CREATE TYPE {name}_outcome AS ENUM ('pending', 'granted', 'refused');"
            );
            vec![
                tenant.to_owned(),
                parent,
                format!("approver_id {user} NOT NULL"),
                format!("outcome {name}_outcome NOT NULL DEFAULT 'pending'"),
                "reason text".to_owned(),
                "decided_at timestamptz".to_owned(),
                "CHECK (outcome <> 'refused' OR reason IS NOT NULL)".to_owned(),
                "CHECK (outcome = 'pending' OR decided_at IS NOT NULL)".to_owned(),
            ]
        }
        // What logs name is held by nothing.
        4 => vec![
            tenant.to_owned(),
            format!("{one}_id integer NOT NULL"),
            "user_id integer".to_owned(),
            "level smallint NOT NULL DEFAULT 1 CHECK (level BETWEEN 0 AND 5)".to_owned(),
            "message text NOT NULL".to_owned(),
            "at timestamptz NOT NULL DEFAULT now()".to_owned(),
        ],
        5 => vec![
            tenant.to_owned(),
            parent,
            "weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7)".to_owned(),
            "opens time NOT NULL".to_owned(),
            "closes time NOT NULL".to_owned(),
            "CHECK (closes > opens)".to_owned(),
            format!("UNIQUE ({one}_id, weekday)"),
        ],
        6 => vec![
            tenant.to_owned(),
            parent,
            format!("rated_by {user} NOT NULL"),
            "stars smallint NOT NULL CHECK (stars IN (1, 2, 3, 4, 5))".to_owned(),
            format!("UNIQUE ({one}_id, rated_by)"),
        ],
        _ => vec![
            tenant.to_owned(),
            parent,
            format!("previous_id integer REFERENCES {name}"),
            "url text NOT NULL CHECK (url LIKE 'http%')".to_owned(),
            "clicks integer NOT NULL DEFAULT 0".to_owned(),
        ],
    };
    let _ = writeln!(
        text,
        "CREATE TABLE {name} (\n    id serial PRIMARY KEY,\n    {}\n);\nCREATE INDEX ON {name} (id);\n",
        columns.join(",\n    ")
    );
}
