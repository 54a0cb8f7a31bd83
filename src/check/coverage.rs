//! Which parameters of the queries were bound by more than their type, and which branches met a row.

use super::Scene;
use super::attempts::{Mode, executed_at, statements};
use crate::model::{
    Attempt, Case, Cell, Context, Coverage, Observation, Purpose, Query, QueryTenant, Session,
    Stage, Tokens, UnmetBranch, WorldKind,
};
use crate::query::{
    Binding, Branch, Inferred, Source, bindings, branches, infer, tenant_parameter,
};

/// The id of cases that no check judges: they say what a run over the queries is worth.
const ID: &str = "query-coverage";

/// The bindings that all branches are tried with; what these do not meet is tried with the others.
const FIRST: usize = 2;

type Rows = Vec<Vec<Cell>>;

/// The branches of a query that are still to be met.
pub struct Open<'a> {
    query: &'a Query,
    inferred: Inferred,
    bindings: Vec<Binding>,
    branches: Vec<Branch>,
}

/// What is known before anything is run: how many parameters are bound by what they are compared with, and the branches
/// to be met.
#[must_use]
pub fn open<'a>(scene: Scene<'a>, judged: &dyn Fn(&str) -> bool) -> (Coverage, Vec<Open<'a>>) {
    let mut coverage = Coverage::default();
    let mut all = Vec::new();
    for query in scene.queries.iter().filter(|query| judged(&query.object)) {
        if query.problem.is_some() || matches!(query.tenant, QueryTenant::System(_)) {
            continue;
        }
        let inferred = infer(scene.catalog, query);
        let tenant = tenant_parameter(query, &inferred, scene.tenancy);
        let is_bound = |number: &usize| {
            Some(*number) == tenant
                || inferred
                    .sources
                    .get(number)
                    .is_some_and(|sources| sources.iter().any(Source::binds))
        };
        coverage.parameters += query.parameters.len();
        coverage.bound += (1..=query.parameters.len()).filter(is_bound).count();
        let branches = branches(query);
        coverage.branches += branches.len();
        if !branches.is_empty() {
            all.push(Open {
                query,
                bindings: bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred),
                inferred,
                branches,
            });
        }
    }
    (coverage, all)
}

/// The cases of a round: over the acting tenant's rows alone each query as it is, and without each of its branches. The
/// first round has a few bindings, the second one the rest.
#[must_use]
pub fn cases(scene: Scene<'_>, open: &[Open<'_>], first: bool) -> Vec<Case> {
    let case = |open: &Open<'_>| {
        let mode = match (&open.query.tenant, &scene.tenancy.access) {
            (QueryTenant::Context, Some(access)) => Mode::Application(access),
            _ => Mode::Owner,
        };
        let types = open.query.types.join(", ");
        let witness = written(open);
        let attempt = |sql: &str, binding: &Binding| {
            let query = Query {
                sql: sql.to_owned(),
                ..open.query.clone()
            };
            let mut statements = statements(scene, &query, binding, mode, &open.inferred);
            if !types.is_empty() {
                // What is left may not say the type of a parameter.
                for sql in &mut statements {
                    if let Some(rest) = sql.strip_prefix("PREPARE watertight_query AS ") {
                        *sql = format!("PREPARE watertight_query ({types}) AS {rest}");
                    }
                }
            }
            Attempt {
                purpose: Purpose::Probe,
                label: binding.label.clone(),
                session: Session::Owner,
                context: Context::Unset,
                stage: Stage::World {
                    kind: WorldKind::Absent,
                    layout: 0,
                },
                statements,
                witness: witness.clone(),
            }
        };
        let attempts = open.chosen(first).iter().flat_map(|binding| {
            let without = open.branches.iter().map(|branch| branch.without.as_str());
            let texts: Vec<&str> = [open.query.sql.as_str()]
                .into_iter()
                .chain(without)
                .collect();
            texts
                .into_iter()
                .map(|sql| attempt(sql, binding))
                .collect::<Vec<_>>()
        });
        Case {
            check: ID,
            object: open.query.object.clone(),
            subject: String::new(),
            attempts: attempts.collect(),
        }
    };
    open.iter().map(case).collect()
}

/// Takes out of each query the branches that were met in a round.
pub fn close(open: &mut Vec<Open<'_>>, cases: &[Case], seen: &[Vec<Observation>]) {
    for ((open, case), seen) in open.iter_mut().zip(cases).zip(seen) {
        let length = open.branches.len() + 1;
        let met = |number: usize| {
            let mut groups = case.attempts.chunks(length).zip(seen.chunks(length));
            groups.any(|(attempts, seen)| {
                answer(&attempts[0], &seen[0]) != answer(&attempts[number + 1], &seen[number + 1])
            })
        };
        let met: Vec<bool> = (0..open.branches.len()).map(met).collect();
        let mut met = met.into_iter();
        open.branches.retain(|_| !met.next().unwrap_or(false));
    }
    open.retain(|open| !open.branches.is_empty());
}

/// What is left open is not met.
pub fn settle(coverage: &mut Coverage, open: &[Open<'_>]) {
    for open in open {
        coverage
            .unmet
            .extend(open.branches.iter().map(|branch| UnmetBranch {
                query: open.query.object.clone(),
                line: branch.line,
                branch: branch.label.clone(),
            }));
    }
    coverage.met = coverage.branches - coverage.unmet.len();
}

impl Open<'_> {
    fn chosen(&self, first: bool) -> &[Binding] {
        let (before, after) = self.bindings.split_at(FIRST.min(self.bindings.len()));
        if first { before } else { after }
    }
}

/// The rows of the tables of a query that changes some: it may return nothing. New rows have new ids each time, so an
/// INSERT is told by their number.
fn written(open: &Open<'_>) -> Option<String> {
    let inferred = &open.inferred;
    let mut tokens = Tokens::new(&open.query.sql).filter_map(Result::ok);
    if !inferred.writes || tokens.any(|token| token.is("insert")) {
        return None;
    }
    let tables = inferred.tables.iter().map(|table| {
        format!(
            "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} t",
            table.quoted()
        )
    });
    let tables: Vec<String> = tables.collect();
    (!tables.is_empty()).then(|| tables.join(" UNION ALL "))
}

/// What a query came to: its rows in an order of their own, how many there were, the code that it ends with, and the rows
/// that it left.
fn answer(attempt: &Attempt, seen: &Observation) -> (Rows, u64, String, Rows) {
    let output = seen.outputs.get(executed_at(attempt));
    let mut rows = output.map(|output| output.rows.clone()).unwrap_or_default();
    rows.sort();
    let code = seen
        .refusal
        .as_ref()
        .map(|refusal| refusal.sqlstate.clone());
    let left = seen
        .witnessed
        .as_deref()
        .map(|(_, after)| after.rows.clone());
    (
        rows,
        output.map_or(0, |output| output.affected),
        code.unwrap_or_default(),
        left.unwrap_or_default(),
    )
}
