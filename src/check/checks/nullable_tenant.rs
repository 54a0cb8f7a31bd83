//! A tenant column that may be NULL.

use crate::check::row::{insert, spare, transaction};
use crate::check::{Check, Page, Scene, crossing, reference};
use crate::model::{
    Attempt, Case, Cell, Class, Column, Context, Defect, ForeignKey, NullMeans, Observation,
    Purpose, RelationName, Session, Severity, Stage, Table, Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: NullableTenant = NullableTenant;

/// Reads NOT NULL off every tenant column; where it is missing, rows without a tenant are inserted.
pub(crate) struct NullableTenant;

/// The labels of the attempts: the row as it is, without a tenant, and (followed by the key) without one and with
/// another tenant's row in a key.
const AS_IT_IS: &str = "with its tenant";
const WITHOUT: &str = "without a tenant";
const NAMING: &str = "without a tenant, by ";

impl Check for NullableTenant {
    fn page(&self) -> Page {
        Page {
            id: "nullable-tenant",
            title: "a tenant column may be NULL",
            what: "The tenant column of every scoped table is NOT NULL, unless `null_means = \"shared\"` says what NULL is. \
                   Where it\nmay be NULL, a row without a tenant is inserted, and one that refers to a tenant's row by each \
                   key that carries the\ntenant; the same row with its tenant must be accepted (the control).",
            why: "A row without a tenant belongs to nobody and is guarded by nothing: under MATCH SIMPLE, a composite key \
                  with\nNULL in the tenant column is not checked at all, so that such a row may name any \
                  organisation's row.",
            example: "CREATE TABLE notes (organisation_id uuid, id uuid, …);",
            fix: "ALTER TABLE notes ALTER COLUMN organisation_id SET NOT NULL;\nWhere NULL means a shared row: CHECK \
                  (organisation_id IS NOT NULL OR person_id IS NULL)",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        scene
            .tenancy
            .classes
            .iter()
            .filter(|(name, _)| scene.focus.concerns(name))
            .filter_map(|(name, class)| match class {
                Class::Scoped { column } => Some(Case {
                    check: self.page().id,
                    object: name.object(column),
                    subject: name.to_string(),
                    attempts: attempts(scene, name, column),
                }),
                _ => None,
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let name = scene.tenancy.tenant_column(&table.name)?;
            table
                .name
                .names(name, &case.object)
                .then(|| (table, table.column(name)))
        });
        let Some((table, Some(column))) = found else {
            return Verdict::Inconclusive("the column is not in the catalog".to_owned());
        };
        if column.not_null {
            return Verdict::Held("NOT NULL".to_owned());
        }
        let shared = scene.tenancy.null_means == NullMeans::Shared;
        let seen = Seen { case, seen };
        let named: Vec<(&str, &Attempt)> = seen.crossed();
        if let Some((key, attempt)) = named.first() {
            return Verdict::Leaked(Box::new(leak(
                shared.then(|| table.name.object(key)),
                (table, column, &named),
                attempt,
            )));
        }
        if shared {
            return Verdict::NotApplicable("NULL means a shared row".to_owned());
        }
        match seen.refused() {
            Some(code) => Verdict::Held(format!("a row without a tenant was refused ({code})")),
            None => Verdict::Leaked(Box::new(weakness(table, column))),
        }
    }
}

/// A case with what came of it.
struct Seen<'a> {
    case: &'a Case,
    seen: &'a [Observation],
}

impl<'a> Seen<'a> {
    fn all(&self) -> impl Iterator<Item = (&'a Attempt, &'a Observation)> {
        self.case.attempts.iter().zip(self.seen)
    }

    /// The keys by which a row without a tenant refers to a tenant's row, as it is stored.
    fn crossed(&self) -> Vec<(&'a str, &'a Attempt)> {
        let found = self.all().filter_map(|(attempt, observation)| {
            let key = attempt.label.strip_prefix(NAMING)?;
            let (before, after) = (observation.number(0)?, observation.number(3)?);
            (after > before).then_some((key, attempt))
        });
        let mut found: Vec<_> = found.collect();
        found.dedup_by_key(|(key, _)| *key);
        found
    }

    /// Rows are accepted with their tenant, and none is without: by a CHECK, or a trigger that fills it in.
    fn refused(&self) -> Option<String> {
        let worked = self
            .all()
            .any(|(attempt, seen)| attempt.label == AS_IT_IS && seen.worked());
        let mut without = self
            .all()
            .filter(|(attempt, _)| attempt.label == WITHOUT)
            .map(|(_, seen)| match &seen.refusal {
                Some(refusal) => Some(refusal.sqlstate.clone()),
                // As it is stored.
                None => seen.scalar(0).map(|_| "it is filled in".to_owned()),
            })
            .peekable();
        without.peek()?;
        let all: Option<Vec<String>> = without.collect();
        all.filter(|_| worked)?.into_iter().next()
    }
}

fn attempts(scene: Scene<'_>, name: &RelationName, tenant: &str) -> Vec<Attempt> {
    let table = scene.catalog.tables.get(name);
    let Some(table) = table.filter(|table| {
        let column = table.column(tenant);
        column.is_some_and(|column| !column.not_null)
    }) else {
        return Vec::new();
    };
    let attempt = |purpose, label: &str, statements| Attempt {
        purpose,
        label: label.to_owned(),
        session: Session::Owner,
        context: Context::Unset,
        stage: Stage::Seeded,
        statements,
        witness: None,
    };
    let rows: Vec<_> = spare(scene.worlds, 0, name).into_iter().take(2).collect();
    let mut found = Vec::new();
    for row in rows {
        let stored = |changed: &[(String, Cell)]| {
            let insert = insert(name, row, changed);
            vec![format!("{insert} RETURNING {}", quoted(tenant))]
        };
        let nobodys = (tenant.to_owned(), None);
        found.push(attempt(Purpose::Control, AS_IT_IS, stored(&[])));
        let without = stored(std::slice::from_ref(&nobodys));
        found.push(attempt(Purpose::Attack, WITHOUT, without));
        let mut alone = vec![nobodys.clone()];
        alone.extend(optional(scene, table).map(|column| (column, None)));
        if alone.len() > 1 {
            found.push(attempt(Purpose::Attack, WITHOUT, stored(&alone)));
        }
        for key in keys(scene, table) {
            let theirs = reference::foreign_tuples(scene, table, key);
            let nearest = theirs
                .iter()
                .min_by_key(|tuple| reference::distance(scene, table, key, row, tuple));
            let count = crossing::count(scene.catalog, scene.tenancy, name, key);
            if let (Some(tuple), Some(count)) = (nearest, count) {
                let mut changed = reference::changes(scene, table, key, tuple);
                changed.push(nobodys.clone());
                let statements = vec![
                    count.clone(),
                    insert(name, row, &changed),
                    "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                    count,
                ];
                let label = format!("{NAMING}{}", key.name);
                found.push(attempt(Purpose::Attack, &label, statements));
            }
        }
    }
    found
}

/// The columns that keys with the tenant need not have.
fn optional<'a>(scene: Scene<'a>, table: &'a Table) -> impl Iterator<Item = String> + 'a {
    let keys = table.foreign_keys.iter();
    keys.filter(move |key| reference::tenant_pair(scene, table, key).is_some())
        .flat_map(move |key| reference::named_columns(scene, table, key))
        .filter(|name| table.column(name).is_some_and(|column| !column.not_null))
        .map(str::to_owned)
}

/// The keys that carry the tenant and are not checked without it.
fn keys<'a>(scene: Scene<'a>, table: &'a Table) -> impl Iterator<Item = &'a ForeignKey> {
    table.foreign_keys.iter().filter(move |key| {
        !key.match_full
            && reference::tenant_pair(scene, table, key).is_some()
            && reference::outside(scene, table, key).is_none()
    })
}

/// A row without a tenant refers to a tenant's.
fn leak(
    object: Option<String>,
    (table, column, keys): (&Table, &Column, &[(&str, &Attempt)]),
    attempt: &Attempt,
) -> Defect {
    let by: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
    let fix = match (&object, keys.first()) {
        (Some(_), Some((key, _))) => {
            let key = table.foreign_key(key);
            let named: Vec<String> = key
                .into_iter()
                .flat_map(|key| &key.columns)
                .filter(|name| **name != column.name)
                .map(|name| format!("{} IS NULL", quoted(name)))
                .collect();
            format!(
                "ALTER TABLE {} ADD CHECK ({} IS NOT NULL OR {});",
                table.name.quoted(),
                quoted(&column.name),
                named.join(" AND ")
            )
        }
        _ => not_null(table, column),
    };
    Defect {
        object,
        severity: Severity::Leak,
        message: format!(
            "a row of {} without a tenant was accepted that refers to a tenant's row: with NULL in {}, {} is not checked",
            table.name,
            column.name,
            by.join(", ")
        ),
        sql: transaction(&attempt.statements),
        sqlstate: None,
        fix,
    }
}

fn weakness(table: &Table, column: &Column) -> Defect {
    Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "{} may be NULL: such a row is no tenant's, and its composite keys are not checked",
            column.name
        ),
        sql: format!(
            "SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = {}::regclass AND attname = {};",
            literal(&table.name.quoted()),
            literal(&column.name)
        ),
        sqlstate: None,
        fix: format!(
            "{} -- or [tenant] null_means = \"shared\"",
            not_null(table, column)
        ),
    }
}

fn not_null(table: &Table, column: &Column) -> String {
    format!(
        "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;",
        table.name.quoted(),
        quoted(&column.name)
    )
}
