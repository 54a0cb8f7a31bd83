//! A CHECK's expression → hints.

use sqlparser::ast::{BinaryOperator, Expr};

use super::arms::disjunct;
use super::expr::{arguments, call, column, constant, constants, strip};
use super::{Hints, Reading, bound, choices};

/// Reads a CHECK; the column of a domain's is `value`. Returns whether all of it was understood.
pub(in crate::generate) fn read(expression: &str, into: &mut Reading) -> bool {
    crate::generate::truth::parse(expression).is_some_and(|parsed| conjunct(&parsed, into))
}

/// Reads an expression that must be true. Returns whether all of it was understood.
pub(super) fn conjunct(expr: &Expr, into: &mut Reading) -> bool {
    match strip(expr) {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            let left = conjunct(left, into);
            conjunct(right, into) && left
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } => disjunct(left, right, into),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::ArrowAt,
            right,
        } => match (column(left), strip(right)) {
            (Some(name), Expr::Array(array)) => {
                into.columns.entry(name).or_default().elements = constants(&array.elem);
                true
            }
            _ => false,
        },
        // A boolean column by itself.
        Expr::Identifier(_) => column(expr)
            .is_some_and(|name| choices(into.columns.entry(name).or_default(), vec!["t".into()])),
        Expr::BinaryOp { left, op, right } => comparison(strip(left), op, strip(right), into),
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => any_of(strip(left), strip(right), into),
        Expr::InList {
            expr,
            list,
            negated: false,
        } => match (column(expr), constants(list)) {
            (Some(name), Some(values)) => choices(into.columns.entry(name).or_default(), values),
            _ => false,
        },
        Expr::IsNotNull(inner) => match (column(inner), field(inner)) {
            (Some(name), _) => {
                into.columns.entry(name).or_default().not_null = true;
                true
            }
            (None, Some((name, key))) => has_key(into, name, key, None),
            _ => false,
        },
        Expr::IsNull(inner) => column(inner)
            .map(|name| into.columns.entry(name).or_default().null = true)
            .is_some(),
        _ => false,
    }
}

/// `x -> 'key'`, `x ->> 'key'`: the column and the key.
fn field(expr: &Expr) -> Option<(String, String)> {
    match strip(expr) {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Arrow | BinaryOperator::LongArrow,
            right,
        } => Some((column(left)?, constant(right)?)),
        _ => None,
    }
}

/// A JSON object has a key, of this type where one is said.
fn has_key(into: &mut Reading, name: String, key: String, of: Option<String>) -> bool {
    let known = into.columns.entry(name).or_default();
    let own = known.keys.entry(key).or_default();
    *own = own.take().or(of);
    true
}

fn comparison(left: &Expr, op: &BinaryOperator, right: &Expr, into: &mut Reading) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, PGLikeMatch, PGRegexIMatch, PGRegexMatch};
    if let (Some(low), Some(high)) = (column(left), column(right)) {
        match op {
            Lt | LtEq => into.ascending.push((low, high)),
            Gt | GtEq => into.ascending.push((high, low)),
            _ => return false,
        }
        return true;
    }
    if constant(left).is_some() && constant(right).is_none() {
        let turned = match op {
            Lt => Gt,
            LtEq => GtEq,
            Gt => Lt,
            GtEq => LtEq,
            Eq => Eq,
            _ => return false,
        };
        return comparison(right, &turned, left, into);
    }
    if *op == BinaryOperator::Question
        && let (Some(name), Some(key)) = (column(left), constant(right))
    {
        return has_key(into, name, key, None);
    }
    if *op == Eq
        && let (Expr::Function(function), Some(of)) = (left, constant(right))
        && matches!(
            function.name.to_string().as_str(),
            "jsonb_typeof" | "json_typeof"
        )
        && let [inner] = arguments(function)[..]
        && let Some((name, key)) = field(inner)
    {
        return has_key(into, name, key, Some(of));
    }
    let Some(value) = constant(right) else {
        return similar(left, op, right, into) || lowered(left, op, right, into);
    };
    if let Some((function, name)) = call(left) {
        let hints = into.columns.entry(name).or_default();
        return measured(&function, op, &value, hints);
    }
    let Some(name) = column(left) else {
        return false;
    };
    let hints = into.columns.entry(name).or_default();
    match op {
        Eq => return choices(hints, vec![value]),
        PGRegexMatch | PGRegexIMatch => hints.patterns.push(value),
        PGLikeMatch | BinaryOperator::PGILikeMatch => hints.likes.push(value),
        Gt | GtEq | Lt | LtEq => return bound(hints, op, &value),
        _ => return false,
    }
    true
}

