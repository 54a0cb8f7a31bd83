//! An action of a foreign key that takes the tenant away from a row.

use crate::check::row::{acting, predicate, transaction};
use crate::check::{Check, Page, Scene, mended, reference};
use crate::model::{
    Action, Attempt, Case, Class, Context, Defect, ForeignKey, NullMeans, Observation, Purpose,
    Session, Severity, Stage, Table, Verdict, literal, printed, quoted,
};

/// The check.
pub(crate) static CHECK: SetNullClearsTenant = SetNullClearsTenant;

/// Reads the actions of keys that carry the tenant, and deletes what they refer to.
pub(crate) struct SetNullClearsTenant;

impl Check for SetNullClearsTenant {
    fn page(&self) -> Page {
        Page {
            id: "set-null-clears-tenant",
            title: "SET NULL takes the tenant away with the reference",
            what: "Where a foreign key with the tenant column has ON DELETE SET NULL or SET DEFAULT, the action names the \
                   reference's columns\nalone (a column list, since Postgres 15). ON UPDATE can't name any. A row that is \
                   referred to is deleted, to see what\nbecomes of the row that refers to it.",
            why: "Without a list the action sets all columns of the key. Where the tenant column may be NULL, the row is \
                  nobody's then,\nor everybody's where NULL means shared; by SET DEFAULT it may become another tenant's. \
                  Where it is NOT NULL, what\nis referred to can't be deleted.",
            example: "FOREIGN KEY (organisation_id, company_id) REFERENCES companies (organisation_id, id) ON DELETE SET NULL",
            fix: "FOREIGN KEY (organisation_id, company_id) REFERENCES companies (organisation_id, id)\n  ON DELETE SET NULL \
                  (company_id)",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        scene
            .tables()
            .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)))
            .filter(|(table, key)| sets(key) && carries(scene, table, key))
            .map(|(table, key)| {
                let attempts = match Harm::of(scene, table, key) {
                    Some(Harm::Delete) => attempts(scene, table, key),
                    _ => Vec::new(),
                };
                reference::case(self.page().id, table, key, attempts)
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some((table, key)) = reference::find(scene.catalog, &case.object) else {
            return Verdict::Inconclusive("the key is not in the catalog".to_owned());
        };
        let (Some(harm), Some(tenant)) = (
            Harm::of(scene, table, key),
            scene.tenancy.tenant_column(&table.name),
        ) else {
            return Verdict::Held("it leaves the tenant alone".to_owned());
        };
        let mut severity = Severity::Weakness;
        let mut sql = reference::definition(table, key);
        let told = case.attempts.first().zip(seen.first());
        let became = told.and_then(|(attempt, seen)| {
            let number = |back: usize| seen.number(attempt.statements.len() - back);
            let became = if number(1)? > seen.number(0)? {
                severity = Severity::Leak;
                "is another tenant's then"
            } else if number(2)? > seen.number(1)? {
                if scene.tenancy.null_means == NullMeans::Shared {
                    severity = Severity::Leak;
                    "is everybody's then"
                } else {
                    "is nobody's then"
                }
            } else {
                return None;
            };
            sql = transaction(&attempt.statements);
            Some(format!(
                "a row of {} that refers to a deleted row of {} {became}",
                table.name, key.target
            ))
        });
        let not_null = table.column(tenant).is_some_and(|column| column.not_null);
        let message = became.unwrap_or_else(|| match harm {
            Harm::Delete if not_null => format!(
                "ON DELETE sets {tenant} with the reference, which is NOT NULL: a row of {} that is referred to can't be \
                 deleted",
                key.target
            ),
            Harm::Delete => format!("ON DELETE sets {tenant} with the reference"),
            Harm::Update => format!("ON UPDATE sets {tenant} with the reference"),
        });
        Verdict::Leaked(Box::new(Defect {
            object: None,
            severity,
            message,
            sql,
            sqlstate: None,
            fix: fix(scene, table, key, tenant),
        }))
    }
}

/// By which event the tenant is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    Delete,
    Update,
}

impl Harm {
    fn of(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Option<Self> {
        let tenant = scene.tenancy.tenant_column(&table.name)?;
        let named = &key.on_delete_columns;
        if is_set(key.on_delete) && (named.is_empty() || named.iter().any(|name| name == tenant)) {
            return Some(Self::Delete);
        }
        is_set(key.on_update).then_some(Self::Update)
    }
}

fn is_set(action: Action) -> bool {
    matches!(action, Action::SetNull | Action::SetDefault)
}

fn sets(key: &ForeignKey) -> bool {
    is_set(key.on_delete) || is_set(key.on_update)
}

/// The key has the tenant column beside others; or it is the tenant column, and the tenants' rows would become everybody's.
fn carries(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> bool {
    let Some(tenant) = scene.tenancy.tenant_column(&table.name) else {
        return false;
    };
    let is_root = matches!(
        scene.tenancy.classes.get(&key.target),
        Some(Class::Root { .. })
    );
    let alone = is_root && scene.tenancy.null_means == NullMeans::Shared;
    key.columns.iter().any(|column| column == tenant) && (key.columns.len() > 1 || alone)
}

/// What a row refers to is deleted; rows without a tenant and rows of other tenants are counted before and after.
fn attempts(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Vec<Attempt> {
    let (Some(tenant), Some(target)) = (
        scene.tenancy.tenant_column(&table.name),
        scene.catalog.tables.get(&key.target),
    ) else {
        return Vec::new();
    };
    let counted = |condition: String| {
        format!(
            "SELECT count(*) FROM {} WHERE {}{condition}",
            table.name.quoted(),
            quoted(tenant)
        )
    };
    let others = counted(format!(
        "::text <> {}",
        literal(scene.worlds.acting_tenant())
    ));
    let nobodys = counted(" IS NULL".to_owned());
    let named: Vec<_> = acting(scene.worlds, &table.name)
        .iter()
        .filter_map(|row| row.tuple(&key.columns))
        .collect();
    let parents = acting(scene.worlds, &key.target).into_iter().filter(|row| {
        row.tuple(&key.target_columns)
            .is_some_and(|tuple| named.contains(&tuple))
    });
    parents
        .take(1)
        .map(|row| Attempt {
            purpose: Purpose::Attack,
            label: "DELETE of what is referred to".to_owned(),
            session: Session::Owner,
            context: Context::Unset,
            stage: Stage::Seeded,
            statements: vec![
                others.clone(),
                nobodys.clone(),
                format!(
                    "DELETE FROM {} WHERE {}",
                    key.target.quoted(),
                    predicate(target, row)
                ),
                "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
                nobodys.clone(),
                others.clone(),
            ],
            witness: None,
        })
        .collect()
}

fn fix(scene: Scene<'_>, table: &Table, key: &ForeignKey, tenant: &str) -> String {
    match reference::tenant_pair(scene, table, key) {
        Some(pair) => mended::rebuilt(scene, table, key, pair),
        None => format!(
            "Give {} ON DELETE CASCADE or RESTRICT, or name in ON DELETE SET NULL (…) other columns than {}",
            printed(&key.name),
            printed(tenant)
        ),
    }
}
