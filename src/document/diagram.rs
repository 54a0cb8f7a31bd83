//! Entities and relations as Mermaid draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::model::{
    Catalog, Class, Column, ForeignKey, IndexKey, RelationName, Table, Tenancy, printed,
};

/// Every table with its class, and every relation: a diagram of the whole without columns, then one for each schema with
/// them.
///
/// Mermaid takes few letters for names: what it would not take is written otherwise, and said as it is in a comment.
#[must_use]
pub fn diagram(catalog: &Catalog, tenancy: &Tenancy) -> String {
    let entities = Entities::of(catalog, tenancy);
    let tables: Vec<&Table> = catalog.roots().collect();
    let mut text = String::from("## Whole\n\n");
    text.push_str(&drawn(&entities, &tables, &|_| true, false));
    let schemas: BTreeSet<&str> = tables.iter().map(|t| t.name.schema.as_str()).collect();
    for schema in schemas {
        let inside = |name: &RelationName| name.schema == schema;
        let own: Vec<&Table> = tables.iter().copied().filter(|t| inside(&t.name)).collect();
        let _ = write!(text, "\n## {}\n\n", markdown(&printed(schema)));
        text.push_str(&listed(catalog, &entities, &own));
        text.push('\n');
        let touches = |table: &Table| {
            let mut keys = table.foreign_keys.iter();
            inside(&table.name) || keys.any(|key| inside(&key.target))
        };
        // What is in other schemas is drawn where a relation leads there.
        let drawn_here: Vec<&Table> = tables
            .iter()
            .copied()
            .filter(|table| touches(table))
            .collect();
        text.push_str(&drawn(&entities, &drawn_here, &inside, true));
    }
    text
}

/// The tables as Mermaid knows them: an id of letters that it takes, and what it shows.
struct Entities<'a> {
    ids: BTreeMap<&'a RelationName, String>,
    classes: BTreeMap<&'a RelationName, &'a Class>,
}

impl<'a> Entities<'a> {
    fn of(catalog: &'a Catalog, tenancy: &'a Tenancy) -> Self {
        let mut ids = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for table in catalog.roots() {
            let name = &table.name;
            let wanted = word(&format!("{}_{}", name.schema, name.name), "t");
            let mut id = wanted.clone();
            let mut number = 1;
            while !taken.insert(id.to_lowercase()) {
                number += 1;
                id = format!("{wanted}_{number}");
            }
            ids.insert(name, id);
        }
        Self {
            ids,
            classes: tenancy.classes.iter().collect(),
        }
    }

    fn class(&self, table: &RelationName) -> &'static str {
        self.classes.get(table).map_or("unclassified", |c| c.word())
    }

    /// The id with what is shown of it.
    fn shown(&self, table: &RelationName) -> String {
        format!(
            "{}[\"{} ({})\"]",
            self.ids[table],
            label(&table.to_string()),
            self.class(table)
        )
    }
}

/// One diagram: these tables, and the relations that begin or end at those that `inside` takes.
fn drawn(
    entities: &Entities<'_>,
    tables: &[&Table],
    inside: &dyn Fn(&RelationName) -> bool,
    with_columns: bool,
) -> String {
    let mut text = String::from("```mermaid\nerDiagram\n");
    let mut named: BTreeSet<&RelationName> = tables.iter().map(|table| &table.name).collect();
    for table in tables {
        if with_columns && inside(&table.name) {
            let _ = writeln!(text, "    {} {{", entities.shown(&table.name));
            for column in &table.columns {
                let _ = writeln!(text, "        {}", attribute(table, column));
            }
            text.push_str("    }\n");
        } else {
            let _ = writeln!(text, "    {}", entities.shown(&table.name));
        }
    }
    for table in tables {
        for key in &table.foreign_keys {
            if !entities.ids.contains_key(&key.target)
                || !(inside(&table.name) || inside(&key.target))
            {
                continue;
            }
            if named.insert(&key.target) {
                let _ = writeln!(text, "    {}", entities.shown(&key.target));
            }
            let _ = writeln!(
                text,
                "    {} {} {} : \"{}\"",
                entities.ids[&key.target],
                cardinality(table, key),
                entities.ids[&table.name],
                label(&key.name)
            );
        }
    }
    text.push_str("```\n");
    text
}

