//! An optional reference that can't be left out.

use crate::check::row::{acting, transaction, update};
use crate::check::{Check, Page, Scene, mended, reference};
use crate::model::{
    Attempt, Case, Context, Defect, ForeignKey, Observation, Purpose, Refusal, Session, Severity,
    Stage, Table, Verdict,
};

/// The check.
pub(crate) static CHECK: OptionalReferenceRefused = OptionalReferenceRefused;

/// Sets every optional reference that carries the tenant to NULL.
pub(crate) struct OptionalReferenceRefused;

impl Check for OptionalReferenceRefused {
    fn page(&self) -> Page {
        Page {
            id: "optional-reference-refused",
            title: "MATCH FULL refuses a reference that is meant to be optional",
            what: "Where a foreign key carries the tenant column and the rest of it may be NULL, a row's reference is set to \
                   NULL. The\nsame row, with the reference that it has, is written first (the control).",
            why: "MATCH FULL wants all columns of the key or none, and the tenant is always there: the optional reference \
                  can't be\nleft out. What then helps is to take the tenant out of the key, and with it the guard.",
            example: "FOREIGN KEY (organisation_id, company_id) REFERENCES companies (organisation_id, id) MATCH FULL\n-- \
                      organisation_id NOT NULL, company_id NULL",
            fix: "Leave MATCH FULL out: where the tenant is NOT NULL, MATCH SIMPLE skips the check only where the reference \
                  is NULL.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        reference::all(scene)
            .filter(|(table, key)| {
                reference::tenant_pair(scene, table, key).is_some()
                    && is_optional(scene, table, key)
            })
            .map(|(table, key)| {
                reference::case(self.page().id, table, key, attempts(scene, table, key))
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some((table, key)) = reference::find(scene.catalog, &case.object) else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        if !key.match_full {
            return Verdict::Held("MATCH SIMPLE lets it be NULL".to_owned());
        }
        let mut first = None;
        for (attempts, seen) in case.attempts.chunks(2).zip(seen.chunks(2)) {
            let ([_, attack], [control, attacked]) = (attempts, seen) else {
                continue;
            };
            match &attacked.refusal {
                None => return Verdict::Held("the reference was left out".to_owned()),
                Some(refusal)
                    if control.worked() && refusal.constraint.as_deref() == Some(&key.name) =>
                {
                    first.get_or_insert((attack, refusal));
                }
                // Another guard wants the reference: then it is not optional.
                Some(_) => {}
            }
        }
        if first.is_none() && !case.attempts.is_empty() {
            return Verdict::NotApplicable("something else wants the reference, too".to_owned());
        }
        let pair = reference::tenant_pair(scene, table, key);
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Weakness,
            message: format!(
                "MATCH FULL refuses a row of {} without a row of {}, though the reference may be NULL",
                table.name, key.target
            ),
            sql: shown(reference::definition(table, key), first),
            sqlstate: first.map(|(_, refusal)| refusal.sqlstate.clone()),
            fix: pair.map_or_else(String::new, |pair| mended::rebuilt(scene, table, key, pair)),
        }))
    }
}

/// The key, and what it refused where there were rows to try.
fn shown(definition: String, refused: Option<(&Attempt, &Refusal)>) -> String {
    match refused {
        None => definition,
        Some((attack, refusal)) => format!(
            "{definition}\n-- refused ({}):\n{}",
            refusal.sqlstate,
            commented(&transaction(&attack.statements))
        ),
    }
}

/// What is pasted must not end in an error.
fn commented(sql: &str) -> String {
    let lines: Vec<String> = sql.lines().map(|line| format!("-- {line}")).collect();
    lines.join("\n")
}

fn is_optional(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> bool {
    let named = reference::named_columns(scene, table, key);
    let may_be_null = |name: &str| table.column(name).is_some_and(|column| !column.not_null);
    !named.is_empty() && named.into_iter().all(may_be_null)
}

/// For each row: it is written with the reference that it has, and without.
fn attempts(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Vec<Attempt> {
    if !key.match_full {
        return Vec::new();
    }
    let named = reference::named_columns(scene, table, key);
    let attempt = |purpose, statement| Attempt {
        purpose,
        label: "without a reference".to_owned(),
        session: Session::Owner,
        context: Context::Unset,
        stage: Stage::Seeded,
        statements: vec![statement, "SET CONSTRAINTS ALL IMMEDIATE".to_owned()],
        witness: None,
    };
    acting(scene.worlds, &table.name)
        .into_iter()
        .filter(|row| row.tuple(&key.columns).is_some())
        .take(3)
        .flat_map(|row| {
            let set = |value: &dyn Fn(&str) -> Option<String>| {
                let cells = named.iter().map(|name| ((*name).to_owned(), value(name)));
                update(table, row, &cells.collect::<Vec<_>>())
            };
            [
                attempt(
                    Purpose::Control,
                    set(&|name| row.cell(name).map(str::to_owned)),
                ),
                attempt(Purpose::Attack, set(&|_| None)),
            ]
        })
        .collect()
}
