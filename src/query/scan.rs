//! What can be read off a query word by word, where the parser does not understand it.

use super::reader::Reader;
use crate::model::{Token, TokenKind, Tokens};

/// Tells the reader of tables, and of columns that stand before a parameter: `alias.column = $1`, `column = ANY ($1)`.
pub(super) fn scan(reader: &mut Reader<'_>, sql: &str) {
    let tokens: Vec<Token<'_>> = Tokens::new(sql)
        .filter_map(Result::ok)
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let mut at = 0;
    while at < tokens.len() {
        let (parts, end) = dotted(&tokens[at..]);
        let Some(last) = parts.last() else {
            at += 1;
            continue;
        };
        at += end;
        let before = parts
            .len()
            .checked_sub(2)
            .map(|before| parts[before].clone());
        let rest = &tokens[at..];
        let called = rest.iter().find(|token| !token.is("as"));
        reader.mention(last, before.as_ref(), called.and_then(Token::name));
        let operator = rest.iter().take_while(|token| {
            token.kind == TokenKind::Symbol && !token.is_symbol('(') && !token.is_symbol(')')
        });
        let by = match operator
            .clone()
            .map(|token| token.text)
            .collect::<String>()
            .as_str()
        {
            "=" => '=',
            "<" | "<=" => '<',
            ">" | ">=" => '>',
            _ => continue,
        };
        let mut value = rest.iter().skip(operator.count());
        let value = value.find(|token| !token.is_symbol('(') && !token.is("any"));
        let number = value
            .filter(|token| token.kind == TokenKind::Parameter)
            .and_then(|token| token.text.trim_start_matches('$').parse().ok());
        if let Some(number) = number {
            reader.beside(number, before, last.clone(), by);
        }
    }
}

/// A name with its parts, and how many tokens it takes.
fn dotted(tokens: &[Token<'_>]) -> (Vec<String>, usize) {
    let mut parts = Vec::new();
    let mut end = 0;
    while let Some(name) = tokens.get(end).and_then(Token::name) {
        parts.push(name);
        end += 1;
        if !tokens.get(end).is_some_and(|token| token.is_symbol('.')) {
            break;
        }
        end += 1;
    }
    (parts, end.max(1))
}
