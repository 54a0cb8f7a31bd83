//! A unique key that holds over all tenants.

use crate::check::row::{RowRef, foreign, free_column, insert, spare, transaction};
use crate::check::{Check, Page, Scene, mended, policy};
use crate::model::{
    Attempt, Case, Catalog, Cell, Class, Context, Defect, Index, IndexKey, Observation, Purpose,
    Session, Severity, Stage, Table, TokenKind, Tokens, Verdict, literal, quoted, quoted_list,
};

/// The check.
pub(crate) static CHECK: UniqueWithoutTenant = UniqueWithoutTenant;

/// Reads the columns of every unique key and exclusion constraint; where the tenant is not among them, another tenant's
/// value is inserted.
pub(crate) struct UniqueWithoutTenant;

impl Check for UniqueWithoutTenant {
    fn page(&self) -> Page {
        Page {
            id: "unique-without-tenant",
            title: "a unique key holds over all tenants",
            what: "Every primary key, unique index and exclusion constraint of a table with tenants has the tenant column \
                   among\nits columns. Where it is not, a row is inserted with another organisation's value, and, as the application's role, \
                   upserted.\nThe same row with a value of its own must be accepted (the control).",
            why: "Without it, one organisation's refused INSERT tells that another has the value (an e-mail, a slug), an \
                  upsert\nby the value reaches the other's row, and a value can be squatted. A uuid that the server \
                  makes is no guess: a note.",
            example: "CREATE TABLE people (organisation_id uuid NOT NULL, id uuid, email text UNIQUE, …);",
            fix: "UNIQUE (organisation_id, email). Where the value is global by design, say so:\n[[allow]]\ncheck = \
                  \"unique-without-tenant\"\nobject = \"public.people.people_email_key\"\nreason = \"…\"",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let mut cases = Vec::new();
        for table in scene.tables() {
            let class = scene.tenancy.classes.get(&table.name);
            if !matches!(
                class,
                Some(Class::Scoped { .. } | Class::Derived { .. } | Class::Root { .. })
            ) {
                continue;
            }
            for index in table
                .indexes
                .iter()
                .filter(|index| index.unique || index.exclusion)
            {
                let carried = carries_tenant(scene, table, index);
                cases.push(Case {
                    check: self.page().id,
                    object: table.name.object(&index.name),
                    subject: String::new(),
                    attempts: if carried {
                        Vec::new()
                    } else {
                        attempts(scene, table, index)
                    },
                });
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let index = table
                .indexes
                .iter()
                .find(|index| table.name.names(&index.name, &case.object))?;
            Some((table, index))
        });
        let Some((table, index)) = found else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        if carries_tenant(scene, table, index) {
            return Verdict::Held("the tenant is part of it".to_owned());
        }
        let mut tried = case.attempts.iter().zip(seen);
        let worked = |tried: Option<(&Attempt, &Observation)>| {
            tried.is_some_and(|(_, seen)| seen.worked() && seen.affected(0) > 0)
        };
        let control = worked(tried.next());
        let (accepted, refused) = match tried.next() {
            Some((_, seen)) => (
                seen.worked() && seen.affected(0) > 0,
                seen.refusal.as_ref().filter(|refusal| {
                    refusal.constraint.as_deref() == Some(&index.name)
                        && matches!(refusal.sqlstate.as_str(), "23505" | "23P01")
                }),
            ),
            None => (false, None),
        };
        // As it is stored: a trigger may have made the value the tenant's own.
        if control && accepted && is_plain(index) {
            return Verdict::Held("another tenant's value is accepted".to_owned());
        }
        let mut defect = defect(scene, table, index);
        if control && let Some(refusal) = refused {
            defect.sqlstate = Some(refusal.sqlstate.clone());
            let rest = case.attempts.iter().zip(seen).skip(2);
            for (attempt, seen) in rest {
                if attempt.session == Session::Application {
                    if seen.worked() && seen.affected(0) > 0 {
                        defect.severity = Severity::Leak;
                        defect.message = format!(
                            "an upsert by the application's role overwrote another tenant's row of {} with the same {}",
                            table.name,
                            index.plain_columns().join(", ")
                        );
                        defect.sql = policy::repeated(scene, attempt);
                    }
                } else if attempt.label == UPSERT {
                    if seen.worked() && seen.affected(0) > 0 {
                        let more = ", and an upsert by it overwrites the other's row";
                        defect.message.push_str(more);
                    }
                } else if seen.worked() && seen.affected(0) == 0 {
                    let shown = transaction(&attempt.statements);
                    defect.sql = format!("{}\n-- no row, and no error:\n{shown}", defect.sql);
                }
            }
            let detail = refusal.detail.as_deref().unwrap_or_default();
            if index.exclusion && detail.contains("existing key") && !table.row_security {
                defect
                    .message
                    .push_str("; the refusal prints the other's values");
            }
        }
        Verdict::Leaked(Box::new(defect))
    }
}

fn carries_tenant(scene: Scene<'_>, table: &Table, index: &Index) -> bool {
    let carries = carriers(scene, table);
    let mut columns = index.plain_columns().into_iter();
    columns.any(|column| carries.contains(&column))
}

/// The label of the attempts that upsert.
const UPSERT: &str = "by upsert";

/// It holds for every row, and for the values as they are.
fn is_plain(index: &Index) -> bool {
    index.predicate.is_none() && index.plain_columns().len() == index.keys.len()
}

/// The columns that it looks at.
fn looked_at<'a>(table: &'a Table, index: &Index) -> Vec<&'a str> {
    let texts = index.keys.iter().map(|key| match key {
        IndexKey::Column(name) => quoted(name),
        IndexKey::Expression { text } => text.clone(),
    });
    let texts: Vec<String> = texts.chain(index.predicate.clone()).collect();
    let names: Vec<String> = texts
        .iter()
        .flat_map(|text| Tokens::new(text).flatten())
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
        .filter_map(|token| token.name())
        .collect();
    let columns = table.columns.iter().map(|column| column.name.as_str());
    columns
        .filter(|name| names.iter().any(|one| one == name))
        .collect()
}

