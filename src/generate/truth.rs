//! Whether a row holds a CHECK, as far as that can be said without the server.
//!
//! It only advises: a row that seems to break a CHECK is mended before it is sent, and what can't be told here (a
//! function, a regular expression, a collation) the server judges as before.

use std::cmp::Ordering;

use sqlparser::ast::{BinaryOperator, CaseWhen, Expr, Function, UnaryOperator, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::clock;
use super::hints::{arguments, is_like, plain_column};

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Worth {
    /// It can't be told.
    Unknown,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

use Worth::{Bool, Null, Number, Text, Unknown};

/// An expression as Postgres prints it; `None` where it can't be parsed.
pub(super) fn parse(expression: &str) -> Option<Expr> {
    // The one form that Postgres prints and the parser does not read.
    let expression = expression.replace("TRIM(BOTH FROM ", "btrim(");
    Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&expression)
        .and_then(|mut parser| parser.parse_expr())
        .ok()
}

/// What the present is asked for by, as if it were a column: in seconds since 1970.
pub(super) const NOW: &str = "now()";

const CLOCKS: [&str; 7] = [
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "current_date",
    "current_timestamp",
    "localtimestamp",
];

/// What an expression comes to where columns are worth what `get` says.
pub(super) fn worth(expr: &Expr, get: &dyn Fn(&str) -> Worth) -> Worth {
    let of = |inner: &Expr| worth(inner, get);
    if let Some(name) = plain_column(expr) {
        return get(&name);
    }
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => of(inner),
        Expr::Cast {
            expr, data_type, ..
        } => cast(of(expr), &data_type.to_string().to_lowercase()),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().map_or(Unknown, Number),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                Text(text.clone())
            }
            Value::Boolean(value) => Bool(*value),
            Value::Null => Null,
            _ => Unknown,
        },
        Expr::UnaryOp { op, expr } => match (op, of(expr)) {
            (_, Null) => Null,
            (UnaryOperator::Not, Bool(value)) => Bool(!value),
            (UnaryOperator::Minus, Number(value)) => Number(-value),
            _ => Unknown,
        },
        Expr::IsNull(inner) => null(&of(inner)),
        Expr::IsNotNull(inner) => not(null(&of(inner))),
        Expr::IsTrue(inner) => is(of(inner), true),
        Expr::IsFalse(inner) => is(of(inner), false),
        Expr::IsNotTrue(inner) => not(is(of(inner), true)),
        Expr::IsNotFalse(inner) => not(is(of(inner), false)),
        Expr::IsDistinctFrom(left, right) => distinct(of(left), of(right)),
        Expr::IsNotDistinctFrom(left, right) => not(distinct(of(left), of(right))),
        Expr::BinaryOp { left, op, right } => binary(of(left), op, of(right)),
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        } => members(right).map_or(Unknown, |list| {
            list.iter().fold(Bool(false), |all, item| {
                or(all, binary(of(left), compare_op, of(item)))
            })
        }),
        Expr::AllOp {
            left,
            compare_op,
            right,
        } => members(right).map_or(Unknown, |list| {
            list.iter().fold(Bool(true), |all, item| {
                and(all, binary(of(left), compare_op, of(item)))
            })
        }),
        Expr::Case {
            operand: None,
            conditions,
            else_result,
            ..
        } => case(conditions, else_result.as_deref(), get),
        Expr::Function(function) => call(function, get),
        _ => Unknown,
    }
}

/// Whether it can be told what an expression comes to, once all of its columns have values.
pub(super) fn can_tell(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner)
        | Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: inner,
        } => can_tell(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => can_tell(left) && can_tell(right),
        // Whatever the columns' types, one of these suits them.
        _ => [Number(1.0), Text("2000-01-01".to_owned()), Bool(true)]
            .iter()
            .any(|value| worth(expr, &|_| value.clone()) != Unknown),
    }
}

/// The elements of `ARRAY[…]`, casts taken off.
fn members(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => members(inner),
        Expr::Array(array) => Some(&array.elem),
        _ => None,
    }
}

fn case(conditions: &[CaseWhen], otherwise: Option<&Expr>, get: &dyn Fn(&str) -> Worth) -> Worth {
    for branch in conditions {
        match worth(&branch.condition, get) {
            Bool(true) => return worth(&branch.result, get),
            Unknown => return Unknown,
            _ => {}
        }
    }
    otherwise.map_or(Null, |otherwise| worth(otherwise, get))
}

