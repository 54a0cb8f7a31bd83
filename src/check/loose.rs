//! References without a key: columns that by their names and types are ids of rows in reach.
//!
//! Names of things that come from elsewhere (a payment provider's customer, a request, a trace) are not taken for ids: what
//! they name has no table here, another type, or a word before it that says where it comes from.

use super::log::Log;
use super::nouns::{Fit, fit, words};
use super::{Scene, analogy, documents, reference};
use crate::model::{
    Catalog, Class, Column, RelationName, Table, Token, TokenKind, Tokens, TypeKind, literal,
    quoted,
};

/// A column that holds ids of another table's rows.
#[derive(Clone, Debug)]
pub(super) struct Loose<'a> {
    /// The table of the column.
    pub(super) table: &'a Table,
    pub(super) column: &'a Column,
    pub(super) target: &'a Table,
    /// The column of the target that is meant.
    pub(super) id: &'a str,
    pub(super) form: Form<'a>,
}

/// How the ids are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// One id.
    One,
    /// An array of ids.
    Many,
    /// One id, of the table that another column names by this value.
    Typed(&'a str, String),
    /// In a document, under this key.
    Under(String),
}

impl Loose<'_> {
    /// What tells it from others of the same column.
    pub(super) fn subject(&self) -> String {
        format!("{} {:?}", self.target.name, self.form)
    }

    /// The condition that the row `c` names the row `alias`.
    fn names(&self, alias: &str) -> String {
        let (column, id) = (quoted(&self.column.name), quoted(self.id));
        match &self.form {
            Form::One => format!("{alias}.{id} = c.{column}"),
            Form::Many => format!("{alias}.{id} = ANY (c.{column})"),
            Form::Typed(name, value) => format!(
                "c.{}::text = {} AND {alias}.{id} = c.{column}",
                quoted(name),
                literal(value)
            ),
            Form::Under(key) => {
                format!("{alias}.{id}::text = c.{column} ->> {}", literal(key))
            }
        }
    }

    /// Counts rows that name another tenant's row, and none of their own tenant.
    pub(super) fn count(&self, scene: Scene<'_>) -> Option<String> {
        let (catalog, tenancy) = (scene.catalog, scene.tenancy);
        let own = tenancy.tenant_expression(catalog, &self.table.name, "c")?;
        let target = self.target.name.quoted();
        let from = format!(
            "SELECT count(*) FROM {} c JOIN {target} p ON {}",
            self.table.name.quoted(),
            self.names("p")
        );
        if let Some(Class::Linked { through, column }) = tenancy.class(catalog, &self.target.name) {
            let tenant = tenancy.tenant_expression(catalog, through, "m")?;
            return Some(format!(
                "{from} WHERE NOT EXISTS (SELECT FROM {} m WHERE m.{} = p.{} AND {tenant} = {own})",
                through.quoted(),
                quoted(column),
                quoted(self.id)
            ));
        }
        let theirs = tenancy.tenant_expression(catalog, &self.target.name, "p")?;
        let others = tenancy.tenant_expression(catalog, &self.target.name, "o")?;
        Some(format!(
            "{from} WHERE {own} IS DISTINCT FROM {theirs} AND NOT EXISTS (SELECT FROM {target} o WHERE {} AND {others} IS NOT \
             DISTINCT FROM {own})",
            self.names("o")
        ))
    }
}

/// The references without a key of a table.
pub(super) fn of<'a>(scene: Scene<'a>, table: &'a Table) -> Vec<Loose<'a>> {
    if !is_owned(scene, &table.name) {
        return Vec::new();
    }
    let log = Log::of(scene, table);
    let keyed = |column: &Column| {
        let mut keys = table.foreign_keys.iter();
        keys.any(|key| key.columns.contains(&column.name))
    };
    let own = reference::id_column(scene, table);
    let columns = table.writable_columns().filter(|column| {
        !keyed(column)
            && Some(column.name.as_str()) != scene.tenancy.tenant_column(&table.name)
            && own != Some(column.name.as_str())
    });
    columns
        .flat_map(|column| {
            let typed = typed(scene, table, column);
            if !typed.is_empty() {
                return typed;
            }
            let mut found: Vec<Loose<'a>> = named(scene, table, column).into_iter().collect();
            found.extend(in_document(scene, table, column));
            found
        })
        .filter(|loose| log.is_none_or(|log| loose.form == Form::One && log.names(loose.column)))
        .collect()
}

fn is_owned(scene: Scene<'_>, name: &RelationName) -> bool {
    let class = scene.tenancy.classes.get(name);
    matches!(class, Some(Class::Scoped { .. } | Class::Derived { .. }))
}

/// The kinds of types that ids are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Uuid,
    Number,
    Text,
}

