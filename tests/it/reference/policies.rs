//! Policies that are too wide, off, or gone.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use watertight::model::{Report, RunVerdict, Severity};

use super::{mutant, root};

const READ: &str = "row-level-security-read";
const WRITE: &str = "row-level-security-write";

/// A table of the migrations, its policy, and what the application's role may do.
struct Guarded {
    table: String,
    policy: String,
    /// The policy is for all commands.
    for_all: bool,
    privileges: String,
}

impl Guarded {
    fn may(&self, command: &str) -> bool {
        self.privileges.contains(command)
    }

    fn policy(&self) -> String {
        format!("{}.{}", self.table, self.policy)
    }

    /// A policy that a mutant adds.
    fn added(&self) -> String {
        format!("{}.mutant", self.table)
    }
}

/// Read from the text of the migrations: what the harness reads is under test.
fn guarded() -> Vec<Guarded> {
    let mut found: Vec<Guarded> = Vec::new();
    let mut grants: Vec<(String, String)> = Vec::new();
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".up.sql") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE", "POLICY", policy, "ON", table, "FOR", command, ..] => {
                    found.push(Guarded {
                        table: (*table).to_owned(),
                        policy: (*policy).to_owned(),
                        for_all: *command == "ALL",
                        privileges: String::new(),
                    });
                }
                ["GRANT", privileges @ .., "ON", table, "TO", "app;"] => {
                    grants.push(((*table).to_owned(), privileges.join(" ")));
                }
                _ => {}
            }
        }
    }
    for guarded in &mut found {
        let grant = grants.iter().find(|(table, _)| *table == guarded.table);
        grant
            .expect("what has a policy has grants")
            .1
            .clone_into(&mut guarded.privileges);
    }
    found.sort_by(|a, b| a.table.cmp(&b.table));
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// What is wrong with every table of the mutant.
#[derive(Clone, Copy, Debug)]
enum Defect {
    AlwaysTrue,
    CheckTrue,
    Off,
    SecondToRead,
    SecondToInsert,
    SecondToUpdate,
    SecondToDelete,
}

impl Defect {
    fn sql(self, of: &Guarded) -> String {
        let (table, policy) = (&of.table, &of.policy);
        let second = |what: &str| format!("CREATE POLICY mutant ON {table} FOR {what} (true);\n");
        match self {
            Self::AlwaysTrue if of.for_all => {
                format!("ALTER POLICY {policy} ON {table} USING (true) WITH CHECK (true);\n")
            }
            Self::AlwaysTrue => format!("ALTER POLICY {policy} ON {table} USING (true);\n"),
            Self::CheckTrue => format!("ALTER POLICY {policy} ON {table} WITH CHECK (true);\n"),
            Self::Off => format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;\n"),
            Self::SecondToRead => second("SELECT TO app USING"),
            Self::SecondToInsert => second("INSERT TO app WITH CHECK"),
            Self::SecondToUpdate => second("UPDATE TO app USING"),
            Self::SecondToDelete => second("DELETE TO app USING"),
        }
    }

    /// Whether the table can have the defect: a policy for SELECT has no WITH CHECK, and a policy for what the role may
    /// not do at all is none.
    fn fits(self, of: &Guarded) -> bool {
        match self {
            Self::AlwaysTrue | Self::Off | Self::SecondToRead => true,
            Self::CheckTrue => of.for_all && (of.may("INSERT") || of.may("UPDATE")),
            Self::SecondToInsert => of.may("INSERT"),
            Self::SecondToUpdate => of.may("UPDATE"),
            Self::SecondToDelete => of.may("DELETE"),
        }
    }

    /// What no attack shows, so that it is a weakness: users are everybody's and only linked; an organisation's id can't
    /// change while anything refers to it; and rows of these tables can't go while others refer to them.
    fn is_weakness(self, of: &Guarded) -> bool {
        match self {
            Self::AlwaysTrue | Self::Off | Self::SecondToRead => of.table == "iam.users",
            Self::CheckTrue => of.table == "iam.organisations",
            Self::SecondToDelete => {
                ["outreach.mailboxes", "outreach.step_experiment_variants"].contains(&&*of.table)
            }
            Self::SecondToInsert | Self::SecondToUpdate => false,
        }
    }

    /// What must be named, by check.
    fn expected(self, of: &Guarded) -> Vec<(&'static str, String, Severity)> {
        let severity = if self.is_weakness(of) {
            Severity::Weakness
        } else {
            Severity::Leak
        };
        let writes = of.for_all && ["INSERT", "UPDATE", "DELETE"].iter().any(|c| of.may(c));
        let both = |object: String| {
            let mut list = vec![(READ, object.clone(), severity)];
            list.extend(writes.then_some((WRITE, object, severity)));
            list
        };
        match self {
            Self::AlwaysTrue => both(of.policy()),
            Self::Off => both(of.table.clone()),
            Self::CheckTrue => vec![(WRITE, of.policy(), severity)],
            Self::SecondToRead => vec![(READ, of.added(), severity)],
            Self::SecondToInsert | Self::SecondToUpdate | Self::SecondToDelete => {
                vec![(WRITE, of.added(), severity)]
            }
        }
    }
}

/// Every table that can have the defect has it: each is named, and nothing else is.
#[rstest]
#[tokio::test]
async fn a_wide_policy_is_named(
    #[values(
        Defect::AlwaysTrue,
        Defect::CheckTrue,
        Defect::Off,
        Defect::SecondToRead,
        Defect::SecondToInsert,
        Defect::SecondToUpdate,
        Defect::SecondToDelete
    )]
    defect: Defect,
) {
    let tables = guarded();
    let chosen: Vec<&Guarded> = tables.iter().filter(|table| defect.fits(table)).collect();
    let migration: String = chosen.iter().map(|table| defect.sql(table)).collect();
    let report = mutant(&migration, &[READ, WRITE]).await;
    assert_eq!(report.verdict(), RunVerdict::Leaked);
    let expected: BTreeSet<(&str, String, Severity)> = chosen
        .iter()
        .flat_map(|table| defect.expected(table))
        .collect();
    let found: BTreeSet<(&str, String, Severity)> = report
        .findings
        .iter()
        .map(|finding| (finding.check, finding.object.clone(), finding.severity))
        .collect();
    let missed: Vec<_> = expected.difference(&found).collect();
    let wrong: Vec<_> = found.difference(&expected).collect();
    assert!(
        missed.is_empty() && wrong.is_empty(),
        "missed {missed:#?}\nwrong {wrong:#?}\n{:#?}",
        report.inconclusive
    );
}

#[tokio::test]
async fn without_its_only_policy_a_table_is_not_judged() {
    let report = mutant(
        "DROP POLICY people_isolation ON crm.people;\n",
        &[READ, WRITE],
    )
    .await;
    assert_not_judged(&report, "crm.people");
}

fn assert_not_judged(report: &Report, table: &str) {
    assert_eq!(report.verdict(), RunVerdict::Inconclusive);
    assert_eq!(report.verdict().exit_status(), 4);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let case = report
        .inconclusive
        .iter()
        .find(|case| case.check == READ && case.object == table)
        .unwrap_or_else(|| panic!("{table} in {:#?}", report.inconclusive));
    assert!(
        case.reason.contains("no policy lets the role read"),
        "{}",
        case.reason
    );
    // The others are judged as ever.
    assert!(report.inconclusive.iter().all(|case| case.object == table));
    assert!(report.checks[READ].held > 100);
}
