//! A trigger that sends a message to every session that listens.

use crate::check::policy::planned_tables;
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Defect, Observation, Severity, Verdict, literal};

/// The check.
pub(crate) static CHECK: NotifyReachesOtherTenants = NotifyReachesOtherTenants;

/// Reads what triggers call.
pub(crate) struct NotifyReachesOtherTenants;

impl Check for NotifyReachesOtherTenants {
    fn page(&self) -> Page {
        Page {
            id: "notify-reaches-other-tenants",
            title: "a trigger's message reaches every session that listens",
            what: "Read off the catalog: triggers and rules of tables with tenants whose text has NOTIFY or pg_notify.",
            why: "LISTEN needs no privilege, and policies don't hold for messages: what stands in one, and that it came, every \
                  session\nof the database can know. Where nobody but the application's own workers logs in, that is no harm. A \
                  note, which never\nfails a run.",
            example: "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql\n  AS $$ BEGIN PERFORM pg_notify('people', \
                      row_to_json(NEW)::text); RETURN NEW; END $$;",
            fix: "Send an id that says nothing by itself, and let who listens look the row up under its policies:\nPERFORM \
                  pg_notify('people', NEW.id::text);",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        planned_tables(scene)
            .flat_map(|(table, _)| table.triggers.iter().map(move |name| (table, name)))
            .map(|(table, name)| Case {
                check: self.page().id,
                object: table.name.object(name),
                subject: String::new(),
                attempts: Vec::new(),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let found = scene.catalog.roots().find_map(|table| {
            let mut notifying = table.notifying.iter();
            let name = notifying.find(|name| table.name.names(name, &case.object))?;
            Some((table, name))
        });
        let Some((table, name)) = found else {
            return Verdict::Held("it sends no message".to_owned());
        };
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Note,
            message: "it sends a message that every session which listens gets, whoever's it is"
                .to_owned(),
            sql: format!(
                "SELECT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = {}::regclass AND \
                 t.tgname = {};",
                literal(&table.name.quoted()),
                literal(name)
            ),
            sqlstate: None,
            fix: "Send an id that says nothing by itself, and let who listens look the row up under its policies"
                .to_owned(),
        }))
    }
}
