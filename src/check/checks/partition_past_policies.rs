//! A partition that is read by its own name, where the policies of its root don't hold.

use crate::check::policy::{applies, attempt, may, plain_case, planned_tables, repeated, revoke};
use crate::check::row::tenant_is;
use crate::check::{Check, Page, Scene};
use crate::model::{Case, Context, Defect, Observation, Purpose, Severity, Table, Verdict};

/// The check.
pub(crate) static CHECK: PartitionPastPolicies = PartitionPastPolicies;

/// Reads every partition of a guarded table by its own name, as the application in one organisation's context.
pub(crate) struct PartitionPastPolicies;

impl Check for PartitionPastPolicies {
    fn page(&self) -> Page {
        Page {
            id: "partition-past-policies",
            title: "a partition shows other tenants' rows when it is read by its own name",
            what: "Logged in as `[access] role` in the context of one organisation, every partition that the role may \
                   read is read\nby its own name, and must show nobody else's rows. The control: through the partitioned \
                   table the organisation\nsees its own.",
            why: "A partitioned table's policies hold for queries of that table alone. A partition has policies of its \
                  own, or none.",
            example: "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\nGRANT \
                      SELECT ON ALL TABLES IN SCHEMA public TO app;",
            fix: "REVOKE ALL ON events_2026 FROM app;\nPrivileges on the partitioned table are enough for all queries of it.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        if !applies(scene) {
            return Vec::new();
        }
        let context = Context::Tenant(scene.worlds.acting_tenant().to_owned());
        let tenant = scene.worlds.acting_tenant();
        planned_tables(scene)
            .filter(|(table, _)| table.partitioned && table.row_security)
            .filter_map(|(root, _)| {
                let owner = scene
                    .tenancy
                    .tenant_expression(scene.catalog, &root.name, "t")?;
                let own = tenant_is(scene.tenancy, &owner, tenant);
                let count = |table: &Table, condition: &str| {
                    format!(
                        "SELECT count(*) FROM {} t WHERE {condition}",
                        table.name.quoted()
                    )
                };
                let control = attempt(
                    Purpose::Control,
                    "own rows",
                    context.clone(),
                    count(root, &own),
                );
                let foreign = format!("({own}) IS NOT TRUE");
                let attacks = readable(scene, root).map(|partition| {
                    let label = partition.name.to_string();
                    attempt(
                        Purpose::Attack,
                        &label,
                        context.clone(),
                        count(partition, &foreign),
                    )
                });
                let mut attempts: Vec<_> = attacks.collect();
                if !attempts.is_empty() {
                    attempts.insert(0, control);
                }
                Some(plain_case(self.page().id, &root.name, "", attempts))
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let attacks = case.attempts.iter().zip(seen).skip(1);
        let shown = attacks
            .filter_map(|(attempt, observation)| Some((attempt, observation.number(0)?)))
            .find(|(_, number)| *number > 0);
        if let Some((attempt, number)) = shown {
            return Verdict::Leaked(Box::new(Defect {
                object: None,
                severity: Severity::Leak,
                message: format!(
                    "read by its own name, the partition {} shows {number} rows of other organisations",
                    attempt.label
                ),
                sql: repeated(scene, attempt),
                sqlstate: None,
                fix: fix(scene, case),
            }));
        }
        let unguarded = case.attempts.iter().skip(1).find(|attempt| {
            let tables = scene.catalog.tables.values();
            let mut partitions = tables.filter(|table| !table.row_security);
            partitions.any(|table| table.name.is(&attempt.label))
        });
        match (seen.first().map(|control| control.number(0)), unguarded) {
            (None, _) => Verdict::Held("the role may not read the partitions".to_owned()),
            (_, Some(attempt)) => Verdict::Leaked(Box::new(Defect {
                object: None,
                severity: Severity::Weakness,
                message: format!(
                    "the role may read the partition {} by its own name, and no policy holds there; nobody else's rows \
                     were in it",
                    attempt.label
                ),
                sql: repeated(scene, attempt),
                sqlstate: None,
                fix: fix(scene, case),
            })),
            (Some(Some(1..)), None) => Verdict::Held("no row was seen".to_owned()),
            (Some(_), None) => Verdict::Inconclusive(
                "the role does not see its own rows through the partitioned table, so that nothing was proved".to_owned(),
            ),
        }
    }
}

/// Its partitions that the role may read by their names.
fn readable<'a>(scene: Scene<'a>, root: &'a Table) -> impl Iterator<Item = &'a Table> {
    let tables = scene.catalog.tables.values();
    tables.filter(move |table| {
        table.partition_of.as_ref() == Some(&root.name) && may(scene, table, "SELECT")
    })
}

fn fix(scene: Scene<'_>, case: &Case) -> String {
    let root = scene.catalog.root(&case.object);
    let names: Vec<String> = root.map_or_else(Vec::new, |root| {
        readable(scene, root)
            .map(|table| table.name.quoted())
            .collect()
    });
    revoke(scene, "ALL", &names.join(", "))
}
