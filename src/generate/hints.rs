//! What a CHECK says about single columns, as far as it can be read: a range, a set, a length, a pattern.
//!
//! What can't be read is not lost: the server judges every row, and a refused row is made anew. The canonical form
//! that `pg_get_expr` prints (BETWEEN as two comparisons, IN as `= ANY`, LIKE as `~~`) keeps the cases few.

use std::collections::BTreeMap;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
    Value,
};

/// What is known of a column's values.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said by a CHECK or not"
)]
pub(super) struct Hints {
    /// Not below.
    pub(super) min: Option<f64>,
    /// Not above.
    pub(super) max: Option<f64>,
    /// `min` itself is refused.
    pub(super) above_min: bool,
    /// `max` itself is refused.
    pub(super) below_max: bool,
    /// One of these.
    pub(super) choices: Option<Vec<String>>,
    /// Matches these regular expressions; the first one is generated from.
    pub(super) patterns: Vec<String>,
    /// Matches these LIKE patterns.
    pub(super) likes: Vec<String>,
    /// At least so many characters (or elements of an array).
    pub(super) min_length: Option<usize>,
    /// At most so many characters (or elements of an array).
    pub(super) max_length: Option<usize>,
    /// Never NULL.
    pub(super) not_null: bool,
    /// Always NULL.
    pub(super) null: bool,
    /// `jsonb_typeof`.
    pub(super) json: Option<String>,
    /// Its lower-case form is itself.
    pub(super) lower: bool,
    /// Its upper-case form is itself.
    pub(super) upper: bool,
    /// The elements of an array are among these.
    pub(super) elements: Option<Vec<String>>,
}

impl Hints {
    /// What both say.
    pub(super) fn narrow(&mut self, other: &Self) {
        if let Some(min) = other.min
            && self.min.is_none_or(|own| min >= own)
        {
            (self.min, self.above_min) = (Some(min), other.above_min);
        }
        if let Some(max) = other.max
            && self.max.is_none_or(|own| max <= own)
        {
            (self.max, self.below_max) = (Some(max), other.below_max);
        }
        if let Some(values) = &other.choices {
            choices(self, values.clone());
        }
        self.patterns.extend(other.patterns.iter().cloned());
        self.likes.extend(other.likes.iter().cloned());
        self.min_length = self.min_length.max(other.min_length);
        self.max_length = match (self.max_length, other.max_length) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.not_null |= other.not_null;
        self.null |= other.null;
        self.json = self.json.take().or_else(|| other.json.clone());
        self.lower |= other.lower;
        self.upper |= other.upper;
        self.elements = self.elements.take().or_else(|| other.elements.clone());
    }
}

/// Hints by column, and pairs of columns of which the first must be below the second (strictly).
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) columns: BTreeMap<String, Hints>,
    pub(super) ascending: Vec<(String, String)>,
}

impl Reading {
    /// What is below something is below its bounds, too, and the other way round.
    pub(super) fn spread(&mut self) {
        for _ in 0..self.ascending.len() {
            for (low, high) in self.ascending.clone() {
                let (below, above) = (
                    self.columns.get(&low).cloned().unwrap_or_default(),
                    self.columns.get(&high).cloned().unwrap_or_default(),
                );
                if let Some(max) = above
                    .max
                    .filter(|max| below.max.is_none_or(|own| own > *max))
                {
                    let hints = self.columns.entry(low).or_default();
                    (hints.max, hints.below_max) = (Some(max), above.below_max);
                }
                if let Some(min) = below
                    .min
                    .filter(|min| above.min.is_none_or(|own| own < *min))
                {
                    let hints = self.columns.entry(high).or_default();
                    (hints.min, hints.above_min) = (Some(min), below.above_min);
                }
            }
        }
    }
}

/// Reads a CHECK; the column of a domain's is `value`.
pub(super) fn read(expression: &str, into: &mut Reading) {
    if let Some(parsed) = super::truth::parse(expression) {
        conjunct(&parsed, into);
    }
}

/// Reads an expression that must be true. Returns whether all of it was understood.
fn conjunct(expr: &Expr, into: &mut Reading) -> bool {
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
        Expr::IsNotNull(inner) => column(inner)
            .map(|name| into.columns.entry(name).or_default().not_null = true)
            .is_some(),
        Expr::IsNull(inner) => column(inner)
            .map(|name| into.columns.entry(name).or_default().null = true)
            .is_some(),
        _ => false,
    }
}

