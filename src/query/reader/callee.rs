//! Functions of the user's that a query calls: what these do with their arguments is what it does with its parameters.

use std::fmt::Write as _;

use sqlparser::ast::{FunctionArg, FunctionArgExpr, ObjectName};

use super::Reader;
use crate::model::{Definer, Query, Token, TokenKind, Tokens};
use crate::query::expression::{column_of, folded, last, parameter};
use crate::query::infer::{Inferred, infer_at};

/// A function calls another one, and so on.
const DEPTH: usize = 3;

impl Reader<'_> {
    /// A call, of whatever function.
    pub(super) fn callee(&mut self, name: &ObjectName, given: &[FunctionArg]) {
        let Some((name, schema)) = last(name).filter(|_| self.depth < DEPTH) else {
            return;
        };
        let all = self.catalog.definers.iter().chain(&self.catalog.invokers);
        let called = all.filter(|function| {
            function.name == name
                && schema
                    .as_ref()
                    .is_none_or(|schema| *schema == function.schema)
                && function.arguments.len() >= given.len()
        });
        // Of those of one name the one with the fewest that are left out.
        let Some(function) = called.min_by_key(|function| function.arguments.len()) else {
            return;
        };
        for statement in statements(function) {
            let query = Query {
                sql: statement,
                parameters: vec![None; function.arguments.len()],
                ..Query::default()
            };
            let inside = infer_at(self.catalog, &query, self.depth + 1);
            self.inferred.writes |= inside.writes;
            self.reached.extend(inside.tables.iter().cloned());
            for (position, argument) in given.iter().enumerate() {
                self.hand_on(function, position, argument, &inside);
            }
        }
    }

    /// What is done with an argument is done with the parameter in it.
    fn hand_on(
        &mut self,
        function: &Definer,
        position: usize,
        argument: &FunctionArg,
        inside: &Inferred,
    ) {
        let (named, value) = match argument {
            FunctionArg::Unnamed(value) => (None, value),
            FunctionArg::Named { name, arg, .. } => (Some(folded(name)), arg),
            FunctionArg::ExprNamed { name, arg, .. } => {
                (column_of(name).map(|(_, name)| name), arg)
            }
        };
        let FunctionArgExpr::Expr(value) = value else {
            return;
        };
        let place = |named: &String| {
            function
                .arguments
                .iter()
                .position(|(name, _)| name == named)
        };
        let place = named.as_ref().map_or(Some(position), place);
        let (Some(number), Some(place)) = (parameter(value), place) else {
            return;
        };
        for source in inside.sources.get(&(place + 1)).into_iter().flatten() {
            self.source(number, source.clone());
        }
    }
}

/// The statements in a function's body, its arguments as `$1`, `$2`, …
fn statements(function: &Definer) -> Vec<String> {
    let tokens: Vec<Token<'_>> = Tokens::new(&function.definition)
        .filter_map(Result::ok)
        .collect();
    let is_body =
        |token: &&Token<'_>| token.kind == TokenKind::Literal && token.text.starts_with('$');
    let body = if let Some(quoted) = tokens.iter().rfind(is_body) {
        let tag = quoted.text[1..].find('$').map_or(1, |at| at + 2);
        let end = quoted.text.len().saturating_sub(tag);
        quoted.text.get(tag..end).unwrap_or_default()
    } else {
        // `BEGIN ATOMIC … END`, or `RETURN …`
        let begins = |token: &&Token<'_>| token.is("atomic") || token.is("return");
        let begin = tokens.iter().find(begins);
        begin.map_or("", |token| {
            &function.definition[token.offset + token.text.len()..]
        })
    };
    let tokens: Vec<Token<'_>> = Tokens::new(body)
        .filter_map(Result::ok)
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = [
            "select", "insert", "update", "delete", "merge", "with", "perform",
        ];
        if starts.iter().any(|word| tokens[at].is(word)) {
            let end = at + length(&tokens[at..]);
            found.push(written(function, &tokens[at..end]));
            at = end;
        }
        at += 1;
    }
    found
}

/// How many tokens a statement has: to its semicolon, the parenthesis around it, or the loop over its rows.
fn length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_i32;
    for (number, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_symbol('(')) - i32::from(token.is_symbol(')'));
        if depth < 0 || (depth == 0 && (token.is_symbol(';') || token.is("loop"))) {
            return number;
        }
    }
    tokens.len()
}

/// A statement as the server would be sent it: without the variables that PL/pgSQL puts its result in.
fn written(function: &Definer, tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let into = token.is("into")
            && !before.is_some_and(|before| before.is("insert") || before.is("merge"));
        if into {
            at += 1 + targets(&tokens[at + 1..]);
            continue;
        }
        let of = before.filter(|before| before.is_symbol('.'));
        let qualified =
            of.is_some() && at > 1 && tokens[at - 2].name().as_ref() == Some(&function.name);
        let next = tokens.get(at + 1);
        let plain =
            of.is_none() && !next.is_some_and(|next| next.is_symbol('(') || next.is_symbol('.'));
        let name = token.name().filter(|_| qualified || plain);
        let argument =
            name.and_then(|name| function.arguments.iter().position(|(own, _)| *own == name));
        match argument {
            Some(number) => {
                if qualified {
                    // The function's name and the point.
                    let end = text.trim_end().len() - 1;
                    text.truncate(
                        text[..end]
                            .trim_end()
                            .rfind(' ')
                            .map_or(0, |space| space + 1),
                    );
                }
                let _ = write!(text, "${}", number + 1);
            }
            None if at == 0 && token.is("perform") => text.push_str("SELECT"),
            None => text.push_str(token.text),
        }
        // What stands together must: `::`, `->>`.
        let joined = next.is_some_and(|next| next.offset == token.offset + token.text.len());
        if !joined {
            text.push(' ');
        }
        at += 1;
    }
    text
}

/// How many tokens name variables: `STRICT a, b.c`.
fn targets(tokens: &[Token<'_>]) -> usize {
    let mut at = usize::from(tokens.first().is_some_and(|token| token.is("strict")));
    loop {
        at += 1;
        match tokens.get(at) {
            Some(token) if token.is_symbol(',') || token.is_symbol('.') => at += 1,
            _ => return at.min(tokens.len()),
        }
    }
}
