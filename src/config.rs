//! The only reader of the environment and of files of settings. The command line wins over the environment,
//! the environment over `watertight.toml`.

mod file;
mod options;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::model::{Settings, nearest};
use options::Given;

/// The name of the file of settings.
const FILE: &str = "watertight.toml";

/// The prefix of our environment variables.
const PREFIX: &str = "WATERTIGHT_";

/// Variables with our prefix that are no options: what `-- COMMAND` is given, and what asks this crate's own tests for
/// containers and for programs that read reports.
const NO_OPTIONS: [&str; 4] = ["APP_URL", "TENANT", "TEST_BROWSER", "TEST_DOCKER"];

/// Where migrations usually lie, relative to the file of settings or else to the working directory.
const MIGRATIONS: [&str; 15] = [
    "migrations",
    "db/migrations",
    "sql/migrations",
    "database/migrations",
    "src/main/resources/db/migration",
    "supabase/migrations",
    "prisma/migrations",
    "drizzle",
    "sqitch.plan",
    "hasura/migrations",
    "resources/db/migration",
    "database/migration",
    "db/structure.sql",
    "schema.sql",
    "db/migration",
];

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The options' keys, as under `[run]`, and their values; `true` for one that takes none.
    pub options: Vec<(&'static str, Vec<String>)>,
    /// What stands behind `--`.
    pub command: Vec<String>,
}

/// Reads `watertight.toml` (`--config`, else looked for upwards from the working directory) and the environment,
/// and lays the command line over them.
///
/// # Errors
/// A file that can't be read, an unknown key or variable, a value that can't be used. The message names the
/// place and what would be right.
pub fn load(command_line: CommandLine) -> Result<Settings> {
    let mut variables = Vec::new();
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let Some(value) = value.to_str() else {
            return Err(wrong(&format!("{PREFIX}{name}"), "its value is not UTF-8"));
        };
        // An empty variable is how many CI systems spell one that is not set.
        if !value.is_empty() && !NO_OPTIONS.contains(&name) {
            variables.push((name.to_owned(), value.to_owned()));
        }
    }
    variables.sort();
    let here = env::current_dir().map_err(|e| Error::io(".", e))?;
    resolve(command_line, &variables, &here)
}

/// As [`load`], for a test: the file is looked for upwards from the folder of the crate that cargo runs, and relative
/// paths mean that folder wherever the test runs.
///
/// # Errors
/// As [`load`].
pub fn load_for_crate(mut command_line: CommandLine) -> Result<Settings> {
    let working = env::current_dir().map_err(|e| Error::io(".", e))?;
    let folder = env::var_os("CARGO_MANIFEST_DIR").map_or(working, PathBuf::from);
    if command_line.config.is_none() && env::var_os("WATERTIGHT_CONFIG").is_none() {
        command_line.config = look_upwards(&folder).map(|file| folder.join(file));
    }
    let mut settings = load(command_line)?;
    if settings.file.is_none() {
        folder.clone_into(&mut settings.migrate.folder);
    }
    find_migrations(&mut settings, &folder, &folder)?;
    Ok(settings)
}

/// The keys of the options, as under `[run]`; in upper case, behind `WATERTIGHT_`, the variables.
pub fn option_keys() -> impl Iterator<Item = &'static str> {
    options::keys()
}

/// Whether the environment asks for no colours (<https://no-color.org>), or its terminal has none.
#[must_use]
pub fn no_color() -> bool {
    let set = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    set || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// The settings from their three sources; variables without their prefix.
fn resolve(
    command_line: CommandLine,
    variables: &[(String, String)],
    here: &Path,
) -> Result<Settings> {
    let named = command_line.config.or_else(|| {
        let (_, path) = variables.iter().find(|(name, _)| name == "CONFIG")?;
        Some(PathBuf::from(path))
    });
    let file = match named {
        Some(path) => Some(path),
        None => look_upwards(here),
    };
    let mut folder = PathBuf::new();
    let mut settings = match file {
        Some(path) => {
            folder.push(path.parent().unwrap_or(Path::new("")));
            read(here, path)?
        }
        None => Settings::default(),
    };
    for (name, value) in variables {
        let key = name.to_lowercase();
        let place = format!("{PREFIX}{name}");
        if key == "config" {
            continue;
        }
        if !options::is_known(&key) {
            let nearest = nearest(&key, options::keys()).to_uppercase();
            let message = format!("no such option; the nearest is {PREFIX}{nearest}");
            return Err(wrong(&place, &message));
        }
        options::set(&mut settings, &key, &Given::text(place, value))?;
    }
    for (key, values) in command_line.options {
        let place = format!("--{}", key.replace('_', "-"));
        options::set(&mut settings, key, &Given::list(place, values))?;
    }
    settings.run.command = command_line.command;
    settings.run.sqlx_found = usual_sqlx(here, &folder);
    find_migrations(&mut settings, here, &folder)?;
    settings.migrate.session = session();
    Ok(settings)
}

/// What the file says. The tests of a process read the same over and over: it is parsed where it is not what was read last.
fn read(here: &Path, path: PathBuf) -> Result<Settings> {
    static LAST: Mutex<Option<(String, Settings)>> = Mutex::new(None);
    let text = std::fs::read_to_string(here.join(&path)).map_err(|e| Error::io(&path, e))?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, settings)) = &*last
        && *known == text
        && settings.file.as_ref() == Some(&path)
    {
        return Ok(settings.clone());
    }
    let mut settings = Settings::default();
    file::read(&mut settings, &path, &text)?;
    settings.file = Some(path);
    *last = Some((text, settings.clone()));
    Ok(settings)
}

/// Migrations in one of the usual places, where none were named. For a command they only serve to name lines: several are
/// no mistake.
fn find_migrations(settings: &mut Settings, here: &Path, folder: &Path) -> Result<()> {
    if settings.migrate.path.is_none() {
        settings.migrate.path = match usual_migrations(here, folder) {
            Err(_) if settings.migrate.command.is_some() => None,
            found => found?,
        };
    }
    Ok(())
}

/// What the processes of one run of tests have in common, and no others.
fn session() -> String {
    env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| uuid::Uuid::new_v4().to_string())
}

/// The file in this folder or the nearest one above, relative to this folder.
fn look_upwards(here: &Path) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for folder in here.ancestors() {
        if folder.join(FILE).is_file() {
            return Some(relative.join(FILE));
        }
        relative.push("..");
    }
    None
}

fn usual_migrations(here: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let mut found = MIGRATIONS
        .iter()
        .map(|path| folder.join(path))
        .filter(|path| here.join(path).exists());
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => Err(Error::Usage(format!(
            "there are both `{}` and `{}`: say which with --migrations PATH, or with `path` under [migrate] in \
             watertight.toml",
            one.display(),
            other.display()
        ))),
        (one, _) => Ok(one),
    }
}

/// The folder `.sqlx` beside the file of settings, or else that of the Cargo workspace around it.
fn usual_sqlx(here: &Path, folder: &Path) -> Option<PathBuf> {
    let beside = folder.join(".sqlx");
    if here.join(&beside).is_dir() {
        return Some(beside);
    }
    let around = here.join(folder);
    let mut around = around.ancestors();
    let workspace = around.find(|folder| folder.join("Cargo.lock").is_file())?;
    let found = workspace.join(".sqlx");
    found.is_dir().then_some(found)
}

fn wrong(place: &str, message: &str) -> Error {
    Error::Configuration {
        place: place.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
