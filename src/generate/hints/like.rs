//! LIKE patterns.

/// Whether a text matches a LIKE pattern.
pub(in crate::generate) fn is_like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => (0..=text.len())
            .filter(|&i| text.is_char_boundary(i))
            .any(|i| is_like(&text[i..], rest.as_str())),
        Some(wanted) => {
            let wanted = if wanted == '\\' {
                rest.next()
            } else {
                Some(wanted)
            };
            let mut chars = text.chars();
            let met = chars.next();
            met.is_some()
                && (met == wanted || pattern.starts_with('_'))
                && is_like(chars.as_str(), rest.as_str())
        }
    }
}

/// The shortest text that matches a LIKE pattern, with `x` for what is open.
pub(in crate::generate) fn shortest_like(pattern: &str) -> String {
    let mut made = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => {}
            '_' => made.push('x'),
            '\\' => made.extend(rest.next()),
            c => made.push(c),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_matched_as_postgres_does() {
        assert!(is_like("a@b.fr", "%_@_%"));
        assert!(!is_like("@b", "%_@_%"));
        assert!(is_like("https://x", "https://%"));
        assert!(is_like("a_b", "a\\_b") && !is_like("axb", "a\\_b"));
        assert_eq!(shortest_like("https://%"), "https://");
    }
}
