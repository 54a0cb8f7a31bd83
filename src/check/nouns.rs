//! What names of columns and tables say: their words, and which noun is another's plural.

/// The words of a name, lower case: `parent_company_id`, `ParentCompanyId` and `Parent company id` are the same three.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut fresh = true;
    let mut before = ' ';
    for character in name.chars() {
        if character.is_alphanumeric() {
            fresh |= character.is_uppercase() && !before.is_uppercase();
            if fresh {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(character.to_lowercase());
            }
            fresh = false;
        } else {
            fresh = true;
        }
        before = character;
    }
    words
}

/// Plurals that follow no rule.
const IRREGULAR: [(&str, &str); 9] = [
    ("person", "people"),
    ("child", "children"),
    ("man", "men"),
    ("woman", "women"),
    ("index", "indices"),
    ("matrix", "matrices"),
    ("vertex", "vertices"),
    ("medium", "media"),
    ("datum", "data"),
];

/// Whether a word is this noun, or many of it.
pub(super) fn is_noun(word: &str, noun: &str) -> bool {
    let rest = word.strip_prefix(noun);
    let by_rule = matches!(rest, Some("" | "s" | "es"));
    let with_stem = |singular: &str, plural: &str| {
        let stem = noun.strip_suffix(singular);
        stem.is_some_and(|stem| word.strip_prefix(stem) == Some(plural))
    };
    by_rule
        || with_stem("y", "ies")
        || with_stem("f", "ves")
        || with_stem("fe", "ves")
        || IRREGULAR.contains(&(noun, word))
}

/// Whether these are words for the things of a table; how well they fit, the higher the better.
pub(super) fn fit(column: &[String], table: &[String]) -> Option<Fit> {
    let common = column.len().min(table.len());
    if common == 0 {
        return None;
    }
    let column_end = &column[column.len() - common..];
    let table_end = &table[table.len() - common..];
    let all = column_end
        .iter()
        .zip(table_end)
        .all(|(noun, word)| is_noun(word, noun));
    if !all {
        return None;
    }
    Some(match column.len().cmp(&table.len()) {
        std::cmp::Ordering::Equal => Fit::Same,
        std::cmp::Ordering::Less => Fit::End,
        std::cmp::Ordering::Greater => Fit::Role(column[..column.len() - common].to_vec()),
    })
}

/// How a column's words fit a table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// `person` and `people`.
    Same,
    /// `step` and `campaign_steps`.
    End,
    /// `parent company` and `companies`: the words before.
    Role(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        for name in [
            "parent_company_id",
            "ParentCompanyId",
            "Parent company id",
            "parentCompanyID",
        ] {
            assert_eq!(words(name), ["parent", "company", "id"], "{name}");
        }
    }

    #[test]
    fn plurals_are_known() {
        for (noun, word) in [
            ("person", "people"),
            ("company", "companies"),
            ("address", "addresses"),
            ("status", "statuses"),
            ("house", "houses"),
            ("note", "notes"),
            ("shelf", "shelves"),
            ("note", "note"),
        ] {
            assert!(is_noun(word, noun), "{word} of {noun}");
        }
        for (noun, word) in [
            ("note", "notices"),
            ("person", "personas"),
            ("trace", "tracks"),
            ("y", ""),
        ] {
            assert!(!is_noun(word, noun), "{word} of {noun}");
        }
    }

    #[test]
    fn columns_fit_tables() {
        let of = |column: &str, table: &str| fit(&words(column), &words(table));
        assert_eq!(of("person", "people"), Some(Fit::Same));
        assert_eq!(of("step", "campaign_steps"), Some(Fit::End));
        assert_eq!(
            of("parent_company", "companies"),
            Some(Fit::Role(vec!["parent".to_owned()]))
        );
        assert_eq!(of("request", "people"), None);
    }
}
