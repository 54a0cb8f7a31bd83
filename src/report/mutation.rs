//! What came of mutants, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::page::one_line;
use crate::model::{Fate, Mutation, Named, Notice, Tried};

/// The words for the formats.
pub const MUTATION_FORMATS: [&str; 2] = ["text", "json"];

/// What came of mutants, in a format; nothing where there is no such format.
#[must_use]
pub fn render_mutation(mutation: &Mutation, format: &str) -> Option<String> {
    match format {
        "text" => Some(text(mutation)),
        "json" => Some(format!("{:#}\n", json(mutation))),
        _ => None,
    }
}

/// So many of a kind are shown in full.
const SHOWN: usize = 40;

fn text(mutation: &Mutation) -> String {
    let mut text = String::new();
    let (made, killed) = (mutation.made(), mutation.killed());
    let (equivalent, survived) = (mutation.equivalent(), mutation.survived());
    let verdict = if mutation.holds() { "HELD" } else { "SURVIVED" };
    let _ = writeln!(
        text,
        "{verdict}: {killed} of {} mutants were noticed ({}); {equivalent} more are equivalent, {survived} survived",
        made - equivalent,
        share(killed, made - equivalent),
    );
    for (queries, whose) in WHOSE {
        let score = Score::of(mutation, queries);
        if score.made > 0 {
            let (killed, of) = (score.killed, score.made - score.equivalent);
            let _ = writeln!(text, "  {whose}: {killed} of {of} ({})", share(killed, of));
        }
    }
    text.push('\n');
    table(&mut text, mutation);
    let survivors = mutation
        .tried
        .iter()
        .filter(|one| one.fate == Fate::Survived);
    list(
        &mut text,
        "survived",
        &survivors.map(described).collect::<Vec<_>>(),
    );
    list(
        &mut text,
        "equivalent",
        &grouped(mutation, |fate| match fate {
            Fate::Equivalent(why) => Some(why.clone()),
            _ => None,
        }),
    );
    list(
        &mut text,
        "could not be judged",
        &grouped(mutation, |fate| match fate {
            Fate::Failed(why) => Some(why.clone()),
            _ => None,
        }),
    );
    list(
        &mut text,
        "not made",
        &grouped(mutation, |fate| match fate {
            Fate::Unmade(why) => Some(why.clone()),
            _ => None,
        }),
    );
    for (what, lines) in quality(mutation) {
        headed(&mut text, &what, &lines);
    }
    text.push('\n');
    for remark in &mutation.remarks {
        let _ = writeln!(text, "  {remark}");
    }
    let _ = writeln!(
        text,
        "server   {} PostgreSQL {}\ntook     {}.{} s\nagain    --seed {}",
        mutation.server.kind,
        mutation.server.version,
        mutation.took_ms / 1000,
        mutation.took_ms % 1000 / 100,
        mutation.seed
    );
    text
}

/// A line for each word that says what was done.
fn table(text: &mut String, mutation: &Mutation) {
    let mut rows: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for one in &mutation.tried {
        let row = rows.entry(one.operator).or_default();
        match &one.fate {
            Fate::Killed(Notice::Finding(severity)) => row[*severity as usize] += 1,
            Fate::Killed(_) => row[3] += 1,
            Fate::Equivalent(_) => row[4] += 1,
            Fate::Survived => row[5] += 1,
            Fate::Unmade(_) | Fate::Failed(_) => {}
        }
    }
    let _ = writeln!(
        text,
        "{:<28}{:>8}{:>10}{:>7}{:>9}{:>12}{:>10}",
        "mutants", "leak", "weakness", "note", "other", "equivalent", "survived"
    );
    for (operator, [leak, weakness, note, other, equivalent, survived]) in rows {
        let _ = writeln!(
            text,
            "{operator:<28}{leak:>8}{weakness:>10}{note:>7}{other:>9}{equivalent:>12}{survived:>10}"
        );
    }
    text.push('\n');
}

fn list(text: &mut String, what: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    headed(text, what, lines);
    text.push('\n');
}

/// The first lines below what they are.
fn headed(text: &mut String, what: &str, lines: &[String]) {
    let _ = writeln!(text, "{what}");
    for line in lines.iter().take(SHOWN) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > SHOWN {
        let _ = writeln!(
            text,
            "  and {} more, in the JSON report",
            lines.len() - SHOWN
        );
    }
}

fn described(one: &Tried) -> String {
    let detail = if one.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", one.detail)
    };
    one_line(&format!("{} {}{detail}", one.operator, one.object))
}

/// Mutants with one reason together: how many, which, why.
fn grouped(mutation: &Mutation, why: impl Fn(&Fate) -> Option<String>) -> Vec<String> {
    let mut groups: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for one in &mutation.tried {
        if let Some(why) = why(&one.fate) {
            let group = groups.entry((one.operator, why)).or_default();
            group.push(one.object.clone());
        }
    }
    let lines = groups.into_iter().map(|((operator, why), mut objects)| {
        let count = objects.len();
        objects.dedup();
        let first = one_line(&objects[0]);
        let more = if objects.len() > 1 { ", …" } else { "" };
        format!("{count} × {operator} ({first}{more}): {}", one_line(&why))
    });
    lines.collect()
}

/// Schema and queries, told apart.
const WHOSE: [(bool, &str); 2] = [(false, "of the schema"), (true, "of queries")];

/// What became of the mutants of the schema, or of those of the queries.
struct Score {
    made: usize,
    killed: usize,
    equivalent: usize,
}

