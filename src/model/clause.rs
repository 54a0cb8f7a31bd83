//! Constraints and indexes as SQL has them, from what the catalog says: to make them again, changed.

use std::fmt::Write as _;

use super::{Action, Catalog, ForeignKey, Index, Table, Tokens, quoted, quoted_list};

impl ForeignKey {
    /// All that stands behind `ADD CONSTRAINT name`.
    #[must_use]
    pub fn clause(&self) -> String {
        let mut text = format!(
            "FOREIGN KEY ({}) REFERENCES {} ({})",
            self.side(&self.columns),
            self.target.quoted(),
            self.side(&self.target_columns),
        );
        if self.match_full {
            text.push_str(" MATCH FULL");
        }
        for (event, action) in [
            (" ON DELETE", self.on_delete),
            (" ON UPDATE", self.on_update),
        ] {
            let Some(word) = action.word() else { continue };
            let _ = write!(text, "{event} {word}");
            if event == " ON DELETE" && !self.on_delete_columns.is_empty() {
                let columns = quoted_list(self.on_delete_columns.iter().map(String::as_str));
                let _ = write!(text, " ({columns})");
            }
        }
        if self.deferrable {
            text.push_str(" DEFERRABLE");
            if self.initially_deferred {
                text.push_str(" INITIALLY DEFERRED");
            }
        }
        if !self.enforced {
            text.push_str(" NOT ENFORCED");
        } else if !self.validated {
            text.push_str(" NOT VALID");
        }
        text
    }

    /// One side of the key; where it has a PERIOD, the last column is one.
    fn side(&self, columns: &[String]) -> String {
        match columns {
            [first @ .., time] if self.period => {
                let first = quoted_list(first.iter().map(String::as_str));
                format!("{first}, PERIOD {}", quoted(time))
            }
            _ => quoted_list(columns.iter().map(String::as_str)),
        }
    }

    /// The statement that puts this key in the place of the one of its name.
    #[must_use]
    pub fn replaced(&self, table: &Table) -> String {
        format!(
            "ALTER TABLE {} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {};",
            table.name.quoted(),
            self.clause(),
            name = quoted(&self.name),
        )
    }
}

impl Action {
    /// The words for it; none for what is so where nothing is said.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::NoAction => None,
            Self::Restrict => Some("RESTRICT"),
            Self::Cascade => Some("CASCADE"),
            Self::SetNull => Some("SET NULL"),
            Self::SetDefault => Some("SET DEFAULT"),
        }
    }
}

impl Index {
    /// The definition in three: before the keys, each key as it was written (with its order and operators), behind them.
    fn taken_apart(&self) -> Option<(&str, Vec<&str>, &str)> {
        let text = self.definition.as_str();
        let mut depth = 0_usize;
        let (mut start, mut from) = (0, 0);
        let mut keys = Vec::new();
        for token in Tokens::new(text).filter_map(Result::ok) {
            if token.is_symbol('(') {
                depth += 1;
                if depth == 1 {
                    (start, from) = (token.offset + 1, token.offset + 1);
                }
            } else if depth == 1 && token.is_symbol(',') {
                keys.push(text[from..token.offset].trim());
                from = token.offset + 1;
            } else if token.is_symbol(')') {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    keys.push(text[from..token.offset].trim());
                    return Some((&text[..start], keys, &text[token.offset..]));
                }
            }
        }
        None
    }

    /// The keys, each as it was written.
    #[must_use]
    pub fn written_keys(&self) -> Vec<&str> {
        self.taken_apart()
            .map(|(_, keys, _)| keys)
            .unwrap_or_default()
    }

    /// The definition over other keys.
    #[must_use]
    pub fn over(&self, keys: &[&str]) -> Option<String> {
        let (before, _, after) = self.taken_apart()?;
        Some(format!("{before}{}{after}", keys.join(", ")))
    }

    /// The statements that put another definition in its place. Foreign keys that rest on its columns are taken away
    /// meanwhile, and rest then on the same columns, of which `beside` may be the unique key.
    #[must_use]
    pub fn replaced(
        &self,
        catalog: &Catalog,
        table: &Table,
        definition: &str,
        beside: Option<&str>,
    ) -> String {
        let name = quoted(&self.name);
        let on = table.name.quoted();
        let mut sql = String::new();
        let resting: Vec<(&Table, &ForeignKey)> = self.resting(catalog, table).collect();
        for (child, key) in &resting {
            let (child, key) = (child.name.quoted(), quoted(&key.name));
            let _ = write!(sql, "ALTER TABLE {child} DROP CONSTRAINT {key}; ");
        }
        if self.constraint {
            let _ = write!(
                sql,
                "ALTER TABLE {on} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {definition};"
            );
        } else {
            let schema = quoted(&table.name.schema);
            let _ = write!(sql, "DROP INDEX {schema}.{name}; {definition};");
        }
        if let Some(beside) = beside {
            let _ = write!(sql, " ALTER TABLE {on} ADD {beside};");
        }
        for (child, key) in &resting {
            let (child, name) = (child.name.quoted(), quoted(&key.name));
            let clause = key.clause();
            let _ = write!(sql, " ALTER TABLE {child} ADD CONSTRAINT {name} {clause};");
        }
        sql
    }

    /// The foreign keys that refer to exactly its columns.
    pub fn resting<'a>(
        &'a self,
        catalog: &'a Catalog,
        table: &'a Table,
    ) -> impl Iterator<Item = (&'a Table, &'a ForeignKey)> {
        let sorted = |mut columns: Vec<&'a str>| {
            columns.sort_unstable();
            columns
        };
        let own = sorted(self.plain_columns());
        let whole = self.unique && self.predicate.is_none() && own.len() == self.keys.len();
        catalog
            .roots()
            .filter(move |_| whole)
            .flat_map(|child| child.foreign_keys.iter().map(move |key| (child, key)))
            .filter(move |(_, key)| {
                key.target == table.name
                    && sorted(key.target_columns.iter().map(String::as_str).collect()) == own
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_definition_are_exchanged() {
        let index = Index {
            name: "i".to_owned(),
            keys: Vec::new(),
            unique: false,
            primary: false,
            exclusion: false,
            operators: Vec::new(),
            constraint: false,
            predicate: None,
            nulls_not_distinct: false,
            definition: "CREATE INDEX i ON t USING gist (\"a, (b\", lower((c)::text) DESC, d WITH &&) WHERE (e > 0)"
                .to_owned(),
        };
        let keys = index.written_keys();
        assert_eq!(keys, ["\"a, (b\"", "lower((c)::text) DESC", "d WITH &&"]);
        assert_eq!(
            index.over(&[keys[2], keys[0]]).unwrap(),
            "CREATE INDEX i ON t USING gist (d WITH &&, \"a, (b\") WHERE (e > 0)"
        );
    }
}
