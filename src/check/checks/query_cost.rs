//! A query that reads more pages the more rows other tenants have.

use crate::check::attempts::{EXECUTE, Mode, statements};
use crate::check::crowd::{crowd, emptied};
use crate::check::scan::{Scan, pages, scans};
use crate::check::{Check, Page, Scene, row};
use crate::model::{
    Attempt, Case, Context, Defect, Observation, Purpose, Query, QueryTenant, RelationName,
    Session, Severity, Stage, Table, Verdict, quoted_list,
};
use crate::query::{bindings, infer, tenant_parameter};

/// The check.
pub(crate) static CHECK: QueryCost = QueryCost;

/// Looks for scans that no index binds to the tenant, and counts the pages of those.
pub(crate) struct QueryCost;

/// Of a plan that goes by indexes wherever one serves.
const PLANNED: &str = "EXPLAIN (VERBOSE, FORMAT JSON) ";

const MEASURED: &str = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON) ";

/// What people are shown instead.
const SHOWN: &str = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) ";

const BY_INDEX: &str = "SELECT set_config('enable_seqscan', 'off', true), \
                        set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)";

/// The subject of a case that counts pages begins so; the tables that grow follow.
const GROWN: &str = "grown ";

/// The name of an index that is tried begins so.
const TRIED: &str = "watertight_tried_";

/// So many columns an index is tried with.
const COLUMNS: usize = 3;

/// More pages than this: an index that is one level deeper is no growth.
const FEW: u64 = 16;

