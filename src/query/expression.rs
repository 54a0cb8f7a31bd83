//! What single expressions of a query say: a column, a parameter, how one is compared with the other.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, Value,
};

/// How a comparison reads from the column's side when that is on the left, and when it is on the right.
pub(super) fn comparison(op: &BinaryOperator) -> Option<(char, char)> {
    Some(match op {
        // `%` asks for similar text, and the same is similar.
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Modulo
        | BinaryOperator::PGOverlap
        | BinaryOperator::AtArrow
        | BinaryOperator::ArrowAt => ('=', '='),
        BinaryOperator::Lt | BinaryOperator::LtEq => ('<', '>'),
        BinaryOperator::Gt | BinaryOperator::GtEq => ('>', '<'),
        BinaryOperator::PGLikeMatch | BinaryOperator::PGILikeMatch => ('%', '%'),
        BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexIMatch => ('~', '~'),
        _ => return None,
    })
}

/// A column as it is written: what it belongs to, and its name.
pub(super) type Name = (Option<String>, String);

pub(super) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// The last part of a name and the one before it.
pub(super) fn last(name: &ObjectName) -> Option<(String, Option<String>)> {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().map(folded))
        .collect();
    let relation = parts.last()?.clone();
    Some((
        relation,
        parts.len().checked_sub(2).map(|i| parts[i].clone()),
    ))
}

/// The arguments of a function by position.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    unnamed(&list.args)
}

/// Those of some arguments that have no name.
pub(super) fn unnamed(list: &[FunctionArg]) -> Vec<&Expr> {
    let plain = list.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => Some(inner),
        _ => None,
    });
    plain.flatten().collect()
}

/// A column, casts and parentheses and `lower(…)` taken off: its alias and name.
pub(super) fn column_of(expr: &Expr) -> Option<Name> {
    match expr {
        Expr::Identifier(name) => Some((None, folded(name))),
        Expr::CompoundIdentifier(parts) => {
            let name = parts.last()?;
            let alias = parts.len().checked_sub(2).map(|i| folded(&parts[i]));
            Some((alias, folded(name)))
        }
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => column_of(inner),
        Expr::Function(function) => first_argument(function).and_then(column_of),
        _ => None,
    }
}

/// An expression without casts and parentheses.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => bare(inner),
        other => other,
    }
}

/// A parameter, with whatever is wrapped around it: casts, functions, `'%' || $1 || '%'`.
pub(super) fn parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) => text.trim_start_matches('$').parse().ok(),
            _ => None,
        },
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => parameter(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat | BinaryOperator::Plus | BinaryOperator::Minus,
            right,
        } => parameter(left).or_else(|| parameter(right)),
        Expr::Function(function) => first_argument(function).and_then(parameter),
        _ => None,
    }
}

pub(super) fn first_argument(function: &Function) -> Option<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    list.args.iter().find_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) => Some(inner),
        _ => None,
    })
}
