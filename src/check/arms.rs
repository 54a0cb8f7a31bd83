//! Whether a policy's expression asks the row at all: it is as wide as the widest of its arms.

use crate::model::{Token, TokenKind, Tokens};

/// An expression that lets more through than rows that it looked at. The widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wide {
    /// It holds always.
    Always,
    /// It holds where nothing says who asks.
    Unset,
    /// It asks who asks, and nothing of the row.
    Rowless,
}

/// The widest arm of an expression, as Postgres prints it, that is too wide for a table of tenants' rows; `of_row` are the
/// names by which it asks the row.
pub(super) fn widest(text: &str, of_row: &dyn Fn(&str) -> bool) -> Option<Wide> {
    let tokens = tokens(text);
    let mut arms = Vec::new();
    split(&tokens, &mut arms);
    let wide = arms.into_iter().filter_map(|arm| width(arm, of_row));
    wide.min()
}

/// Whether an expression names a column.
pub(super) fn says(text: &str, column: &str) -> bool {
    names(&tokens(text), |name| name == column)
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    Tokens::new(text).filter_map(Result::ok).collect()
}

/// The arms of what is OR-ed, through parentheses.
fn split<'t, 's>(tokens: &'t [Token<'s>], arms: &mut Vec<&'t [Token<'s>]>) {
    if let [first, inner @ .., last] = tokens
        && first.is_symbol('(')
        && last.is_symbol(')')
        && balanced(inner)
    {
        return split(inner, arms);
    }
    let mut depth = 0_usize;
    let mut from = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is("or") {
            split(&tokens[from..at], arms);
            from = at + 1;
        }
    }
    if from == 0 {
        arms.push(tokens);
    } else {
        split(&tokens[from..], arms);
    }
}

/// Whether every parenthesis closes that opens, and no other.
fn balanced(tokens: &[Token<'_>]) -> bool {
    let mut open = 0_usize;
    for token in tokens {
        if token.is_symbol('(') {
            open += 1;
        } else if token.is_symbol(')') {
            let Some(left) = open.checked_sub(1) else {
                return false;
            };
            open = left;
        }
    }
    open == 0
}

fn width(arm: &[Token<'_>], of_row: &dyn Fn(&str) -> bool) -> Option<Wide> {
    let has = |word: &str| arm.iter().any(|token| token.is(word));
    let named = |token: &Token<'_>| token.name().is_some() && !token.is("true");
    if !arm.iter().any(named) {
        return Some(Wide::Always);
    }
    if has("false") || names(arm, of_row) {
        return None;
    }
    let unset = arm.windows(2).any(|two| {
        let empty = two[1].kind == TokenKind::Literal && two[1].text == "''";
        (two[0].is_symbol('=') && empty) || (two[0].is("is") && two[1].is("null"))
    });
    Some(if unset { Wide::Unset } else { Wide::Rowless })
}

/// Whether some name, and no type or function, is such a one.
fn names(tokens: &[Token<'_>], is: impl Fn(&str) -> bool) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let cast = before.is_some_and(|token| token.is_symbol(':'));
        let called = tokens.get(at + 1).is_some_and(|token| token.is_symbol('('));
        !cast && !called && token.name().is_some_and(|name| is(&name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_as_wide_as_its_widest_arm() {
        let own = "(organisation_id = (current_setting('app.t'::text))::uuid)";
        for (text, expected) in [
            (own.to_owned(), None),
            ("true".to_owned(), Some(Wide::Always)),
            ("(1 = 1)".to_owned(), Some(Wide::Always)),
            (format!("({own} OR true)"), Some(Wide::Always)),
            (format!("({own} OR (a = 1) OR (b = 2))"), None),
            (
                format!("({own} OR (current_setting('app.t'::text, true) IS NULL))"),
                Some(Wide::Unset),
            ),
            (
                format!("({own} OR (current_setting('app.t'::text, true) = ''::text))"),
                Some(Wide::Unset),
            ),
            (
                format!("({own} OR (current_setting('app.admin'::text, true) = 'on'::text))"),
                Some(Wide::Rowless),
            ),
            (format!("({own} AND (a OR true))"), None),
            ("(a IN ( SELECT mine() AS mine))".to_owned(), None),
            ("false".to_owned(), None),
        ] {
            let of_row = |name: &str| ["organisation_id", "a", "b"].contains(&name);
            assert_eq!(widest(&text, &of_row), expected, "{text}");
        }
    }
}
