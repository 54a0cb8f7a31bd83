//! Statements of other sessions, and the values in them, in `pg_stat_activity`.

use crate::check::policy::attempt;
use crate::check::{Check, Page, Scene};
use crate::model::{
    Access, Attempt, Case, Context, Defect, Observation, Purpose, Session, Severity, Stage,
    Verdict, literal, printed, quoted,
};

/// The check.
pub(crate) static CHECK: ActivityShowsOtherSessions = ActivityShowsOtherSessions;

/// Looks for the statement of a session of the owner's, as the application.
pub(crate) struct ActivityShowsOtherSessions;

/// What the other session selects. A query for it has it in two parts, so as not to find itself.
const SAID: (&str, &str) = ("watertight ", "was here");

/// The roles of Postgres that show every session's statement, the wider one first.
const READERS: [&str; 2] = ["pg_monitor", "pg_read_all_stats"];

impl Check for ActivityShowsOtherSessions {
    fn page(&self) -> Page {
        Page {
            id: "activity-shows-other-sessions",
            title: "the application's role sees what every session runs",
            what: "A session of the owner's selects a text and stays connected. Logged in as `[access] role`, the text is looked \
                   for in\npg_stat_activity: the session's own statement must be there (the control), the owner's must not.",
            why: "With pg_read_all_stats, which is a part of pg_monitor, a role reads the running and the last statement of \
                  every\nsession, with the values that were not sent as parameters: those of jobs, of other applications and of \
                  other\norganisations' roles. Sessions of one role see each other's statements always: where all organisations \
                  share the\nrole, values belong into parameters, and nobody may send SQL of their own.",
            example: "GRANT pg_monitor TO app;",
            fix: "REVOKE pg_monitor FROM app;  -- dashboards log in as a role of their own",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let Some(access) = &scene.tenancy.access else {
            return Vec::new();
        };
        let beside = Stage::Beside {
            first: Session::Owner,
            pooled: false,
        };
        let said = format!("SELECT {}", literal(&[SAID.0, SAID.1].concat()));
        let statements = [
            "BEGIN".to_owned(),
            said,
            "COMMIT".to_owned(),
            said_by_others(),
        ];
        let attack = Attempt {
            stage: beside,
            statements: statements.into(),
            ..attempt(Purpose::Attack, "others'", Context::Unset, String::new())
        };
        let own = attempt(Purpose::Control, "its own", Context::Unset, OWN.to_owned());
        vec![Case {
            check: self.page().id,
            object: printed(&role(scene, access)),
            subject: String::new(),
            attempts: vec![own, attack],
        }]
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let (Some(access), [own, others]) = (&scene.tenancy.access, seen) else {
            return Verdict::Inconclusive("nothing was tried".to_owned());
        };
        let last = case
            .attempts
            .last()
            .map_or(0, |one| one.statements.len() - 1);
        if let Some(refusal) = own.refusal.as_ref().or(others.refusal.as_ref()) {
            return Verdict::Held(format!("refused ({})", refusal.sqlstate));
        }
        match (own.number(0), others.number(last)) {
            (Some(0) | None, _) => Verdict::NotApplicable(
                "a session does not even see its own statement: track_activities is off".to_owned(),
            ),
            (_, Some(0) | None) => {
                Verdict::Held("it sees the statements of its own role alone".to_owned())
            }
            _ => Verdict::Leaked(Box::new(defect(scene, access, case))),
        }
    }
}

/// How many others said it.
fn said_by_others() -> String {
    format!(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() AND query LIKE '%' || {} || {} \
         || '%'",
        literal(SAID.0),
        literal(SAID.1)
    )
}

/// Whether the session sees this very statement. It doesn't say the text: sessions of its role would see that.
const OWN: &str = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid() AND query LIKE \
                   '%pg_stat_activity%'";

/// The role that is to blame: where each tenant has one of its own, what these are members of.
fn role(scene: Scene<'_>, access: &Access) -> String {
    let groups = scene.catalog.roles.get(&access.role);
    let mut groups = groups.into_iter().flat_map(|role| &role.member_of);
    let group = groups.find(|name| access.per_tenant && !name.starts_with("pg_"));
    group.unwrap_or(&access.role).clone()
}

fn defect(scene: Scene<'_>, access: &Access, case: &Case) -> Defect {
    let rights = scene.catalog.rights_of(&access.role);
    let reader = READERS.into_iter().find(|reader| rights.contains(reader));
    let reader = reader.unwrap_or(READERS[1]);
    Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "the role {} sees what sessions of other roles run, as a member of {reader}",
            case.object
        ),
        sql: format!(
            "SET ROLE {};\n-- whether it may read every session's statement:\nSELECT \
             pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');\nSELECT pid, usename, query FROM \
             pg_catalog.pg_stat_activity WHERE usename <> current_user;\nRESET ROLE;\n",
            quoted(&access.role)
        ),
        sqlstate: None,
        fix: format!("REVOKE {reader} FROM {};", quoted(&role(scene, access))),
    }
}
