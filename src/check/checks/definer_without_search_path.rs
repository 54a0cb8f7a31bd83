//! A function with its owner's rights that looks names up where its caller says.

use crate::check::policy::{applies, may_call};
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Defect, Observation, Severity, Verdict, literal, quoted};

/// The check.
pub(crate) static CHECK: DefinerWithoutSearchPath = DefinerWithoutSearchPath;

/// Read off the catalog.
pub(crate) struct DefinerWithoutSearchPath;

impl Check for DefinerWithoutSearchPath {
    fn page(&self) -> Page {
        Page {
            id: "definer-without-search-path",
            title: "a SECURITY DEFINER function takes its caller's search_path",
            what: "Read off the catalog: every SECURITY DEFINER function that the application's role may call has a \
                   search_path of its\nown.",
            why: "Without one the caller says where tables and functions are looked for: a temporary table or a function \
                  of the\ncaller's takes the place of the real one, with the rights of the function's owner.",
            example: "CREATE FUNCTION report() RETURNS bigint LANGUAGE sql SECURITY DEFINER\n  AS 'SELECT count(*) FROM \
                      people';",
            fix: "ALTER FUNCTION report() SET search_path = pg_catalog, public, pg_temp;",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        let definers = scene.catalog.definers.iter();
        definers
            .map(|definer| Case {
                check: self.page().id,
                object: definer.object(),
                subject: String::new(),
                attempts: Vec::new(),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, _: &[Observation]) -> Verdict {
        let Some(definer) = scene.catalog.definer(&case.object) else {
            return Verdict::Inconclusive("the function is not in the catalog".to_owned());
        };
        if !may_call(scene, definer) {
            return Verdict::NotApplicable("the role may not call it".to_owned());
        }
        if definer.fixes_search_path {
            return Verdict::Held("it has a search_path of its own".to_owned());
        }
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity: Severity::Weakness,
            message: "it has its owner's rights and looks names up where its caller says"
                .to_owned(),
            sql: format!(
                "SELECT prosecdef, proconfig FROM pg_proc WHERE oid = {}::regprocedure;",
                literal(&definer.quoted())
            ),
            sqlstate: None,
            fix: format!(
                "ALTER FUNCTION {} SET search_path = pg_catalog, {}, pg_temp;",
                definer.quoted(),
                quoted(&definer.schema)
            ),
        }))
    }
}
