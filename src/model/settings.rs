//! What the user asked for, from wherever it was said; `config` reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Access, Equivalent, NullMeans, ShrinkLimits, glob};

/// Everything that a run can be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The file that was read, where there was one.
    pub file: Option<PathBuf>,
    /// How to run.
    pub run: RunSettings,
    /// What makes the schema.
    pub migrate: MigrateSettings,
    /// Whose the rows are.
    pub tenant: TenantSettings,
    /// Values of the user's own.
    pub generate: GenerateSettings,
    /// What is said of queries that say nothing of themselves.
    pub queries: Vec<QuerySettings>,
    /// How the application acts as one tenant; without it the row-level security family is off.
    pub access: Option<Access>,
    /// Accepted findings and inconclusives.
    pub allow: Vec<Allow>,
    /// Mutants by which no row can cross.
    pub equivalent: Vec<Equivalent>,
}

/// Values of the user's own, in Postgres' text form: `[generate]`.
#[derive(Clone, Debug, Default)]
pub struct GenerateSettings {
    /// By column, `schema.table.column`; globs.
    pub columns: BTreeMap<String, Vec<String>>,
    /// By type, `schema.type`.
    pub types: BTreeMap<String, Vec<String>>,
}

/// How to run: the options of the command line that belong to no other section.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line that takes no value"
)]
pub struct RunSettings {
    /// `auto`, `docker`, `local`, `embedded` or a URL, as it was written.
    pub server: ServerText,
    /// Major versions of Postgres; none is the newest that there is.
    pub postgres: Vec<u32>,
    /// The Docker image.
    pub image: Option<String>,
    /// The folder of the server's binaries.
    pub pg_bin: Option<PathBuf>,
    /// A folder of SQL files with queries.
    pub queries: Option<PathBuf>,
    /// A `.sqlx` folder, as `cargo sqlx prepare` writes it; an empty path is none.
    pub sqlx: Option<PathBuf>,
    /// The one that is there, which counts where none was named.
    pub sqlx_found: Option<PathBuf>,
    /// Test the queries that the command sends.
    pub record: bool,
    /// Where queries look for names without a schema, as the setting `search_path` has it; none is where the
    /// application's role does.
    pub search_path: Option<String>,
    /// Tenants; at least 2.
    pub organisations: usize,
    /// Rows per scoped table and tenant; at least 1.
    pub rows: usize,
    /// Worlds per query; at least 1.
    pub cases: usize,
    /// What an earlier run printed, to repeat it.
    pub seed: Option<String>,
    /// `CHECK[:OBJECT]`, with globs: these alone. Empty: all.
    pub only: Vec<String>,
    /// `CHECK[:OBJECT]`, with globs: not these.
    pub skip: Vec<String>,
    /// List what would run.
    pub list: bool,
    /// Weaknesses fail the run too.
    pub deny_weakness: bool,
    /// The file of known findings.
    pub baseline: Option<PathBuf>,
    /// Write what was found to the baseline.
    pub write_baseline: bool,
    /// The file of leaks that are tried first; none is beside the settings, an empty path is nowhere.
    pub regressions: Option<PathBuf>,
    /// The folder where assertions of tests leave which statements they covered, and where a run looks for that.
    pub covered: Option<PathBuf>,
    /// Reports to write to files.
    pub reports: Vec<ReportFile>,
    /// The format of the report that is printed.
    pub format: String,
    /// Leave the database.
    pub keep: bool,
    /// The bound of each statement.
    pub timeout: Duration,
    /// Databases in parallel; none is as many as suit the machine.
    pub jobs: Option<usize>,
    /// The part of the run that is to be done.
    pub shard: Option<Shard>,
    /// Who runs the migrations.
    pub migrate_as: MigrateAs,
    /// How long smaller worlds are looked for that show a finding.
    pub shrink: ShrinkLimits,
    /// The command to run on the seeded database instead, with its arguments; empty where none was given.
    pub command: Vec<String>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            server: ServerText::from("auto"),
            postgres: Vec::new(),
            image: None,
            pg_bin: None,
            queries: None,
            sqlx: None,
            sqlx_found: None,
            record: false,
            search_path: None,
            organisations: 3,
            rows: 6,
            cases: 1,
            seed: None,
            only: Vec::new(),
            skip: Vec::new(),
            list: false,
            deny_weakness: false,
            baseline: None,
            write_baseline: false,
            regressions: None,
            covered: None,
            reports: Vec::new(),
            format: "text".into(),
            keep: false,
            timeout: Duration::from_secs(30),
            jobs: None,
            shard: None,
            migrate_as: MigrateAs::Owner,
            shrink: ShrinkLimits::default(),
            command: Vec::new(),
        }
    }
}

impl RunSettings {
    /// Whether all is run: only then does an unused `[[allow]]` say anything.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty() && self.shard.is_none()
    }

    /// Whether `only` and `skip` let a check of an object run.
    #[must_use]
    pub fn selects(&self, check: &str, object: &str) -> bool {
        let fits = |pattern: &String| match pattern.split_once(':') {
            None => glob(pattern, check),
            Some((checks, objects)) => glob(checks, check) && glob(objects, object),
        };
        (self.only.is_empty() || self.only.iter().any(fits)) && !self.skip.iter().any(fits)
    }

    /// Whether `only` and `skip` let a check of some object run.
    #[must_use]
    pub fn selects_some(&self, check: &str) -> bool {
        let of_check = |pattern: &String| {
            let id = pattern.split(':').next().unwrap_or_default();
            glob(id, check)
        };
        let skipped = self.skip.iter().any(|p| !p.contains(':') && of_check(p));
        !skipped && (self.only.is_empty() || self.only.iter().any(of_check))
    }

    /// The first pattern of `only` and `skip` that none of these checks fits: a mistake, as it selects nothing.
    #[must_use]
    pub fn unknown_pattern(&self, checks: &[&str]) -> Option<&str> {
        let mut patterns = self.only.iter().chain(&self.skip);
        let unknown = patterns.find(|pattern| {
            let check = pattern.split(':').next().unwrap_or_default();
            !checks.iter().any(|id| glob(check, id))
        });
        unknown.map(String::as_str)
    }
}

