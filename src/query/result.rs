//! What a function returned, as tables that can be compared as those of queries are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::Output;

/// A row before all columns are known.
type Row = BTreeMap<String, String>;

/// The tables in each of some values, by where they stand: every list is a table, and what is no list is a row. A list
/// inside a row is a table of its own, over all rows, and a column of the row, in an order that says nothing.
///
/// The tables of all values at one place have the same columns.
#[must_use]
pub fn tables(values: &[&Value]) -> BTreeMap<String, Vec<Output>> {
    let mut rows: BTreeMap<String, Vec<Vec<Row>>> = BTreeMap::new();
    for (number, value) in values.iter().enumerate() {
        let mut found = BTreeMap::new();
        table("", value, &mut found);
        for (place, found) in found {
            let all = rows
                .entry(place)
                .or_insert_with(|| vec![Vec::new(); values.len()]);
            all[number] = found;
        }
    }
    rows.into_iter()
        .map(|(place, all)| (place, outputs(&all)))
        .collect()
}

/// Whether nothing was met: nothing, none, zero, and what holds nothing else.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

fn table(place: &str, value: &Value, into: &mut BTreeMap<String, Vec<Row>>) {
    into.entry(place.to_owned()).or_default();
    let entries = entries(value);
    let rows: Vec<&Value> = match (&entries, value) {
        (Some(entries), _) => entries.iter().collect(),
        (None, Value::Array(list)) => list.iter().collect(),
        (None, other) => vec![other],
    };
    for value in rows {
        let mut row = Row::new();
        cell(place, "", value, &mut row, into);
        into.entry(place.to_owned()).or_default().push(row);
    }
}

/// Adds a value to a row: the fields of an object each for themselves.
fn cell(
    place: &str,
    column: &str,
    value: &Value,
    row: &mut Row,
    into: &mut BTreeMap<String, Vec<Row>>,
) {
    if matches!(value, Value::Array(_)) || entries(value).is_some() {
        table(&format!("{place}/{column}"), value, into);
        row.insert(column.to_owned(), unordered(value).to_string());
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if column.is_empty() { "" } else { "." };
                cell(place, &format!("{column}{dot}{name}"), value, row, into);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            row.insert(column.to_owned(), text.clone());
        }
        other => {
            row.insert(column.to_owned(), other.to_string());
        }
    }
}

/// A map from ids, as the list of its entries.
fn entries(value: &Value) -> Option<Vec<Value>> {
    let fields = value.as_object().filter(|fields| !fields.is_empty())?;
    let is_id = |key: &String| uuid::Uuid::parse_str(key).is_ok() || key.parse::<i128>().is_ok();
    fields.keys().all(is_id).then(|| {
        let entries = fields.iter();
        entries
            .map(|(key, value)| serde_json::json!({ "key": key, "value": value }))
            .collect()
    })
}

/// With the elements of lists in an order of their own, not that in which they came.
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(unordered).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), unordered(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The same columns for all.
fn outputs(all: &[Vec<Row>]) -> Vec<Output> {
    let names: BTreeSet<&String> = all.iter().flatten().flat_map(BTreeMap::keys).collect();
    let output = |rows: &Vec<Row>| Output {
        columns: names.iter().map(|name| (*name).clone()).collect(),
        rows: rows
            .iter()
            .map(|row| names.iter().map(|name| row.get(*name).cloned()).collect())
            .collect(),
        affected: rows.len() as u64,
    };
    all.iter().map(output).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_list_is_a_table_whose_order_says_nothing() {
        let one = json!({ "total": 2, "rows": [{ "id": 1, "tags": ["a", "b"] }, { "id": 2, "tags": [] }] });
        let other = json!({ "rows": [{ "id": 2, "tags": [] }, { "id": 1, "tags": ["b", "a"] }], "total": 2 });
        let tables = tables(&[&one, &other]);
        let places: Vec<&String> = tables.keys().collect();
        assert_eq!(places, ["", "/rows", "/rows/tags"]);
        let rows = |number: usize| {
            let mut rows = tables["/rows"][number].rows.clone();
            rows.sort();
            rows
        };
        assert_eq!(rows(0), rows(1));
        assert_eq!(
            rows(0)[0],
            [Some("1".to_owned()), Some("[\"a\",\"b\"]".to_owned())]
        );
        assert_eq!(tables["/rows/tags"][0].rows.len(), 2);
    }

    #[test]
    fn what_one_value_lacks_is_null() {
        let tables = tables(&[
            &json!([]),
            &json!([{ "a": 1 }, { "b": null }]),
            &json!(null),
        ]);
        assert!(tables[""][0].rows.is_empty());
        assert_eq!(tables[""][1].rows, [[Some("1".to_owned())], [None]]);
        assert_eq!(tables[""][2].rows, [[None]]);
    }

    #[test]
    fn a_map_from_ids_is_a_list() {
        let tables = tables(&[&json!({ "7": { "n": 1 }, "8": { "n": 2 } })]);
        assert_eq!(tables[""][0].columns, ["key", "value.n"]);
    }

    #[test]
    fn what_holds_nothing_is_empty() {
        for empty in [
            json!(null),
            json!([]),
            json!(0),
            json!({ "rows": [], "total": 0, "more": false }),
        ] {
            assert!(is_empty(&empty), "{empty}");
        }
        for full in [json!([1]), json!("a"), json!({ "rows": [], "total": 1 })] {
            assert!(!is_empty(&full), "{full}");
        }
    }
}
