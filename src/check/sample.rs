//! Queries over a sample of a table's rows: they hold what chance put there.

use crate::model::{Attempt, Token, TokenKind, Tokens};

/// The query of an attempt asks for a sample of a table's rows, and not for all.
pub(super) fn is_sampled(attempt: &Attempt) -> bool {
    let mut statements = attempt.statements.iter();
    let query = statements.find(|sql| sql.starts_with("PREPARE"));
    query.is_some_and(|sql| unsampled(sql).is_some_and(|whole| whole != *sql))
}

/// The query with all rows instead of samples; `None` where it takes none.
pub(super) fn unsampled(sql: &str) -> Option<String> {
    let tokens = Tokens::new(sql)
        .collect::<Result<Vec<Token<'_>>, _>>()
        .ok()?;
    let tokens: Vec<&Token<'_>> = tokens
        .iter()
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let mut found = String::new();
    let mut copied = 0;
    for (at, token) in tokens.iter().enumerate() {
        if !token.is("tablesample") {
            continue;
        }
        let open = at + tokens[at..].iter().position(|token| token.is_symbol('('))?;
        let mut depth = 0_i32;
        let close = tokens[open..].iter().find(|token| {
            depth += i32::from(token.is_symbol('(')) - i32::from(token.is_symbol(')'));
            depth == 0
        })?;
        found.push_str(&sql[copied..=tokens[open].offset]);
        found.push_str("100");
        copied = close.offset;
    }
    found.push_str(&sql[copied..]);
    (copied > 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_becomes_all() {
        assert_eq!(
            unsampled("SELECT * FROM a TABLESAMPLE system (f(7)) REPEATABLE (1), b tablesample bernoulli(0.1)").as_deref(),
            Some("SELECT * FROM a TABLESAMPLE system (100) REPEATABLE (1), b tablesample bernoulli(100)")
        );
        assert_eq!(unsampled("SELECT 'TABLESAMPLE (7)'"), None);
    }
}