impl Score {
    fn of(mutation: &Mutation, queries: bool) -> Self {
        let count = |fits: fn(&Fate) -> bool| {
            let of = |one: &&Tried| one.is_of_query() == queries && fits(&one.fate);
            mutation.tried.iter().filter(of).count()
        };
        Self {
            made: count(|fate| !matches!(fate, Fate::Unmade(_))),
            killed: count(|fate| matches!(fate, Fate::Killed(_))),
            equivalent: count(|fate| matches!(fate, Fate::Equivalent(_))),
        }
    }
}

/// What is asked of how a defect was named, of which findings.
struct Measure {
    key: &'static str,
    meaning: &'static str,
    asked: fn(&Named) -> bool,
    fits: fn(&Named) -> bool,
}

const MEASURES: [Measure; 3] = [
    Measure {
        key: "names_object",
        meaning: "name what was changed, and nothing else",
        asked: |_| true,
        fits: |one| one.object,
    },
    Measure {
        key: "names_line",
        meaning: "also name the line where it was made",
        asked: |_| true,
        fits: |one| one.place,
    },
    Measure {
        key: "mended",
        meaning: "are mended by the fix that they give, which breaks nothing",
        asked: |one| one.mended.is_some(),
        fits: |one| one.mended == Some(true),
    },
];

/// A mutant, and what its findings name.
type Judged<'m> = (&'m Tried, &'m Named);

impl Measure {
    /// The mutants that it is asked of: those that it fits, and those that it does not.
    fn split<'m>(
        &self,
        mutation: &'m Mutation,
        queries: bool,
    ) -> (Vec<Judged<'m>>, Vec<Judged<'m>>) {
        let all = mutation.tried.iter().filter_map(|one| {
            let named = one.named.as_ref()?;
            (one.is_of_query() == queries && (self.asked)(named)).then_some((one, named))
        });
        all.partition(|(_, named)| (self.fits)(named))
    }
}

/// How well the findings name the defects, and those that they do not name.
fn quality(mutation: &Mutation) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (queries, whose) in WHOSE {
        for measure in &MEASURES {
            let (yes, no) = measure.split(mutation, queries);
            let (of, what) = (yes.len() + no.len(), measure.meaning);
            if of == 0 {
                continue;
            }
            let lines = no.into_iter().map(|(one, named)| {
                let by = one
                    .noticed
                    .iter()
                    .map(|(check, object)| format!("{check} {object}"));
                let by: Vec<String> = by.take(3).collect();
                let why = [by.join(", "), named.why_not.clone()].join(": ");
                one_line(&format!(
                    "not {}: {}",
                    described(one),
                    why.trim_end_matches(": ")
                ))
            });
            found.push((
                format!(
                    "{} of {of} findings {whose} {what} ({})",
                    yes.len(),
                    share(yes.len(), of)
                ),
                lines.collect(),
            ));
        }
    }
    found
}

fn share(part: usize, of: usize) -> String {
    let tenths = (1000 * part).checked_div(of).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A share between 0 and 1; null of nothing.
fn portion(part: usize, of: usize) -> Value {
    let number = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    match of {
        0 => Value::Null,
        _ => json!(number(part) / number(of)),
    }
}

fn json(mutation: &Mutation) -> Value {
    let one = |tried: &Tried| {
        let (fate, why) = match &tried.fate {
            Fate::Killed(notice) => ("killed", notice.word().to_owned()),
            Fate::Equivalent(why) => ("equivalent", why.clone()),
            Fate::Survived => ("survived", String::new()),
            Fate::Unmade(why) => ("not made", why.clone()),
            Fate::Failed(why) => ("error", why.clone()),
        };
        let named = tried.named.as_ref();
        json!({
            "mutant": tried.operator,
            "object": tried.object,
            "detail": tried.detail,
            "fate": fate,
            "by": why,
            "noticed": tried.noticed.iter().map(|(check, object)| format!("{check}:{object}")).collect::<Vec<_>>(),
            "names_object": named.map(|named| named.object),
            "names_line": named.map(|named| named.place),
            "mended": named.and_then(|named| named.mended),
            "why_not_mended": named.map(|named| named.why_not.as_str()).unwrap_or_default(),
            "took_ms": tried.took_ms,
        })
    };
    let score = |queries: bool| {
        let score = Score::of(mutation, queries);
        let mut found = json!({
            "mutants": score.made,
            "killed": score.killed,
            "equivalent": score.equivalent,
            "score": portion(score.killed, score.made - score.equivalent),
        });
        for measure in &MEASURES {
            let (yes, no) = measure.split(mutation, queries);
            found[measure.key] = portion(yes.len(), yes.len() + no.len());
        }
        found
    };
    let survivors = mutation
        .tried
        .iter()
        .filter(|one| one.fate == Fate::Survived);
    json!({
        "format": 1,
        "mutants": mutation.made(),
        "killed": mutation.killed(),
        "equivalent": mutation.equivalent(),
        "survived": survivors.map(one).collect::<Vec<_>>(),
        "errors": mutation.failed(),
        "schema": score(false),
        "queries": score(true),
        "seed": mutation.seed,
        "server": { "kind": mutation.server.kind, "version": mutation.server.version },
        "took_ms": mutation.took_ms,
        "remarks": mutation.remarks,
        "all": mutation.tried.iter().map(one).collect::<Vec<_>>(),
    })
}
