//! A leak as people read it: the smallest pair of worlds as a diff, of their rows and of what the query came to in each.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Scene;
use super::attempts::executed_at;
use super::evidence::{Evidence, canary, foreign_id};
use crate::model::{Attempt, Class, Dataset, Observation, Query, Stage, TokenKind, Tokens, value};

/// So many lines are shown of each part, and so many characters of a value.
const MOST_LINES: usize = 20;
const LONGEST: usize = 60;

/// A diff of the world where the acting tenant is alone and the one of the evidence, where others have rows too. Of a row
/// it shows the keys and what the query names.
pub(super) fn difference(
    scene: Scene<'_>,
    query: &Query,
    found: &Evidence,
    (attempts, seen): (&[Attempt], &[Observation]),
) -> Option<String> {
    let attempt = attempts.get(found.at)?;
    let (alone, with) = (seen.first()?, seen.get(found.at)?);
    let Stage::World { kind, .. } = attempt.stage else {
        return None;
    };
    let at = executed_at(attempt);
    let executed = attempt.statements.get(at)?;
    let mut text = format!(
        "--- organisation 1 alone\n+++ others are there ({})\n@@ rows @@\n",
        kind.word()
    );
    let worlds = scene.worlds;
    let tokens = Tokens::new(&query.sql).filter_map(Result::ok);
    let named: BTreeSet<String> = tokens.filter_map(|token| token.name()).collect();
    let lines = |sign: char, whose: &str, dataset| lines_of(scene, &named, (sign, whose), dataset);
    let mut rows = lines(' ', "shared", &worlds.shared);
    rows.extend(lines(' ', "organisation 1", &worlds.acting));
    for (number, theirs) in worlds.others(kind).into_iter().enumerate() {
        rows.extend(lines('+', &format!("organisation {}", number + 2), theirs));
    }
    write_some(&mut text, &rows);
    let _ = writeln!(text, "@@ {} @@", result_of(query, executed));
    let crossed = canary(scene, executed, with, at).map(|(token, _)| token);
    let crossed =
        crossed.or_else(|| Some(foreign_id(scene, kind, executed, with.outputs.get(at)?)?.2));
    write_results(&mut text, &result(alone, at), &result(with, at), crossed);
    for table in &found.changed {
        let _ = writeln!(text, "+rows of others changed in {table}");
    }
    Some(text)
}

/// Someone's rows as lines: what identifies each, and what the query names.
fn lines_of(
    scene: Scene<'_>,
    named: &BTreeSet<String>,
    (sign, whose): (char, &str),
    dataset: &Dataset,
) -> Vec<String> {
    let mut lines = Vec::new();
    for name in &scene.worlds.order {
        let (Some(rows), Some(table)) = (dataset.get(name), scene.catalog.tables.get(name)) else {
            continue;
        };
        let key = table.primary_key();
        // Whose it is stands before it.
        let tenant = match scene.tenancy.classes.get(name) {
            Some(Class::Scoped { column }) => column.as_str(),
            _ => "",
        };
        let is_shown =
            |column: &str| column != tenant && (named.contains(column) || key.contains(&column));
        lines.extend(rows.rows.iter().map(|row| {
            let cells = rows.columns.iter().zip(row);
            let cells = cells.filter(|(column, cell)| cell.is_some() && is_shown(column));
            let cells: Vec<String> = cells
                .map(|(column, cell)| format!("{column} = {}", short(&value(cell.as_deref()))))
                .collect();
            format!("{sign}{whose}: {name} ({})", cells.join(", "))
        }));
    }
    lines
}

/// What the result is of: the values of the query's parameters.
fn result_of(query: &Query, executed: &str) -> String {
    let values = Tokens::new(executed)
        .filter_map(Result::ok)
        .filter(|token| token.kind == TokenKind::Literal || token.is("null"));
    let bound: Vec<String> = values
        .enumerate()
        .map(|(number, value)| {
            let name = query.parameters.get(number).and_then(Option::as_ref);
            let name = name.map_or_else(|| format!("${}", number + 1), |name| format!(":{name}"));
            format!("{name} = {}", short(value.text))
        })
        .collect();
    if bound.is_empty() {
        "result".to_owned()
    } else {
        format!("result with {}", bound.join(", "))
    }
}

/// A result as lines: its rows, and where it has none what it came to.
fn result(seen: &Observation, at: usize) -> Vec<String> {
    if let Some(refusal) = &seen.refusal {
        return vec![format!("ERROR {}: {}", refusal.sqlstate, refusal.message)];
    }
    let Some(output) = seen.outputs.get(at) else {
        return Vec::new();
    };
    if output.rows.is_empty() {
        return vec![match output.affected {
            0 => "(no rows)".to_owned(),
            written => format!("rows written: {written}"),
        }];
    }
    let line = |row: &Vec<Option<String>>| {
        let cells = output.columns.iter().zip(row);
        let cells = cells.map(|(column, cell)| {
            format!("{column}: {}", short(cell.as_deref().unwrap_or("NULL")))
        });
        cells.collect::<Vec<_>>().join(", ")
    };
    output.rows.iter().map(line).collect()
}

/// The lines that both have at the beginning and at the end, and between them those of the one and of the other. What
/// crossed is marked below its line.
fn write_results(text: &mut String, alone: &[String], with: &[String], crossed: Option<&str>) {
    let same = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
        pairs.take_while(|(a, b)| a == b).count()
    };
    let before = same(&mut alone.iter().zip(with));
    let (common, alone) = alone.split_at(before);
    let with = &with[before..];
    let after = same(&mut alone.iter().rev().zip(with.iter().rev()));
    let (alone, _) = alone.split_at(alone.len() - after);
    let (with, after) = with.split_at(with.len() - after);
    for (sign, lines) in [(' ', common), ('-', alone), ('+', with), (' ', after)] {
        let lines: Vec<String> = lines
            .iter()
            .map(
                |line| match crossed.and_then(|crossed| line.find(crossed)) {
                    Some(start) if sign == '+' => marked(line, start, crossed.map_or(0, str::len)),
                    _ => format!("{sign}{line}"),
                },
            )
            .collect();
        write_some(text, &lines);
    }
}

/// A line that is there in the world with others alone, and a mark below a part of it.
fn marked(line: &str, start: usize, length: usize) -> String {
    let width = |text: &str| text.chars().count();
    let (space, mark) = (width(&line[..start]), width(&line[start..start + length]));
    format!("+{line}\n {:space$}{}", "", "^".repeat(mark))
}

/// The first lines, and how many more there are.
fn write_some(text: &mut String, lines: &[String]) {
    for line in lines.iter().take(MOST_LINES) {
        text.push_str(line);
        text.push('\n');
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        let _ = writeln!(text, " … {more} more");
    }
}

/// A value in one line, and not all of a long one.
fn short(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