fn kind(catalog: &Catalog, type_oid: u32) -> Option<Kind> {
    let of = catalog.types.get(&catalog.base_type(type_oid))?;
    match of.name.as_str() {
        "uuid" => Some(Kind::Uuid),
        "int2" | "int4" | "int8" => Some(Kind::Number),
        "text" | "varchar" | "bpchar" | "citext" => Some(Kind::Text),
        _ => None,
    }
}

/// The words of a column's name without those that say that it is an id; none where nothing says so.
fn noun(name: &str, kind: Kind, many: bool) -> Option<Vec<String>> {
    let mut words = words(name);
    let endings: &[&str] = if many {
        &["ids", "uuids"]
    } else {
        &["id", "uuid"]
    };
    let says_so = words
        .last()
        .is_some_and(|word| endings.contains(&word.as_str()));
    if says_so {
        words.pop();
    }
    // A uuid has no other use than to name something.
    ((says_so || (kind == Kind::Uuid && !many)) && !words.is_empty()).then_some(words)
}

/// Words before a noun that say that it is not one of ours.
#[rustfmt::skip]
const FOREIGN: [&str; 38] = [
    "apple", "auth", "aws", "azure", "correlation", "ext", "external", "facebook", "firebase", "foreign", "gcp", "github",
     "gitlab", "google", "hubspot", "idempotency", "integration", "intercom", "legacy", "linkedin", "mailgun",
    "okta", "paypal", "plaid", "provider", "remote", "salesforce", "sendgrid", "shopify", "slack", "stripe", "third", "tracking",
    "twilio", "twitter", "upstream", "vendor", "xero",
];

/// Words before a noun that say which of ours it is: for numbers and texts, where any other word may say anything.
#[rustfmt::skip]
const ROLES: [&str; 30] = [
    "assigned", "billing", "child", "created", "current", "default", "delivery", "destination", "first", "from", "initial",
    "last", "linked", "main", "next", "original", "parent", "previous", "primary", "reference", "related", "replaced",
    "reply", "secondary", "selected", "shipping", "source", "target", "to", "winner",
];

/// What a column of one id, or of many, is named after.
fn named<'a>(scene: Scene<'a>, table: &'a Table, column: &'a Column) -> Option<Loose<'a>> {
    let base = scene.catalog.base_type(column.type_oid);
    let element = match &scene.catalog.types.get(&base)?.kind {
        TypeKind::Array(element) => Some(*element),
        _ => None,
    };
    let kind = kind(scene.catalog, element.unwrap_or(base))?;
    let noun = noun(&column.name, kind, element.is_some())?;
    let by_name = meant(scene, table, &noun, kind);
    let (target, id) = by_name.or_else(|| alike(scene, table, column, &noun, kind))?;
    let form = if element.is_some() {
        Form::Many
    } else {
        Form::One
    };
    Some(Loose {
        table,
        column,
        target,
        id,
        form,
    })
}

/// The table that is meant as others' keys have it. What stands beside a type is of several tables, and a word from elsewhere
/// says that it is none of ours.
fn alike<'a>(
    scene: Scene<'a>,
    table: &'a Table,
    column: &Column,
    noun: &[String],
    kind: Kind,
) -> Option<(&'a Table, &'a str)> {
    if says(table, noun).is_some() || kind == Kind::Text || !is_role(noun, Kind::Uuid) {
        return None;
    }
    let (target, id) = analogy::meant(scene, table, column, noun)?;
    identified(scene, target, kind).filter(|(_, known)| *known == id)
}

/// The table whose things are called so, and its id.
fn meant<'a>(
    scene: Scene<'a>,
    table: &'a Table,
    noun: &[String],
    kind: Kind,
) -> Option<(&'a Table, &'a str)> {
    if noun == ["parent"] && kind != Kind::Text {
        return identified(scene, table, kind);
    }
    let mut found: Vec<(usize, bool, (&Table, &str))> = Vec::new();
    // `winner_variant` beside `experiment_variants`.
    let roles = noun
        .iter()
        .take_while(|word| ROLES.contains(&word.as_str()));
    let rest = &noun[roles.count()..];
    for target in scene.catalog.roots() {
        let Some(identified) = identified(scene, target, kind) else {
            continue;
        };
        let rank = match fit(noun, &words(&target.name.name)) {
            Some(Fit::Same) => 0,
            Some(Fit::End) if kind != Kind::Text => 1,
            Some(Fit::Role(words)) if is_role(&words, kind) => 2,
            None if kind == Kind::Uuid
                && fit(rest, &words(&target.name.name)) == Some(Fit::End) =>
            {
                3
            }
            _ => continue,
        };
        found.push((rank, target.name.schema != table.name.schema, identified));
    }
    found.sort_by_key(|(rank, elsewhere, _)| (*rank, *elsewhere));
    match found.as_slice() {
        // Which of two is meant nobody knows.
        [(first, here, _), (second, there, _), ..] if (first, here) == (second, there) => None,
        [(_, _, best), ..] => Some(*best),
        [] => None,
    }
}