/// `x SIMILAR TO '…'`, which Postgres prints as `x ~ similar_to_escape('…')`.
fn similar(left: &Expr, op: &BinaryOperator, right: &Expr, into: &mut Reading) -> bool {
    let (Some(name), Expr::Function(function)) = (column(left), right) else {
        return false;
    };
    let [pattern] = arguments(function)[..] else {
        return false;
    };
    let Some(pattern) = constant(pattern).filter(|_| {
        *op == BinaryOperator::PGRegexMatch && function.name.to_string() == "similar_to_escape"
    }) else {
        return false;
    };
    let pattern = pattern.replace('%', ".*").replace('_', ".");
    let hints = into.columns.entry(name).or_default();
    hints.patterns.push(format!("^({pattern})$"));
    true
}

/// `x = lower(x)`, `x = upper(x)`.
fn lowered(left: &Expr, op: &BinaryOperator, right: &Expr, into: &mut Reading) -> bool {
    let pair = match (column(left), call(right), column(right), call(left)) {
        (Some(name), Some(call), ..) | (.., Some(name), Some(call)) => Some((name, call)),
        _ => None,
    };
    match pair {
        Some((name, (function, of)))
            if *op == BinaryOperator::Eq
                && name == of
                && matches!(function.as_str(), "lower" | "upper") =>
        {
            let hints = into.columns.entry(name).or_default();
            hints.lower |= function == "lower";
            hints.upper |= function == "upper";
            true
        }
        _ => false,
    }
}

/// `char_length(x) <= 20` and its like.
fn measured(function: &str, op: &BinaryOperator, value: &str, hints: &mut Hints) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    if matches!(function, "jsonb_typeof" | "json_typeof") && *op == Eq {
        hints.json = Some(value.to_owned());
        return true;
    }
    if matches!(function, "lower" | "upper") {
        // The bounds of a range; a text is compared with a text, which is no number.
        return bound(hints, op, value);
    }
    if !matches!(
        function,
        "length"
            | "char_length"
            | "character_length"
            | "octet_length"
            | "cardinality"
            | "array_length"
            | "btrim_length"
    ) {
        return false;
    }
    let Ok(n) = value.parse::<usize>() else {
        return false;
    };
    let (low, high) = match op {
        Eq => (Some(n), Some(n)),
        Gt => (Some(n + 1), None),
        GtEq => (Some(n), None),
        Lt => (None, Some(n.saturating_sub(1))),
        LtEq => (None, Some(n)),
        NotEq if n == 0 => (Some(1), None),
        _ => return false,
    };
    hints.min_length = hints.min_length.max(low);
    hints.max_length = match (hints.max_length, high) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    true
}

