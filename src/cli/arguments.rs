//! The commands and options. Values stay texts here: `config` reads them as it does those of the environment
//! and of `watertight.toml`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::activity;
use super::backup::BackupCommand;
use super::restore::Restore;
use super::up::{DownOptions, UpOptions};
use super::validate::Validate;
use crate::config::CommandLine;

/// Proves, by attack and not by reading, that no organisation in a shared Postgres database can reach another
/// organisation's rows.
#[derive(Debug, Parser)]
#[command(
    name = "watertight",
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 held, 1 leaked, 2 the harness could not do its work, 4 inconclusive."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a disposable server, migrate, seed several organisations, and try to reach one's rows as another
    ///
    /// Every option may also be set by an environment variable, as `WATERTIGHT_ROWS` for `--rows`, and under
    /// `[run]` in `watertight.toml`. The command line wins over the environment, the environment over the file.
    #[command(visible_alias = "check")]
    TestDb(Box<TestDb>),
    /// Show what a run would miss: make mutants of the schema and the queries, each with one defect, and run the checks
    ///
    /// Takes the settings and the options of `test-db`. --only and --skip select mutants here, as
    /// `key-without-tenant:crm.*`; --list says which kinds there are; --shard 1/10 tries a tenth of them. Exit status: 0
    /// where every defect was noticed, 1 where some were not.
    Mutate(Box<TestDb>),
    /// Fill a new database with many rows, for demos and load tests; it stays
    Seed(Box<Seed>),
    /// Work with reports that runs wrote as JSON
    Report {
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// Look at the schema and write a first watertight.toml and a baseline, with what they leave unchecked
    Init(Box<Init>),
    /// Apply the migrations to a new database, and find out whether they may be run again and undone
    Migrate(Box<Migrate>),
    /// Say what runs depend on and how it stands: binaries, Docker, folders, locks, shared servers, leftovers
    ///
    /// Changes nothing. Exit status: 0 where runs can work, 2 where they can't; each line says how to mend it.
    Doctor {
        /// How it looks
        #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
        format: DoctorFormat,
    },
    /// Save a database, or try a backup of one
    ///
    /// For cron and systemd: quiet but for one line, and status 0 only where the backup was taken and, tried on a disposable
    /// server, everything came back. Status 1: something came back otherwise. Status 2: it could not be done.
    Backup {
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Replace a database by what a backup holds, once that is known to be all there; the old one is kept
    Restore(Restore),
    /// Ask a database that is in use what can be said of it without writing to it: twelve suites over catalog and rows
    ///
    /// No attacks: rows that crossed already are looked for. Exit status as `test-db`; what a suite reads off the catalog
    /// fails it, as there is nothing else to fail by. `[[allow]]` holds here, too, by the suite's id or that of the check
    /// that looks at the same.
    Validate(Validate),
    /// Start a database for development, migrated and seeded, with `PgBouncer` in front of it; it stays
    Up(UpOptions),
    /// Remove what `up` started
    Down(DownOptions),
    /// Show who is connected to a server, by role and organisation, and what they wait for
    ///
    /// The organisation is known where the application says it in its `application_name`, as `organisation=<id>`: Postgres
    /// shows nobody the settings of another session. No statements are shown.
    Activity(activity::Options),
    /// Remove what earlier runs left: servers, containers, folders
    Clean {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Print a script by which a shell completes commands and options
    ///
    /// `watertight completions bash > ~/.local/share/bash-completion/completions/watertight`. Of `cargo xtask`, zsh completes
    /// by a file `_cargo-xtask`; other shells do it for an alias: `alias xt='cargo xtask'` and `--name xt`.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
        /// The command that is completed [default: as this one was called]
        #[arg(long)]
        name: Option<String>,
    },
    /// Say what a check looks for, why it leaks, and how to mend it
    Explain {
        /// The check's id, as reports name it
        check: String,
    },
}

/// How `doctor` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DoctorFormat {
    /// Lines
    Text,
    /// `{ "format": 1, "verdict": "ready | broken", "signs": [ … ] }`
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Join the JSON reports of the jobs of a matrix, or of the parts of a run, and end with the worst of their statuses
    Merge(Merge),
}

#[derive(Args, Debug)]
pub(super) struct Merge {
    /// Reports, as --report json=FILE writes them
    #[arg(required = true, value_name = "JSON")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reports: ReportsOptions,
}