impl Check for QueryCost {
    fn page(&self) -> Page {
        Page {
            id: "query-cost",
            title: "a query costs more the more rows other tenants have",
            what: "Every query of one organisation is planned. Where a scan is not led to the organisation's \
                   rows\nby an index, thousands of rows of others are added to the table, and the pages that the query \
                   touches are\ncounted before and after, and again with an index that begins with the organisation. \
                   More than one and a half\ntimes as many, and an index mends it: a weakness. All is rolled back.",
            why: "Nothing leaks through it. But one organisation pays for the others' rows: what takes a millisecond \
                  while all are\nsmall takes a second when one of them has grown, and how long it takes tells how much \
                  they have.",
            example: "SELECT * FROM notes WHERE organisation_id = $1;  -- and PRIMARY KEY (id, organisation_id) alone",
            fix: "An index that begins with the tenant: CREATE INDEX ON notes (organisation_id, …) with the columns that \
                  are compared.\nA query that crosses tenants by design says so: -- tenant: system REASON.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let queries = scene.queries.iter();
        let wanted = queries.filter(|query| scene.focus.includes(&query.object));
        let cases = wanted.filter_map(|query| {
            let executed = executed(scene, query, PLANNED)?;
            let statements = std::iter::once(BY_INDEX.to_owned()).chain(executed);
            Some(case(query, "", statements.collect()))
        });
        cases.collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let (Some(attempt), Some(observation)) = (case.attempts.first(), seen.first()) else {
            return Verdict::Inconclusive("nothing was tried".to_owned());
        };
        if let Some(refusal) = &observation.refusal {
            let (message, code) = (&refusal.message, &refusal.sqlstate);
            return Verdict::NotApplicable(format!(
                "its cost can't be seen: {message} (SQLSTATE {code})"
            ));
        }
        if let Some(tables) = case.subject.strip_prefix(GROWN) {
            return measured(tables, attempt, observation);
        }
        let plans = explained(attempt, observation, PLANNED);
        let read = plans.first().and_then(|plan| scans(scene.catalog, plan));
        let Some(read) = read else {
            return Verdict::NotApplicable("it has no plan".to_owned());
        };
        suspected(scene, case, &read)
    }
}

/// What is said of a query by its plan: every scan is bound, or the pages of those that are not are counted.
fn suspected(scene: Scene<'_>, case: &Case, read: &[Scan]) -> Verdict {
    if read.is_empty() {
        return Verdict::NotApplicable("it scans no table".to_owned());
    }
    let wide: Vec<&Scan> = read
        .iter()
        .filter(|scan| scan.passes_others(scene))
        .collect();
    if wide.is_empty() {
        return Verdict::Held("indexes lead every scan to the organisation's rows".to_owned());
    }
    let mut wanted: Vec<(&RelationName, Vec<String>)> = Vec::new();
    for scan in wide {
        let columns = scan.wanted(scene, COLUMNS);
        wanted.extend(columns.map(|columns| (&scan.table, columns)));
    }
    wanted.sort();
    wanted.dedup();
    let query = scene.query(&case.object);
    let tables: Option<Vec<&Table>> = wanted
        .iter()
        .map(|(name, _)| scene.catalog.tables.get(*name))
        .collect();
    let (Some(query), Some(tables)) = (query, tables.filter(|tables| !tables.is_empty())) else {
        return Verdict::NotApplicable(
            "it does not say whose the rows are that it scans, so no index can help".to_owned(),
        );
    };
    let indexes = wanted.iter().enumerate().map(|(number, (table, columns))| {
        format!(
            "CREATE INDEX {TRIED}{number} ON {} ({})",
            table.quoted(),
            quoted_list(columns.iter().map(String::as_str))
        )
    });
    let mut names: Vec<String> = wanted.iter().map(|(name, _)| name.to_string()).collect();
    names.dedup();
    let subject = format!("{GROWN}{}", names.join(" and "));
    match measurement(scene, query, tables, indexes.collect()) {
        Some(statements) => Verdict::FollowUp(Box::new(self::case(query, &subject, statements))),
        None => Verdict::NotApplicable(
            "many rows of others can't be made out of those that are there".to_owned(),
        ),
    }
}

/// The query with the rows that are there, with many of others, and with these and indexes.
fn measurement(
    scene: Scene<'_>,
    query: &Query,
    mut tables: Vec<&Table>,
    indexes: Vec<String>,
) -> Option<Vec<String>> {
    tables.dedup_by_key(|table| &table.name);
    let names = tables.iter().map(|table| table.name.quoted());
    let analyse = format!("ANALYZE {}", names.collect::<Vec<_>>().join(", "));
    let executed = executed(scene, query, MEASURED)?;
    // What it writes is undone each time, and with it the role.
    let counted = || {
        let begin = std::iter::once("SAVEPOINT watertight_counted".to_owned());
        let end = "ROLLBACK TO SAVEPOINT watertight_counted".to_owned();
        begin.chain(executed.iter().cloned()).chain([end])
    };
    let crowds: Option<Vec<String>> = tables.iter().map(|table| crowd(scene, table)).collect();

    let mut list: Vec<String> = tables.iter().flat_map(|table| emptied(table)).collect();
    list.push(analyse.clone());
    list.extend(counted());
    list.extend(crowds?);
    list.push(analyse);
    list.extend(counted());
    list.extend(indexes);
    list.extend(counted());
    Some(list)
}

/// What the three counts say.
fn measured(tables: &str, attempt: &Attempt, observation: &Observation) -> Verdict {
    let plans = explained(attempt, observation, MEASURED);
    let counts: Option<Vec<u64>> = plans.iter().map(|plan| pages(plan)).collect();
    let Some(&[before, many, mended]) = counts.as_deref() else {
        return Verdict::NotApplicable("its pages were not counted".to_owned());
    };
    let growth = many.saturating_sub(before);
    if 2 * many <= 3 * before || growth <= FEW {
        return Verdict::Held("it reads no more pages where others have many rows".to_owned());
    }
    if 2 * mended.saturating_sub(before) > growth {
        return Verdict::NotApplicable(
            "it reads more pages where others have many rows, with an index or without".to_owned(),
        );
    }
    let begins = |word: &str| {
        let all = attempt.statements.iter().zip(&observation.outputs);
        all.filter(|(sql, _)| sql.starts_with(word))
            .collect::<Vec<_>>()
    };
    let rows: u64 = begins("INSERT")
        .iter()
        .map(|(_, output)| output.affected)
        .sum();
    let made = begins("CREATE INDEX");
    let named = |sql: &str| {
        let name = sql.split_whitespace().nth(2).unwrap_or_default().to_owned();
        (sql.replacen(&format!("{name} "), "", 1), name)
    };
    let made: Vec<(String, String)> = made.iter().map(|(sql, _)| named(sql)).collect();
    let used = |name: &String| plans[2].contains(&format!("\"{name}\""));
    // An index of a partition has another name than its parent's.
    let any = made.iter().any(|(_, name)| used(name));
    let fix = made.iter().filter(|(_, name)| !any || used(name));
    let fix: Vec<String> = fix.map(|(sql, _)| format!("{sql};")).collect();
    Verdict::Leaked(Box::new(Defect {
        object: None,
        severity: Severity::Weakness,
        message: format!(
            "pages touched: {before} with few rows of others in {tables}, {many} with {rows} more, though its own rows are \
             the same, and {mended} with the index that mends it"
        ),
        sql: shown(&attempt.statements),
        sqlstate: None,
        fix: fix.join("\n"),
    }))
}

/// The statements as people repeat them, with a plan that can be read.
fn shown(statements: &[String]) -> String {
    let said = [
        "-- as it is:\n",
        "-- with many rows of others:\n",
        "-- with the index that mends it:\n",
    ];
    let mut said = said.into_iter();
    let list = statements
        .iter()
        .map(|sql| match sql.strip_prefix(MEASURED) {
            Some(rest) => format!("{}{SHOWN}{rest}", said.next().unwrap_or_default()),
            None => sql.clone(),
        });
    // What is pasted may have been pasted before.
    let first = std::iter::once("DEALLOCATE ALL".to_owned());
    row::transaction(&first.chain(list).collect::<Vec<_>>())
}

/// The plans that the server gave for what begins so.
fn explained<'o>(attempt: &Attempt, seen: &'o Observation, by: &str) -> Vec<&'o str> {
    let statements = attempt.statements.iter().enumerate();
    statements
        .filter(|(_, sql)| sql.starts_with(by))
        .filter_map(|(number, _)| seen.scalar(number))
        .collect()
}

