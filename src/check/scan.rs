//! What a plan scans and by which conditions, read off `EXPLAIN (VERBOSE, FORMAT JSON)`.

use serde_json::Value;

use super::Scene;
use crate::model::{Catalog, Class, Index, IndexKey, RelationName, Token, Tokens};

/// A scan of a table that is in the catalog.
#[derive(Debug)]
pub(super) struct Scan {
    /// The table; for a partition its root.
    pub(super) table: RelationName,
    alias: String,
    /// The indexes that it goes by, each with its condition. None: it reads the whole table.
    indexes: Vec<(String, String)>,
    /// All that its rows are asked for, by itself and by the joins above it.
    conditions: Vec<String>,
}

/// A column that is equal to something.
#[derive(Debug, PartialEq, Eq)]
struct Equality {
    column: String,
    /// To a column of another scan.
    joined: bool,
}

/// The scans of a plan.
pub(super) fn scans(catalog: &Catalog, plan: &str) -> Option<Vec<Scan>> {
    let plan: Value = serde_json::from_str(plan).ok()?;
    let mut found = Vec::new();
    walk(catalog, plan.get(0)?.get("Plan")?, &[], &mut found);
    Some(found)
}

/// The pages of tables and indexes that a plan touched, read off `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)`.
pub(super) fn pages(plan: &str) -> Option<u64> {
    let plan: Value = serde_json::from_str(plan).ok()?;
    let top = plan.get(0)?.get("Plan")?;
    let part = |key: &str| top.get(key)?.as_u64();
    Some(part("Shared Hit Blocks")? + part("Shared Read Blocks")?)
}

impl Scan {
    /// It goes through rows of others: no index leads it to those of the acting tenant, or to those that belong to rows
    /// which another scan gave. Rows that are nobody's are not asked for.
    pub(super) fn passes_others(&self, scene: Scene<'_>) -> bool {
        let owners = self.owners(scene);
        let one = |(name, condition): &(String, String)| {
            let equalities = equalities(condition, &self.alias);
            let leads =
                |equal: &Equality| equal.joined || owners.iter().any(|own| **own == equal.column);
            let Some(index) = self.index(scene, name) else {
                return equalities.iter().any(leads);
            };
            let prefix: Vec<&Equality> = index
                .keys
                .iter()
                .map_while(|key| match key {
                    IndexKey::Column(name) => equalities.iter().find(|equal| equal.column == *name),
                    IndexKey::Expression { .. } => None,
                })
                .collect();
            let one_row = index.unique && prefix.len() == index.keys.len();
            one_row || prefix.into_iter().any(leads)
        };
        !owners.is_empty() && (self.indexes.is_empty() || !self.indexes.iter().all(one))
    }

    /// The columns of an index that would lead it to its own rows: what says whose a row is, then what else is compared
    /// for being equal. `None` where the query does not ask whose the rows are.
    pub(super) fn wanted(&self, scene: Scene<'_>, most: usize) -> Option<Vec<String>> {
        let equal = self.conditions.iter();
        let equal = equal.flat_map(|condition| equalities(condition, &self.alias));
        let compared: Vec<String> = equal.map(|equal| equal.column).collect();
        let owners = self.owners(scene);
        let mut wanted: Vec<String> = owners
            .into_iter()
            .filter(|own| compared.contains(own))
            .cloned()
            .collect();
        if wanted.is_empty() {
            return None;
        }
        for column in compared {
            if wanted.len() < most && !wanted.contains(&column) {
                wanted.push(column);
            }
        }
        Some(wanted)
    }

    /// The columns that say whose a row is.
    fn owners<'a>(&self, scene: Scene<'a>) -> Vec<&'a String> {
        match scene.tenancy.classes.get(&self.table) {
            Some(Class::Scoped { column }) => vec![column],
            Some(Class::Derived { foreign_key }) => {
                let table = scene.catalog.tables.get(&self.table);
                let key = table.and_then(|table| table.foreign_key(foreign_key));
                key.map_or_else(Vec::new, |key| key.columns.iter().collect())
            }
            _ => Vec::new(),
        }
    }

    fn index<'a>(&self, scene: Scene<'a>, name: &str) -> Option<&'a Index> {
        let table = scene.catalog.tables.get(&self.table)?;
        table.indexes.iter().find(|index| index.name == name)
    }
}

fn walk(catalog: &Catalog, node: &Value, above: &[String], into: &mut Vec<Scan>) {
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    let own = ["Filter", "Index Cond", "Recheck Cond"];
    let joins = ["Join Filter", "Hash Cond", "Merge Cond"];
    let mut conditions = above.to_vec();
    conditions.extend(joins.iter().filter_map(|key| text(key)).map(str::to_owned));
    let children = node.get("Plans").and_then(Value::as_array);
    // What is written, and rows whose places are known, are nothing that is looked for.
    let looks = text("Node Type").is_some_and(|kind| kind.ends_with("Scan") && kind != "Tid Scan");
    if let (Some(schema), Some(name), Some(alias), true) =
        (text("Schema"), text("Relation Name"), text("Alias"), looks)
    {
        let name = RelationName::new(schema, name);
        if let Some(table) = catalog.tables.get(&name) {
            let mut indexes = Vec::new();
            by_index(node, &mut indexes);
            let mut asked = conditions.clone();
            asked.extend(own.iter().filter_map(|key| text(key)).map(str::to_owned));
            asked.extend(indexes.iter().map(|(_, condition)| condition.clone()));
            into.push(Scan {
                table: table.partition_of.clone().unwrap_or(name),
                alias: alias.to_owned(),
                indexes,
                conditions: asked,
            });
        }
    }
    for child in children.into_iter().flatten() {
        walk(catalog, child, &conditions, into);
    }
}

