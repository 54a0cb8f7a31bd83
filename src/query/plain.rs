//! Values by what is known of their type alone.

use crate::model::Cell;

/// By number where all are numbers, else by text, which orders times and uuids too.
fn ordered(values: &[String]) -> Vec<&String> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    match numbers {
        Some(numbers) => order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b])),
        None => order.sort_by(|a, b| values[*a].cmp(&values[*b])),
    }
    order.into_iter().map(|number| &values[number]).collect()
}

pub(super) fn greatest(values: &[String]) -> Option<String> {
    ordered(values).last().map(ToString::to_string)
}

pub(super) fn least(values: &[String]) -> Option<String> {
    ordered(values).first().map(ToString::to_string)
}

/// What values of a type are like; `None` where that is not known.
pub(super) fn category(kind: &str) -> Option<&'static str> {
    let kind = kind.split('(').next().unwrap_or(kind).trim_end();
    Some(match kind {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "number",
        "boolean" => "boolean",
        "text" | "character varying" | "character" | "citext" | "name" => "text",
        "uuid" => "uuid",
        "date" | "timestamp" | "timestamp without time zone" | "timestamp with time zone" => "time",
        "interval" => "interval",
        "json" | "jsonb" => "json",
        _ => return None,
    })
}

/// A plain value of a type; `None` (NULL) where none is known.
pub(super) fn by_type(kind: &str) -> Cell {
    Some(
        match kind {
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "1",
            "boolean" => "true",
            "text" | "character varying" | "citext" => "e",
            "uuid" => "00000000-0000-4000-8000-000000000000",
            "date" => "2100-01-01",
            "timestamp without time zone" | "timestamp with time zone" => "2100-01-01 00:00:00",
            // Long, since the times of an old seed are old.
            "interval" => "3650 days",
            "json" | "jsonb" => "{}",
            array if array.ends_with("[]") => {
                return Some(by_type(array.trim_end_matches("[]")).map_or_else(
                    || "{}".to_owned(),
                    |item| format!("{{\"{}\"}}", item.replace('"', "\\\"")),
                ));
            }
            _ => return None,
        }
        .to_owned(),
    )
}