/// A new row as it is; with another tenant's value; so that a conflict is no error; and so that a conflict changes the row
/// that is there, as the application.
fn attempts(scene: Scene<'_>, table: &Table, index: &Index) -> Vec<Attempt> {
    let columns = looked_at(table, index);
    let taken = |row: &RowRef<'_>| -> Option<Vec<(String, Cell)>> {
        columns
            .iter()
            .map(|column| {
                let value = row.cell(column)?.to_owned();
                Some(((*column).to_owned(), Some(value)))
            })
            .collect()
    };
    let theirs = foreign(scene.worlds, &table.name);
    let theirs = theirs.iter().rev().find_map(taken);
    let own = spare(scene.worlds, 0, &table.name);
    let (Some(row), Some(taken)) = (own.first(), theirs) else {
        return Vec::new();
    };
    let attempt = |purpose, label: &str, statement| Attempt {
        purpose,
        label: label.to_owned(),
        session: Session::Owner,
        context: Context::Unset,
        stage: Stage::Seeded,
        statements: vec![statement],
        witness: None,
    };
    let taken = insert(&table.name, *row, &taken);
    let mut found = vec![
        attempt(
            Purpose::Control,
            "its own value",
            insert(&table.name, *row, &[]),
        ),
        attempt(Purpose::Attack, "another's value", taken.clone()),
    ];
    // Only what names the key is sure to be about this one.
    if index.exclusion || !is_plain(index) {
        return found;
    }
    let on_conflict = format!(
        "{taken} ON CONFLICT ({})",
        quoted_list(index.plain_columns())
    );
    found.push(attempt(
        Purpose::Probe,
        "without an error",
        format!("{on_conflict} DO NOTHING"),
    ));
    let may = |privilege| policy::may(scene, table, privilege);
    let writes = policy::applies(scene) && may("SELECT") && may("INSERT") && may("UPDATE");
    if let (true, Some(column)) = (writes, free_column(table)) {
        let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
        let column = quoted(&column.name);
        let upsert = format!("{on_conflict} DO UPDATE SET {column} = EXCLUDED.{column}");
        found.push(policy::attempt(
            Purpose::Attack,
            "by upsert",
            context,
            upsert,
        ));
    }
    found
}

/// Columns that tell the tenant: the tenant column, or those of the key that a derived table's tenancy rests on.
fn carriers<'a>(scene: Scene<'a>, table: &'a Table) -> Vec<&'a str> {
    match scene.tenancy.classes.get(&table.name) {
        Some(Class::Root { column } | Class::Scoped { column }) => vec![column],
        Some(Class::Derived { foreign_key }) => table
            .foreign_key(foreign_key)
            .map(|key| key.columns.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn defect(scene: Scene<'_>, table: &Table, index: &Index) -> Defect {
    let columns: Vec<String> = index
        .keys
        .iter()
        .map(|key| match key {
            IndexKey::Column(name) => name.clone(),
            IndexKey::Expression { text } => text.clone(),
        })
        .collect();
    let guessable = !server_made(scene.catalog, table, index);
    let (severity, why) = if guessable {
        (
            Severity::Weakness,
            "a refusal tells one tenant that another has the value",
        )
    } else {
        (
            Severity::Note,
            "its values are made by the server and can't be guessed",
        )
    };
    let fix = mended::unique(scene, table, index).unwrap_or_else(|| {
        "Accept it with [[allow]] where the value is global by design".to_owned()
    });
    Defect {
        object: None,
        severity,
        message: format!("({}) is unique over all tenants: {why}", columns.join(", ")),
        sql: format!(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = {} AND indexname = {};",
            literal(&table.name.schema),
            literal(&index.name)
        ),
        sqlstate: None,
        fix,
    }
}

/// All its columns are uuids: nobody guesses another's, and the server makes them by default.
fn server_made(catalog: &Catalog, table: &Table, index: &Index) -> bool {
    let columns = index.plain_columns();
    columns.len() == index.keys.len()
        && columns.iter().any(|name| {
            table.column(name).is_some_and(|column| {
                let base = catalog.base_type(column.type_oid);
                catalog.types.get(&base).is_some_and(|of| of.name == "uuid")
            })
        })
}
