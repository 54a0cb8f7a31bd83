//! What is compared with places inside of JSON columns.

use sqlparser::ast::{BinaryOperator, Expr, TableAlias};

use super::{Pair, Reader};
use crate::model::RelationName;
use crate::query::expression::{Name, folded, parameter};
use crate::query::infer::Source;
use crate::query::json::{JsonPlace, document, json_place, literal, places_in};
use crate::query::plain::category;

/// A place that a query looks at.
pub(super) struct Looked {
    column: Name,
    path: Vec<String>,
    /// What it is cast to.
    kind: Option<String>,
    /// What it is compared with, where that is written.
    value: Option<String>,
}

impl Reader<'_> {
    /// Remembers a place, whatever is done with it.
    pub(super) fn look(&mut self, expr: &Expr) {
        if let Some(place) = json_place(expr) {
            self.place(place, None);
        }
    }

    fn place(&mut self, place: JsonPlace, value: Option<String>) {
        if let Some(number) = place.key {
            self.inside(
                number,
                place.column.clone(),
                place.path[..place.path.len() - 1].to_vec(),
                '?',
            );
        }
        self.looked.push(Looked {
            column: place.column,
            path: place.path,
            kind: place.kind,
            value,
        });
    }

    /// Looks at the first element of an array, or at a key of an object.
    pub(super) fn look_into(&mut self, expr: Option<&Expr>, step: &str) {
        if let Some(mut place) = expr.and_then(document) {
            place.path.push(step.to_owned());
            self.place(place, None);
        }
    }

    /// Remembers what stands for the elements of an array in a column's JSON, and what their fields are read as.
    pub(super) fn elements(&mut self, function: &str, given: &[&Expr], alias: &TableAlias) {
        let plain = function
            .trim_start_matches("jsonb_")
            .trim_start_matches("json_");
        let list = match plain {
            "array_elements" | "to_recordset" => true,
            "to_record" => false,
            _ => return,
        };
        let Some(mut place) = given.last().and_then(|expr| document(expr)) else {
            return;
        };
        if list {
            place.path.push("0".to_owned());
        }
        let columns = alias.columns.iter();
        if plain == "array_elements" {
            let names = columns.map(|column| folded(&column.name));
            let names = names.chain([folded(&alias.name)]);
            self.elements
                .extend(names.map(|name| (name, place.clone())));
            return;
        }
        for column in columns {
            let mut field = place.clone();
            field.path.push(folded(&column.name));
            field.kind = column
                .data_type
                .as_ref()
                .map(|kind| kind.to_string().to_lowercase());
            self.place(field, None);
        }
    }

    /// A place on one side and a value on the other.
    pub(super) fn compare_json(&mut self, place: JsonPlace, value: &Expr, by: char) {
        if let Some(number) = parameter(value) {
            self.inside(number, place.column.clone(), place.path.clone(), by);
        } else if let Some(value) = literal(value) {
            self.place(place, Some(value));
        }
    }

    /// Keys that are looked for, `meta ? 'a'`, and documents that are: `meta @> '{"a": 1}'`.
    pub(super) fn keys(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) {
        let keys = matches!(
            op,
            BinaryOperator::Question | BinaryOperator::QuestionAnd | BinaryOperator::QuestionPipe
        );
        let Some(place) = document(left).filter(|_| keys || *op == BinaryOperator::AtArrow) else {
            return;
        };
        let further = |path: Vec<String>, value: Option<String>, kind: Option<String>| Looked {
            column: place.column.clone(),
            path: [place.path.as_slice(), path.as_slice()].concat(),
            kind,
            value,
        };
        if keys {
            if let Some(number) = parameter(right) {
                self.inside(number, place.column, place.path, '?');
            } else if let Some(key) = literal(right) {
                self.looked.push(further(vec![key], None, None));
            }
            return;
        }
        let Some(text) = literal(right) else { return };
        for (path, value) in places_in(&text) {
            let (value, kind) = match value {
                serde_json::Value::String(text) => (text, None),
                other if other.is_number() => (other.to_string(), Some("numeric")),
                other if other.is_boolean() => (other.to_string(), Some("boolean")),
                _ => continue,
            };
            let looked = further(path, Some(value), kind.map(str::to_owned));
            self.looked.push(looked);
        }
    }

    fn inside(&mut self, number: usize, name: Name, path: Vec<String>, by: char) {
        self.pairs.push(Pair {
            number,
            name,
            by,
            field: None,
            path: Some(path),
        });
    }

    /// A parameter in what is cast: text that must be one of the type.
    pub(super) fn cast(&mut self, inner: &Expr, kind: &str) {
        let kind = kind.to_lowercase();
        let bare = matches!(inner, Expr::Value(_));
        if let Some(number) = parameter(inner).filter(|_| !bare && category(&kind) != Some("text"))
        {
            self.source(number, Source::Cast(kind));
        }
    }

    /// Finds the columns of the places, now that all aliases are known.
    pub(super) fn resolve_json(&mut self) {
        for mut looked in std::mem::take(&mut self.looked) {
            // An element's field is one of the array's first.
            let names = |(name, _): &&(String, JsonPlace)| *name == looked.column.1;
            if let Some((_, place)) = self.elements.iter().find(names) {
                looked.path = [place.path.as_slice(), &looked.path].concat();
                looked.column = place.column.clone();
            }
            let column = looked.column.1.clone();
            let owner = self.owner(&looked.column, false);
            let Some(table) = owner.filter(|table| self.is_json(table, &column)) else {
                continue;
            };
            let paths = self.inferred.json.entry((table, column)).or_default();
            let found = paths.entry(looked.path).or_default();
            if let Some(kind) = looked.kind {
                found.kind = kind;
            }
            found.values.extend(looked.value);
        }
    }

    pub(super) fn is_json(&self, table: &RelationName, column: &str) -> bool {
        let column = self
            .catalog
            .tables
            .get(table)
            .and_then(|table| table.column(column));
        column.is_some_and(|column| matches!(column.type_name.as_str(), "json" | "jsonb"))
    }
}