/// How many of the parent and of the child: `||--o{` is one parent of any number of children.
fn cardinality(table: &Table, key: &ForeignKey) -> &'static str {
    let held = |name: &String| table.column(name).is_some_and(|column| column.not_null);
    let one_parent = key.columns.iter().all(held);
    let only = table.indexes.iter().any(|index| {
        let plain = index.predicate.is_none();
        let all = index.keys.iter().all(
            |of| matches!(of, IndexKey::Column(name) if key.columns.iter().any(|own| own == name)),
        );
        index.unique && plain && all
    });
    match (one_parent, only) {
        (true, false) => "||--o{",
        (false, false) => "|o--o{",
        (true, true) => "||--o|",
        (false, true) => "|o--o|",
    }
}

/// `type name keys "comment"`.
fn attribute(table: &Table, column: &Column) -> String {
    let name = word(&column.name, "c");
    let kind = word(&column.type_name, "t");
    let primary = table.primary_key().contains(&column.name.as_str());
    let mut foreign = table.foreign_keys.iter();
    let foreign = foreign.any(|key| key.columns.contains(&column.name));
    let mut keys = Vec::new();
    keys.extend(primary.then_some("PK"));
    keys.extend(foreign.then_some("FK"));
    let mut said = Vec::new();
    if name != column.name {
        said.push(label(&column.name));
    }
    if !column.not_null {
        said.push("NULL".to_owned());
    }
    let mut text = format!("{kind} {name}");
    if !keys.is_empty() {
        let _ = write!(text, " {}", keys.join(", "));
    }
    if !said.is_empty() {
        let _ = write!(text, " \"{}\"", said.join(", "));
    }
    text
}

/// The tables of a schema with their classes, in words.
fn listed(catalog: &Catalog, entities: &Entities<'_>, tables: &[&Table]) -> String {
    let mut text =
        String::from("| table | whose rows | columns | refers to |\n| --- | --- | --- | --- |\n");
    for table in tables {
        let mut targets: Vec<String> = table
            .foreign_keys
            .iter()
            .filter(|key| catalog.tables.contains_key(&key.target))
            .map(|key| markdown(&key.target.to_string()))
            .collect();
        targets.sort();
        targets.dedup();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            markdown(&table.name.to_string()),
            entities.class(&table.name),
            table.columns.len(),
            targets.join(", ")
        );
    }
    text
}

/// Letters, digits and underscores that begin with a letter: what Mermaid takes as an id, a type and an attribute's name.
fn word(text: &str, first: &str) -> String {
    let mut word: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '[' | ']') {
                c
            } else {
                '_'
            }
        })
        .collect();
    if word.ends_with("[]") {
        let end = word.len() - 2;
        word = format!("{}[]", word[..end].replace(['[', ']'], "_"));
    } else {
        word = word.replace(['[', ']'], "_");
    }
    // `PK`, `FK` and `UK` at a word's beginning are read as keys.
    let lower = word.to_lowercase();
    let is_key = ["pk", "fk", "uk"].iter().any(|key| lower.starts_with(key));
    if is_key || !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word = format!("{first}_{word}");
    }
    word
}

/// What may stand between double quotes.
fn label(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '%' => '\u{ff05}',
            '\\' => '\u{2216}',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// Text that Markdown shows as it is, in a table as well.
fn markdown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '<' | '|' | '[' | ']' | '#' | '&' | '~' => {
                shown.extend(['\\', c]);
            }
            c if c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_mermaid_takes_them() {
        assert_eq!(word("character varying(20)", "t"), "character_varying_20_");
        assert_eq!(word("text[]", "t"), "text[]");
        assert_eq!(word("pk_id", "c"), "c_pk_id");
        assert_eq!(word("1st \"name\"", "c"), "c_1st__name_");
        assert_eq!(label("a\"b%c\\d\n"), "a'b\u{ff05}c\u{2216}d ");
        assert_eq!(markdown("a_b|c"), "a\\_b\\|c");
    }
}