fn call(function: &Function, get: &dyn Fn(&str) -> Worth) -> Worth {
    let name = function.name.to_string().to_lowercase();
    if CLOCKS.contains(&name.as_str()) {
        return get(NOW);
    }
    let given: Vec<Worth> = arguments(function)
        .into_iter()
        .map(|argument| worth(argument, get))
        .collect();
    if given.contains(&Unknown) {
        return Unknown;
    }
    let nulls = given.iter().filter(|value| **value == Null).count();
    #[expect(clippy::cast_precision_loss, reason = "lengths and counts are small")]
    let count = |n: usize| Number(n as f64);
    match (name.as_str(), given.as_slice()) {
        ("num_nonnulls", all) => count(all.len() - nulls),
        ("num_nulls", _) => count(nulls),
        ("coalesce", all) => all
            .iter()
            .find(|value| **value != Null)
            .cloned()
            .unwrap_or(Null),
        (_, all) if all.contains(&Null) => Null,
        ("length" | "char_length" | "character_length", [Text(text)]) => {
            count(text.chars().count())
        }
        ("lower", [Text(text)]) => Text(text.to_lowercase()),
        ("upper", [Text(text)]) => Text(text.to_uppercase()),
        ("btrim", [Text(text)]) => Text(text.trim_matches(' ').to_owned()),
        ("abs", [Number(value)]) => Number(value.abs()),
        _ => Unknown,
    }
}

fn cast(value: Worth, to: &str) -> Worth {
    let numeric = [
        "int", "bigint", "smallint", "numeric", "double", "real", "decimal",
    ];
    match value {
        Text(text) if to != "interval" && numeric.iter().any(|name| to.starts_with(name)) => {
            text.parse().map_or(Unknown, Number)
        }
        Number(_) if to.starts_with("text") || to.starts_with("char") => Unknown,
        other => other,
    }
}

fn binary(left: Worth, op: &BinaryOperator, right: Worth) -> Worth {
    use BinaryOperator as Op;
    match op {
        Op::And => return and(left, right),
        Op::Or => return or(left, right),
        _ => {}
    }
    if left == Unknown || right == Unknown {
        return Unknown;
    }
    if left == Null || right == Null {
        return Null;
    }
    match (op, &left, &right) {
        (Op::Plus, Number(a), Number(b)) => Number(a + b),
        (Op::Minus, Number(a), Number(b)) => Number(a - b),
        (Op::Plus, Number(a), Text(b)) => clock::seconds(b).map_or(Unknown, |b| Number(a + b)),
        (Op::Minus, Number(a), Text(b)) => clock::seconds(b).map_or(Unknown, |b| Number(a - b)),
        // A day that many days from another; a time that long from another; days between days.
        (Op::Plus | Op::Minus, Text(a), Number(days)) => clock::seconds(a).map_or(Unknown, |a| {
            let sign = if *op == Op::Plus { 1.0 } else { -1.0 };
            Number(a + sign * days * 86_400.0)
        }),
        (Op::Plus | Op::Minus, Text(a), Text(b)) => match (clock::seconds(a), clock::seconds(b)) {
            (Some(a), Some(b)) if *op == Op::Plus => Number(a + b),
            (Some(low), Some(high)) if clock::is_day(a) && clock::is_day(b) => {
                Number((low - high) / 86_400.0)
            }
            (Some(a), Some(b)) => Number(a - b),
            _ => Unknown,
        },
        (Op::Multiply, Number(a), Number(b)) => Number(a * b),
        (Op::Modulo, Number(a), Number(b)) if *b != 0.0 => Number(a % b),
        (Op::StringConcat, Text(a), Text(b)) => Text(format!("{a}{b}")),
        (Op::PGLikeMatch, Text(text), Text(pattern)) => Bool(is_like(text, pattern)),
        (Op::PGNotLikeMatch, Text(text), Text(pattern)) => Bool(!is_like(text, pattern)),
        (Op::Eq, ..) => {
            order(&left, &right).map_or(Unknown, |order| Bool(order == Some(Ordering::Equal)))
        }
        (Op::NotEq, ..) => {
            order(&left, &right).map_or(Unknown, |order| Bool(order != Some(Ordering::Equal)))
        }
        (Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, ..) => match order(&left, &right) {
            Some(Some(order)) => Bool(match op {
                Op::Lt => order.is_lt(),
                Op::LtEq => order.is_le(),
                Op::Gt => order.is_gt(),
                _ => order.is_ge(),
            }),
            _ => Unknown,
        },
        _ => Unknown,
    }
}

