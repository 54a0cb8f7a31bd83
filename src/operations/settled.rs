//! A line of a schema without what Postgres may print otherwise once it has read its own words.

/// Types of several words, which a cast may name.
const WORDS: [&str; 6] = [
    "character varying",
    "double precision",
    "bit varying",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
];

/// The line without parentheses, white space and casts. `CHECK (a IN ('x'))` of a `varchar` is printed as `((a)::text =
/// ANY ((ARRAY['x'::character varying])::text[]))`, and that, read and printed again, as `… ANY (ARRAY[('x'::character
/// varying)::text])`. An extension is told by its name: a dump names no version.
pub(super) fn settled(line: &str) -> String {
    if let Some(rest) = line.strip_prefix("extension ") {
        return format!(
            "extension {}",
            rest.rsplit_once(' ').map_or(rest, |(name, _)| name)
        );
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        rest = if let Some(cast) = rest.strip_prefix("::") {
            behind_type(cast)
        } else {
            if !matches!(first, '(' | ')') && !first.is_whitespace() {
                out.push(first);
            }
            &rest[first.len_utf8()..]
        };
    }
    out
}

/// The text behind the name of a type: `varchar(20)[]`.
fn behind_type(text: &str) -> &str {
    let mut rest = WORDS
        .iter()
        .find_map(|words| text.strip_prefix(words))
        .unwrap_or_else(|| {
            let mut quoted = false;
            text.trim_start_matches(|c: char| {
                quoted ^= c == '"';
                quoted || c == '"' || c == '_' || c == '.' || c.is_alphanumeric()
            })
        });
    if let Some((modifier, behind)) = rest.strip_prefix('(').and_then(|r| r.split_once(')'))
        && modifier.chars().all(|c| c.is_ascii_digit() || c == ',')
    {
        rest = behind;
    }
    while let Some(behind) = rest.strip_prefix("[]") {
        rest = behind;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn only_what_printing_changes_is_gone() {
        let first = "constraint c on t CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))";
        let again = "constraint c on t CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y'::character varying)::text])))";
        assert_eq!(settled(first), settled(again));
        let other = first.replace("'y'", "'z'");
        assert_ne!(settled(&other), settled(again));
        assert_eq!(
            settled("x::crm.\"My Type\"(3,2)[] = y::timestamp with time zone"),
            "x=y"
        );
        assert_eq!(settled("extension citext 1.6"), "extension citext");
    }
}
