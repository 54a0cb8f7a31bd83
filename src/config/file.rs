//! Reads the sections of `watertight.toml`. Whatever is wrong is named by file, line and key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::{self, Given, Kind};
use super::wrong;
use crate::error::{Error, Result};
use crate::model::{
    Access, Allow, Equivalent, NullMeans, QuerySettings, Settings, StubRoles, nearest,
};

/// A value and its place in the file.
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the text of the file into the settings; relative paths in it are relative to it.
///
/// # Errors
/// Text that is no TOML, an unknown key, a value of a wrong type, a key that is missing.
pub(super) fn read(settings: &mut Settings, path: &Path, text: &str) -> Result<()> {
    let source = Source { path, text };
    let root = DeTable::parse(text)
        .map_err(|e| source.wrong(&e.span().unwrap_or_default(), e.message().to_owned()))?;
    let root = Section {
        source: &source,
        name: "the file",
        table: root.get_ref(),
    };
    root.known(&[
        "run",
        "migrate",
        "tenant",
        "access",
        "generate",
        "queries",
        "allow",
        "equivalent",
    ])?;
    let folder = path.parent().unwrap_or(Path::new(""));
    folder.clone_into(&mut settings.migrate.folder);
    if let Some(migrate) = root.section("migrate")? {
        migrate.known(&[
            "path",
            "command",
            "convention",
            "placeholders",
            "stub_roles",
            "supabase",
        ])?;
        settings.migrate.path = migrate.text("path")?.map(|path| folder.join(path));
        settings.migrate.command = migrate.text("command")?;
        settings.migrate.convention = migrate.text("convention")?;
        settings.migrate.placeholders = migrate.texts_by_key("placeholders")?;
        settings.migrate.supabase = migrate.flag("supabase")?;
        settings.migrate.stub_roles = match migrate.table.get("stub_roles").map(Spanned::get_ref) {
            Some(DeValue::Boolean(_)) => StubRoles {
                all: migrate.flag("stub_roles")?,
                names: Vec::new(),
            },
            _ => StubRoles {
                all: false,
                names: migrate.texts("stub_roles")?,
            },
        };
    }
    if let Some(tenant) = root.section("tenant")? {
        read_tenant(settings, &tenant)?;
    }
    if let Some(access) = root.section("access")? {
        settings.access = Some(read_access(&access)?);
    }
    if let Some(generate) = root.section("generate")? {
        generate.known(&["columns", "types"])?;
        settings.generate.columns = generate.lists_by_key("columns")?;
        settings.generate.types = generate.lists_by_key("types")?;
    }
    if let Some(queries) = root.section("queries")? {
        settings.queries = read_queries(&queries)?;
    }
    settings.allow = root
        .sections("allow")?
        .iter()
        .map(|(allow, place)| read_allow(allow, place))
        .collect::<Result<_>>()?;
    settings.equivalent = root
        .sections("equivalent")?
        .iter()
        .map(|(equivalent, place)| read_equivalent(equivalent, place))
        .collect::<Result<_>>()?;
    if let Some(run) = root.section("run")? {
        read_run(settings, &run)?;
    }
    Ok(())
}

fn read_tenant(settings: &mut Settings, section: &Section<'_>) -> Result<()> {
    let tenant = &mut settings.tenant;
    section.known(&[
        "column",
        "columns",
        "table",
        "shared",
        "linked",
        "derived",
        "null_means",
    ])?;
    if let Some(column) = section.text("column")? {
        tenant.column = column;
        tenant.column_given = true;
    }
    tenant.columns = section.texts_by_key("columns")?;
    tenant.table = section.text("table")?;
    tenant.shared = section.texts("shared")?;
    tenant.linked = section.texts_by_key("linked")?;
    tenant.derived = section.texts_by_key("derived")?;
    tenant.null_means = match section.text("null_means")?.as_deref() {
        None | Some("error") => NullMeans::Error,
        Some("shared") => NullMeans::Shared,
        Some(_) => return section.refuse("null_means", "`\"error\"` or `\"shared\"`"),
    };
    Ok(())
}

