//! The known word that is nearest to a wrong one.

/// The nearest of the known words by edit distance; the first of several, an empty text of none.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    let wrong = wrong.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .min_by_key(|word| distance(&wrong, word))
        .unwrap_or_default()
}

/// Characters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(nearest("Colum", ["table", "column", "columns"]), "column");
        assert_eq!(nearest("pg-bin", ["postgres", "pg_bin"]), "pg_bin");
    }
}