/// How two values compare; `Some(None)` where they differ and a collation would have to say how.
#[expect(
    clippy::option_option,
    reason = "not comparable, and different without an order"
)]
fn order(left: &Worth, right: &Worth) -> Option<Option<Ordering>> {
    match (left, right) {
        (Number(a), Number(b)) => Some(a.partial_cmp(b)),
        (Bool(a), Bool(b)) => Some(Some(a.cmp(b))),
        (Number(a), Text(text)) => Some(a.partial_cmp(&number(text)?)),
        (Text(text), Number(b)) => Some(number(text)?.partial_cmp(b)),
        (Text(a), Text(b)) if a == b => Some(Some(Ordering::Equal)),
        (Text(a), Text(b)) => Some(match (clock::seconds(a), clock::seconds(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => None,
        }),
        _ => None,
    }
}

/// A number, or seconds since 1970.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| clock::seconds(text))
}

fn null(value: &Worth) -> Worth {
    match value {
        Unknown => Unknown,
        value => Bool(*value == Null),
    }
}

fn is(value: Worth, wanted: bool) -> Worth {
    match value {
        Unknown => Unknown,
        value => Bool(value == Bool(wanted)),
    }
}

fn not(value: Worth) -> Worth {
    match value {
        Bool(value) => Bool(!value),
        other => other,
    }
}

fn distinct(left: Worth, right: Worth) -> Worth {
    match (&left, &right) {
        (Unknown, _) | (_, Unknown) => Unknown,
        (Null, _) | (_, Null) => Bool(left != right),
        _ => binary(left, &BinaryOperator::NotEq, right),
    }
}

fn and(left: Worth, right: Worth) -> Worth {
    match (left, right) {
        (Bool(false), _) | (_, Bool(false)) => Bool(false),
        (Bool(true), other) | (other, Bool(true)) => other,
        (Null, Null) => Null,
        _ => Unknown,
    }
}

fn or(left: Worth, right: Worth) -> Worth {
    match (left, right) {
        (Bool(true), _) | (_, Bool(true)) => Bool(true),
        (Bool(false), other) | (other, Bool(false)) => other,
        (Null, Null) => Null,
        _ => Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expression: &str, cells: &[(&str, Worth)]) -> Worth {
        worth(&parse(expression).unwrap(), &|name| {
            cells
                .iter()
                .find(|(column, _)| *column == name)
                .map_or(Unknown, |(_, value)| value.clone())
        })
    }

    #[test]
    fn exclusive_columns_are_counted() {
        let cells = [("a", Text("x".into())), ("b", Null)];
        assert_eq!(told("(num_nonnulls(a, b) = 1)", &cells), Bool(true));
        assert_eq!(told("((a IS NULL) <> (b IS NULL))", &cells), Bool(true));
        assert_eq!(told("((a IS NULL) = (b IS NULL))", &cells), Bool(false));
    }

    #[test]
    fn sums_cases_and_times_are_understood() {
        let cells = [
            ("a", Number(2.0)),
            ("b", Number(3.0)),
            ("t", Text("2026-01-02".into())),
        ];
        assert_eq!(told("((a + b) = 5)", &cells), Bool(true));
        assert_eq!(told("(t >= '2026-01-03'::date)", &cells), Bool(false));
        let past = [("t", Text("1969-12-31".into())), (NOW, Number(0.0))];
        assert_eq!(told("(t < CURRENT_DATE)", &past), Bool(true));
        assert_eq!(
            told("(t < (now() - '7 days'::interval))", &past),
            Bool(false)
        );
        assert_eq!(
            told("CASE WHEN (a > b) THEN false ELSE (b <> 3) END", &cells),
            Bool(false)
        );
        assert_eq!(told("(a <> ALL (ARRAY[1, 2]))", &cells), Bool(false));
    }

    #[test]
    fn times_are_reckoned_with() {
        let cells = [
            ("born", Text("2000-03-01".into())),
            ("hired", Text("2020-03-01".into())),
            ("from", Text("2026-01-02 08:00:00+00".into())),
            ("till", Text("2026-01-02 22:00:00+00".into())),
        ];
        assert_eq!(told("(born < (hired - (365 * 16)))", &cells), Bool(true));
        assert_eq!(told("(born < (hired - (366 * 20)))", &cells), Bool(false));
        assert_eq!(told("((hired - born) > 7000)", &cells), Bool(true));
        assert_eq!(
            told("(till <= (\"from\" + '12:00:00'::interval))", &cells),
            Bool(false)
        );
        assert_eq!(
            told("((till - \"from\") <= '14:00:00'::interval)", &cells),
            Bool(true)
        );
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        assert_eq!(told("((x > 1) OR f(y))", &[("x", Number(0.0))]), Unknown);
        assert_eq!(told("((x > 1) OR f(y))", &[("x", Number(2.0))]), Bool(true));
        assert_eq!(told("(x > 'b'::text)", &[("x", Text("a".into()))]), Unknown);
    }
}