fn read_access(section: &Section<'_>) -> Result<Access> {
    section.known(&["role", "context", "member_of"])?;
    let role: String = section.required("role")?;
    let access = Access {
        per_tenant: role.contains("{tenant}"),
        role,
        context: section.texts("context")?,
        member_of: section.texts("member_of")?,
    };
    if !access.per_tenant && !access.member_of.is_empty() {
        return section.refuse(
            "member_of",
            "`{tenant}` in `role`: it says what each organisation's role is a member of",
        );
    }
    let names_tenant = access.per_tenant || access.context.iter().any(|sql| sql.contains("$1"));
    if !names_tenant {
        let key = if section.table.contains_key("context") {
            "context"
        } else {
            "role"
        };
        return section.refuse(
            key,
            "the tenant somewhere: `$1` in a statement of `context`, or `{tenant}` in `role`",
        );
    }
    Ok(access)
}

/// `"object" = { tenant = "…" }`, by glob.
fn read_queries(section: &Section<'_>) -> Result<Vec<QuerySettings>> {
    let mut list = Vec::new();
    for (object, value) in section.table {
        let expected = "`{ tenant = \"…\" }` with `context`, `system: REASON` or a parameter, as `$1` or `:name`";
        let Some(table) = value.get_ref().as_table() else {
            return section.refuse(object.get_ref(), expected);
        };
        let entry = Section {
            source: section.source,
            name: "[queries]",
            table,
        };
        entry.known(&["tenant"])?;
        let tenant = entry.required("tenant")?;
        let names = |mark| {
            tenant
                .strip_prefix(mark)
                .is_some_and(|name| !name.is_empty())
        };
        let says = tenant == "context"
            || tenant.starts_with("system")
            || ['$', ':', '@'].into_iter().any(names);
        if !says {
            return entry.refuse("tenant", expected);
        }
        list.push(QuerySettings {
            object: object.get_ref().to_string(),
            tenant,
            place: section.source.place(&object.span()),
        });
    }
    Ok(list)
}

fn read_allow(section: &Section<'_>, place: &Range<usize>) -> Result<Allow> {
    section.known(&["check", "object", "reason"])?;
    Ok(Allow {
        check: section.required("check")?,
        object: section.required("object")?,
        reason: section.required("reason")?,
        place: section.source.place(place),
    })
}

fn read_equivalent(section: &Section<'_>, place: &Range<usize>) -> Result<Equivalent> {
    section.known(&["mutant", "object", "detail", "reason"])?;
    Ok(Equivalent {
        mutant: section.required("mutant")?,
        object: section.required("object")?,
        detail: section.text("detail")?.unwrap_or_else(|| "*".to_owned()),
        reason: section.required("reason")?,
        place: section.source.place(place),
    })
}

fn read_run(settings: &mut Settings, section: &Section<'_>) -> Result<()> {
    section.known(&options::keys().collect::<Vec<_>>())?;
    let folder = section.source.path.parent().unwrap_or(Path::new(""));
    for (key, value) in section.table {
        let key: &str = key.get_ref();
        let place = section.source.place(&value.span());
        let values = option_values(key, value.get_ref())
            .map_or_else(|expected| section.refuse(key, expected), Ok)?;
        let given = Given::list(format!("{place}: `{key}`"), values).relative_to(folder);
        options::set(settings, key, &given)?;
    }
    Ok(())
}

/// The values of an option as texts, else what is expected.
fn option_values(key: &str, value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        _ => None,
    };
    match (options::kind(key), value) {
        (Kind::Text, DeValue::String(text)) => Ok(vec![text.to_string()]),
        (Kind::Text, _) => Err("a string"),
        (Kind::Number, DeValue::Integer(_)) => Ok(one(value).into_iter().collect()),
        (Kind::Number, _) => Err("a number"),
        (Kind::Flag, DeValue::Boolean(yes)) => Ok(vec![yes.to_string()]),
        (Kind::Flag, _) => Err("`true` or `false`"),
        (Kind::List, DeValue::Array(array)) => {
            let values: Option<Vec<String>> = array.iter().map(|v| one(v.get_ref())).collect();
            values.ok_or("a list of strings or numbers")
        }
        (Kind::List, _) => one(value)
            .map(|text| vec![text])
            .ok_or("a list of strings or numbers"),
    }
}

/// The text that places are places in.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: &Range<usize>) -> String {
        let end = self.text.floor_char_boundary(span.start);
        let line = 1 + self.text[..end].matches('\n').count();
        format!("{}:{line}", self.path.display())
    }

    fn wrong(&self, span: &Range<usize>, message: impl Into<String>) -> Error {
        wrong(&self.place(span), &message.into())
    }
}

