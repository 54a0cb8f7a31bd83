//! Places inside of JSON columns, as queries write them.

use sqlparser::ast::{AccessExpr, BinaryOperator, Expr, Function, Subscript, Value};

use super::expression::{Name, arguments, column_of, last, parameter};
use crate::model::ANY_KEY;

/// `meta->'a'->>'b'`: a column, and a path of keys and positions in it.
#[derive(Clone)]
pub(super) struct JsonPlace {
    pub(super) column: Name,
    pub(super) path: Vec<String>,
    /// What it is cast to.
    pub(super) kind: Option<String>,
    /// The parameter that says the path's last key.
    pub(super) key: Option<usize>,
}

/// The place that an expression looks at, casts and parentheses and `lower(…)` taken off.
pub(super) fn json_place(expr: &Expr) -> Option<JsonPlace> {
    match expr {
        Expr::Nested(inner) => json_place(inner),
        Expr::Cast {
            expr, data_type, ..
        } => {
            let mut place = json_place(expr)?;
            place
                .kind
                .get_or_insert(data_type.to_string().to_lowercase());
            Some(place)
        }
        Expr::BinaryOp { left, op, right } => {
            let mut place = json_place(left).or_else(|| document(left))?;
            match op {
                BinaryOperator::Arrow | BinaryOperator::LongArrow => place.step(right)?,
                BinaryOperator::HashArrow | BinaryOperator::HashLongArrow => {
                    place.path.extend(path_of(right)?);
                }
                _ => return None,
            }
            Some(place)
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut place = document(root)?;
            for access in access_chain {
                let AccessExpr::Subscript(Subscript::Index { index }) = access else {
                    return None;
                };
                // `tags[1]` is an array's.
                literal(index).filter(|_| !is_number(index))?;
                place.step(index)?;
            }
            Some(place)
        }
        Expr::Function(function) => called(function),
        _ => None,
    }
}

/// The document that an expression is by itself: a column, or a place in one.
pub(super) fn document(expr: &Expr) -> Option<JsonPlace> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => document(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Some(JsonPlace {
            column: column_of(expr)?,
            path: Vec::new(),
            kind: None,
            key: None,
        }),
        _ => json_place(expr),
    }
}

impl JsonPlace {
    /// One step further. Which one a parameter says is any.
    fn step(&mut self, key: &Expr) -> Option<()> {
        if let Some(number) = parameter(key) {
            self.key = Some(number);
            self.path.push(ANY_KEY.to_owned());
            return Some(());
        }
        self.path.push(literal(key)?);
        Some(())
    }
}

/// A function that looks at one, or changes what was found.
fn called(function: &Function) -> Option<JsonPlace> {
    let given = arguments(function);
    let (first, rest) = given.split_first()?;
    match last(&function.name)?.0.as_str() {
        "jsonb_extract_path"
        | "jsonb_extract_path_text"
        | "json_extract_path"
        | "json_extract_path_text" => {
            let mut place = document(first)?;
            for key in rest {
                place.step(key)?;
            }
            Some(place)
        }
        "lower" | "upper" | "trim" | "btrim" | "coalesce" | "nullif" => json_place(first),
        _ => None,
    }
}

/// `'{a,b}'` or `ARRAY['a', 'b']`.
fn path_of(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Array(array) => array.elem.iter().map(literal).collect(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => path_of(expr),
        _ => {
            let text = literal(expr)?;
            let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
            let keys = inner
                .split(',')
                .map(|key| key.trim().trim_matches('"').to_owned());
            Some(keys.collect())
        }
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

/// A value as it is written.
pub(super) fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => literal(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.clone()),
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Boolean(truth) => Some(truth.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// The places that a literal document has, with what is there: `@> '{"plan": {"seats": 3}}'`.
pub(super) fn places_in(text: &str) -> Vec<(Vec<String>, serde_json::Value)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(text) {
        collect(&value, &mut Vec::new(), &mut found);
    }
    found.retain(|(path, _)| !path.is_empty());
    found
}

fn collect(
    value: &serde_json::Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, serde_json::Value)>,
) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, inner) in object {
                path.push(key.clone());
                collect(inner, path, found);
                path.pop();
            }
        }
        leaf => found.push((path.clone(), leaf.clone())),
    }
}
