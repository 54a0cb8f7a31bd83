//! Shapes of statements → queries: which of their values are parameters, and which the statement always has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Group, Recorder};
use crate::model::{
    Catalog, Class, Query, QueryTenant, RelationName, Tenancy, TokenKind, Tokens, Worlds,
};
use crate::query::annotation;
use crate::query::bind::tenant_parameter;
use crate::query::binder::column_values;
use crate::query::infer::{Inferred, Source, infer};
use crate::query::key::is_key;
use crate::query::parameter::greatest_number;

/// What recorded statements are read against.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Its tables.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// The rows that the program met.
    pub worlds: &'a Worlds,
    /// The names of functions that are not the server's own.
    pub functions: &'a BTreeSet<String>,
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The queries, by the names of their objects.
    pub queries: Vec<RecordedQuery>,
    /// How many statements that can be tested were run.
    pub executions: usize,
    /// What was left out and how often, most first.
    pub left_out: Vec<(usize, String)>,
}

/// A query that was recorded.
#[derive(Clone, Debug)]
pub struct RecordedQuery {
    /// With parameters in the place of values.
    pub query: Query,
    /// As it was sent first, where the server does not take the other.
    pub plain: Query,
    /// The server refused it when the program sent it, too.
    pub refused: bool,
}

/// The queries of what was recorded.
#[must_use]
pub fn recorded(recorder: Recorder, schema: Schema<'_>) -> Recorded {
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    left_out.insert(
        "of transactions and sessions".to_owned(),
        recorder.of_sessions,
    );
    left_out.extend(recorder.others);
    let mut queries = Vec::new();
    for (shape, group) in recorder.groups {
        let query = query(&shape, &group);
        let inferred = infer(schema.catalog, &query);
        if !touches(schema, &query, &inferred) {
            let word = "that touch no table of the schema".to_owned();
            *left_out.entry(word).or_default() += group.executions;
            continue;
        }
        let constant: Vec<Option<&str>> = (0..group.values.len())
            .map(|position| constant(schema, &group, &inferred, position))
            .collect();
        let query = with_constants(query, &constant);
        let query = with_tenant(schema, query, &group);
        queries.push(RecordedQuery {
            plain: plain(&query, &group),
            query,
            refused: group.refused >= group.executions,
        });
    }
    let mut left_out: Vec<(usize, String)> = left_out
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(what, number)| (number, what))
        .collect();
    left_out.sort_by(|a, b| b.cmp(a));
    Recorded {
        queries,
        executions: recorder.executions,
        left_out,
    }
}

/// The query of a shape, each of its values a parameter.
fn query(shape: &str, group: &Group) -> Query {
    let digest = Sha256::digest(shape);
    let hash = digest
        .iter()
        .take(6)
        .fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    Query {
        object: format!("recorded/{hash:012x}"),
        sql: group.found.sql.clone(),
        parameters: vec![None; group.values.len()],
        samples: group.values.clone(),
        search_path: group.search_path.clone(),
        ..Query::default()
    }
}

/// It names a table or a function of the schema: drivers ask the server's own catalog, and for its version.
fn touches(schema: Schema<'_>, query: &Query, inferred: &Inferred) -> bool {
    let history =
        |table: &&RelationName| matches!(schema.tenancy.classes.get(*table), Some(Class::History));
    if !inferred.tables.is_empty() {
        return !inferred.tables.iter().all(|table| history(&table));
    }
    let tokens: Vec<_> = Tokens::new(&query.sql).filter_map(Result::ok).collect();
    let relations = schema
        .catalog
        .tables
        .keys()
        .chain(schema.catalog.views.keys());
    let relations: BTreeSet<&str> = relations.map(|relation| relation.name.as_str()).collect();
    tokens.iter().enumerate().any(|(at, token)| {
        let Some(name) = token.name() else {
            return false;
        };
        let called = tokens.get(at + 1).is_some_and(|next| next.is_symbol('('));
        (called && schema.functions.contains(&name))
            || (inferred.unparsed.is_some() && relations.contains(name.as_str()))
    })
}