/// A table of the file.
struct Section<'a> {
    source: &'a Source<'a>,
    /// As the user would write it: `[tenant]`.
    name: &'a str,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Refuses keys that are not among these.
    fn known(&self, keys: &[&str]) -> Result<()> {
        for key in self.table.keys() {
            let word: &str = key.get_ref();
            if !keys.contains(&word) {
                let nearest = nearest(word, keys.iter().copied());
                return Err(self.source.wrong(
                    &key.span(),
                    format!(
                        "unknown key `{word}` in {}; the nearest is `{nearest}`",
                        self.name
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Refuses the value of a key.
    fn refuse<T>(&self, key: &str, expected: &str) -> Result<T> {
        let span = self.table.get(key).map(Spanned::span).unwrap_or_default();
        Err(self.source.wrong(
            &span,
            format!("`{key}` in {}: expected {expected}", self.name),
        ))
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::String(text)) if !text.trim().is_empty() => Ok(Some(text.to_string())),
            Some(_) => self.refuse(key, "a string that is not empty"),
        }
    }

    fn flag(&self, key: &str) -> Result<bool> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(false),
            Some(DeValue::Boolean(yes)) => Ok(*yes),
            Some(_) => self.refuse(key, "`true` or `false`"),
        }
    }

    fn required(&self, key: &str) -> Result<String> {
        if let Some(text) = self.text(key)? {
            return Ok(text);
        }
        // There is no place for what is missing: the section's first key is the nearest.
        let span = self.table.iter().next().map(|(key, _)| key.span());
        Err(self.source.wrong(
            &span.unwrap_or_default(),
            format!("{} needs the key `{key}`", self.name),
        ))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let texts: Option<Vec<String>> = value.get_ref().as_array().and_then(|array| {
            array
                .iter()
                .map(|value| value.get_ref().as_str().map(str::to_owned))
                .collect()
        });
        texts.map_or_else(|| self.refuse(key, "a list of strings"), Ok)
    }

    fn texts_by_key(&self, key: &str) -> Result<BTreeMap<String, String>> {
        let Some(value) = self.table.get(key) else {
            return Ok(BTreeMap::new());
        };
        let texts: Option<BTreeMap<String, String>> =
            value.get_ref().as_table().and_then(|table| {
                table
                    .iter()
                    .map(|(key, value)| {
                        Some((key.get_ref().to_string(), value.get_ref().as_str()?.into()))
                    })
                    .collect()
            });
        let expected =
            "strings by key, as `{ \"schema.table\" = \"…\" }` (with quotes around the key)";
        texts.map_or_else(|| self.refuse(key, expected), Ok)
    }

    fn lists_by_key(&self, key: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let Some(value) = self.table.get(key) else {
            return Ok(BTreeMap::new());
        };
        let list = |value: &Value<'_>| -> Option<Vec<String>> {
            let texts = value.get_ref().as_array()?.iter();
            let texts: Option<Vec<String>> = texts
                .map(|text| text.get_ref().as_str().map(str::to_owned))
                .collect();
            texts.filter(|texts| !texts.is_empty())
        };
        let lists: Option<BTreeMap<String, Vec<String>>> =
            value.get_ref().as_table().and_then(|table| {
                table
                    .iter()
                    .map(|(key, value)| Some((key.get_ref().to_string(), list(value)?)))
                    .collect()
            });
        let expected = "lists of strings by key, as `\"schema.table.column\" = [\"a\", \"b\"]` (with quotes around the key)";
        lists.map_or_else(|| self.refuse(key, expected), Ok)
    }

    fn section(&self, key: &'a str) -> Result<Option<Section<'a>>> {
        let name = match key {
            "run" => "[run]",
            "migrate" => "[migrate]",
            "tenant" => "[tenant]",
            "generate" => "[generate]",
            "queries" => "[queries]",
            _ => "[access]",
        };
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::Table(table)) => Ok(Some(Section {
                source: self.source,
                name,
                table,
            })),
            Some(_) => self.refuse(key, &format!("a section, {name}")),
        }
    }

    /// The tables of an array of tables, and their places.
    fn sections(&self, key: &'a str) -> Result<Vec<(Section<'a>, Range<usize>)>> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let name = match key {
            "allow" => "[[allow]]",
            _ => "[[equivalent]]",
        };
        let section = |value: &'a Value<'a>| {
            let table = value.get_ref().as_table()?;
            let section = Section {
                source: self.source,
                name,
                table,
            };
            Some((section, value.span()))
        };
        let sections: Option<Vec<_>> = value
            .get_ref()
            .as_array()
            .and_then(|array| array.iter().map(section).collect());
        sections.map_or_else(|| self.refuse(key, &format!("sections, {name}")), Ok)
    }
}
