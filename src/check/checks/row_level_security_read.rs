//! Rows that the application's role can read without being their tenant.

use crate::check::policy::{self, Stranger, attempt, blamed, may, repeated};
use crate::check::row::{foreign, tenant_is};
use crate::check::{Check, Page, Scene, crossing};
use crate::model::{
    Attempt, Case, Class, Context, Defect, NullMeans, Observation, Purpose, Severity, Table,
    Verdict, literal, quoted,
};

/// The check.
pub(crate) static CHECK: RowLevelSecurityRead = RowLevelSecurityRead;

/// Reads every table logged in as the application, in its own and in other contexts.
pub(crate) struct RowLevelSecurityRead;

impl Check for RowLevelSecurityRead {
    fn page(&self) -> Page {
        Page {
            id: "row-level-security-read",
            title: "the application's role reads another tenant's rows",
            what: "Logged in as `[access] role`, every table is read in the context of one organisation, which must see \
                   its\nown rows (the control) and nobody else's; then with no, an empty and a malformed context, which \
                   must see none.",
            why: "A policy that is missing, always true, OR-ed open or not enabled shows every organisation's rows to \
                  each\nquery that forgets its own predicate.",
            example: "CREATE POLICY people_read ON people FOR SELECT USING (true);",
            fix: "ALTER TABLE people ENABLE ROW LEVEL SECURITY;\nCREATE POLICY people_isolation ON people USING \
                  (organisation_id =\n  NULLIF(current_setting('app.organisation_id', true), '')::uuid);",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !policy::applies(scene) {
            return Vec::new();
        }
        let mut cases = Vec::new();
        let linked = scene.tables().filter_map(|table| {
            let class = scene.tenancy.classes.get(&table.name)?;
            matches!(class, Class::Linked { .. }).then_some((table, class))
        });
        for (table, class) in policy::planned_tables(scene).chain(linked) {
            let Some((own, others)) = counts(scene, table, class) else {
                continue;
            };
            let acting = Context::Tenant(scene.worlds.acting_tenant().to_owned());
            let control = attempt(Purpose::Control, "own rows", acting.clone(), own.clone());
            cases.push(policy::plain_case(
                self.page().id,
                &table.name,
                "another",
                vec![
                    control.clone(),
                    attempt(Purpose::Attack, "others' rows", acting, others),
                ],
            ));
            if !policy::has_context(scene) {
                continue;
            }
            for stranger in Stranger::ALL {
                let all = everyone(scene, table);
                cases.push(policy::plain_case(
                    self.page().id,
                    &table.name,
                    stranger.word(),
                    vec![
                        control.clone(),
                        attempt(Purpose::Attack, stranger.word(), stranger.context(), all),
                    ],
                ));
            }
        }
        cases
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(table) = scene.catalog.root(&case.object) else {
            return Verdict::Inconclusive("the table is not in the catalog".to_owned());
        };
        let ([_, attack], [control, attacked]) = (case.attempts.as_slice(), seen) else {
            return Verdict::Inconclusive("nothing was tried".to_owned());
        };
        if !may(scene, table, "SELECT")
            && control
                .refusal
                .as_ref()
                .is_some_and(|refusal| refusal.sqlstate == "42501")
        {
            return Verdict::NotApplicable("the role may not read it".to_owned());
        }
        let shown = attacked.number(0);
        if shown.unwrap_or(0) > 0 {
            return Verdict::Leaked(Box::new(defect(scene, table, case, attack, shown)));
        }
        match (&control.refusal, control.number(0)) {
            (Some(refusal), _) => Verdict::Inconclusive(format!(
                "the control, reading its own rows as the application, failed: {} (SQLSTATE {})",
                refusal.message, refusal.sqlstate
            )),
            (None, Some(0) | None) => Verdict::Inconclusive(unseen(scene, table)),
            (None, Some(_)) => Verdict::Held(match &attacked.refusal {
                Some(refusal) => format!("refused ({})", refusal.sqlstate),
                None => "no row was seen".to_owned(),
            }),
        }
    }
}

/// A query that counts all rows that are somebody's.
fn everyone(scene: Scene<'_>, table: &Table) -> String {
    let all = format!("SELECT count(*) FROM {} t", table.name.quoted());
    let tenant = scene
        .tenancy
        .tenant_expression(scene.catalog, &table.name, "t");
    match (scene.tenancy.null_means, tenant) {
        // Template rows are for everyone, whoever they are.
        (NullMeans::Shared, Some(tenant)) => format!("{all} WHERE {tenant} IS NOT NULL"),
        _ => all,
    }
}

/// Queries that count the acting tenant's rows and everyone else's.
fn counts(scene: Scene<'_>, table: &Table, class: &Class) -> Option<(String, String)> {
    let name = table.name.quoted();
    let tenant = scene.worlds.acting_tenant();
    if let Class::Linked { through, column } = class {
        let target = crossing::link_target(scene.catalog, through, column)?;
        let list = |rows: Vec<crate::check::row::RowRef<'_>>| {
            let values: Vec<String> = rows
                .iter()
                .filter_map(|row| row.cell(&target))
                .map(literal)
                .collect();
            (!values.is_empty()).then(|| {
                format!(
                    "SELECT count(*) FROM {name} t WHERE t.{} IN ({})",
                    quoted(&target),
                    values.join(", ")
                )
            })
        };
        // Those that a row of the linking table names: a row that nobody is linked to is nobody's.
        let own = list(crate::check::row::acting(scene.worlds, &table.name))?;
        return Some((own, list(foreign(scene.worlds, &table.name))?));
    }
    let expression = scene
        .tenancy
        .tenant_expression(scene.catalog, &table.name, "t")?;
    let own = tenant_is(scene.tenancy, &expression, tenant);
    // A derived row whose parent is hidden has no tenant that could be seen: it is somebody else's.
    let others = match scene.tenancy.null_means {
        NullMeans::Error => format!("({own}) IS NOT TRUE"),
        NullMeans::Shared => format!("({own}) IS FALSE"),
    };
    Some((
        format!("SELECT count(*) FROM {name} t WHERE {own}"),
        format!("SELECT count(*) FROM {name} t WHERE {others}"),
    ))
}