/// One arm is enough: the first that is understood wholly, but never one that says that a column is NULL, as long
/// as there is another: `x IS NULL OR x > 0` is worth more with values.
fn disjunct(left: &Expr, right: &Expr, into: &mut Reading) -> bool {
    let mut readings = Vec::new();
    for arm in [left, right] {
        let mut reading = into.clone();
        if conjunct(arm, &mut reading) {
            let nulls = |r: &Reading| r.columns.values().filter(|hints| hints.null).count();
            readings.push((nulls(&reading) > nulls(into), reading));
        }
    }
    readings.sort_by_key(|(null, _)| *null);
    // A NULL arm beside one that was not understood restricts nothing: the server judges.
    match readings.into_iter().next() {
        Some((false, reading)) => {
            *into = reading;
            true
        }
        _ => false,
    }
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

fn choices(hints: &mut Hints, values: Vec<String>) -> bool {
    hints.choices = Some(match hints.choices.take() {
        Some(before) => before
            .into_iter()
            .filter(|value| values.contains(value))
            .collect(),
        None => values,
    });
    true
}

fn bound(hints: &mut Hints, op: &BinaryOperator, value: &str) -> bool {
    let Some(limit) = value.parse().ok().or_else(|| super::clock::seconds(value)) else {
        return false;
    };
    if matches!(op, BinaryOperator::Gt | BinaryOperator::GtEq) {
        if hints.min.is_none_or(|min| limit >= min) {
            hints.min = Some(limit);
            hints.above_min = *op == BinaryOperator::Gt;
        }
    } else if hints.max.is_none_or(|max| limit <= max) {
        hints.max = Some(limit);
        hints.below_max = *op == BinaryOperator::Lt;
    }
    true
}

/// Takes off parentheses, casts and COLLATE.
fn strip(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => strip(inner),
        other => other,
    }
}

fn column(expr: &Expr) -> Option<String> {
    match strip(expr) {
        Expr::Identifier(name) => Some(if name.quote_style.is_some() {
            name.value.clone()
        } else {
            name.value.to_lowercase()
        }),
        _ => None,
    }
}

/// A function of one column (and constants): its name and the column; `trim`s inside are looked through.
fn call(expr: &Expr) -> Option<(String, String)> {
    let Expr::Function(Function { name, args, .. }) = strip(expr) else {
        return None;
    };
    let FunctionArguments::List(list) = args else {
        return None;
    };
    let first = list.args.iter().find_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => Some(inner),
        _ => None,
    })?;
    let name = name.to_string().to_lowercase();
    let of = column(first).or_else(|| {
        let (inner, of) = trimmed(first)?;
        matches!(
            inner.as_str(),
            "btrim" | "trim" | "ltrim" | "rtrim" | "lower" | "upper"
        )
        .then_some(of)
    })?;
    Some((name, of))
}

/// A column by itself, parentheses taken off.
pub(super) fn plain_column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => plain_column(inner),
        Expr::Identifier(_) => column(expr),
        _ => None,
    }
}

/// A function's arguments.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => Some(inner),
            _ => None,
        })
        .collect()
}

fn trimmed(expr: &Expr) -> Option<(String, String)> {
    match strip(expr) {
        Expr::Trim { expr, .. } => Some(("trim".to_owned(), column(expr)?)),
        function @ Expr::Function(_) => call(function),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<String> {
    match strip(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _)
            | Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text) => Some(text.clone()),
            Value::Boolean(value) => Some(value.to_string()),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => Some(format!("-{}", constant(expr)?)),
        _ => None,
    }
}

fn constants(list: &[Expr]) -> Option<Vec<String>> {
    list.iter().map(constant).collect()
}

/// Whether a text matches a LIKE pattern.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => (0..=text.len())
            .filter(|&i| text.is_char_boundary(i))
            .any(|i| is_like(&text[i..], rest.as_str())),
        Some(wanted) => {
            let wanted = if wanted == '\\' {
                rest.next()
            } else {
                Some(wanted)
            };
            let mut chars = text.chars();
            let met = chars.next();
            met.is_some()
                && (met == wanted || pattern.starts_with('_'))
                && is_like(chars.as_str(), rest.as_str())
        }
    }
}

/// The shortest text that matches a LIKE pattern, with `x` for what is open.
pub(super) fn shortest_like(pattern: &str) -> String {
    pattern
        .chars()
        .filter(|c| !matches!(c, '%' | '\\'))
        .map(|c| if c == '_' { 'x' } else { c })
        .collect()
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
    fn what_is_not_understood_restricts_nothing() {
        assert_eq!(hints("(is_fine(x) OR (x IS NULL))", "x"), Hints::default());
        assert_eq!(hints("(x <> 3)", "x"), Hints::default());
        assert_eq!(hints("(((", "x"), Hints::default());
    }

    #[test]
    fn like_is_matched_as_postgres_does() {
        assert!(is_like("a@b.fr", "%_@_%"));
        assert!(!is_like("@b", "%_@_%"));
        assert!(is_like("https://x", "https://%"));
        assert!(is_like("a_b", "a\\_b") && !is_like("axb", "a\\_b"));
        assert_eq!(shortest_like("https://%"), "https://");
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
