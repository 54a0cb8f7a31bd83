//! Whether results differ by more than they would over the acting tenant's rows alone.

use crate::model::{Observation, Output};

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal, as far as the query determines its result: how it was compared.
    Equal(&'static str),
    /// Equal as far as that goes, and parts of the result vary by themselves: what stands there was not compared.
    Partly(&'static str),
    /// Different: what differs, in words.
    Different(String),
}

/// How strictly results can be compared: found over the acting tenant's rows alone, loaded in several orders.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Strictness {
    /// The same rows, in any order: another plan may order what the query leaves open.
    Rows,
    /// The same rows but for the order of what stands in a cell, and for the last digits of numbers with a fraction.
    Loose,
    /// The same rows but for columns that vary by themselves.
    Masked(Vec<usize>),
    /// The same number of rows.
    Count,
    /// Nothing of the result is determined.
    Nothing,
}

/// Compares a query's result where others are there (`seen`) with those where nobody else is (`alone`, in several
/// physical orders); `statement` is the one that returns the result.
#[must_use]
pub fn compare(alone: &[&Observation], seen: &Observation, statement: usize) -> Comparison {
    let failures: Vec<Option<String>> = alone
        .iter()
        .map(|observation| failure(observation))
        .collect();
    let stable_failure = failures.windows(2).all(|pair| pair[0] == pair[1]);
    if failures.iter().any(Option::is_some) || failure(seen).is_some() {
        if !stable_failure {
            return Comparison::Equal("its errors vary by themselves");
        }
        let (before, now) = (failures.first().cloned().flatten(), failure(seen));
        return match (before, now) {
            (before, now) if before == now => Comparison::Equal("the same error"),
            (None, Some(now)) => {
                Comparison::Different(format!("it fails where others have rows: {now}"))
            }
            (Some(before), None) => Comparison::Different(format!(
                "it works where others have rows, and fails alone: {before}"
            )),
            (Some(before), Some(now)) => Comparison::Different(format!(
                "alone it fails with {before}, with others with {now}"
            )),
            (None, None) => Comparison::Equal("no error"),
        };
    }
    let outputs: Vec<&Output> = alone
        .iter()
        .filter_map(|one| one.outputs.get(statement))
        .collect();
    let (Some(first), Some(now)) = (outputs.first(), seen.outputs.get(statement)) else {
        return Comparison::Equal("nothing was returned");
    };
    match strictness(&outputs) {
        Strictness::Rows => rows(first, now, &[], "the same rows"),
        Strictness::Loose => rows(
            &loosened(first),
            &loosened(now),
            &[],
            "the same rows but for the order within cells and the last digits of numbers",
        ),
        Strictness::Masked(columns) => {
            let how = "the same rows but for columns that vary by themselves";
            match rows(first, now, &columns, how) {
                Comparison::Equal(how) => Comparison::Partly(how),
                other => other,
            }
        }
        Strictness::Count
            if first.affected == now.affected && first.rows.len() == now.rows.len() =>
        {
            Comparison::Partly("the same number of rows")
        }
        Strictness::Count => Comparison::Different(format!(
            "{} rows alone, {} where others have rows",
            first.affected.max(first.rows.len() as u64),
            now.affected.max(now.rows.len() as u64)
        )),
        Strictness::Nothing => Comparison::Partly("its result varies by itself"),
    }
}

fn failure(observation: &Observation) -> Option<String> {
    observation
        .refusal
        .as_ref()
        .map(|refusal| format!("{} (SQLSTATE {})", refusal.message, refusal.sqlstate))
}

fn strictness(outputs: &[&Output]) -> Strictness {
    let Some(first) = outputs.first() else {
        return Strictness::Nothing;
    };
    if outputs.iter().all(|output| same(first, output, &[])) {
        return Strictness::Rows;
    }
    let loose: Vec<Output> = outputs.iter().map(|output| loosened(output)).collect();
    if loose.iter().all(|output| same(&loose[0], output, &[])) {
        return Strictness::Loose;
    }
    let varying: Vec<usize> = (0..first.columns.len())
        .filter(|column| {
            let values = |output: &Output| {
                let mut values: Vec<Option<String>> =
                    output.rows.iter().map(|row| row[*column].clone()).collect();
                values.sort();
                values
            };
            outputs.iter().any(|output| values(output) != values(first))
        })
        .collect();
    if varying.len() < first.columns.len()
        && outputs.iter().all(|output| same(first, output, &varying))
    {
        return Strictness::Masked(varying);
    }
    let counted = |output: &&Output| {
        output.rows.len() == first.rows.len() && output.affected == first.affected
    };
    if outputs.iter().all(counted) {
        Strictness::Count
    } else {
        Strictness::Nothing
    }
}

/// The output with each cell as another text.
fn with_cells(output: &Output, cell: impl Fn(&String) -> String) -> Output {
    let row = |row: &Vec<Option<String>>| row.iter().map(|one| one.as_ref().map(&cell)).collect();
    Output {
        rows: output.rows.iter().map(row).collect(),
        columns: output.columns.clone(),
        affected: output.affected,
    }
}

/// The output with numbers to thirteen digits, where they have a fraction and stand alone in their cells.
fn rounded(output: &Output) -> Output {
    let cell = |text: &String| match text.parse::<f64>() {
        Ok(number) if number.is_finite() && text.contains('.') => format!("{number:.12e}"),
        _ => text.clone(),
    };
    with_cells(output, cell)
}

