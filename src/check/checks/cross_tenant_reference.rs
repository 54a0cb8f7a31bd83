//! A foreign key that accepts another tenant's row.

use crate::check::row::{self, RowRef, acting, foreign, insert, spare, transaction, update};
use crate::check::{Check, Page, Scene, crossing, mended};
use crate::model::{
    Attempt, Case, Cell, Class, Context, Defect, ForeignKey, Observation, Purpose, Session,
    Severity, Stage, Table, Verdict,
};

/// The check.
pub(crate) static CHECK: CrossTenantReference = CrossTenantReference;

/// Attacks every foreign key by INSERT and by UPDATE.
pub(crate) struct CrossTenantReference;

/// The ways of attack; each is a case of its own.
const WAYS: [&str; 2] = ["INSERT", "UPDATE"];

/// Marks a case that is tried again with other rows, and with how many.
const AGAIN: &str = ", again with other rows";
const PAIRS: usize = 6;

impl Check for CrossTenantReference {
    fn page(&self) -> Page {
        Page {
            id: "cross-tenant-reference",
            title: "a foreign key accepts another tenant's row",
            what: "Every foreign key of a table with tenants is attacked by INSERT and by UPDATE: a row of one \
                   organisation\nis made to refer to a row of another. The same statement with a row of its own \
                   organisation must work first\n(the control), and the database is then asked for rows that \
                   refer across organisations.",
            why: "A key that doesn't carry the tenant is satisfied by any organisation's row. Row-level security \
                  does not stop\nit: constraint checks bypass policies. What is linked wrongly is then joined, \
                  shown, counted and, under ON DELETE\nCASCADE, deleted.",
            example: "CREATE TABLE notes (\n  organisation_id uuid NOT NULL, id uuid NOT NULL, person_id uuid \
                      REFERENCES people (id),\n  PRIMARY KEY (organisation_id, id));",
            fix: "Carry the tenant in the key, on both sides:\nFOREIGN KEY (organisation_id, person_id) REFERENCES \
                  people (organisation_id, id)",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let mut cases = Vec::new();
        for table in scene.catalog.roots() {
            for key in &table.foreign_keys {
                for way in WAYS {
                    let attempts = match outside(scene, table, key) {
                        Some(_) => Vec::new(),
                        None => attempts(scene, table, key, way, 1),
                    };
                    cases.push(Case {
                        check: self.page().id,
                        object: table.name.object(&key.name),
                        subject: way.to_owned(),
                        attempts,
                    });
                }
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some((table, key)) = scene.catalog.roots().find_map(|table| {
            let key = table
                .foreign_keys
                .iter()
                .find(|key| table.name.names(&key.name, &case.object))?;
            Some((table, key))
        }) else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        if let Some(reason) = outside(scene, table, key) {
            return Verdict::NotApplicable(reason);
        }
        let verdict = judge(scene, table, key, case, seen);
        let settled = matches!(verdict, Verdict::Held(_) | Verdict::Leaked(_));
        match case.subject.strip_suffix(AGAIN) {
            None if !settled && !case.attempts.is_empty() => Verdict::FollowUp(Box::new(Case {
                subject: format!("{}{AGAIN}", case.subject),
                attempts: attempts(scene, table, key, &case.subject, PAIRS),
                ..case.clone()
            })),
            _ => verdict,
        }
    }
}

/// Why a key is not attacked, if it isn't.
fn outside(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Option<String> {
    let class = scene.tenancy.classes.get(&table.name)?;
    let tenant = scene.tenancy.tenant_column(&table.name);
    if !matches!(
        class,
        Class::Scoped { .. } | Class::Derived { .. } | Class::Root { .. }
    ) {
        return Some(format!(
            "the rows of a {} table are no tenant's",
            class.word()
        ));
    }
    if key
        .columns
        .iter()
        .all(|column| Some(column.as_str()) == tenant)
    {
        return Some("it says whose the row is".to_owned());
    }
    if matches!(class, Class::Derived { foreign_key } if *foreign_key == key.name) {
        return Some("it defines the tenancy".to_owned());
    }
    match scene.tenancy.classes.get(&key.target) {
        Some(Class::Shared) => Some("it refers to shared rows".to_owned()),
        Some(Class::Root { .. }) => Some("it refers to a tenant, not to a tenant's row".to_owned()),
        Some(Class::Linked { through, column })
            if *through == table.name && key.columns == [column.clone()] =>
        {
            Some("it is the link itself".to_owned())
        }
        Some(Class::Scoped { .. } | Class::Derived { .. } | Class::Linked { .. }) => None,
        _ => Some("the rows that it refers to are no tenant's".to_owned()),
    }
}

/// Pairs of a control and an attack that differ in the parent's tenant alone; more than one where a row stood in the way
/// of a statement for reasons of its own.
fn attempts(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    way: &str,
    pairs: usize,
) -> Vec<Attempt> {
    let Some(count) = crossing::count(scene.catalog, scene.tenancy, &table.name, key) else {
        return Vec::new();
    };
    let own = acting(scene.worlds, &key.target);
    let theirs = foreign_tuples(scene, table, key);
    if theirs.is_empty() {
        return Vec::new();
    }
    let subjects: Vec<RowRef<'_>> = if way == "INSERT" {
        spare(scene.worlds, 0, &table.name)
    } else {
        // First and last: the last is referred to by none.
        let rows = acting(scene.worlds, &table.name);
        let mut chosen: Vec<RowRef<'_>> = rows.last().copied().into_iter().collect();
        chosen.extend(rows.first().filter(|_| rows.len() > 1).copied());
        // Where columns exclude each other, only a row that refers already may refer.
        let refers = |row: &&RowRef<'_>| row.tuple(&key.columns).is_some();
        if !chosen.iter().any(|row| refers(&row)) {
            chosen.extend(rows.iter().find(refers).copied());
        }
        chosen
    };
    let mut attempts = Vec::new();
    for row in subjects {
        // The nearest: what several keys share stays as it is, where it can.
        let Some(theirs) = theirs
            .iter()
            .min_by_key(|tuple| distance(scene, table, key, row, tuple))
        else {
            continue;
        };
        for parent in own_tuples(scene, table, key, row, &own, way) {
            for (purpose, tuple) in [(Purpose::Control, &parent), (Purpose::Attack, theirs)] {
                let changed = changes(scene, table, key, tuple);
                let statement = if way == "INSERT" {
                    insert(&table.name, row, &changed)
                } else {
                    update(table, row, &changed)
                };
                attempts.push(Attempt {
                    purpose,
                    label: format!("by {way}"),
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
    }
    attempts.truncate(2 * pairs);
    attempts
}

/// Other tenants' rows that the acting one lacks: as this row of the child would have to name them.
fn foreign_tuples(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Vec<Vec<String>> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let named = |tuple: Vec<String>| -> Vec<String> {
        key.columns
            .iter()
            .zip(tuple)
            .map(|(column, value)| {
                if Some(column.as_str()) == tenant {
                    scene.worlds.acting_tenant().to_owned()
                } else {
                    value
                }
            })
            .collect()
    };
    let own: Vec<Vec<String>> = acting(scene.worlds, &key.target)
        .iter()
        .filter_map(|row| row.tuple(&key.target_columns))
        .collect();
    foreign(scene.worlds, &key.target)
        .into_iter()
        .rev()
        .filter_map(|row| row.tuple(&key.target_columns))
        .map(named)
        .filter(|tuple| !own.contains(tuple))
        .collect()
}

/// In how many columns a row would have to change to name this parent; a row that would name itself comes last.
fn distance(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    tuple: &[String],
) -> usize {
    let itself = key.target == table.name
        && row
            .tuple(&key.target_columns)
            .is_some_and(|own| own == tuple);
    let changed = changes(scene, table, key, tuple)
        .iter()
        .filter(|(column, cell)| row.cell(column) != cell.as_deref())
        .count();
    changed + if itself { key.columns.len() } else { 0 }
}

/// Parents of the acting tenant that a control may name: what the row names already (for a row that is not there
/// yet), one that no row names, any other.
fn own_tuples(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    own: &[RowRef<'_>],
    way: &str,
) -> Vec<Vec<String>> {
    let named = row.tuple(&key.columns);
    let mut found: Vec<Vec<String>> = Vec::new();
    if way == "INSERT" {
        found.extend(named);
    } else {
        found.extend(
            spare(scene.worlds, 0, &table.name)
                .iter()
                .filter_map(|row| row.tuple(&key.columns))
                .chain(
                    own.iter()
                        .rev()
                        .filter_map(|row| row.tuple(&key.target_columns)),
                )
                .filter(|tuple| Some(tuple) != named.as_ref()),
        );
    }
    if found.is_empty() {
        found.extend(
            own.iter()
                .rev()
                .filter_map(|row| row.tuple(&key.target_columns)),
        );
    }
    found.sort_by_key(|tuple| distance(scene, table, key, row, tuple));
    found.truncate(2);
    // Where several keys share columns, no other parent may fit: then the one that the row has is written again.
    found.extend(
        row.tuple(&key.columns)
            .filter(|tuple| !found.contains(tuple)),
    );
    found
}

/// The columns that a statement sets: those of the key, but never the row's own tenant column.
fn changes(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    tuple: &[String],
) -> Vec<(String, Cell)> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    key.columns
        .iter()
        .zip(tuple)
        .filter(|(column, _)| Some(column.as_str()) != tenant)
        .map(|(column, value)| (column.clone(), Some(value.clone())))
        .collect()
}

/// Refusals of a write that say that rows of this table are never changed so, by design.
const BY_DESIGN: [&str; 3] = ["P0001", "0A000", "55000"];

fn judge(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    case: &Case,
    seen: &[Observation],
) -> Verdict {
    if case.attempts.is_empty() {
        let one = way(case) == "INSERT" && row::is_one_a_parent(scene, table);
        return if one && !acting(scene.worlds, &table.name).is_empty() {
            Verdict::NotApplicable("its unique keys leave no further row".to_owned())
        } else {
            Verdict::Inconclusive(no_attempt(scene, table, key))
        };
    }
    let crossing = |observation: &Observation| observation.number(2).unwrap_or(0);
    let mut held = None;
    let mut failed = Vec::new();
    for pair in case.attempts.chunks(2).zip(seen.chunks(2)) {
        let ([_, attack], [control, attacked]) = pair else {
            continue;
        };
        if attacked.worked() && attacked.affected(0) > 0 {
            // What a trigger rewrote is judged as it is stored: more crossing rows than the control left.
            if crossing(attacked) > crossing(control) {
                return Verdict::Leaked(Box::new(defect(scene, table, key, case, attack)));
            }
            if control.worked() {
                held.get_or_insert("the row was stored inside its tenant".to_owned());
            }
            continue;
        }
        match (&control.refusal, &attacked.refusal) {
            (None, Some(refusal)) if about_the_tenant(&refusal.sqlstate) => {
                held.get_or_insert_with(|| {
                    let by = refusal.constraint.as_deref().unwrap_or("a trigger");
                    let what = if by == key.name {
                        "the key"
                    } else {
                        "another guard"
                    };
                    format!("refused by {what} ({})", refusal.sqlstate)
                });
            }
            (Some(refusal), _) | (None, Some(refusal)) => failed.push(refusal.clone()),
            (None, None) if control.affected(0) > 0 => {
                held.get_or_insert("no row was changed".to_owned());
            }
            (None, None) => {}
        }
    }
    if let Some(reason) = held {
        return Verdict::Held(reason);
    }
    // A key that closes a circle: what it refers to is made after the row itself.
    let circle = scene.worlds.late.get(&table.name);
    if way(case) == "INSERT"
        && circle.is_some_and(|late| late.contains(&key.name))
        && failed.iter().all(|refusal| refusal.sqlstate == "23505")
    {
        return Verdict::NotApplicable(
            "the row that it refers to can be made only after it".to_owned(),
        );
    }
    match failed.first() {
        Some(first)
            if failed
                .iter()
                .all(|refusal| BY_DESIGN.contains(&refusal.sqlstate.as_str())) =>
        {
            Verdict::NotApplicable(format!(
                "no such {} is accepted at all: {}",
                way(case),
                first.message
            ))
        }
        Some(first) => Verdict::Inconclusive(format!(
            "the control {} did not work: {} (SQLSTATE {})",
            way(case),
            first.message,
            first.sqlstate
        )),
        None => Verdict::Inconclusive("the control changed no row".to_owned()),
    }
}

/// The way of attack.
fn way(case: &Case) -> &str {
    case.subject.strip_suffix(AGAIN).unwrap_or(&case.subject)
}

/// A refusal by key, CHECK, privilege or trigger; others (a unique value that is taken) say nothing of the tenant.
fn about_the_tenant(sqlstate: &str) -> bool {
    matches!(sqlstate, "23503" | "23514" | "42501") || sqlstate.starts_with("P0")
}

fn no_attempt(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    for (what, name) in [
        ("its own table", &table.name),
        ("the table it refers to", &key.target),
    ] {
        if acting(scene.worlds, name).is_empty() {
            let why = scene
                .worlds
                .gaps
                .get(name)
                .map_or("none was made", String::as_str);
            return format!("{what} {name} has no rows: {why}");
        }
    }
    format!(
        "no row of {} could be named that is another tenant's",
        key.target
    )
}

fn defect(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    case: &Case,
    attack: &Attempt,
) -> Defect {
    let linked = matches!(
        scene.tenancy.classes.get(&key.target),
        Some(Class::Linked { .. })
    );
    let mut shown = attack.statements.clone();
    if let Some(count) = shown.last_mut() {
        count.insert_str(0, "-- rows that refer across tenants:\n");
    }
    let message = if linked {
        format!(
            "{} of a row of {} that refers to a row of {} which is not linked to its tenant was accepted",
            way(case),
            table.name,
            key.target
        )
    } else {
        format!(
            "{} of a row of {} that refers to another tenant's row of {} was accepted",
            way(case),
            table.name,
            key.target
        )
    };
    Defect {
        object: None,
        severity: if linked {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message,
        sql: transaction(&shown),
        sqlstate: None,
        fix: mended::key(scene, table, key),
    }
}
