//! Keys of documents: what the schema and the queries read of a column of JSON.

use super::Scene;
use super::loose::{mentions, text_of};
use crate::model::{Table, Token, TokenKind, Tokens};

/// The keys that are taken from a column of documents by `->>`, in the schema and in queries that name the table.
pub(super) fn keys(scene: Scene<'_>, table: &Table, column: &str) -> Vec<String> {
    let indexed = table.indexes.iter().flat_map(|index| {
        index.keys.iter().filter_map(|key| match key {
            crate::model::IndexKey::Expression { text } => Some(text.as_str()),
            crate::model::IndexKey::Column(_) => None,
        })
    });
    let checked = table.checks.iter().map(|check| check.expression.as_str());
    let computed = table
        .columns
        .iter()
        .filter_map(|column| column.formula.as_deref());
    let queried = scene.queries.iter().map(|query| query.sql.as_str());
    let queried = queried.filter(|sql| mentions(sql, &table.name.name));
    let mut found = Vec::new();
    for text in indexed.chain(checked).chain(computed).chain(queried) {
        let tokens: Vec<Token<'_>> = Tokens::new(text).flatten().collect();
        for five in tokens.windows(5) {
            let arrow = five[1].is_symbol('-') && five[2].is_symbol('>') && five[3].is_symbol('>');
            if arrow
                && five[0].name().as_deref() == Some(column)
                && five[4].kind == TokenKind::Literal
            {
                found.push(text_of(&five[4]));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
