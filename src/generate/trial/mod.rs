//! CHECKs that can't be read, on trial: values for the columns of a table are proposed, the server says which of its
//! CHECKs they hold, and those that hold all are the pool that rows are made from.

mod forms;
mod said;
mod search;
mod wild;
mod words;

use std::collections::BTreeSet;

use said::{Said, conditions, equations};
use search::{Search, Source, Speaks};
use sqlparser::ast::Expr;
use wild::Wild;
use words::Words;

use super::dice::hash;
use super::hints::Hints;
use super::mend::View;
use super::plan::{Plan, TablePlan};
use super::pool::{Pool, Pools};
use super::truth::{Worth, worth};
use super::value::{Maker, Profile};
use super::{Ground, Seed};
use crate::model::{
    Candidate, Cell, Column, Condition, Judgement, Question, Type, TypeKind, quoted,
};

/// Of a hundred rows as they usually are so many must hold a CHECK, or it is tried.
const USUAL: usize = 97;

/// Where fewer rows than these in a hundred hold a CHECK, choosing again does not help.
const SELDOM: usize = 20;

/// A table's CHECKs, and the values that are tried for them.
pub struct Trial<'a> {
    ground: Ground<'a>,
    table: &'a TablePlan<'a>,
    question: Question,
    /// What each condition is called, and whether it can be told here.
    names: Vec<(String, Option<Expr>)>,
    search: Search,
    columns: Vec<usize>,
    surveyed: bool,
}

/// The plan that trials stand on.
pub struct Trials<'a> {
    ground: Ground<'a>,
    plan: Plan<'a>,
}

impl<'a> Trials<'a> {
    /// Reads the catalog.
    #[must_use]
    pub fn new(ground: Ground<'a>) -> Self {
        Self {
            ground,
            plan: Plan::new(ground.catalog, ground.tenancy),
        }
    }

    /// The tables with a CHECK that can't be read; as many values for each as are `enough`.
    pub fn each(&self, seed: Seed, enough: usize) -> impl Iterator<Item = Trial<'_>> {
        let tables = self.plan.tables.values();
        tables.filter_map(move |table| Trial::new(self.ground, table, seed, enough))
    }
}

impl<'a> Trial<'a> {
    fn new(
        ground: Ground<'a>,
        table: &'a TablePlan<'a>,
        seed: Seed,
        enough: usize,
    ) -> Option<Self> {
        let conditions = conditions(ground, table);
        if conditions.iter().all(|condition| condition.is_plain(table)) {
            return None;
        }
        let speaks: Vec<BTreeSet<&str>> = conditions.iter().map(|c| c.columns(table)).collect();
        let known: Vec<(&Column, &Profile)> = table
            .columns
            .iter()
            .filter(|(column, _)| speaks.iter().any(|all| all.contains(column.name.as_str())))
            .map(|(column, profile)| (*column, profile))
            .collect();
        let position = |name: &str| known.iter().position(|(column, _)| column.name == name);
        let mut settings = Vec::new();
        let speaks: Vec<Speaks> = conditions
            .iter()
            .zip(&speaks)
            .map(|(condition, columns)| {
                let first = settings.len();
                let mut equates = false;
                if let Some(expr) = &condition.parsed {
                    equations(ground, table, expr, &mut |name, expression, equal| {
                        let at = position(name).filter(|_| table.is_free(name));
                        equates |= equal && at.is_some();
                        settings.extend(at.map(|at| (at, expression)));
                    });
                }
                let columns = columns.iter().filter(|name| table.is_free(name));
                Speaks {
                    columns: columns.filter_map(|name| position(name)).collect(),
                    settings: (first..settings.len()).collect(),
                    equates,
                    part: condition.part,
                }
            })
            .collect();
        let question = question(ground, table, &conditions, &known, settings);
        let sources = known
            .iter()
            .map(|(column, profile)| source(ground, table, &conditions, column, profile, &known))
            .collect();
        let name = &table.table.name;
        let number = hash(seed.number, &["trial", &name.schema, &name.name]);
        Some(Self {
            ground,
            table,
            names: conditions
                .iter()
                .map(|c| (c.name.clone(), c.parsed.clone()))
                .collect(),
            question,
            search: Search::new(number, seed.instant, sources, speaks, enough),
            columns: Vec::new(),
            surveyed: false,
        })
    }

