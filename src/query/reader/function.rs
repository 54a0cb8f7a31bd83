//! Functions, and what stands as a table without being one.

use sqlparser::ast::{Expr, ObjectName, Query as Select, SelectItem, SetExpr, TableAlias};

use super::{Passed, Reader};
use crate::query::expression::{folded, last, parameter};
use crate::query::infer::{Field, Source};

impl Reader<'_> {
    /// Functions that look for one text in another.
    pub(super) fn call(&mut self, name: &ObjectName, given: &[&Expr]) {
        let Some((name, _)) = last(name) else {
            return;
        };
        match name.as_str() {
            "to_tsquery" | "plainto_tsquery" | "phraseto_tsquery" | "websearch_to_tsquery" => {
                for number in given.iter().filter_map(|expr| parameter(expr)) {
                    self.source(number, Source::Words);
                }
            }
            "date_trunc" | "date_part" => self.takes(given, Source::Unit),
            "timezone" => self.takes(given, Source::Zone),
            "to_date" | "to_timestamp" if given.len() == 2 => {
                self.takes(given, Source::Cast("date".to_owned()));
            }
            "jsonb_array_elements"
            | "json_array_elements"
            | "jsonb_array_elements_text"
            | "json_array_elements_text"
            | "jsonb_array_length"
            | "json_array_length" => {
                self.look_into(given.first().copied(), "0");
            }
            "jsonb_each" | "json_each" | "jsonb_each_text" | "json_each_text"
            | "jsonb_object_keys" | "json_object_keys" => {
                self.look_into(given.first().copied(), "k");
            }
            "coalesce" | "num_nulls" | "num_nonnulls" => {
                let given = given.iter().filter_map(|expr| parameter(expr));
                self.inferred.optional.extend(given);
            }
            "similarity"
            | "word_similarity"
            | "strict_word_similarity"
            | "levenshtein"
            | "starts_with" => {
                if let [left, right, ..] = given {
                    self.compare(left, right, '=');
                    self.compare(right, left, '=');
                }
            }
            _ => {}
        }
    }

    /// What a parameter says that is the first argument.
    fn takes(&mut self, given: &[&Expr], source: Source) {
        if let Some(number) = given.first().and_then(|expr| parameter(expr)) {
            self.source(number, source);
        }
    }

    /// A function that stands as a table: what it hands on of its parameters.
    pub(super) fn function(
        &mut self,
        name: &ObjectName,
        given: &[&Expr],
        alias: Option<&TableAlias>,
    ) {
        self.call(name, given);
        let (Some((name, _)), Some(alias)) = (last(name), alias) else {
            return;
        };
        self.elements(&name, given, alias);
        let plain = name
            .trim_start_matches("jsonb_")
            .trim_start_matches("json_");
        let list = match plain {
            "unnest" => return self.unnest(alias, given),
            "to_record" | "populate_record" => false,
            "to_recordset" | "populate_recordset" | "array_elements_text" => true,
            _ => return,
        };
        let Some(number) = given.last().and_then(|expr| parameter(expr)) else {
            return;
        };
        let scalar = plain == "array_elements_text";
        let of = folded(&alias.name);
        // Without names for its columns the function's is that of the one.
        let mut columns: Vec<String> = alias
            .columns
            .iter()
            .map(|column| folded(&column.name))
            .collect();
        if scalar && columns.is_empty() {
            columns.push(of.clone());
        }
        for column in columns {
            let field = Field {
                name: (!scalar).then(|| column.clone()),
                list,
            };
            self.passed.push(Passed {
                name: (Some(of.clone()), column),
                number,
                field: Some(field),
            });
        }
    }

    /// `unnest($1, $2) AS x (id, at)`
    pub(super) fn unnest(&mut self, alias: &TableAlias, given: &[&Expr]) {
        let of = folded(&alias.name);
        for (position, expr) in given.iter().enumerate() {
            let column = alias.columns.get(position);
            // `unnest($1) AS id` names the column as well.
            let column = column.map(|column| folded(&column.name));
            let column = column.or_else(|| (given.len() == 1).then(|| of.clone()));
            if let (Some(number), Some(column)) = (parameter(expr), column) {
                self.passed.push(Passed {
                    name: (Some(of.clone()), column),
                    number,
                    field: None,
                });
            }
        }
    }

    /// Remembers the parameters that a subquery hands on as its columns.
    pub(super) fn pass(&mut self, alias: &TableAlias, query: &Select) {
        let of = Some(folded(&alias.name));
        let named = alias.columns.iter().map(|column| folded(&column.name));
        let mut pass = |column: String, expr: &Expr| {
            if let Some(number) = parameter(expr) {
                self.passed.push(Passed {
                    name: (of.clone(), column),
                    number,
                    field: None,
                });
            }
        };
        match query.body.as_ref() {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    for (column, expr) in named.clone().zip(&row.content) {
                        pass(column, expr);
                    }
                }
            }
            SetExpr::Select(select) => {
                let mut named = named;
                for item in &select.projection {
                    let name = named.next();
                    match item {
                        SelectItem::ExprWithAlias { expr, alias } => {
                            pass(name.unwrap_or_else(|| folded(alias)), expr);
                        }
                        SelectItem::UnnamedExpr(expr) => {
                            if let Some(name) = name {
                                pass(name, expr);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}
