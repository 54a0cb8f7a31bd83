//! The SQL files of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::convention::CONVENTIONS;
use crate::error::{Error, Result};

/// The most files and folders that are looked at below a folder of migrations.
const MOST: usize = 20_000;

/// A file that may be a migration.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) name: String,
}

/// The SQL files of a folder, by name; those of the folders below where the convention wants them.
pub(super) fn migration_files(folder: &Path) -> Result<Vec<File>> {
    let nested = |file: &File| {
        CONVENTIONS
            .iter()
            .any(|c| c.nested() && c.label(&file.name).is_some())
    };
    let mut files = Vec::new();
    walk(folder, &mut Vec::new(), &mut 0, false, &mut files)?;
    if files.is_empty() || files.iter().any(nested) {
        files.clear();
        walk(folder, &mut Vec::new(), &mut 0, true, &mut files)?;
    }
    if !files.iter().any(nested)
        && let Some(below) = files.iter().find(|file| file.path.parent() != Some(folder))
    {
        return Err(Error::Usage(format!(
            "migrations: `{}` lies in a folder of its own, and only Flyway's files (`V1__name.sql`) may; for \
             Prisma, Diesel and others set `command` under [migrate] in watertight.toml to what applies them",
            relative(&below.path).display()
        )));
    }
    files.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(files)
}

/// The SQL files of a folder and of those below that don't undo anything, by their paths; or one file.
pub(super) fn sql_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files = Vec::new();
    let _ = walk(path, &mut Vec::new(), &mut 0, true, &mut files);
    let undoes = |file: &File| {
        let name = file.name.to_lowercase();
        ["down", "revert", "rollback", "undo"]
            .iter()
            .any(|word| name.contains(word))
    };
    files.retain(|file| !undoes(file));
    let mut paths: Vec<PathBuf> = files.into_iter().map(|file| file.path).collect();
    paths.sort();
    paths
}

/// Adds the SQL files of a folder. `above` holds the real paths of the folders that led here.
fn walk(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    seen: &mut usize,
    deep: bool,
    files: &mut Vec<File>,
) -> Result<()> {
    let real = folder.canonicalize().map_err(|e| Error::io(folder, e))?;
    if above.contains(&real) {
        return Err(Error::Usage(format!(
            "migrations: `{}` is a symbolic link to a folder that holds it",
            folder.display()
        )));
    }
    above.push(real);
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        *seen += 1;
        if *seen > MOST {
            return Err(Error::Usage(format!(
                "migrations: more than {MOST} files below `{}`; name the folder of the migrations itself",
                folder.display()
            )));
        }
        let name = path.file_name().unwrap_or_default();
        let sql = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("sql"));
        if name.as_encoded_bytes().starts_with(b".") || !(sql || deep) {
            continue;
        }
        match fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => {
                if deep {
                    walk(&path, above, seen, deep, files)?;
                }
            }
            Ok(_) if !sql => {}
            Ok(_) => files.push(File {
                name: name
                    .to_str()
                    .ok_or_else(|| not_unicode(&path, "its name"))?
                    .to_owned(),
                path,
            }),
            Err(e) if sql => return Err(Error::io(relative(&path), e)),
            Err(_) => {}
        }
    }
    above.pop();
    Ok(())
}

/// The path as users know it: relative to the working directory where it lies below.
pub(super) fn relative(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(&current).unwrap_or(path);
    let below = below.strip_prefix("./").unwrap_or(below);
    if below.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    below.to_owned()
}

/// The error of something that is not UTF-8, and where.
pub(super) fn not_unicode(path: &Path, place: &str) -> Error {
    Error::Usage(format!(
        "migrations: `{}`: {place} is not UTF-8; save it as UTF-8",
        relative(path).display()
    ))
}
