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

fn greatest(values: &[String]) -> Option<String> {
    ordered(values).last().map(ToString::to_string)
}

fn least(values: &[String]) -> Option<String> {
    ordered(values).first().map(ToString::to_string)
}

/// A number one further, a time a year further. Not more: series are made between such times.
fn beyond(value: &str, step: i64) -> String {
    if let Ok(number) = value.parse::<i64>() {
        return number.saturating_add(step).to_string();
    }
    let (year, rest) = value.split_at(value.len().min(4));
    match year.parse::<i64>() {
        Ok(year) if rest.starts_with('-') => {
            // That day is not in every year.
            let rest = rest.replacen("-02-29", "-02-28", 1);
            format!("{:04}{rest}", year + step)
        }
        _ => value.to_owned(),
    }
}

/// A value above all of these, or below them.
pub(super) fn farther(values: &[String], above: bool) -> Option<String> {
    if above {
        greatest(values).map(|value| beyond(&value, 1))
    } else {
        least(values).map(|value| beyond(&value, -1))
    }
}

/// A value in a range: a bound that belongs to it, else any.
pub(super) fn within(range: &str) -> Option<String> {
    let (low, high) = range.split_once(',')?;
    let bound = |text: &str| {
        let bound = text.trim_matches(['[', ']', '(', ')', '"']);
        (!bound.is_empty()).then(|| bound.to_owned())
    };
    let (low_in, high_in) = (low.starts_with('['), high.ends_with(']'));
    let (first, then) = if low_in || !high_in {
        (bound(low), bound(high))
    } else {
        (bound(high), bound(low))
    };
    first.or_else(|| then.map(|bound| if high_in { bound } else { beyond(&bound, -1) }))
}

/// An array of these values, in Postgres' text form.
pub(super) fn array(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = items.into_iter().map(|item| {
        let item = item.as_ref().replace('\\', "\\\\");
        format!("\"{}\"", item.replace('"', "\\\""))
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// The first element of an array in Postgres' text form; the text itself where it is none.
pub(super) fn element(array: &str) -> String {
    let Some(inner) = array.strip_prefix('{') else {
        return array.to_owned();
    };
    let mut found = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in inner.chars() {
        match c {
            _ if escaped => {
                found.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | '}' if !quoted => break,
            _ => found.push(c),
        }
    }
    found
}

/// What values of a type are like; `None` where that is not known.
pub(super) fn category(kind: &str) -> Option<&'static str> {
    let kind = kind.split('(').next().unwrap_or(kind).trim_end();
    Some(match kind {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" | "int"
        | "int2" | "int4" | "int8" | "decimal" | "float" | "float4" | "float8" => "number",
        "boolean" | "bool" => "boolean",
        "text" | "character varying" | "varchar" | "character" | "citext" | "name" => "text",
        "uuid" => "uuid",
        "date"
        | "timestamp"
        | "timestamptz"
        | "timestamp without time zone"
        | "timestamp with time zone" => "time",
        "interval" => "interval",
        "json" | "jsonb" => "json",
        "jsonpath" => "jsonpath",
        _ => return None,
    })
}

/// A plain value of a type; `None` (NULL) where none is known.
pub(super) fn by_type(kind: &str) -> Cell {
    if let Some(element) = kind.strip_suffix("[]") {
        return Some(array(by_type(element)));
    }
    let value = match (category(kind)?, kind) {
        ("number", _) => "1",
        ("boolean", _) => "true",
        ("text", "character" | "name") => return None,
        ("text", _) => "e",
        ("uuid", _) => "00000000-0000-4000-8000-000000000000",
        ("time", "date") => "2100-01-01",
        ("time", _) => "2100-01-01 00:00:00",
        // Long, since the times of an old seed are old.
        ("interval", _) => "3650 days",
        ("json", _) => "{}",
        // The document itself.
        ("jsonpath", _) => "$",
        _ => return None,
    };
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_within_ranges() {
        let within = |range: &str| within(range).unwrap();
        assert_eq!(within("[2024-01-01,2025-01-01)"), "2024-01-01");
        assert_eq!(
            within("[\"2024-01-01 00:00:00+00\",)"),
            "2024-01-01 00:00:00+00"
        );
        assert_eq!(within("(1.5,2.5]"), "2.5");
        assert_eq!(within("(,5)"), "4");
        assert_eq!(within("(,2024-02-29)"), "2023-02-28");
        assert_eq!(super::within("empty"), None);
    }

    #[test]
    fn arrays_are_written_as_postgres_reads_them() {
        assert_eq!(
            array(["a", r#"{"k": "b\c"}"#]),
            r#"{"a","{\"k\": \"b\\c\"}"}"#
        );
        assert_eq!(array([""; 0]), "{}");
        assert_eq!(element(&array([r#"{"k": 1}"#])), r#"{"k": 1}"#);
    }

    #[test]
    fn arrays_have_a_first_element() {
        assert_eq!(element("{fr,en}"), "fr");
        assert_eq!(element(r#"{"a, \"b\"",c}"#), "a, \"b\"");
        assert_eq!(element("{}"), "");
        assert_eq!(element("fr"), "fr");
    }
}