/// What `--server` says, which may hold a password: debugged without it.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerText(String);

impl From<&str> for ServerText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Deref for ServerText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.split_once("://").map_or(&*self.0, |(kind, _)| kind);
        write!(f, "{shown:?}")
    }
}

/// A report to write to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The name of the format.
    pub format: String,
    /// The file.
    pub path: PathBuf,
}

/// One of several parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

/// Who runs the migrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MigrateAs {
    /// A role that owns the database and is no superuser.
    #[default]
    Owner,
    /// The server's administrator.
    Superuser,
}

/// What makes the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateSettings {
    /// The folder or file of migrations: as it was said, else as it was found. Beside a command, where its SQL files are.
    pub path: Option<PathBuf>,
    /// A command that migrates the database of `DATABASE_URL` instead.
    pub command: Option<String>,
    /// Where the command runs; empty is the working directory.
    pub folder: PathBuf,
    /// The bound of each statement of the migrations, and of the command as a whole.
    pub timeout: Option<Duration>,
    /// The convention of the files; found where it isn't said.
    pub convention: Option<String>,
    /// Roles that are made where they are missing.
    pub stub_roles: StubRoles,
    /// Whether what Supabase's projects have is made first.
    pub supabase: bool,
    /// Values of placeholders in the migrations' texts.
    pub placeholders: BTreeMap<String, String>,
    /// What tells one run of tests from the next: what a command made in one is not taken for another's.
    pub session: String,
}

/// Roles that migrations take for granted: made, so that they can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StubRoles {
    /// Every role that a migration names and that is not there.
    pub all: bool,
    /// These.
    pub names: Vec<String>,
}

impl MigrateSettings {
    /// The bound of each statement of the migrations, and of the command as a whole: ten times that of other statements
    /// where nothing was said.
    #[must_use]
    pub fn limit(&self, statement: Duration) -> Duration {
        self.timeout.unwrap_or(statement * 10)
    }

    /// The path of the migrations.
    ///
    /// # Errors
    /// What to do where there is none.
    pub fn required_path(&self) -> Result<&Path, String> {
        self.path.as_deref().ok_or_else(|| {
            "no migrations: there is no folder `migrations` here; name yours with --migrations PATH, or with \
             `path` (or `command`) under [migrate] in watertight.toml"
                .into()
        })
    }
}

/// Whose the rows are; names as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// The tenant column's name.
    pub column: String,
    /// Whether the column was named, or is the default.
    pub column_given: bool,
    /// By `schema.table`, where the column is called differently.
    pub columns: BTreeMap<String, String>,
    /// The table of tenants.
    pub table: Option<String>,
    /// Tables of reference data.
    pub shared: Vec<String>,
    /// By `schema.table` of global rows: the `schema.table.column` through which a tenant sees them.
    pub linked: BTreeMap<String, String>,
    /// By `schema.table`: the foreign key that says whose its rows are.
    pub derived: BTreeMap<String, String>,
    /// What NULL in a tenant column means.
    pub null_means: NullMeans,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            column: "organisation_id".into(),
            column_given: false,
            columns: BTreeMap::new(),
            table: None,
            shared: Vec::new(),
            linked: BTreeMap::new(),
            derived: BTreeMap::new(),
            null_means: NullMeans::Error,
        }
    }
}

/// What `[queries]` says of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySettings {
    /// A glob over the object's name.
    pub object: String,
    /// How it knows its tenant, as `-- tenant: …` has it.
    pub tenant: String,
    /// Where it stands: file and line.
    pub place: String,
}

/// An accepted finding or inconclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// A glob over the check's id.
    pub check: String,
    /// A glob over the object's name.
    pub object: String,
    /// Why it is accepted.
    pub reason: String,
    /// Where it stands: file and line.
    pub place: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_debugged() {
        let server = ServerText::from("postgres://me:secret@host/db");
        assert_eq!(format!("{server:?}"), "\"postgres\"");
        assert!(server.contains("secret"));
        assert_eq!(format!("{:?}", ServerText::from("auto")), "\"auto\"");
    }

    #[test]
    fn only_and_skip_select_by_check_and_object() {
        let run = RunSettings {
            only: vec!["cross-*".into(), "unique:crm.*".into()],
            skip: vec!["*:*.tags.*".into()],
            ..RunSettings::default()
        };
        assert!(run.selects("cross-tenant", "iam.users"));
        assert!(run.selects("unique", "crm.people.key"));
        assert!(!run.selects("unique", "iam.users.key"));
        assert!(!run.selects("cross-tenant", "crm.tags.key"));
        assert!(!run.selects("policy", "crm.people"));
        assert!(RunSettings::default().selects("anything", "at all"));
        assert!(run.selects_some("unique") && !run.selects_some("policy"));
        assert_eq!(run.unknown_pattern(&["cross-tenant"]), Some("unique:crm.*"));
        assert_eq!(run.unknown_pattern(&["cross-tenant", "unique"]), None);
    }
}
