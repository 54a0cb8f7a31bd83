//! The same rows as files for `\copy`, and a script that loads them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::update_late;
use crate::error::{Error, Result};
use crate::generate::{Bulk, Sheet};
use crate::model::{literal, quoted_list};

/// A folder of files, one for each table, in COPY's text format, and `load.sql`.
pub struct Files {
    folder: PathBuf,
    current: Option<(PathBuf, BufWriter<File>)>,
    /// The script's lines that load the tables.
    copies: String,
    /// Those that close circles.
    updates: String,
    count: usize,
}

impl Files {
    /// Makes the folder, which may be there and must be empty then.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Usage`] where something is in the folder.
    pub fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let mut there = std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
        if there.next().is_some() {
            return Err(Error::Usage(format!(
                "--output {}: the folder is not empty; name a new one",
                folder.display()
            )));
        }
        Ok(Self {
            folder: folder.to_owned(),
            current: None,
            copies: String::new(),
            updates: String::new(),
            count: 0,
        })
    }

    /// Begins the file of a table.
    pub(super) fn open(&mut self, sheet: &Sheet) -> Result<()> {
        let table = sheet.name.quoted();
        let list = quoted_list(sheet.columns.iter().map(String::as_str));
        let name = self.file(&sheet.name.name, "")?;
        let _ = writeln!(
            self.copies,
            "\\copy {table} ({list}) FROM {}",
            literal(&name)
        );
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.current {
            Some((path, file)) => {
                let written = file.write_all(bytes);
                written.map_err(|error| Error::io(&*path, error))
            }
            None => Ok(()),
        }
    }

    /// The columns of keys in a circle, in a file of their own.
    pub(super) fn late(&mut self, bulk: &Bulk, sheet: &Sheet, columns: &[String]) -> Result<()> {
        let name = self.file(&sheet.name.name, "-late")?;
        let mut bytes = Vec::new();
        let mut start = 0;
        while start < sheet.rows() {
            let end = sheet.rows().min(start + super::BATCH);
            bytes.clear();
            bulk.write_late(sheet, start..end, &mut bytes);
            self.write(&bytes)?;
            start = end;
        }
        let (table, list) = (
            sheet.name.quoted(),
            quoted_list(columns.iter().map(String::as_str)),
        );
        let _ = writeln!(
            self.updates,
            "CREATE TEMPORARY TABLE watertight_late AS SELECT {list} FROM {table} WITH NO DATA;\n\
             \\copy watertight_late FROM {}\n{};\nDROP TABLE watertight_late;",
            literal(&name),
            update_late(sheet, "watertight_late")
        );
        Ok(())
    }

    /// Begins a file; its name, with nothing in it that a file system or `psql` reads in its own way.
    fn file(&mut self, table: &str, what: &str) -> Result<String> {
        self.close()?;
        self.count += 1;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let stem: String = table.chars().take(40).map(plain).collect();
        let name = format!("{:03}_{stem}{what}.copy", self.count);
        let path = self.folder.join(&name);
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        self.current = Some((path, BufWriter::new(file)));
        Ok(name)
    }

    fn close(&mut self) -> Result<()> {
        match self.current.take() {
            Some((path, mut file)) => file.flush().map_err(|error| Error::io(path, error)),
            None => Ok(()),
        }
    }

    /// Writes the script; `passes` sets sequences behind the rows.
    pub(super) fn finish(
        &mut self,
        forced: &[String],
        deferred: &[String],
        passes: &[String],
    ) -> Result<()> {
        self.close()?;
        let mut sql = String::from(
            "-- Loads the rows beside this file into a migrated database: cd here, and `psql DATABASE -f load.sql`.\n\
             \\set ON_ERROR_STOP on\nBEGIN;\n",
        );
        for table in forced {
            let _ = writeln!(sql, "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;");
        }
        if !deferred.is_empty() {
            let _ = writeln!(sql, "SET CONSTRAINTS {} DEFERRED;", deferred.join(", "));
        }
        let _ = write!(sql, "{}{}", self.copies, self.updates);
        sql.push_str("SET CONSTRAINTS ALL IMMEDIATE;\n");
        for pass in passes {
            let _ = writeln!(sql, "{pass};");
        }
        for table in forced {
            let _ = writeln!(sql, "ALTER TABLE {table} FORCE ROW LEVEL SECURITY;");
        }
        sql.push_str("COMMIT;\n");
        let path = self.folder.join("load.sql");
        std::fs::write(&path, sql).map_err(|error| Error::io(&path, error))
    }
}
