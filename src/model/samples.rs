//! Values of the user's own, laid on the catalog: generation takes them instead of its own.

use super::{Catalog, GenerateSettings, Generated, Table, glob, nearest, printed};

impl Catalog {
    /// Gives columns and types the values that the settings have for them.
    ///
    /// # Errors
    /// A sentence that names a column or type that is not there, and the nearest that is; or a column whose values
    /// can't be chosen.
    pub fn give_samples(&mut self, settings: &GenerateSettings) -> Result<(), String> {
        for (pattern, values) in &settings.columns {
            let mut any = false;
            for table in self.tables.values_mut() {
                any |= give(table, pattern, values)?;
            }
            if !any {
                let known: Vec<String> = self.columns().collect();
                let nearest = nearest(pattern, known.iter().map(String::as_str));
                return Err(format!(
                    "[generate.columns] `{pattern}`: no table has such a column; the nearest is `{nearest}`"
                ));
            }
        }
        for (name, values) in &settings.types {
            let mut any = false;
            for of in self.types.values_mut() {
                let full = format!("{}.{}", of.schema, printed(&of.name));
                if [&full, &of.name, &of.printed].contains(&name) {
                    of.samples.clone_from(values);
                    any = true;
                }
            }
            if !any {
                let all = self.types.values();
                let known: Vec<String> = all
                    .map(|of| format!("{}.{}", of.schema, printed(&of.name)))
                    .collect();
                let nearest = nearest(name, known.iter().map(String::as_str));
                return Err(format!(
                    "[generate.types] `{name}`: no column is of such a type; the nearest is `{nearest}`"
                ));
            }
        }
        Ok(())
    }

    /// All columns of tables that stand for themselves, as `schema.table.column`.
    pub fn columns(&self) -> impl Iterator<Item = String> {
        self.roots().flat_map(|table| {
            let columns = table.columns.iter();
            columns.map(|column| table.name.object(&column.name))
        })
    }
}

/// Gives the values to the columns of a table that the pattern fits. Returns whether there is one.
fn give(table: &mut Table, pattern: &str, values: &[String]) -> Result<bool, String> {
    let mut any = false;
    for column in &mut table.columns {
        let object = table.name.object(&column.name);
        if !glob(pattern, &object) {
            continue;
        }
        any = true;
        let keys = &table.foreign_keys;
        if let Some(key) = keys.iter().find(|key| key.columns.contains(&column.name)) {
            // A glob may well meet some of these; a name alone is a mistake.
            if pattern == object {
                return Err(format!(
                    "[generate.columns] `{pattern}`: the foreign key {} decides its values",
                    key.name
                ));
            }
        } else if column.generated != Generated::No {
            if pattern == object {
                return Err(format!(
                    "[generate.columns] `{pattern}`: Postgres computes its values"
                ));
            }
        } else {
            column.samples = values.to_vec();
        }
    }
    Ok(any)
}