/// A query of one organisation, explained, with values of that organisation. `None` for every other.
fn executed(scene: Scene<'_>, query: &Query, by: &str) -> Option<Vec<String>> {
    let inferred = infer(scene.catalog, query);
    if query.problem.is_some() || !inferred.refreshed.is_empty() {
        return None;
    }
    let mode = match (&query.tenant, &scene.tenancy.access) {
        (QueryTenant::System(_), _) | (QueryTenant::Context, None) => return None,
        (QueryTenant::Context, Some(access)) => Mode::Application(access),
        _ => {
            tenant_parameter(query, &inferred, scene.tenancy)?;
            Mode::Owner
        }
    };
    let all = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
    let all = statements(scene, query, all.first()?, mode, &inferred);
    let sequences = usize::from(!scene.catalog.sequences.is_empty());
    let list = all.into_iter().skip(sequences).map(|sql| {
        let executes = sql.starts_with(EXECUTE);
        if executes { format!("{by}{sql}") } else { sql }
    });
    Some(list.collect())
}

fn case(query: &Query, subject: &str, statements: Vec<String>) -> Case {
    Case {
        check: "query-cost",
        object: query.object.clone(),
        subject: subject.to_owned(),
        attempts: vec![Attempt {
            purpose: Purpose::Probe,
            label: "planned and counted".to_owned(),
            session: Session::Owner,
            context: Context::Unset,
            stage: Stage::Seeded,
            statements,
            witness: None,
        }],
    }
}
