//! Placeholders in the text of migrations: `${name}`.

use std::collections::BTreeMap;

/// The way out for a placeholder without a value.
fn missing(name: &str) -> String {
    format!(
        "`${{{name}}}` has no value; give it one in watertight.toml: [migrate] placeholders = {{ {name:?} = \"…\" }}"
    )
}

/// The text with the values of `<prefix>name<suffix>`.
///
/// # Errors
/// The line of one that has no value, and the way out.
pub(super) fn fill(
    text: &str,
    (prefix, suffix): (&str, &str),
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (usize, String)> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(prefix) {
        let inside = &rest[start + prefix.len()..];
        let name = inside.find(suffix).map(|end| &inside[..end]);
        // Flyway takes whatever stands there; a name is never longer than its line.
        let Some(name) = name.filter(|name| !name.contains('\n')) else {
            filled.push_str(&rest[..start + prefix.len()]);
            rest = inside;
            continue;
        };
        let line = 1 + text[..text.len() - rest.len() + start]
            .matches('\n')
            .count();
        let value = value(name).ok_or_else(|| (line, missing(name)))?;
        filled.push_str(&rest[..start]);
        filled.push_str(&value);
        rest = &inside[name.len() + suffix.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// One line with the values of `${NAME}`, `${NAME:-default}` and `$NAME`, as a shell has them.
///
/// # Errors
/// One that has no value, and the way out.
pub(super) fn environment(line: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('$') {
        filled.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let (name, default, length) = if let Some(inside) = after.strip_prefix('{') {
            let end = inside.find('}').ok_or("`${` is never closed")?;
            let (name, default) = match inside[..end].split_once('-') {
                Some((name, default)) => (name.trim_end_matches(':'), Some(default)),
                None => (&inside[..end], None),
            };
            (name, default, end + 3)
        } else {
            let end = after.find(|c| !in_name(c)).unwrap_or(after.len());
            (&after[..end], None, end + 1)
        };
        // `$$` and `$1` are SQL.
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            || after[length - 1..].starts_with('$')
        {
            filled.push_str(&rest[start..start + length]);
        } else {
            let value = values.get(name).map(String::as_str).or(default);
            filled.push_str(value.ok_or_else(|| missing(name))?);
        }
        rest = &rest[start + length..];
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_names() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        let dollars = ("${", "}");
        assert_eq!(fill("x ${a}${a} ${", dollars, &value).unwrap(), "x 11 ${");
        let (line, why) = fill("x\n${b}", dollars, &value).unwrap_err();
        assert_eq!(line, 2);
        assert!(
            why.contains("`${b}`") && why.contains("placeholders"),
            "{why}"
        );
    }

    #[test]
    fn shell_like_ones_have_defaults_and_leave_sql_alone() {
        let values = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let filled = |line| environment(line, &values);
        assert_eq!(
            filled("${A} $A ${B:-2} $1 $$x$$ $f$y$f$").unwrap(),
            "1 1 2 $1 $$x$$ $f$y$f$"
        );
        assert!(filled("$B").is_err());
        assert!(filled("${A").is_err());
    }
}