/// The output with the words of each cell in an order of their own, and numbers to nine digits: what `array_agg` and
/// `string_agg` put together in any order, and what floats add up to.
fn loosened(output: &Output) -> Output {
    let cell = |text: &String| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
        let mut words: Vec<String> = words
            .map(|word| match word.parse::<f64>() {
                Ok(number) if word.contains('.') => format!("{number:.8e}"),
                _ => word.to_owned(),
            })
            .collect();
        words.sort();
        words.join(" ")
    };
    with_cells(output, cell)
}

/// The rows without some columns, in an order of their own.
fn multiset(output: &Output, masked: &[usize]) -> Vec<Vec<Option<String>>> {
    let mut rows: Vec<Vec<Option<String>>> = output
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .enumerate()
                .filter(|(column, _)| !masked.contains(column))
                .map(|(_, cell)| cell.clone())
                .collect()
        })
        .collect();
    rows.sort();
    rows
}

fn same(a: &Output, b: &Output, masked: &[usize]) -> bool {
    a.affected == b.affected && multiset(a, masked) == multiset(b, masked)
}

fn rows(alone: &Output, now: &Output, masked: &[usize], equal: &'static str) -> Comparison {
    if same(alone, now, masked) {
        return Comparison::Equal(equal);
    }
    // Floats that are added in another order: no plan was tried that shows it alone.
    if same(&rounded(alone), &rounded(now), masked) {
        return Comparison::Equal("the same rows but for the last digits of numbers");
    }
    let (before, after) = (multiset(alone, masked), multiset(now, masked));
    if before.len() != after.len() || alone.affected != now.affected {
        let new = after.iter().find(|row| !before.contains(row));
        let shown = new.map_or_else(String::new, |row| format!("; new: {}", line(row)));
        return Comparison::Different(format!(
            "{} rows alone, {} where others have rows{shown}",
            alone.affected.max(before.len() as u64),
            now.affected.max(after.len() as u64)
        ));
    }
    let gone = before.iter().find(|row| !after.contains(row));
    let new = after.iter().find(|row| !before.contains(row));
    Comparison::Different(format!(
        "alone: {}; where others have rows: {}",
        gone.map_or_else(|| "the same rows less often".to_owned(), |row| line(row)),
        new.map_or_else(|| "the same rows more often".to_owned(), |row| line(row))
    ))
}

/// A row for people, cut short.
fn line(row: &[Option<String>]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|cell| match cell {
            None => "NULL".to_owned(),
            Some(text) if text.chars().count() > 40 => {
                format!("{}…", text.chars().take(40).collect::<String>())
            }
            Some(text) => text.clone(),
        })
        .collect();
    format!("({})", cells.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rows: &[&[&str]]) -> Observation {
        Observation {
            outputs: vec![Output {
                columns: (0..rows.first().map_or(0, |row| row.len()))
                    .map(|n| n.to_string())
                    .collect(),
                rows: rows
                    .iter()
                    .map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect())
                    .collect(),
                affected: rows.len() as u64,
            }],
            refusal: None,
            ..Observation::default()
        }
    }

    #[test]
    fn a_row_more_is_a_difference() {
        let alone = seen(&[&["a", "1"]]);
        let with = seen(&[&["a", "1"], &["b", "2"]]);
        assert!(matches!(
            compare(&[&alone, &alone], &with, 0),
            Comparison::Different(_)
        ));
        assert!(matches!(
            compare(&[&alone, &alone], &alone, 0),
            Comparison::Equal(_)
        ));
    }

    #[test]
    fn what_varies_alone_is_no_leak() {
        let (a, b) = (seen(&[&["a", "1"]]), seen(&[&["a", "2"]]));
        let c = seen(&[&["a", "3"]]);
        assert!(matches!(compare(&[&a, &b], &c, 0), Comparison::Partly(_)));
        let wrong = seen(&[&["x", "3"]]);
        assert!(matches!(
            compare(&[&a, &b], &wrong, 0),
            Comparison::Different(_)
        ));
    }

    #[test]
    fn what_is_put_together_in_any_order_is_compared() {
        let (a, b) = (
            seen(&[&["{x1,y2}", "0.30000000000000004"]]),
            seen(&[&["{y2,x1}", "0.3"]]),
        );
        let turned = seen(&[&["{y2,x1}", "0.30000000000000001"]]);
        assert!(matches!(
            compare(&[&a, &b], &turned, 0),
            Comparison::Equal(_)
        ));
        for wrong in [["{y2,x1,z3}", "0.3"], ["{y2,x1}", "0.7"]] {
            let wrong = seen(&[&wrong]);
            assert!(matches!(
                compare(&[&a, &b], &wrong, 0),
                Comparison::Different(_)
            ));
        }
    }

    #[test]
    fn the_last_digits_of_floats_are_no_leak() {
        let alone = seen(&[&["a", "1.6500000000000001"]]);
        let now = seen(&[&["a", "1.65"]]);
        assert!(matches!(compare(&[&alone], &now, 0), Comparison::Equal(_)));
        for wrong in ["1.6500001", "165", "2.65"] {
            let wrong = seen(&[&["a", wrong]]);
            assert!(matches!(
                compare(&[&alone], &wrong, 0),
                Comparison::Different(_)
            ));
        }
    }

    #[test]
    fn order_alone_is_no_leak() {
        let alone = seen(&[&["a"], &["b"]]);
        let turned = seen(&[&["b"], &["a"]]);
        assert!(matches!(
            compare(&[&alone], &turned, 0),
            Comparison::Equal(_)
        ));
    }
}
