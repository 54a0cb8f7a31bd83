//! What queries look at inside of JSON columns, and JSON as the server prints it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// What queries compare the value at a path with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonUse {
    /// The type that it is cast to; empty where it is none.
    pub kind: String,
    /// The values that it is compared with, as queries write them.
    pub values: BTreeSet<String>,
}

/// By path: keys, and positions in arrays.
pub type JsonPaths = BTreeMap<Vec<String>, JsonUse>;

/// The step of a path that any key is: a parameter says which.
pub const ANY_KEY: &str = "*";

/// The value at a path of a document as `->>` has it; `None` where there is none, or it is null.
#[must_use]
pub fn json_at(document: &str, path: &[String]) -> Option<String> {
    let mut value: &Value = &serde_json::from_str(document).ok()?;
    for step in path {
        value = match value {
            Value::Object(object) if step == ANY_KEY => first_of(object)?.1,
            Value::Object(object) => object.get(step)?,
            Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(printed(other)),
    }
}

/// A key of the object at a path of a document.
#[must_use]
pub fn json_key(document: &str, path: &[String]) -> Option<String> {
    let object = if path.is_empty() {
        document.to_owned()
    } else {
        json_at(document, path)?
    };
    let Ok(Value::Object(object)) = serde_json::from_str(&object) else {
        return None;
    };
    first_of(&object).map(|(key, _)| key.clone())
}

/// The document with another value at a path; what stands in the way becomes an object, or an array where the path has a
/// position. `None` where the document is none that has keys.
#[must_use]
pub fn json_with(document: &str, path: &[String], value: Value) -> Option<String> {
    let mut whole: Value = serde_json::from_str(document).ok()?;
    let position = path.first()?.parse::<usize>().is_ok();
    let fits = whole.is_object() || (whole.is_array() && position);
    if !fits {
        return None;
    }
    let mut place = &mut whole;
    for step in path {
        place = if step == "0" {
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let list = place.as_array_mut()?;
            if list.is_empty() {
                list.push(Value::Null);
            }
            list.first_mut()?
        } else {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let object = place.as_object_mut()?;
            object.entry(step.clone()).or_insert(Value::Null)
        };
    }
    *place = value;
    Some(printed(&whole))
}

/// The first in the server's order: shorter keys first.
fn first_of(object: &Map<String, Value>) -> Option<(&String, &Value)> {
    object
        .iter()
        .min_by_key(|(key, _)| (key.len(), key.as_str()))
}

/// As `jsonb` prints it.
fn printed(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(printed).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            let mut fields: Vec<(&String, &Value)> = object.iter().collect();
            fields.sort_by_key(|(key, _)| (key.len(), key.as_str()));
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), printed(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps: &[&str]) -> Vec<String> {
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_value_is_found_where_it_was_put() {
        for steps in [&["a"][..], &["a", "b"], &["a", "0", "b"], &["long", "a"]] {
            let path = path(steps);
            let with = json_with(r#"{"a": 1, "k": "x"}"#, &path, Value::from("v")).unwrap();
            assert_eq!(json_at(&with, &path).as_deref(), Some("v"), "{with}");
            assert_eq!(
                json_at(&with, &self::path(&["k"])).as_deref(),
                Some("x"),
                "{with}"
            );
        }
        assert_eq!(
            json_with(r#"{"bb": {"y": null}}"#, &path(&["a"]), Value::from(1)).unwrap(),
            r#"{"a": 1, "bb": {"y": null}}"#
        );
    }

    #[test]
    fn what_has_no_keys_stays() {
        assert_eq!(json_with("3", &path(&["a"]), Value::Null), None);
        assert_eq!(json_with("[1]", &path(&["a"]), Value::Null), None);
        assert_eq!(json_at("[1]", &path(&["a"])), None);
        assert_eq!(json_at(r#"{"a": null}"#, &path(&["a"])), None);
    }

    #[test]
    fn any_key_is_the_first_one() {
        let document = r#"{"long": 1, "b": "x", "a": "y"}"#;
        assert_eq!(json_key(document, &[]).as_deref(), Some("a"));
        assert_eq!(json_at(document, &path(&[ANY_KEY])).as_deref(), Some("y"));
        assert_eq!(
            json_key(r#"{"a": {"b": 1}}"#, &path(&["a"])).as_deref(),
            Some("b")
        );
        assert_eq!(json_key("{}", &[]), None);
    }
}
