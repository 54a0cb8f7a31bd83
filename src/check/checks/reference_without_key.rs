//! A reference that no foreign key holds.

use crate::check::loose::{self, Form, Loose};
use crate::check::row::{RowRef, acting, foreign, insert, spare, transaction, update};
use crate::check::{Check, Page, Scene};
use crate::model::{
    Attempt, Case, Cell, Class, Context, Defect, Observation, Purpose, Session, Severity, Stage,
    Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: ReferenceWithoutKey = ReferenceWithoutKey;

/// Writes other tenants' ids where names and types say that an id stands.
pub(crate) struct ReferenceWithoutKey;

/// So many rows are tried.
const ROWS: usize = 3;

impl Check for ReferenceWithoutKey {
    fn page(&self) -> Page {
        Page {
            id: "reference-without-key",
            title: "a reference is held by no foreign key",
            what: "Columns that are ids by their names and types, and in no foreign key: person_id beside people, arrays as \
                   person_ids,\npairs as subject_type and subject_id where the type names tables, and keys of documents that \
                   the schema or a query\nreads as ids. Where the name says nothing of a table, the schema's own keys do: \
                   owner_id where others of that name\nagree, created_by_id where those to somebody do; retry_of_id, and what a \
                   CHECK compares with the row's id, names\na row of its own table. A row is written with an id of its own \
                   organisation (the control) and with another's, and\nthe database is asked for rows that name another \
                   organisation's. Ids from elsewhere (stripe_customer_id, request_id),\ntexts that are no table's key, and \
                   logs without keys, whose entries outlive what they name, are left alone.",
            why: "Nothing but the application's own care keeps such an id inside its organisation: one that comes from a \
                  request is\nstored as it came, and what is joined by it is another's row. A weakness, for it is known by \
                  its name alone.",
            example: "CREATE TABLE notes (\n  organisation_id uuid NOT NULL, id uuid NOT NULL, person_id uuid, -- REFERENCES \
                      nothing\n  PRIMARY KEY (organisation_id, id));",
            fix: "FOREIGN KEY (organisation_id, person_id) REFERENCES people (organisation_id, id)\nFor an array, a table with \
                  a row for each id; for a pair of type and id, a column with its key for each type.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let tables = scene.tables();
        tables
            .flat_map(|table| loose::of(scene, table))
            .map(|loose| Case {
                check: self.page().id,
                object: loose.table.name.object(&loose.column.name),
                subject: loose.subject(),
                attempts: attempts(scene, &loose),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let mut tables = scene.catalog.roots();
        let table = tables.find(|table| {
            let mut columns = table.columns.iter();
            columns.any(|column| table.name.names(&column.name, &case.object))
        });
        let found = table.and_then(|table| {
            let mut all = loose::of(scene, table).into_iter();
            all.find(|one| {
                one.table.name.names(&one.column.name, &case.object)
                    && one.subject() == case.subject
            })
        });
        let Some(loose) = found else {
            return Verdict::Inconclusive("the column is not in the catalog".to_owned());
        };
        let crossing = |seen: &Observation| seen.number(2).unwrap_or(0);
        let mut held = None;
        for (attempts, seen) in case.attempts.chunks(2).zip(seen.chunks(2)) {
            let ([_, attack], [control, attacked]) = (attempts, seen) else {
                continue;
            };
            if attacked.worked() && crossing(attacked) > crossing(control) {
                return Verdict::Leaked(Box::new(defect(scene, &loose, attack)));
            }
            if control.worked() && control.affected(0) > 0 {
                held = held.or(Some(match &attacked.refusal {
                    Some(refusal) => format!("refused by a guard ({})", refusal.sqlstate),
                    None => "no other tenant's row was named".to_owned(),
                }));
            }
        }
        match held {
            Some(reason) => Verdict::Held(reason),
            None => Verdict::NotApplicable("no such row could be written".to_owned()),
        }
    }
}

/// Pairs of a row that names one of its own tenant's and of the same that names another's.
fn attempts(scene: Scene<'_>, loose: &Loose<'_>) -> Vec<Attempt> {
    let Some(count) = loose.count(scene) else {
        return Vec::new();
    };
    let ids = |rows: Vec<RowRef<'_>>| -> Vec<String> {
        let ids = rows.into_iter().filter_map(|row| row.cell(loose.id));
        ids.map(str::to_owned).collect()
    };
    let own = match scene.tenancy.classes.get(&loose.target.name) {
        // A row that nobody is linked to yet would be no control.
        Some(Class::Linked { through, column }) => acting(scene.worlds, through)
            .into_iter()
            .filter_map(|row| row.cell(column).map(str::to_owned))
            .collect(),
        _ => ids(acting(scene.worlds, &loose.target.name)),
    };
    let theirs = ids(foreign(scene.worlds, &loose.target.name));
    let theirs = theirs.into_iter().rev().find(|id| !own.contains(id));
    let (Some(own), Some(theirs)) = (own.last(), theirs) else {
        return Vec::new();
    };
    let new = spare(scene.worlds, 0, &loose.table.name);
    let there = acting(scene.worlds, &loose.table.name);
    let inserted = new.into_iter().take(ROWS).map(|row| (row, true));
    let updated = there.into_iter().rev().take(ROWS).map(|row| (row, false));
    let mut found = Vec::new();
    for (row, is_new) in inserted.chain(updated) {
        for (purpose, id) in [(Purpose::Control, own), (Purpose::Attack, &theirs)] {
            let changed = written(loose, row, id);
            let statement = if is_new {
                insert(&loose.table.name, row, &changed)
            } else {
                update(loose.table, row, &changed)
            };
            found.push(Attempt {
                purpose,
                label: "naming a row".to_owned(),
                session: Session::Owner,
                context: Context::Unset,
                stage: Stage::Seeded,
                statements: vec![
                    statement,
                    "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                    count.clone(),
                ],
                witness: None,
            });
        }
    }
    found
}

/// The columns of a row that names this id.
fn written(loose: &Loose<'_>, row: RowRef<'_>, id: &str) -> Vec<(String, Cell)> {
    let column = loose.column.name.clone();
    match &loose.form {
        Form::One => vec![(column, Some(id.to_owned()))],
        Form::Many => {
            let escaped = id.replace('\\', "\\\\").replace('"', "\\\"");
            vec![(column, Some(format!("{{\"{escaped}\"}}")))]
        }
        Form::Typed(says, value) => vec![
            ((*says).to_owned(), Some(value.clone())),
            (column, Some(id.to_owned())),
        ],
        Form::Under(key) => {
            let document = row
                .cell(&column)
                .and_then(|text| serde_json::from_str(text).ok());
            let mut document = match document {
                Some(serde_json::Value::Object(map)) => map,
                _ => serde_json::Map::new(),
            };
            document.insert(key.clone(), serde_json::Value::String(id.to_owned()));
            let text = serde_json::Value::Object(document).to_string();
            vec![(column, Some(text))]
        }
    }
}

fn defect(scene: Scene<'_>, loose: &Loose<'_>, attack: &Attempt) -> Defect {
    let mut shown = attack.statements.clone();
    if let Some(count) = shown.last_mut() {
        count.insert_str(0, "-- rows that name another tenant's:\n");
    }
    let linked = matches!(
        scene.tenancy.classes.get(&loose.target.name),
        Some(Class::Linked { .. })
    );
    let whose = if linked {
        "a row that is not linked to its tenant"
    } else {
        "another tenant's row"
    };
    let held = match &loose.form {
        Form::One => format!("{} names", loose.column.name),
        Form::Many => format!("{} names among others", loose.column.name),
        Form::Typed(says, value) => {
            format!("{} with {says} = '{value}' names", loose.column.name)
        }
        Form::Under(key) => format!("{} names under {key}", loose.column.name),
    };
    Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "a row of {} was accepted whose {held} {whose} of {}: no foreign key holds it",
            loose.table.name, loose.target.name
        ),
        sql: transaction(&shown),
        sqlstate: None,
        fix: fix(scene, loose),
    }
}

fn fix(scene: Scene<'_>, loose: &Loose<'_>) -> String {
    let (table, target) = (loose.table.name.quoted(), loose.target.name.quoted());
    let (column, id) = (quoted(&loose.column.name), quoted(loose.id));
    let tenants = (
        scene.tenancy.tenant_column(&loose.table.name),
        scene.tenancy.tenant_column(&loose.target.name),
    );
    match (&loose.form, tenants) {
        (Form::One, (Some(own), Some(theirs))) => format!(
            "ALTER TABLE {table} ADD FOREIGN KEY ({}, {column}) REFERENCES {target} ({}, {id});",
            quoted(own),
            quoted(theirs)
        ),
        (Form::One, _) => format!(
            "Give {table} the tenant column, and a foreign key of it and {column} to {target}"
        ),
        (Form::Many, _) => format!(
            "A table with a row for each id, and a foreign key of the tenant and the id to {target}, instead of {column}"
        ),
        (Form::Typed(says, value), _) => format!(
            "A column for the rows of {target}, with a foreign key of the tenant and itself, where {} = {}",
            quoted(says),
            literal(value)
        ),
        (Form::Under(key), _) => format!(
            "A column for what {column} holds under {}, with a foreign key of the tenant and itself to {target}",
            literal(key)
        ),
    }
}