impl Merge {
    /// The files, and what was said by the options' keys. No settings are wanted but those.
    pub(super) fn into_command_line(self) -> (Vec<PathBuf>, CommandLine) {
        let format = self.reports.format.map(|format| ("format", vec![format]));
        let lists = [("report", self.reports.report)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let command_line = CommandLine {
            options: lists.chain(format).collect(),
            ..CommandLine::default()
        };
        (self.files, command_line)
    }
}

#[derive(Args, Debug)]
pub(super) struct TestDb {
    /// Settings [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run this on the migrated, seeded database instead, with `DATABASE_URL` set, and exit with its status; with
    /// --record, run it before the checks
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    schema: SchemaOptions,
    #[command(flatten)]
    rows: RowsOptions,
    #[command(flatten)]
    checks: ChecksOptions,
    #[command(flatten)]
    reports: ReportsOptions,
    #[command(flatten)]
    limits: LimitsOptions,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Server")]
struct ServerOptions {
    /// Where the server comes from: auto, docker, local, embedded, or a URL as postgres://… [default: auto]
    #[arg(long, value_name = "KIND|URL")]
    server: Option<String>,
    /// The major version, or several as a matrix: 18, or 15,17,18 [default: the newest there is]
    #[arg(long, value_name = "MAJOR")]
    postgres: Vec<String>,
    /// The Docker image [default: postgres:<major>]
    #[arg(long, value_name = "NAME:TAG")]
    image: Option<String>,
    /// The folder of the Postgres binaries
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<String>,
    /// Leave the database; print its URL and how to open it
    #[arg(long)]
    keep: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Schema and queries")]
struct SchemaOptions {
    /// A folder of migrations or one file [default: found where it usually is]
    #[arg(long, value_name = "PATH")]
    migrations: Option<String>,
    #[command(flatten)]
    migrate: MigrateOptions,
    /// The column that says whose row it is [default: `organisation_id`]
    #[arg(long, value_name = "NAME")]
    tenant_column: Option<String>,
    /// The table of organisations
    #[arg(long, value_name = "SCHEMA.TABLE")]
    tenant_table: Option<String>,
    /// A folder of SQL files with queries to test
    #[arg(long, value_name = "DIR")]
    queries: Option<String>,
    /// Where queries look for names without a schema: crm,public [default: where the application's role does]
    #[arg(long, value_name = "SCHEMA,…")]
    search_path: Vec<String>,
    /// A .sqlx folder of `cargo sqlx prepare`, whose queries to test; none for no folder [default: .sqlx beside the
    /// settings, or that of the Cargo workspace, where it is there]
    #[arg(long, value_name = "DIR")]
    sqlx: Option<String>,
    /// Run COMMAND on a seeded database, and test every distinct statement that it sent
    #[arg(long)]
    record: bool,
}

/// How the migrations run.
#[derive(Args, Debug)]
struct MigrateOptions {
    /// How the files of migrations are named and run, as sqlx, Flyway or dbmate [default: found by what stands in them]
    #[arg(long, value_name = "NAME")]
    convention: Option<String>,
    /// Run this instead of reading migrations: any tool, with `DATABASE_URL` and the `PG…` variables of a new database
    #[arg(long, value_name = "COMMAND")]
    migrate_command: Option<String>,
    /// The bound of each statement of the migrations, or of COMMAND, in seconds [default: ten times --timeout]
    #[arg(long, value_name = "SECONDS")]
    migrate_timeout: Option<String>,
    /// Make the roles that migrations name and that are not there, or these, as roles that can't log in
    #[arg(
        long,
        value_name = "ROLES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    stub_roles: Option<String>,
    /// Make the roles, schemas and functions first that Supabase's own projects have
    #[arg(long)]
    supabase: bool,
    /// Who runs the migrations: owner (no superuser) or superuser [default: owner]
    #[arg(long, value_name = "ROLE")]
    migrate_as: Option<String>,
}

impl MigrateOptions {
    fn texts(self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        [
            ("convention", self.convention),
            ("migrate_command", self.migrate_command),
            ("migrate_timeout", self.migrate_timeout),
            ("stub_roles", self.stub_roles),
            ("supabase", self.supabase.then(|| "true".to_owned())),
            ("migrate_as", self.migrate_as),
        ]
        .into_iter()
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Rows")]
struct RowsOptions {
    /// How many organisations [default: 3]
    #[arg(long, value_name = "N")]
    organisations: Option<String>,
    /// Rows per scoped table and organisation [default: 6]
    #[arg(long, value_name = "N")]
    rows: Option<String>,
    /// Worlds per query [default: 1]
    #[arg(long, value_name = "N")]
    cases: Option<String>,
    /// Repeat the run that printed this
    #[arg(long, value_name = "SEED")]
    seed: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Checks")]
struct ChecksOptions {
    /// These checks alone; globs, repeatable
    #[arg(long, value_name = "CHECK[:OBJECT]")]
    only: Vec<String>,
    /// Not these checks; globs, repeatable
    #[arg(long, value_name = "CHECK[:OBJECT]")]
    skip: Vec<String>,
    /// List what would run
    #[arg(long)]
    list: bool,
    /// Fail on weaknesses too
    #[arg(long, value_name = "weakness")]
    deny: Vec<String>,
    /// Known findings and inconclusives: only new ones fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<String>,
    /// Write what is found to the baseline
    #[arg(long)]
    write_baseline: bool,
    /// Leaks of queries that earlier runs found, tried first; none for no file [default:
    /// watertight-regressions.json beside the settings]
    #[arg(long, value_name = "FILE")]
    regressions: Option<String>,
    /// What assertions of tests left there of the statements that they covered
    #[arg(long, value_name = "DIR")]
    covered: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Reports")]
struct ReportsOptions {
    /// Write a report to a file: json=report.json; also html, junit, markdown, sarif, tap; repeatable
    #[arg(long, value_name = "FORMAT=PATH")]
    report: Vec<String>,
    /// How the printed report looks: text, json or github [default: text]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
struct LimitsOptions {
    /// The bound of each statement, in seconds [default: 30]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<String>,
    /// Databases in parallel; of `seed`, connections that load rows [default: as suits the machine]
    #[arg(long, value_name = "N")]
    jobs: Option<String>,
    /// A part of the run: 1/3
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Seed {
    /// Settings [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rows per table and organisation
    #[arg(long, value_name = "N", default_value = "1000")]
    rows: String,
    /// How many organisations [default: 3]
    #[arg(long, value_name = "N")]
    organisations: Option<String>,
    /// The same rows again, by what an earlier seed printed
    #[arg(long, value_name = "SEED")]
    #[expect(clippy::struct_field_names, reason = "it is called as its option is")]
    seed: Option<String>,
    /// Write the rows to this folder as files for \copy, with a load.sql, and leave no database
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Where the server comes from: auto, docker, local, or a URL as postgres://…, where a new database is made
    #[arg(long, value_name = "KIND|URL")]
    server: Option<String>,
    #[command(flatten)]
    postgres: PostgresOptions,
    /// A folder of migrations or one file [default: found where it usually is]
    #[arg(long, value_name = "PATH")]
    migrations: Option<String>,
    #[command(flatten)]
    migrate: MigrateOptions,
    /// The column that says whose row it is [default: `organisation_id`]
    #[arg(long, value_name = "NAME")]
    tenant_column: Option<String>,
    /// The table of organisations
    #[arg(long, value_name = "SCHEMA.TABLE")]
    tenant_table: Option<String>,
}

/// Which Postgres a server is of.
#[derive(Args, Debug)]
pub(super) struct PostgresOptions {
    /// The major version [default: the newest there is]
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<String>,
    /// The Docker image [default: postgres:<major>]
    #[arg(long, value_name = "NAME:TAG")]
    image: Option<String>,
    /// The folder of the Postgres binaries
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<String>,
}

impl PostgresOptions {
    /// What was said, by the options' keys.
    pub(super) fn texts(self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        [
            ("postgres", self.postgres),
            ("image", self.image),
            ("pg_bin", self.pg_bin),
        ]
        .into_iter()
    }
}

/// What a command that only wants the schema takes.
#[derive(Args, Debug)]
struct SchemaAlone {
    /// Where the server comes from: auto, docker, local, or a URL as postgres://…, where new databases are made
    #[arg(long, value_name = "KIND|URL")]
    server: Option<String>,
    #[command(flatten)]
    postgres: PostgresOptions,
    /// A folder of migrations or one file [default: found where it usually is]
    #[arg(long, value_name = "PATH")]
    migrations: Option<String>,
    #[command(flatten)]
    how: MigrateOptions,
}

impl SchemaAlone {
    fn texts(self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        [("server", self.server), ("migrations", self.migrations)]
            .into_iter()
            .chain(self.postgres.texts())
            .chain(self.how.texts())
    }
}

#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Run them again (nothing happens), changed (refused by name), repeatable ones twice, and each up, down and up
    #[arg(long, required = true)]
    check: bool,
    /// Settings [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    schema: SchemaAlone,
}

impl Migrate {
    /// What was said, by the options' keys.
    pub(super) fn into_command_line(self) -> CommandLine {
        said(self.config, self.schema.texts())
    }
}

#[derive(Args, Debug)]
pub(super) struct Init {
    #[command(flatten)]
    schema: SchemaAlone,
    /// The column that says whose row it is [default: the one that most tables have by such a name]
    #[arg(long, value_name = "NAME")]
    tenant_column: Option<String>,
    /// The table of organisations
    #[arg(long, value_name = "SCHEMA.TABLE")]
    tenant_table: Option<String>,
}

impl Init {
    /// What was said, by the options' keys.
    pub(super) fn into_command_line(self) -> CommandLine {
        let tenant = [
            ("tenant_column", self.tenant_column),
            ("tenant_table", self.tenant_table),
        ];
        said(None, self.schema.texts().chain(tenant))
    }
}

pub(super) fn said(
    config: Option<PathBuf>,
    texts: impl Iterator<Item = (&'static str, Option<String>)>,
) -> CommandLine {
    CommandLine {
        config,
        options: texts
            .filter_map(|(key, text)| Some((key, vec![text?])))
            .collect(),
        command: Vec::new(),
    }
}

impl Seed {
    /// What was said, by the options' keys; and the folder for files.
    pub(super) fn into_command_line(self) -> (CommandLine, Option<PathBuf>) {
        let texts = [
            ("rows", Some(self.rows)),
            ("organisations", self.organisations),
            ("seed", self.seed),
            ("server", self.server),
            ("migrations", self.migrations),
            ("tenant_column", self.tenant_column),
            ("tenant_table", self.tenant_table),
        ];
        let texts = texts.into_iter().chain(self.postgres.texts());
        let texts = texts.chain(self.migrate.texts());
        (said(self.config, texts), self.output)
    }
}

impl TestDb {
    /// What was said, by the options' keys.
    pub(super) fn into_command_line(self) -> CommandLine {
        let texts = [
            ("server", self.server.server),
            ("image", self.server.image),
            ("pg_bin", self.server.pg_bin),
            ("migrations", self.schema.migrations),
            ("tenant_column", self.schema.tenant_column),
            ("tenant_table", self.schema.tenant_table),
            ("queries", self.schema.queries),
            ("sqlx", self.schema.sqlx),
            ("organisations", self.rows.organisations),
            ("rows", self.rows.rows),
            ("cases", self.rows.cases),
            ("seed", self.rows.seed),
            ("baseline", self.checks.baseline),
            ("regressions", self.checks.regressions),
            ("covered", self.checks.covered),
            ("format", self.reports.format),
            ("timeout", self.limits.timeout),
            ("jobs", self.limits.jobs),
            ("shard", self.limits.shard),
        ];
        let lists = [
            ("postgres", self.server.postgres),
            ("search_path", self.schema.search_path),
            ("only", self.checks.only),
            ("skip", self.checks.skip),
            ("deny", self.checks.deny),
            ("report", self.reports.report),
        ];
        let flags = [
            ("keep", self.server.keep),
            ("record", self.schema.record),
            ("list", self.checks.list),
            ("write_baseline", self.checks.write_baseline),
        ];
        let texts = texts
            .into_iter()
            .chain(self.schema.migrate.texts())
            .filter_map(|(key, text)| Some((key, vec![text?])));
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let flags = flags.into_iter().filter(|(_, flag)| *flag);
        CommandLine {
            config: self.config,
            options: texts
                .chain(lists)
                .chain(flags.map(|(key, _)| (key, vec!["true".to_owned()])))
                .collect(),
            command: self.command,
        }
    }
}
