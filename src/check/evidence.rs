//! What the worlds of one binding show of a query: a canary, another result, changed rows of others.

use std::collections::BTreeSet;

use super::Scene;
use super::attempts::{LAYOUTS, Tried, executed_at};
use super::broken::{Broken, broken};
use super::sample::is_sampled;
use crate::model::{
    Attempt, Canary, Dataset, Observation, Output, Purpose, Refusal, RelationName, Stage, WorldKind,
};
use crate::query::{Comparison, compare};

/// What one binding showed.
pub(super) struct Evidence {
    pub(super) binding: usize,
    pub(super) text: String,
    /// The attempt that shows it.
    pub(super) at: usize,
    /// The tables of which rows of others were changed.
    pub(super) changed: Vec<String>,
    /// What the query ends with alone and where others have rows: another failure is another leak.
    pub(super) codes: String,
    pub(super) sign: Sign,
    /// Alone it returns other rows each time: that their number is the same and another where others have rows may be
    /// chance.
    pub(super) varies: bool,
}

/// What tells that a query depends on others' rows, from what says least to what says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// It fails on a value of another's that it evaluates, and does not show it.
    Failure,
    /// A unique key refuses what another has.
    Refusal,
    /// It returns something else.
    Difference,
    /// It fails on a value of another's, and shows it.
    Message,
    /// It holds another's value, or changed others' rows.
    Row,
}

impl Sign {
    /// No chance makes that.
    pub(super) fn is_certain(self) -> bool {
        self >= Self::Message
    }

    /// Nobody's value is shown, only that there is one.
    pub(super) fn is_weak(self) -> bool {
        self <= Self::Refusal
    }

    /// It fails on what it evaluates.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Message)
    }
}

/// What a binding shows: a canary, another result, changed rows of others.
pub(super) fn evidence(
    scene: Scene<'_>,
    binding: usize,
    attempts: &[Attempt],
    seen: &[Observation],
) -> Option<Evidence> {
    let answers: Vec<Observation> = attempts.iter().zip(seen).map(answer).collect();
    let alone: Vec<&Observation> = answers.iter().take(LAYOUTS).collect();
    let varies = differ(&alone);
    let mut blind = None;
    for (number, (attempt, observation)) in attempts.iter().zip(seen).enumerate().skip(LAYOUTS) {
        let Stage::World { kind, .. } = attempt.stage else {
            continue;
        };
        let at = executed_at(attempt);
        let with = |text: String, changed: Vec<String>, sign: Sign| Evidence {
            binding,
            text: format!(
                "with {}, where the others are {}: {text}",
                attempt.label,
                kind.word()
            ),
            at: number,
            changed,
            codes: format!("{}/{}", code(&seen[0]), code(observation)),
            sign,
            varies: sign == Sign::Difference && varies,
        };
        if let Some((token, canary)) = canary(scene, &attempt.statements[at], observation, at) {
            return Some(with(
                format!(
                    "it returned {} of organisation {} (row {}: {token})",
                    canary.table.object(&canary.column),
                    canary.tenant + 1,
                    canary.row + 1
                ),
                Vec::new(),
                Sign::Row,
            ));
        }
        let changed = changed(observation);
        if let Some(table) = changed.first() {
            let text = format!("it changed rows of {table} that are not the organisation's");
            return Some(with(text, changed, Sign::Row));
        }
        // A key that another organisation has may be refused; what took too long says nothing.
        if attempt.purpose == Purpose::Attack
            || is_late(observation)
            || alone.iter().any(|one| is_late(one))
        {
            continue;
        }
        match compare(&alone, &answers[number], 0) {
            Comparison::Different(text) if !is_sampled(attempt) => {
                let (text, sign) = match broken(
                    scene,
                    kind,
                    &attempt.statements[at],
                    (alone[0], observation),
                ) {
                    Some(Broken::Showing(table, column, value)) => {
                        let column = table.object(column);
                        let shown = format!("it shows {column} of somebody else (\"{value}\")");
                        (format!("{text}; {shown}"), Sign::Message)
                    }
                    Some(Broken::Blind) => (text, Sign::Failure),
                    None if matches!(code(observation), "23505" | "23P01") => (text, Sign::Refusal),
                    None => (text, Sign::Difference),
                };
                let found = with(text, Vec::new(), sign);
                if sign != Sign::Failure {
                    return Some(found);
                }
                // What says little is looked past for more.
                blind.get_or_insert(found);
            }
            Comparison::Equal(_) => {}
            // What can't be compared may still show whose it is.
            Comparison::Different(_) | Comparison::Partly(_) => {
                let output = answers[number].outputs.first();
                let id = output
                    .and_then(|output| foreign_id(scene, kind, &attempt.statements[at], output));
                if let Some((table, column, id)) = id {
                    let text = format!(
                        "it returned {} of somebody else ({id})",
                        table.object(column)
                    );
                    return Some(with(text, Vec::new(), Sign::Row));
                }
            }
        }
    }
    blind
}

