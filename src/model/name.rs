//! Names of things in a database, as SQL wants them and as Postgres prints them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Key words that `quote_ident` quotes: all that `PostgreSQL` 18's `pg_get_keywords()` lists with another category
/// than `U`. One list for all versions, so that an object is spelled alike everywhere; sorted.
#[rustfmt::skip]
const KEYWORDS: [&str; 164] = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
    "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "dec",
    "decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists", "extract",
    "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group",
    "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect", "interval",
    "into", "is", "isnull", "join", "json", "json_array", "json_arrayagg", "json_exists", "json_object",
    "json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value", "lateral",
    "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action", "national",
    "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only",
    "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision", "primary", "real",
    "references", "returning", "right", "row", "select", "session_user", "setof", "similar", "smallint", "some",
    "substring", "symmetric", "system_user", "table", "tablesample", "then", "time", "timestamp", "to", "trailing",
    "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar", "variadic", "verbose",
    "when", "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest",
    "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
];

/// The identifier for use in SQL: always quoted, so that no name can be read as anything else.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The identifier as Postgres prints it (`quote_ident`): quoted only where it must be.
#[must_use]
pub fn printed(name: &str) -> String {
    let bytes = name.as_bytes();
    let plain = matches!(bytes.first(), Some(b'a'..=b'z' | b'_'))
        && bytes
            .iter()
            .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if plain && KEYWORDS.binary_search(&name).is_err() {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A string literal, right whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Identifiers, quoted and joined by commas.
#[must_use]
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A table or view: schema and name. Ordered by text, never by OID, so that every output is stable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// The schema.
    pub schema: String,
    /// The name within the schema.
    pub name: String,
}

impl RelationName {
    /// A relation's name from its two parts, unquoted.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// `"schema"."name"`, for use in SQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// An object on this relation (constraint, index, policy, column), as Postgres prints it.
    #[must_use]
    pub fn object(&self, name: &str) -> String {
        format!("{self}.{}", printed(name))
    }

    /// Whether `object` is how this relation is printed. Many are asked, few are it: nothing is printed to say no.
    #[must_use]
    pub fn is(&self, object: &str) -> bool {
        object.len() > self.schema.len() + self.name.len() && self.to_string() == object
    }

    /// Whether `object` is how [`Self::object`] prints that object on this relation; as [`Self::is`].
    #[must_use]
    pub fn names(&self, name: &str, object: &str) -> bool {
        object.len() > self.schema.len() + self.name.len() + name.len()
            && (object.ends_with(name) || object.ends_with('"'))
            && self.object(name) == object
    }

    /// Reads `schema.table` or `table` (then in `public`), with double quotes where needed.
    ///
    /// # Errors
    /// A sentence that says what is wrong, where the text is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        match split_dotted(text)?.as_slice() {
            [name] => Ok(Self::new("public", name)),
            [schema, name] => Ok(Self::new(schema, name)),
            _ => Err(format!("`{text}` is not `schema.table`")),
        }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", printed(&self.schema), printed(&self.name))
    }
}

/// The parts of a dotted name; quotes taken off, unquoted parts folded to lower case as Postgres does.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn split_dotted(text: &str) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut chars = text.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => part.push('"'),
                    Some('"') => break,
                    Some(c) => part.push(c),
                    None => return Err(format!("`{text}` opens a quote that it does not close")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.') {
                part.extend(c.to_lowercase());
            }
        }
        if part.is_empty() {
            return Err(format!("`{text}` is not a name"));
        }
        parts.push(part);
        match chars.next() {
            None => return Ok(parts),
            Some('.') => {}
            Some(c) => return Err(format!("`{text}`: unexpected `{c}` after a quoted name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printed_as_postgres_prints_them() {
        assert_eq!(printed("people"), "people");
        assert_eq!(printed("order"), "\"order\"");
        assert_eq!(printed("Straße"), "\"Straße\"");
        assert_eq!(printed("a\"b"), "\"a\"\"b\"");
        assert_eq!(RelationName::new("crm", "user").to_string(), "crm.\"user\"");
    }

    #[test]
    fn an_object_is_known_by_what_is_printed() {
        let users = RelationName::new("crm", "user");
        for name in ["key", "Ключ", "a\"b"] {
            assert!(users.names(name, &users.object(name)));
            assert!(!users.names(name, &users.object("other")));
        }
        assert!(users.is("crm.\"user\"") && !users.is("crm.user"));
    }

    #[test]
    fn key_words_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn dotted_names_are_read() {
        assert_eq!(
            RelationName::parse("People").unwrap(),
            RelationName::new("public", "people")
        );
        assert_eq!(
            RelationName::parse("\"My Schema\".\"T\"\"x\"").unwrap(),
            RelationName::new("My Schema", "T\"x")
        );
        assert!(RelationName::parse("a.b.c").is_err());
        assert!(RelationName::parse("\"a").is_err());
    }

    #[test]
    fn literals_are_safe() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