fn is_role(words: &[String], kind: Kind) -> bool {
    let all = |list: &[&str]| words.iter().all(|word| list.contains(&word.as_str()));
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    match kind {
        Kind::Uuid => !any(&FOREIGN),
        Kind::Number => all(&ROLES),
        Kind::Text => false,
    }
}

/// A table in reach with its id, where that is of this kind.
fn identified<'a>(scene: Scene<'a>, target: &'a Table, of: Kind) -> Option<(&'a Table, &'a str)> {
    let linked = matches!(
        scene.tenancy.classes.get(&target.name),
        Some(Class::Linked { .. })
    );
    if !linked && !is_owned(scene, &target.name) {
        return None;
    }
    let id = reference::id_column(scene, target)?;
    let column = target.column(id)?;
    (kind(scene.catalog, column.type_oid)? == of).then_some((target, id))
}

/// Words for the column that says of which table an id is.
const TYPES: [&str; 4] = ["type", "kind", "class", "table"];

/// An id beside a column that says what it is of: one reference for each value that names a table in reach.
fn typed<'a>(scene: Scene<'a>, table: &'a Table, column: &'a Column) -> Vec<Loose<'a>> {
    let Some(kind) = kind(scene.catalog, column.type_oid).filter(|kind| *kind != Kind::Text) else {
        return Vec::new();
    };
    let Some(before) = noun(&column.name, kind, false) else {
        return Vec::new();
    };
    let Some(says) = says(table, &before) else {
        return Vec::new();
    };
    values(scene.catalog, table, says)
        .into_iter()
        .filter_map(|value| {
            let noun = words(&value);
            let (target, id) = meant(scene, table, &noun, kind)?;
            Some(Loose {
                table,
                column,
                target,
                id,
                form: Form::Typed(&says.name, value),
            })
        })
        .collect()
}

/// The column that says of which table such an id is.
fn says<'a>(table: &'a Table, noun: &[String]) -> Option<&'a Column> {
    table.columns.iter().find(|other| {
        let words = words(&other.name);
        let (last, rest) = match words.split_last() {
            Some((last, rest)) => (last.as_str(), rest),
            None => return false,
        };
        rest == noun && TYPES.contains(&last)
    })
}

/// The values that a column of few may have: labels of its type, and texts that its CHECKs name.
fn values(catalog: &Catalog, table: &Table, column: &Column) -> Vec<String> {
    let base = catalog.base_type(column.type_oid);
    if let Some(TypeKind::Enum(labels)) = catalog.types.get(&base).map(|of| &of.kind) {
        return labels.clone();
    }
    let checks = table.checks.iter().map(|check| check.expression.as_str());
    let mut found: Vec<String> = Vec::new();
    for check in checks.filter(|check| mentions(check, &column.name)) {
        let literals = Tokens::new(check)
            .flatten()
            .filter(|token| token.kind == TokenKind::Literal);
        found.extend(literals.map(|token| text_of(&token)));
    }
    found.sort();
    found.dedup();
    found
}

pub(super) fn mentions(expression: &str, column: &str) -> bool {
    let mut tokens = Tokens::new(expression).flatten();
    tokens.any(|token| token.name().as_deref() == Some(column))
}

/// The text of a literal, without its quotes.
pub(super) fn text_of(token: &Token<'_>) -> String {
    token.text.trim_matches('\'').replace("''", "'")
}

/// Keys of a document that the schema or the queries read as ids: `details ->> 'person_id'`.
fn in_document<'a>(scene: Scene<'a>, table: &'a Table, column: &'a Column) -> Vec<Loose<'a>> {
    let base = scene.catalog.base_type(column.type_oid);
    let of = scene.catalog.types.get(&base);
    if of.is_none_or(|of| of.name != "jsonb") {
        return Vec::new();
    }
    let mut found: Vec<Loose<'a>> = Vec::new();
    for key in documents::keys(scene, table, &column.name) {
        for kind in [Kind::Uuid, Kind::Number] {
            let meant = noun_of_key(&key).and_then(|noun| meant(scene, table, &noun, kind));
            let known = found.iter().any(|one| one.form == Form::Under(key.clone()));
            if let (Some((target, id)), false) = (meant, known) {
                found.push(Loose {
                    table,
                    column,
                    target,
                    id,
                    form: Form::Under(key.clone()),
                });
            }
        }
    }
    found
}

/// A key of a document says that it is an id, or it is none.
fn noun_of_key(key: &str) -> Option<Vec<String>> {
    noun(key, Kind::Number, false)
}
