//! What assertions of tests leave of the statements that they covered, and what it acquits: a query that leaks by
//! itself, where the application guards it.
//!
//! It is good for the sources and the migrations that it was found with, and for no others: what a test showed of a guard
//! says nothing once the guard may have been changed, or the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::assemble::Judged;
use crate::check::{Scene, is_guardable};
use crate::error::{Error, Result};
use crate::migration::MigrationSet;
use crate::model::{Report, Settings, Verdict, hexadecimal};

/// The format of the files.
const FORMAT: u32 = 1;

/// The ends of the names of files that a program is made from.
const SOURCES: [&str; 24] = [
    "c", "cc", "clj", "cpp", "cs", "cts", "erl", "ex", "exs", "fs", "go", "java", "js", "jsx",
    "kt", "mjs", "php", "py", "rb", "rs", "scala", "swift", "ts", "tsx",
];

/// Folders nest no deeper than this.
const DEEPEST: usize = 32;

/// What the assertions of one test covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Covered {
    format: u32,
    /// The test's name.
    pub(crate) test: String,
    /// The digest of the migrations.
    migrations: String,
    /// The digest of the sources.
    sources: String,
    /// The texts of the statements.
    pub(crate) statements: BTreeSet<String>,
}

impl Covered {
    pub(crate) fn new(
        settings: &Settings,
        migrations: &MigrationSet,
        test: &str,
        statements: BTreeSet<String>,
    ) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            test: test.to_owned(),
            migrations: migrations.identity(),
            sources: sources(&settings.migrate.folder)?,
            statements,
        })
    }

    /// Writes the file of the test, whole: another process may be reading it.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = file_of(folder, &self.test);
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let text = format!("{:#}\n", serde_json::json!(self));
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        fs::write(&new, text).map_err(|error| Error::io(&new, error))?;
        fs::rename(&new, &path).map_err(|error| Error::io(&path, error))
    }
}

/// Takes away what an earlier run of a test left.
pub(crate) fn remove(folder: &Path, test: &str) -> Result<()> {
    let path = file_of(folder, test);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&path, error)),
        _ => Ok(()),
    }
}

fn file_of(folder: &Path, test: &str) -> PathBuf {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let name: String = test
        .chars()
        .map(|c| if is_plain(c) { c } else { '.' })
        .collect();
    folder.join(format!("{name}.json"))
}

/// Acquits the leaks of queries that tests covered, and says of what tests were not asked again since.
pub(super) fn acquit(
    settings: &Settings,
    migrations: &MigrationSet,
    texts: &dyn Fn(&str) -> BTreeSet<String>,
    scene: Scene<'_>,
    judged: &[Judged],
) -> Result<Acquitted> {
    let mut found = Acquitted::default();
    let Some(folder) = &settings.run.covered else {
        return Ok(found);
    };
    let mut open = judged
        .iter()
        .filter(|one| matches!(one.verdict, Verdict::Leaked(_)) && is_guardable(scene, &one.case))
        .peekable();
    if open.peek().is_none() {
        return Ok(found);
    }
    let all = read(folder)?;
    let (migrations, sources) = (migrations.identity(), sources(&settings.migrate.folder)?);
    for one in open {
        let texts = texts(&one.case.object);
        for covered in all.iter().filter(|one| !one.statements.is_disjoint(&texts)) {
            let (object, test) = (one.case.object.clone(), covered.test.clone());
            if covered.migrations == migrations && covered.sources == sources {
                found
                    .tests
                    .entry((one.case.check, object))
                    .or_default()
                    .insert(test);
            } else {
                let what = if covered.migrations == migrations {
                    "the sources"
                } else {
                    "the migrations"
                };
                found.stale.insert(format!(
                    "{object} is not acquitted by {test}: {what} changed since it was run; run the tests again"
                ));
            }
        }
    }
    Ok(found)
}

/// What tests acquit.
#[derive(Debug, Default)]
pub(super) struct Acquitted {
    /// By check and object: the tests.
    tests: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// What would be acquitted, and why it is not.
    stale: BTreeSet<String>,
}

impl Acquitted {
    /// Says it in the report.
    pub(super) fn tell(mut self, report: &mut Report) {
        for finding in &mut report.findings {
            let tests = self.tests.remove(&(finding.check, finding.object.clone()));
            finding.acquitted = tests.into_iter().flatten().collect();
        }
        report.remarks.extend(self.stale);
    }
}

/// All that tests left; nothing where there is no folder yet.
fn read(folder: &Path) -> Result<Vec<Covered>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder, error))?.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let wrong = |message: String| Error::Configuration {
            place: path.display().to_string(),
            message: format!("it is nothing that an assertion left (--covered): {message}"),
        };
        let one: Covered = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if one.format != FORMAT {
            return Err(wrong(format!(
                "its format is {} and not {FORMAT}",
                one.format
            )));
        }
        found.push(one);
    }
    found.sort_by(|a, b| a.test.cmp(&b.test));
    Ok(found)
}

/// A digest of the program's sources below a folder. What is made there (folders with cargo's mark of a cache) and what is
/// hidden or installed is none.
fn sources(folder: &Path) -> Result<String> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut files = Vec::new();
    collect(folder, &mut files, 0)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let text = fs::read(&file).map_err(|error| Error::io(&file, error))?;
        let name = file.strip_prefix(folder).unwrap_or(&file);
        hash.update(format!("{} {}\n", name.display(), text.len()).replace('\\', "/"));
        hash.update(text);
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    let is_made = folder.join("CACHEDIR.TAG").exists();
    if depth > DEEPEST || is_made {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(|error| Error::io(&path, error))?;
        if kind.is_dir() && !name.starts_with('.') && name != "node_modules" {
            collect(&path, into, depth + 1)?;
        } else if kind.is_file()
            && let Some((_, end)) = name.rsplit_once('.')
            && SOURCES.contains(&end)
        {
            into.push(path);
        }
    }
    Ok(())
}