    /// What the server is asked.
    #[must_use]
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The next values to ask for; none once the trial is over.
    pub fn propose(&mut self) -> Vec<Candidate> {
        if self.surveyed && self.columns.is_empty() {
            return Vec::new();
        }
        self.search.propose()
    }

    /// Takes in what the server said of what was proposed last.
    pub fn learn(&mut self, asked: &[Candidate], said: Vec<Option<Judgement>>) {
        if !self.surveyed {
            self.surveyed = true;
            self.survey(asked, &said);
        }
        self.search.learn(said);
    }

    /// Of rows as they usually are: which CHECKs do too many of them break, though nothing here can tell?
    fn survey(&mut self, asked: &[Candidate], said: &[Option<Judgement>]) {
        let all = said.iter().flatten().count();
        let is_loose = |at: &usize| {
            let broken: Vec<&Candidate> = asked
                .iter()
                .zip(said)
                .filter(|(_, said)| said.as_ref().is_some_and(|said| !said.held[*at]))
                .map(|(candidate, _)| candidate)
                .collect();
            let often = broken.len() * 100 > all * (100 - USUAL);
            let told = |candidate: &&Candidate| self.told(*at, candidate) == Worth::Bool(false);
            // What can be told is mended row by row, where it takes no more than to set a column or to choose again.
            let hard =
                !self.search.speaks[*at].equates && broken.len() * 100 > all * (100 - SELDOM);
            often && (hard || !broken.iter().all(told))
        };
        let whole = (0..self.names.len()).filter(|at| !self.search.speaks[*at].part);
        let loose: Vec<usize> = whole.filter(is_loose).collect();
        // Nothing of a row is of its type: the server will say of which column.
        if all == 0 {
            return;
        }
        let speaks = &self.search.speaks;
        let mut wanted: BTreeSet<usize> = loose.into_iter().collect();
        let mut columns: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = columns.len();
            columns.extend(wanted.iter().flat_map(|at| &speaks[*at].columns));
            let also = |at: &usize| speaks[*at].columns.iter().any(|c| columns.contains(c));
            wanted.extend((0..speaks.len()).filter(also));
            if columns.len() == before {
                break;
            }
        }
        self.columns = columns.into_iter().collect();
        self.search.wanted = wanted.into_iter().collect();
    }

    /// What a condition comes to for a candidate, as far as it can be told here.
    fn told(&self, at: usize, candidate: &Candidate) -> Worth {
        let Some(expr) = &self.names[at].1 else {
            return Worth::Unknown;
        };
        let condition = &self.question.conditions[at];
        let position = |name: &str| match condition.value {
            Some(column) if name == "value" => Some(column),
            _ => self
                .question
                .columns
                .iter()
                .position(|(own, _)| own == name),
        };
        let get = |name: &str| candidate.cells.get(position(name)?);
        let view = View {
            catalog: self.ground.catalog,
            table: self.table,
            instant: 0,
            get: &get,
        };
        worth(expr, &|name| {
            let own = condition.value.filter(|_| name == "value");
            view.worth(own.map_or(name, |column| &self.question.columns[column].0))
        })
    }

    /// Adds what was found to the pools.
    pub fn end(self, pools: &mut Pools) {
        if self.columns.is_empty() {
            return;
        }
        let fixed: Vec<usize> = (0..self.question.columns.len())
            .filter(|at| !self.table.is_free(&self.question.columns[*at].0))
            .collect();
        let columns: Vec<usize> = self.columns.iter().chain(&fixed).copied().collect();
        let search = self.search;
        let whole = search.wanted.iter().filter(|at| !search.speaks[**at].part);
        let worst = whole.max_by_key(|at| search.broken[**at]);
        let unmet = worst.filter(|_| search.tuples.is_empty()).map(|at| {
            let expression = &self.question.conditions[*at].expression;
            format!("the CHECK {} {expression}", self.names[*at].0)
        });
        let tuples = search.tuples.iter().map(|tuple| {
            let cells = columns.iter().map(|at| tuple[*at].clone());
            cells.collect::<Vec<Cell>>()
        });
        let pool = Pool {
            columns: columns
                .iter()
                .map(|at| self.question.columns[*at].0.clone())
                .collect(),
            tuples: in_turn(tuples.collect()),
            tried: search
                .wanted
                .iter()
                .map(|at| self.names[*at].0.clone())
                .collect(),
            unmet,
        };
        pools.0.insert(self.table.table.name.clone(), pool);
    }
}

