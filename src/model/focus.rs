//! The objects that cases are planned for, where not all of them are looked at.

use super::RelationName;

/// Objects that a scene is looked at for.
#[derive(Clone, Debug, Default)]
pub enum Focus {
    /// All of them.
    #[default]
    All,
    /// What is on this table: constraints, indexes, columns.
    On(RelationName),
    /// These objects by their names.
    Objects(Vec<String>),
}

impl Focus {
    /// Whether a case of this object is wanted.
    #[must_use]
    pub fn includes(&self, object: &str) -> bool {
        match self {
            Self::All => true,
            Self::On(table) => is_on(&table.to_string(), object),
            Self::Objects(list) => list.iter().any(|one| one == object),
        }
    }

    /// Whether a case of this table, or of what is on it, may be wanted.
    #[must_use]
    pub fn concerns(&self, table: &RelationName) -> bool {
        match self {
            Self::All => true,
            Self::On(one) => one == table,
            Self::Objects(list) => {
                let name = table.to_string();
                list.iter().any(|one| *one == name || is_on(&name, one))
            }
        }
    }
}

/// Whether an object is named as one on this table.
fn is_on(table: &str, object: &str) -> bool {
    let rest = object.strip_prefix(table);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> RelationName {
        RelationName {
            schema: schema.into(),
            name: name.into(),
        }
    }

    #[test]
    fn what_is_on_a_table_is_told_from_what_only_begins_like_it() {
        let focus = Focus::On(name("public", "notes"));
        assert!(focus.includes("public.notes.notes_pkey"));
        assert!(!focus.includes("public.notes_old.notes_pkey"));
        assert!(!focus.includes("public.notes"));
        assert!(focus.concerns(&name("public", "notes")));
        assert!(!focus.concerns(&name("public", "notes_old")));
    }

    #[test]
    fn a_table_is_concerned_by_what_is_on_it() {
        let focus = Focus::Objects(vec!["public.notes.own".into(), "public.f(text)".into()]);
        assert!(focus.concerns(&name("public", "notes")));
        assert!(!focus.concerns(&name("public", "note")));
        assert!(focus.includes("public.f(text)") && !focus.includes("public.notes"));
    }
}