/// Whether a query's result varies by itself, over the acting tenant's rows alone.
pub(super) fn varies((attempts, seen): &Tried<'_, '_>) -> bool {
    let answers: Vec<Observation> = attempts.iter().zip(*seen).map(answer).collect();
    let alone: Vec<&Observation> = answers.iter().take(LAYOUTS).collect();
    differ(&alone)
}

fn differ(alone: &[&Observation]) -> bool {
    let mut pairs = alone.windows(2);
    pairs.any(|pair| pair[0].outputs != pair[1].outputs)
}

/// The code that an attempt ends with.
pub(super) fn code(observation: &Observation) -> &str {
    let refusal = observation.refusal.as_ref();
    refusal.map_or("00000", |refusal| &refusal.sqlstate)
}

/// It took longer than a statement may, or returned more than is read: what it would say is not known.
pub(super) fn is_late(observation: &Observation) -> bool {
    lateness(observation).is_some()
}

/// Why it is late, and what to do.
pub(super) fn lateness(observation: &Observation) -> Option<String> {
    match code(observation) {
        Refusal::TIMED_OUT => {
            Some("it took longer than a statement may: --timeout gives it more".to_owned())
        }
        Refusal::TOO_MANY_ROWS => Some(format!(
            "it returned more than {} rows, though the tables have a few hundred: give it a LIMIT, or accept this by [[allow]]",
            Output::MOST_ROWS
        )),
        _ => None,
    }
}

/// What the query itself came to: an attempt has more statements where there are foreign rows to watch.
pub(super) fn answer((attempt, observation): (&Attempt, &Observation)) -> Observation {
    Observation {
        outputs: observation
            .outputs
            .get(executed_at(attempt))
            .cloned()
            .into_iter()
            .collect(),
        refusal: observation.refusal.clone(),
        witnessed: None,
    }
}

/// A value of somebody else's in the result, that the parameters did not bring in.
pub(super) fn canary<'a>(
    scene: Scene<'a>,
    executed: &str,
    observation: &Observation,
    at: usize,
) -> Option<(&'a str, &'a Canary)> {
    let output = observation.outputs.get(at)?;
    let mut text = String::new();
    for cell in output.rows.iter().flatten().flatten() {
        text.push_str(cell);
        text.push(' ');
    }
    let text = text.to_lowercase();
    text.match_indices("wtq").find_map(|(start, _)| {
        let token = text.get(start..start + 12)?;
        let (token, canary) = scene.worlds.canaries.get_key_value(token)?;
        (!executed.to_lowercase().contains(token.as_str())).then_some((token.as_str(), canary))
    })
}

/// An id of somebody else's row in a result: a uuid that neither the acting tenant, nor what is shared, nor the
/// parameters have.
pub(super) fn foreign_id<'a>(
    scene: Scene<'a>,
    kind: WorldKind,
    executed: &str,
    output: &Output,
) -> Option<(&'a RelationName, &'a str, &'a str)> {
    let cells = output.rows.iter();
    let text: String = cells
        .flatten()
        .flatten()
        .flat_map(|cell| [cell.as_str(), " "])
        .collect();
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let ids = text.split(|c| !is_part(c)).filter(|id| id.len() == 36);
    let returned: BTreeSet<&str> = ids.filter(|id| !executed.contains(id)).collect();
    if returned.is_empty() {
        return None;
    }
    let of = |dataset: &'a Dataset| {
        let tables = dataset.iter().flat_map(|(table, rows)| {
            let cells = rows
                .rows
                .iter()
                .flat_map(|row| rows.columns.iter().zip(row));
            cells.map(move |(column, cell)| (table, column.as_str(), cell.as_deref()))
        });
        tables.filter_map(|(table, column, cell)| {
            let id = cell.filter(|id| returned.contains(id))?;
            Some((table, column, id))
        })
    };
    let worlds = scene.worlds;
    let known: BTreeSet<&str> = [&worlds.acting, &worlds.shared]
        .into_iter()
        .flat_map(of)
        .map(|(_, _, id)| id)
        .collect();
    let mut theirs = worlds.others(kind).into_iter().flat_map(of);
    theirs.find(|(_, _, id)| !known.contains(id))
}

/// The tables of whose foreign rows the digest is another after the query.
pub(super) fn changed(observation: &Observation) -> Vec<String> {
    let Some((before, after)) = observation.witnessed.as_deref() else {
        return Vec::new();
    };
    let pairs = before.rows.iter().zip(&after.rows);
    pairs
        .filter(|(a, b)| a != b)
        .filter_map(|(a, _)| a.first()?.clone())
        .collect()
}
