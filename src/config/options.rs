//! The options: their keys, what each takes, where it goes. One way for all three sources.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wrong;
use crate::error::Result;
use crate::model::{MigrateAs, ReportFile, Settings, Shard, StubRoles, Tokens, quoted};

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text or a path.
    Text,
    /// A whole number.
    Number,
    /// Nothing, or yes or no.
    Flag,
    /// Several texts or numbers.
    List,
}

/// The options by their keys.
const OPTIONS: [(&str, Kind); 35] = [
    ("server", Kind::Text),
    ("postgres", Kind::List),
    ("image", Kind::Text),
    ("pg_bin", Kind::Text),
    ("migrations", Kind::Text),
    ("convention", Kind::Text),
    ("migrate_command", Kind::Text),
    ("migrate_timeout", Kind::Number),
    ("stub_roles", Kind::List),
    ("supabase", Kind::Flag),
    ("tenant_column", Kind::Text),
    ("tenant_table", Kind::Text),
    ("queries", Kind::Text),
    ("search_path", Kind::List),
    ("sqlx", Kind::Text),
    ("record", Kind::Flag),
    ("organisations", Kind::Number),
    ("rows", Kind::Number),
    ("cases", Kind::Number),
    ("seed", Kind::Text),
    ("only", Kind::List),
    ("skip", Kind::List),
    ("list", Kind::Flag),
    ("deny", Kind::List),
    ("baseline", Kind::Text),
    ("write_baseline", Kind::Flag),
    ("regressions", Kind::Text),
    ("covered", Kind::Text),
    ("report", Kind::List),
    ("format", Kind::Text),
    ("keep", Kind::Flag),
    ("timeout", Kind::Number),
    ("jobs", Kind::Number),
    ("shard", Kind::Text),
    ("migrate_as", Kind::Text),
];

/// The keys that the environment and `[run]` may set.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(key, _)| *key)
}

/// Whether there is an option of that key.
pub(super) fn is_known(key: &str) -> bool {
    keys().any(|known| known == key)
}

/// What an option takes; a text where there is no such option.
pub(super) fn kind(key: &str) -> Kind {
    OPTIONS
        .iter()
        .find(|(known, _)| *known == key)
        .map_or(Kind::Text, |(_, kind)| *kind)
}

/// The values of an option, from whichever source.
pub(super) struct Given {
    /// Where it was said: `--rows`, `WATERTIGHT_ROWS`, `watertight.toml:12`.
    place: String,
    values: Vec<String>,
    /// What relative paths are relative to; empty for the working directory.
    folder: PathBuf,
}

impl Given {
    /// Values one by one, as the command line has them.
    pub(super) fn list(place: String, values: Vec<String>) -> Self {
        let folder = PathBuf::new();
        Self {
            place,
            values,
            folder,
        }
    }

    /// One text, in which commas may separate several values, as a variable has it.
    pub(super) fn text(place: String, text: &str) -> Self {
        Self::list(place, vec![text.to_owned()])
    }

    /// The same with paths relative to a folder.
    pub(super) fn relative_to(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    fn refuse<T>(&self, expected: &str) -> Result<T> {
        let found = self.values.join(",");
        Err(wrong(
            &self.place,
            &format!("expected {expected}, found `{found}`"),
        ))
    }

    fn one(&self) -> Result<&str> {
        match self.values.as_slice() {
            [one] if !one.trim().is_empty() => Ok(one.trim()),
            _ => self.refuse("one value"),
        }
    }

    /// Names of schemas with commas between them.
    fn search_path(&self) -> Result<String> {
        let path = self.values.join(", ");
        let names: Option<Vec<String>> = Tokens::new(&path)
            .filter(|token| !token.as_ref().is_ok_and(|token| token.is_symbol(',')))
            .map(|token| token.ok()?.name())
            .collect();
        match names {
            Some(names) if !names.is_empty() => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                Ok(names.join(", "))
            }
            _ => self.refuse("names of schemas, as `crm, public`"),
        }
    }

    fn path(&self) -> Result<PathBuf> {
        Ok(self.folder.join(self.one()?))
    }

    /// A path, or an empty one for `none`.
    fn path_or_none(&self) -> Result<PathBuf> {
        match self.one()? {
            "none" => Ok(PathBuf::new()),
            _ => self.path(),
        }
    }