/// The indexes that a scan goes by: its own, or those of the bitmap under it.
fn by_index(node: &Value, into: &mut Vec<(String, String)>) {
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    if let Some(index) = text("Index Name") {
        let condition = text("Index Cond").unwrap_or_default();
        into.push((index.to_owned(), condition.to_owned()));
    }
    let children = node.get("Plans").and_then(Value::as_array);
    for child in children.into_iter().flatten() {
        let kind = child.get("Node Type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind.starts_with("Bitmap") && !kind.ends_with("Heap Scan")) {
            by_index(child, into);
        }
    }
}

/// The columns of a scan that a condition compares for being equal.
fn equalities(condition: &str, alias: &str) -> Vec<Equality> {
    let tokens: Vec<Token<'_>> = Tokens::new(condition).filter_map(Result::ok).collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let operator = |other: Option<&Token<'_>>| {
            other.is_some_and(|other| {
                ['<', '>', '!', '=', '~']
                    .iter()
                    .any(|c| other.is_symbol(*c))
            })
        };
        let longer = operator(at.checked_sub(1).and_then(|before| tokens.get(before)))
            || operator(tokens.get(at + 1));
        if !token.is_symbol('=') || longer {
            continue;
        }
        let (left, right) = (
            column_before(&tokens[..at]),
            column_after(&tokens[at + 1..]),
        );
        let own = |side: &Option<(String, String)>| {
            side.as_ref().is_some_and(|(whose, _)| whose == alias)
        };
        let (mine, other) = match (own(&left), own(&right)) {
            (true, false) => (left, right),
            (false, true) => (right, left),
            _ => continue,
        };
        found.extend(mine.map(|(_, column)| Equality {
            column,
            joined: other.is_some(),
        }));
    }
    found
}

/// The alias and the column that an operand is which ends here, casts aside: `(p.name)::text`.
fn column_before(tokens: &[Token<'_>]) -> Option<(String, String)> {
    let mut end = tokens.len();
    let is_type = |token: &&Token<'_>| token.name().is_some();
    let cast = end - tokens.iter().rev().take_while(is_type).count();
    if cast >= 2 && tokens[cast - 1].is_symbol(':') && tokens[cast - 2].is_symbol(':') {
        end = cast - 2;
    }
    while end > 0 && tokens[end - 1].is_symbol(')') {
        end -= 1;
    }
    let start = end.checked_sub(3)?;
    let column = column_after(&tokens[start..end])?;
    let mut before = start;
    while before > 0 && tokens[before - 1].is_symbol('(') {
        before -= 1;
    }
    let word = before.checked_sub(1).map(|at| tokens[at]);
    let called = before < start
        && word.is_some_and(|word| {
            word.name().is_some() && !["and", "or", "not"].iter().any(|one| word.is(one))
        });
    (!called).then_some(column)
}

/// The alias and the column that an operand is which begins here.
fn column_after(tokens: &[Token<'_>]) -> Option<(String, String)> {
    let open = tokens.iter().take_while(|token| token.is_symbol('('));
    let tokens = &tokens[open.count()..];
    let dot = tokens.get(1)?.is_symbol('.');
    let called = tokens.get(3).is_some_and(|next| next.is_symbol('('));
    let alias = tokens.first()?.name().filter(|_| dot && !called)?;
    Some((alias, tokens.get(2)?.name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(condition: &str) -> Vec<(String, bool)> {
        let equalities = equalities(condition, "n");
        let pairs = equalities.into_iter();
        pairs.map(|equal| (equal.column, equal.joined)).collect()
    }

    #[test]
    fn what_is_equal_is_told_from_what_is_compared_otherwise() {
        let condition = "((n.organisation_id = '2d3f'::uuid) AND ((n.\"Name\")::text = 'a = n.b'::text) AND \
                         (p.id = n.person_id) AND (n.age >= 3) AND (n.kind = ANY ('{1,2}'::integer[])))";
        let plain = |name: &str| (name.to_owned(), false);
        assert_eq!(
            found(condition),
            [
                plain("organisation_id"),
                plain("Name"),
                ("person_id".to_owned(), true),
                plain("kind")
            ]
        );
    }

    #[test]
    fn a_function_of_a_column_is_no_column() {
        assert_eq!(found("(lower(n.email) = 'x'::text)"), []);
        assert_eq!(found("((n.a)::numeric <> n.b) AND (p.a = p.b)"), []);
    }
}