fn any_of(left: &Expr, right: &Expr, into: &mut Reading) -> bool {
    let Some(name) = column(left) else {
        return false;
    };
    let values = match right {
        Expr::Array(array) => constants(&array.elem),
        other => constant(other).and_then(|text| {
            // '{a,b}'::text[]
            let inner = text.strip_prefix('{')?.strip_suffix('}')?;
            (!inner.contains(['"', '\\'])).then(|| inner.split(',').map(str::to_owned).collect())
        }),
    };
    match values {
        Some(values) => choices(into.columns.entry(name).or_default(), values),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(expression: &str, column: &str) -> Hints {
        let mut reading = Reading::default();
        read(expression, &mut reading);
        reading.columns.remove(column).unwrap_or_default()
    }

    #[test]
    fn reads_the_forms_that_postgres_prints() {
        let range = hints("((weight >= 1) AND (weight <= 100))", "weight");
        assert_eq!((range.min, range.max), (Some(1.0), Some(100.0)));
        let set = hints("(state = ANY (ARRAY['a'::text, 'b'::text]))", "state");
        assert_eq!(set.choices, Some(vec!["a".into(), "b".into()]));
        let length = hints(
            "((char_length(name) >= 1) AND (char_length(name) <= 80))",
            "name",
        );
        assert_eq!((length.min_length, length.max_length), (Some(1), Some(80)));
        let pattern = hints("((code)::text ~ '^[0-9]{9}$'::text)", "code");
        assert_eq!(pattern.patterns, ["^[0-9]{9}$"]);
        let optional = hints("((n IS NULL) OR (n > 0))", "n");
        assert_eq!(
            (optional.min, optional.above_min, optional.null),
            (Some(0.0), true, false)
        );
        let negative = hints("(x >= '-5'::integer)", "x");
        assert_eq!(negative.min, Some(-5.0));
        assert_eq!(
            hints("(char_length(TRIM(BOTH FROM label)) > 0)", "label").min_length,
            Some(1)
        );
        assert!(hints("((email)::text = lower((email)::text))", "email").lower);
    }

    #[test]
    fn the_keys_of_an_object_are_read() {
        let body = hints(
            "((body ? 'blocks'::text) AND (jsonb_typeof((body -> 'blocks'::text)) = 'array'::text) AND ((body ->> 'id'::text) IS NOT NULL))",
            "body",
        );
        let of = |key: &str| body.keys.get(key).cloned().flatten();
        assert_eq!(of("blocks").as_deref(), Some("array"));
        assert!(body.keys.contains_key("id"));
    }

    #[test]
    fn what_is_not_understood_restricts_nothing() {
        assert_eq!(hints("(is_fine(x) OR (x IS NULL))", "x"), Hints::default());
        assert_eq!(hints("(x <> 3)", "x"), Hints::default());
        assert_eq!(hints("(((", "x"), Hints::default());
    }

    #[test]
    fn arms_of_one_column_leave_what_either_has() {
        let set = hints("((kind = 'a'::text) OR (kind = 'b'::text))", "kind");
        assert_eq!(set.choices, Some(vec!["a".into(), "b".into()]));
        let range = hints("((n = 0) OR (n >= 10))", "n");
        assert_eq!((range.choices, range.min), (None, Some(10.0)));
        let each = "(((kind = 'a'::text) AND (x IS NOT NULL)) OR ((kind = 'b'::text) AND (y IS NOT NULL)))";
        assert_eq!(
            hints(each, "kind").choices,
            Some(vec!["a".into(), "b".into()])
        );
        assert!(!hints(each, "x").not_null);
    }

    #[test]
    fn a_state_is_not_what_all_rows_are_in() {
        for expression in [
            "((state = 'draft'::text) OR (sent_at IS NOT NULL))",
            "((state <> 'sent'::text) OR (sent_at IS NOT NULL))",
            "((sent_at IS NULL) OR (state = 'sent'::text))",
        ] {
            assert_eq!(hints(expression, "state"), Hints::default(), "{expression}");
            assert!(!hints(expression, "sent_at").not_null, "{expression}");
        }
        // What can't be told row by row: one arm is better than none.
        let kept = hints("((state = 'draft'::text) OR is_fine(sent_at))", "state");
        assert_eq!(kept.choices, Some(vec!["draft".into()]));
    }

    #[test]
    fn pairs_of_columns_are_ordered() {
        let mut reading = Reading::default();
        read(
            "((ended_on IS NULL) OR (ended_on >= started_on))",
            &mut reading,
        );
        assert_eq!(
            reading.ascending,
            [("started_on".to_owned(), "ended_on".to_owned())]
        );
    }
}