    fn flag(&self) -> Result<bool> {
        match self.one()?.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => self.refuse("`true` or `false`"),
        }
    }

    fn number(&self, least: usize, most: usize) -> Result<usize> {
        match self.one()?.parse::<usize>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => self.refuse(&format!("a whole number from {least} to {most}")),
        }
    }

    /// The values, also where commas separate them; those in parentheses belong to a function's arguments.
    fn several(&self) -> Vec<&str> {
        let mut several = Vec::new();
        for value in &self.values {
            let mut depth = 0_i32;
            several.extend(value.split(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                c == ',' && depth <= 0
            }));
        }
        several
            .into_iter()
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect()
    }

    fn texts(&self) -> Vec<String> {
        self.several().into_iter().map(str::to_owned).collect()
    }

    /// `true` for all that are missing, else names.
    fn stub_roles(&self) -> StubRoles {
        let mut names = self.texts();
        let all = names.iter().any(|name| name == "true");
        names.retain(|name| !matches!(name.as_str(), "true" | "false"));
        StubRoles { all, names }
    }

    fn majors(&self) -> Result<Vec<u32>> {
        let parsed: Option<Vec<u32>> = self
            .several()
            .into_iter()
            .map(|text| text.parse().ok().filter(|major| (9..100).contains(major)))
            .collect();
        parsed.map_or_else(
            || self.refuse("major versions of Postgres, as `18` or `15,17,18`"),
            Ok,
        )
    }

    fn reports(&self) -> Result<Vec<ReportFile>> {
        let parsed: Option<Vec<ReportFile>> = self
            .several()
            .into_iter()
            .map(|text| {
                let (format, path) = text.split_once('=')?;
                let named = !format.is_empty() && !path.is_empty();
                named.then(|| ReportFile {
                    format: format.to_owned(),
                    path: self.folder.join(path),
                })
            })
            .collect();
        parsed.map_or_else(|| self.refuse("FORMAT=PATH, as `json=report.json`"), Ok)
    }

    fn shard(&self) -> Result<Shard> {
        let parsed = self.one()?.split_once('/').and_then(|(index, count)| {
            let (index, count) = (index.parse().ok()?, count.parse().ok()?);
            (1..=count)
                .contains(&index)
                .then_some(Shard { index, count })
        });
        parsed.map_or_else(|| self.refuse("I/N with I from 1 to N, as `1/3`"), Ok)
    }
}

/// Sets an option.
///
/// # Errors
/// A value that can't be used; the message names the place and what would be right.
pub(super) fn set(settings: &mut Settings, key: &str, given: &Given) -> Result<()> {
    let run = &mut settings.run;
    match key {
        "server" => run.server = given.one()?.into(),
        "postgres" => run.postgres = given.majors()?,
        "image" => run.image = Some(given.one()?.to_owned()),
        "pg_bin" => run.pg_bin = Some(given.path()?),
        "migrations" => {
            settings.migrate.path = Some(given.path()?);
            // Said later or nearer than a command: it is the files that are meant.
            settings.migrate.command = None;
        }
        "convention" => settings.migrate.convention = Some(given.one()?.to_owned()),
        "migrate_command" => settings.migrate.command = Some(given.one()?.to_owned()),
        "stub_roles" => settings.migrate.stub_roles = given.stub_roles(),
        "supabase" => settings.migrate.supabase = given.flag()?,
        "migrate_timeout" => {
            let seconds = given.number(1, 86_400)? as u64;
            settings.migrate.timeout = Some(Duration::from_secs(seconds));
        }
        "tenant_column" => {
            given.one()?.clone_into(&mut settings.tenant.column);
            settings.tenant.column_given = true;
        }
        "tenant_table" => settings.tenant.table = Some(given.one()?.to_owned()),
        "search_path" => run.search_path = Some(given.search_path()?),
        "queries" => run.queries = Some(given.path()?),
        "sqlx" => run.sqlx = Some(given.path_or_none()?),
        "record" => run.record = given.flag()?,
        // More are refused as mistakes: nothing is proved by them that fewer don't prove.
        "organisations" => run.organisations = given.number(2, 1_000)?,
        "rows" => run.rows = given.number(1, 1_000_000)?,
        "cases" => run.cases = given.number(1, 1_000_000)?,
        "seed" => run.seed = Some(given.one()?.to_owned()),
        "only" => run.only = given.texts(),
        "skip" => run.skip = given.texts(),
        "list" => run.list = given.flag()?,
        "deny" => {
            if given.several().iter().any(|word| *word != "weakness") {
                return given.refuse("`weakness` (leaks always fail the run, notes never)");
            }
            run.deny_weakness = !given.several().is_empty();
        }
        "baseline" => run.baseline = Some(given.path()?),
        "write_baseline" => run.write_baseline = given.flag()?,
        "covered" => run.covered = Some(given.path()?),
        "regressions" => run.regressions = Some(given.path_or_none()?),
        "report" => run.reports = given.reports()?,
        "format" => given.one()?.clone_into(&mut run.format),
        "keep" => run.keep = given.flag()?,
        "timeout" => run.timeout = Duration::from_secs(given.number(1, 86_400)? as u64),
        "jobs" => run.jobs = Some(given.number(1, 1_000)?),
        "shard" => run.shard = Some(given.shard()?),
        "migrate_as" => {
            run.migrate_as = match given.one()? {
                "owner" => MigrateAs::Owner,
                "superuser" => MigrateAs::Superuser,
                _ => return given.refuse("`owner` or `superuser`"),
            }
        }
        _ => return Err(wrong(&given.place, "no such option")),
    }
    Ok(())
}