/// Why the acting tenant sees nothing of its own.
fn unseen(scene: Scene<'_>, table: &Table) -> String {
    if let Some(why) = scene.worlds.gaps.get(&table.name) {
        return format!("it has no rows: {why}");
    }
    if table.row_security && policy::deciding(scene, table, "SELECT").is_empty() {
        return "row-level security is enabled and no policy lets the role read: its own rows are not seen, so that \
                nothing was proved. A policy for SELECT, or GRANTs to match, would settle it"
            .to_owned();
    }
    "the role does not see its own rows in its own context, so that nothing was proved. Is `[access] context` what \
     the policies read?"
        .to_owned()
}

fn defect(
    scene: Scene<'_>,
    table: &Table,
    case: &Case,
    attack: &Attempt,
    count: Option<u64>,
) -> Defect {
    let linked = matches!(
        scene.tenancy.classes.get(&table.name),
        Some(Class::Linked { .. })
    );
    let object = blamed(scene, table, "SELECT");
    let off = if table.row_security {
        ""
    } else {
        "; row-level security is not enabled"
    };
    let whose = if case.subject == "another" {
        "other tenants' "
    } else {
        ""
    };
    Defect {
        object: Some(object.clone()),
        severity: if linked {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message: format!(
            "the application's role read {} {whose}rows of {} with {} tenant's context{off}",
            count.unwrap_or(0),
            table.name,
            case.subject
        ),
        sql: repeated(scene, attack),
        sqlstate: None,
        fix: policy::fix(scene, table, &object),
    }
}