/// The literal of a position, where it belongs to the statement: it never varied, and nothing is known of what it is
/// compared with, or the organisation's own rows have that value too in a column that is no key. (`kind = 'note'` is
/// meant; `email = 'jo@example.com'` is somebody.)
fn constant<'g>(
    schema: Schema<'_>,
    group: &'g Group,
    inferred: &Inferred,
    position: usize,
) -> Option<&'g str> {
    let written = group.found.values[position].1.as_deref()?;
    let [value] = group.values[position].as_slice() else {
        return None;
    };
    let sources = inferred.sources.get(&(position + 1));
    let belongs = |source: &Source| match source {
        Source::Limit | Source::Offset | Source::Zone | Source::Unit | Source::Cast(_) => true,
        Source::Words | Source::Json { .. } | Source::Computed { .. } => false,
        Source::Column {
            table, column, by, ..
        } => {
            *by == '='
                && !is_key((schema.catalog, schema.tenancy), table, column)
                && [&schema.worlds.acting, &schema.worlds.shared]
                    .iter()
                    .any(|rows| column_values(rows, table, column).contains(value))
        }
    };
    let all = sources.is_none_or(|sources| sources.iter().all(belongs));
    let somebody = schema.worlds.tenants.contains(value);
    (all && !(sources.is_none() && somebody)).then_some(written)
}

/// Puts constants back, and numbers the other parameters without gaps.
fn with_constants(mut query: Query, constants: &[Option<&str>]) -> Query {
    let mut numbers = Vec::with_capacity(constants.len());
    let mut next = 0;
    for constant in constants {
        next += usize::from(constant.is_none());
        numbers.push(next);
    }
    let mut sql = String::with_capacity(query.sql.len());
    let mut copied = 0;
    for token in Tokens::new(&query.sql).filter_map(Result::ok) {
        if token.kind != TokenKind::Parameter {
            continue;
        }
        let number: Option<usize> = token.text.trim_start_matches('$').parse().ok();
        let Some(position) = number.and_then(|number| number.checked_sub(1)) else {
            continue;
        };
        sql.push_str(&query.sql[copied..token.offset]);
        match constants.get(position) {
            Some(Some(constant)) => sql.push_str(constant),
            _ => {
                let _ = write!(sql, "${}", numbers.get(position).unwrap_or(&0));
            }
        }
        copied = token.offset + token.text.len();
    }
    sql.push_str(&query.sql[copied..]);
    let kept = |position: &usize| constants[*position].is_none();
    query.samples = (0..constants.len())
        .filter(kept)
        .map(|position| query.samples[position].clone())
        .collect();
    query.parameters = vec![None; query.samples.len()];
    query.shown = Some(sql.clone());
    query.sql = sql;
    query
}

/// How it knows its tenant: as its comment says, by what its parameters are compared with, by values that were tenants'
/// ids each time, or by the context that its session was in each time.
fn with_tenant(schema: Schema<'_>, mut query: Query, group: &Group) -> Query {
    let numbers: Vec<usize> = (1..=query.parameters.len()).collect();
    if let Some(tenant) = &group.tenant {
        query.tenant = annotation::tenant(tenant, &query.parameters, &numbers);
        return query;
    }
    let inferred = infer(schema.catalog, &query);
    if tenant_parameter(&query, &inferred, schema.tenancy).is_some() {
        return query;
    }
    let of_tenants = |number: &usize| {
        let values = &query.samples[number - 1];
        let free = inferred.sources.get(number).is_none_or(Vec::is_empty);
        let mut ids = values.iter();
        free && !values.is_empty() && ids.all(|value| schema.worlds.tenants.contains(value))
    };
    let candidates: Vec<usize> = numbers.into_iter().filter(of_tenants).collect();
    if let [only] = candidates.as_slice() {
        query.tenant = QueryTenant::Parameter(*only);
    } else if group.in_context == group.executions {
        query.tenant = QueryTenant::Context;
    }
    query
}

/// The statement with its values in it.
fn plain(query: &Query, group: &Group) -> Query {
    let sql = group.original.clone();
    let count = greatest_number(&sql);
    let tenant = match &query.tenant {
        QueryTenant::Parameter(number) if *number > count => QueryTenant::Inferred,
        tenant => tenant.clone(),
    };
    Query {
        object: query.object.clone(),
        shown: Some(sql.clone()),
        parameters: vec![None; count],
        samples: group.values.iter().take(count).cloned().collect(),
        tenant,
        sql,
        search_path: query.search_path.clone(),
        ..Query::default()
    }
}
