//! A foreign key that accepts another tenant's row.

use crate::check::row::{self, acting, transaction};
use crate::check::ways::Way;
use crate::check::{Check, Page, Scene, aftermath, crossing, mended, reference};
use crate::model::{
    Attempt, Case, Class, Defect, ForeignKey, Observation, RelationName, Severity, Table, Verdict,
    quoted,
};

/// The check.
pub(crate) static CHECK: CrossTenantReference = CrossTenantReference;

/// Attacks every foreign key, in every way in which a row can come to refer to another.
pub(crate) struct CrossTenantReference;

/// Marks a case that is tried again with other rows, and with how many.
const AGAIN: &str = ", again with other rows";
const PAIRS: usize = 6;

/// Marks the case that shows what deleting a row does that another tenant's refers to.
const THEN_DELETE: &str = ", then DELETE";

impl Check for CrossTenantReference {
    fn page(&self) -> Page {
        Page {
            id: "cross-tenant-reference",
            title: "a foreign key accepts another tenant's row",
            what: "Every foreign key of a table with tenants is attacked: a row of one organisation is made to refer to a \
                   row of\nanother by INSERT, by UPDATE, by INSERT … ON CONFLICT DO UPDATE, by moving the row or what it \
                   refers to into another\norganisation, and, where the key waits for it, by a COMMIT. The same statement \
                   inside one organisation must work\nfirst (the control), and the database is then asked for rows that \
                   refer across organisations. Rows that migrations\nleft are asked for, too. Where a row can refer across, \
                   what it refers to is deleted, to see what that does to it.",
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
        for table in scene.tables() {
            for key in &table.foreign_keys {
                let case = |way: Way, attempts| Case {
                    check: self.page().id,
                    object: table.name.object(&key.name),
                    subject: way.word().to_owned(),
                    attempts,
                };
                if reference::outside(scene, table, key).is_some() {
                    cases.push(case(Way::Insert, Vec::new()));
                    continue;
                }
                cases.extend(
                    Way::for_key(scene, table, key)
                        .map(|way| case(way, way.attempts(scene, table, key, 1))),
                );
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let (Some((table, key)), Some(way)) =
            (reference::find(scene.catalog, &case.object), Way::of(case))
        else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        if let Some(reason) = reference::outside(scene, table, key) {
            return Verdict::NotApplicable(reason);
        }
        let subject = Subject {
            scene,
            table,
            key,
            way,
        };
        if case.subject.ends_with(THEN_DELETE) {
            return subject.deleted(case, seen);
        }
        let verdict = subject.judge(case, seen);
        match verdict {
            Verdict::Leaked(_) if way == Way::Insert => subject
                .then_delete(case, seen)
                .map_or(verdict, |case| Verdict::FollowUp(Box::new(case))),
            Verdict::Held(_) | Verdict::Leaked(_) | Verdict::FollowUp(_) => verdict,
            _ if reference::opposites(scene, table, key)
                .is_some_and(|(_, opposite, theirs)| opposite != theirs) =>
            {
                let reason = "it compares the tenant with something else: see mispaired-key";
                Verdict::NotApplicable(reason.to_owned())
            }
            _ if case.subject.ends_with(AGAIN) || case.attempts.is_empty() => verdict,
            _ => {
                let attempts = way.attempts(scene, table, key, PAIRS);
                subject.counted(case, format!("{}{AGAIN}", case.subject), attempts)
            }
        }
    }
}

/// Refusals of a write that say that rows of this table are never changed so, by design.
const BY_DESIGN: [&str; 3] = ["P0001", "0A000", "55000"];

/// Refusals because a value is taken.
const TAKEN: [&str; 2] = ["23505", "23P01"];

/// A key and a way of attacking it.
#[derive(Clone, Copy)]
struct Subject<'a> {
    scene: Scene<'a>,
    table: &'a Table,
    key: &'a ForeignKey,
    way: Way,
}

impl Subject<'_> {
    fn judge(self, case: &Case, seen: &[Observation]) -> Verdict {
        if case.attempts.is_empty() {
            return self.untried();
        }
        if self.way == Way::Rows {
            return self.existing(case, seen);
        }
        let mut held = None;
        let mut failed = Vec::new();
        for pair in case.attempts.chunks(2).zip(seen.chunks(2)) {
            let ([_, attack], [control, attacked]) = pair else {
                continue;
            };
            if attacked.worked() && attacked.affected(Way::writes_at(attack)) > 0 {
                if !self.counts(attack) {
                    return self.counted(case, case.subject.clone(), case.attempts.clone());
                }
                // What a trigger rewrote is judged as it is stored: more crossing rows than the control left.
                let crossing = |seen: &Observation| seen.number(attack.statements.len() - 1);
                if crossing(attacked) > crossing(control).or(Some(0)) {
                    return Verdict::Leaked(Box::new(self.defect(self.message(), attack)));
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
                        let what = if by == self.key.name {
                            "the key"
                        } else {
                            "another guard"
                        };
                        format!("refused by {what} ({})", refusal.sqlstate)
                    });
                }
                (Some(refusal), _) => failed.push(("control", refusal.clone())),
                (None, Some(refusal)) => failed.push(("attack", refusal.clone())),
                (None, None) if control.affected(Way::writes_at(attack)) > 0 => {
                    held.get_or_insert("no row was changed".to_owned());
                }
                (None, None) => {}
            }
        }
        if let Some(reason) = held {
            return Verdict::Held(reason);
        }
        let all = |codes: &[&str]| {
            !failed.is_empty()
                && failed
                    .iter()
                    .all(|(_, refusal)| codes.contains(&refusal.sqlstate.as_str()))
        };
        // A key that closes a circle: what it refers to is made after the row itself.
        let circle = self.scene.worlds.late.get(&self.table.name);
        if self.way == Way::Insert
            && circle.is_some_and(|late| late.contains(&self.key.name))
            && all(&TAKEN[..1])
        {
            return Verdict::NotApplicable(
                "the row that it refers to can be made only after it".to_owned(),
            );
        }
        if matches!(self.way, Way::Move | Way::MoveParent) && all(&TAKEN) {
            return Verdict::NotApplicable(
                "its unique keys leave no room in another tenant".to_owned(),
            );
        }
        match failed.first() {
            Some((_, first)) if all(&BY_DESIGN) => Verdict::NotApplicable(format!(
                "no such {} is accepted at all: {}",
                self.way.word(),
                first.message
            )),
            Some((which, first)) => Verdict::Inconclusive(format!(
                "the {which} by {} did not work: {} (SQLSTATE {})",
                self.way.word(),
                first.message,
                first.sqlstate
            )),
            None => Verdict::Inconclusive("the control changed no row".to_owned()),
        }
    }

    fn count(self) -> Option<String> {
        crossing::count(
            self.scene.catalog,
            self.scene.tenancy,
            &self.table.name,
            self.key,
        )
    }

    /// The attempt ends with the count of this key's crossings.
    fn counts(self, attempt: &Attempt) -> bool {
        attempt.statements.last() == self.count().as_ref()
    }

    /// These attempts with that count: it costs more than what it follows and most attempts are refused, so that it is asked
    /// for only where one was not.
    fn counted(self, case: &Case, subject: String, mut attempts: Vec<Attempt>) -> Verdict {
        for attempt in &mut attempts {
            if !self.counts(attempt) {
                attempt.statements.extend(self.count());
            }
        }
        Verdict::FollowUp(Box::new(Case {
            subject,
            attempts,
            ..case.clone()
        }))
    }

    /// Where nothing could be tried.
    fn untried(self) -> Verdict {
        let one = self.way == Way::Insert && row::is_one_a_parent(self.scene, self.table);
        let has_rows = |name: &RelationName| !acting(self.scene.worlds, name).is_empty();
        if one && has_rows(&self.table.name) {
            return Verdict::NotApplicable("its unique keys leave no further row".to_owned());
        }
        if matches!(self.way, Way::Move | Way::MoveParent)
            && has_rows(&self.table.name)
            && has_rows(&self.key.target)
        {
            return Verdict::NotApplicable("no row refers by it to another than itself".to_owned());
        }
        Verdict::Inconclusive(reference::no_attempt(self.scene, self.table, self.key))
    }

    /// Judges the rows that migrations left.
    fn existing(self, case: &Case, seen: &[Observation]) -> Verdict {
        match (&case.attempts[..], seen) {
            ([attempt], [observation]) => match observation.number(0) {
                Some(0) => Verdict::Held("no row refers to another tenant's".to_owned()),
                Some(rows) => {
                    let message = format!(
                        "{rows} row(s) of {} that migrations left refer to another tenant's row of {}",
                        self.table.name, self.key.target
                    );
                    let mut defect = self.defect(message, attempt);
                    if reference::tenant_pair(self.scene, self.table, self.key).is_some() {
                        defect.fix = format!(
                            "Correct or delete these rows: they came in while the key was off or not valid. Then ALTER TABLE \
                             {} VALIDATE CONSTRAINT {};",
                            self.table.name.quoted(),
                            quoted(&self.key.name)
                        );
                    }
                    Verdict::Leaked(Box::new(defect))
                }
                None => Verdict::Inconclusive("its rows could not be looked at".to_owned()),
            },
            _ => Verdict::Inconclusive("its rows were not looked at".to_owned()),
        }
    }

    fn message(self) -> String {
        let (child, parent) = (&self.table.name, &self.key.target);
        match self.way {
            Way::Move => format!(
                "a row of {child} was moved to another tenant, and still refers to its former tenant's row of {parent}"
            ),
            Way::MoveParent => format!(
                "a row of {parent} was moved to another tenant, and a row of {child} of its former tenant still refers to it"
            ),
            way if self.links() => format!(
                "{} of a row of {child} that refers to a row of {parent} which is not linked to its tenant was accepted",
                way.word()
            ),
            way => format!(
                "{} of a row of {child} that refers to another tenant's row of {parent} was accepted",
                way.word()
            ),
        }
    }

    /// What it refers to has many tenants or none.
    fn links(self) -> bool {
        matches!(
            self.scene.tenancy.classes.get(&self.key.target),
            Some(Class::Linked { .. })
        )
    }

    fn defect(self, message: String, attempt: &Attempt) -> Defect {
        let mut shown = attempt.statements.clone();
        let count = self.count();
        for sql in &mut shown {
            if Some(&*sql) == count.as_ref() {
                sql.insert_str(0, "-- rows that refer across tenants:\n");
            }
        }
        let sql = if self.way == Way::Commit {
            format!("-- This is stored.\n{};\n", shown.join(";\n"))
        } else {
            transaction(&shown)
        };
        Defect {
            object: None,
            severity: if self.links() {
                Severity::Weakness
            } else {
                Severity::Leak
            },
            message,
            sql,
            sqlstate: None,
            fix: mended::key(self.scene, self.table, self.key),
        }
    }

    /// The attack that worked, and then the DELETE of what the row refers to.
    fn then_delete(self, case: &Case, seen: &[Observation]) -> Option<Case> {
        let mut pairs = case.attempts.chunks(2).zip(seen.chunks(2));
        let like = pairs.find_map(|pair| match pair {
            ([_, attack], [_, attacked]) => {
                let wrote = attacked.affected(Way::writes_at(attack)) > 0;
                (attacked.worked() && wrote).then_some(attack)
            }
            _ => None,
        })?;
        let attempts = aftermath::attempts(self.scene, self.table, self.key, like);
        (!attempts.is_empty() && !self.links()).then(|| Case {
            subject: format!("{}{THEN_DELETE}", self.way.word()),
            attempts,
            ..case.clone()
        })
    }

    /// The same row once more, and what the DELETE did to it.
    fn deleted(self, case: &Case, seen: &[Observation]) -> Verdict {
        match aftermath::seen(self.key, &case.attempts, seen) {
            Some((attempt, then)) => {
                let message = format!("{}{then}", self.message());
                Verdict::Leaked(Box::new(self.defect(message, &attempt)))
            }
            None => Verdict::Inconclusive(
                "what was accepted before was refused when it was tried again".to_owned(),
            ),
        }
    }
}

/// A refusal by key, CHECK, privilege or trigger; others (a unique value that is taken) say nothing of the tenant.
fn about_the_tenant(sqlstate: &str) -> bool {
    matches!(sqlstate, "23503" | "23001" | "23514" | "42501") || sqlstate.starts_with("P0")
}