/// Rows that differ in their states follow each other: the column with the most values, of those with few, has all of
/// them in turn.
fn in_turn(tuples: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let width = tuples.first().map_or(0, Vec::len);
    let values = |at: usize| -> BTreeSet<&Cell> { tuples.iter().map(|tuple| &tuple[at]).collect() };
    let few = (0..width).filter(|at| (2..=12).contains(&values(*at).len()));
    let Some(state) = few.max_by_key(|at| values(*at).len()) else {
        return tuples;
    };
    let mut met = std::collections::BTreeMap::new();
    let mut ranked: Vec<(usize, Vec<Cell>)> = Vec::new();
    for tuple in &tuples {
        let rank = met.entry(&tuple[state]).or_insert(0);
        ranked.push((*rank, tuple.clone()));
        *rank += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, tuple)| tuple).collect()
}

/// What the server is asked of these columns.
fn question(
    ground: Ground<'_>,
    table: &TablePlan<'_>,
    conditions: &[Said<'_>],
    known: &[(&Column, &Profile)],
    settings: Vec<(usize, String)>,
) -> Question {
    let position = |name: &str| known.iter().position(|(column, _)| column.name == name);
    Question {
        columns: known
            .iter()
            .map(|(column, _)| (column.name.clone(), declared(ground, column)))
            .collect(),
        computed: table
            .table
            .columns
            .iter()
            .filter_map(|column| {
                let formula = column.formula.clone()?;
                Some((column.name.clone(), declared(ground, column), formula))
            })
            .filter(|(name, ..)| conditions.iter().any(|c| c.mentions(name)))
            .collect(),
        conditions: conditions
            .iter()
            .map(|condition| Condition {
                expression: condition.expression.to_string(),
                value: condition.value.as_deref().and_then(position),
            })
            .collect(),
        settings,
    }
}

/// A column's type as it is declared, domains taken off: their CHECKs are asked one by one.
fn declared(ground: Ground<'_>, column: &Column) -> String {
    let base = ground.catalog.base_type(column.type_oid);
    match ground.catalog.types.get(&base) {
        Some(of) if base != column.type_oid => format!("{}.{}", of.schema, quoted(&of.name)),
        _ => column.type_name.clone(),
    }
}

/// A domain, or one beneath it, refuses NULL.
fn wants_a_value(ground: Ground<'_>, mut oid: u32) -> bool {
    while let Some(Type {
        kind: TypeKind::Domain { base, not_null, .. },
        ..
    }) = ground.catalog.types.get(&oid)
    {
        if *not_null {
            return true;
        }
        oid = *base;
    }
    false
}

fn source(
    ground: Ground<'_>,
    table: &TablePlan<'_>,
    conditions: &[Said<'_>],
    column: &Column,
    profile: &Profile,
    known: &[(&Column, &Profile)],
) -> Source {
    let catalog = ground.catalog;
    let base = |column: &Column| catalog.base_type(column.type_oid);
    let concern = |condition: &&Said<'_>| condition.columns(table).contains(column.name.as_str());
    let texts = conditions
        .iter()
        .filter(concern)
        .map(|condition| condition.expression.as_ref());
    let given = !column.samples.is_empty();
    let alike = known
        .iter()
        .enumerate()
        .filter(|(_, (other, _))| other.name != column.name && base(other) == base(column));
    let mut loose = profile.clone();
    if profile.hints.choices.as_ref().is_some_and(Vec::is_empty) {
        loose.hints = Hints::default();
    }
    Source {
        maker: Maker::new(catalog, &loose).ok(),
        wild: (!given).then(|| {
            let words = Words::of(catalog, texts);
            (Wild::of(catalog, column.type_oid), words)
        }),
        // A hint may be one arm of an OR: only what is declared keeps NULL away.
        nullable: !column.not_null && !wants_a_value(ground, column.type_oid),
        distinct: profile.distinct && table.is_free(&column.name),
        fixed: !table.is_free(&column.name),
        alike: alike.map(|(at, _)| at).collect(),
    }
}
