//! Parts of an expression: its columns, constants and calls.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
    visit_expressions,
};

/// Takes off parentheses, casts and COLLATE.
pub(super) fn strip(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => strip(inner),
        other => other,
    }
}

pub(in crate::generate) fn column(expr: &Expr) -> Option<String> {
    match strip(expr) {
        Expr::Identifier(name) => Some(if name.quote_style.is_some() {
            name.value.clone()
        } else {
            name.value.to_lowercase()
        }),
        _ => None,
    }
}

/// The columns that an expression mentions.
pub(super) fn mentioned(expr: &Expr) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let _ = visit_expressions(expr, |inner| {
        if let Expr::Identifier(_) = inner {
            found.extend(column(inner));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// A function of one column (and constants): its name and the column; `trim`s inside are looked through.
pub(super) fn call(expr: &Expr) -> Option<(String, String)> {
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
pub(in crate::generate) fn plain_column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => plain_column(inner),
        Expr::Identifier(_) => column(expr),
        _ => None,
    }
}

/// A function's arguments.
pub(in crate::generate) fn arguments(function: &Function) -> Vec<&Expr> {
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

pub(super) fn constant(expr: &Expr) -> Option<String> {
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

pub(super) fn constants(list: &[Expr]) -> Option<Vec<String>> {
    list.iter().map(constant).collect()
}
