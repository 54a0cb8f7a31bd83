//! Settings from files, variables and options.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::model::{MigrateAs, NullMeans, Shard};

/// A folder with these files, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder =
            env::temp_dir().join(format!("watertight-config-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(text: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    file::read(&mut settings, Path::new("conf/watertight.toml"), text)?;
    Ok(settings)
}

fn refused(text: &str, words: &[&str]) {
    let message = read(text).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` in: {message}");
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn options(pairs: &[(&'static str, &str)]) -> CommandLine {
    CommandLine {
        options: pairs
            .iter()
            .map(|(key, value)| (*key, vec![(*value).to_owned()]))
            .collect(),
        ..CommandLine::default()
    }
}

#[test]
fn the_contracts_example_is_read() {
    let settings = read(
        r#"
[migrate]
path = "migrations"
# command = "npx prisma migrate deploy"

[tenant]
column = "organisation_id"
columns = { "public.app" = "org_id" }
table = "iam.organisations"
shared = ["crm.naf_codes"]
linked = { "iam.users" = "iam.memberships.user_id" }
derived = { "t" = "fk_name" }
null_means = "shared"

[access]
role = "app"
context = ["SELECT set_config('app.organisation_id', $1, true)"]

[[allow]]
check = "unique-without-tenant"
object = "iam.organisations.organisations_slug_key"
reason = "slugs are public and global"

[[allow]]
check = "*"
object = "a.b"
reason = "because"

[run]
postgres = [15, 18]
queries = "sql"
timeout = 5
report = ["json=out/report.json"]
migrate_as = "superuser"
keep = true
"#,
    )
    .unwrap();
    assert_eq!(settings.migrate.path, Some("conf/migrations".into()));
    assert_eq!(settings.migrate.command, None);
    let tenant = &settings.tenant;
    assert!(tenant.column_given);
    assert_eq!(tenant.columns["public.app"], "org_id");
    assert_eq!(tenant.table.as_deref(), Some("iam.organisations"));
    assert_eq!(tenant.shared, ["crm.naf_codes"]);
    assert_eq!(tenant.linked["iam.users"], "iam.memberships.user_id");
    assert_eq!(tenant.derived["t"], "fk_name");
    assert_eq!(tenant.null_means, NullMeans::Shared);
    assert_eq!(settings.access.unwrap().role, "app");
    assert_eq!(settings.allow.len(), 2);
    assert_eq!(settings.allow[0].reason, "slugs are public and global");
    assert_eq!(settings.allow[1].place, "conf/watertight.toml:24");
    assert_eq!(settings.run.postgres, [15, 18]);
    assert_eq!(settings.run.queries, Some("conf/sql".into()));
    assert_eq!(settings.run.timeout, Duration::from_secs(5));
    assert_eq!(
        settings.run.reports[0].path,
        PathBuf::from("conf/out/report.json")
    );
    assert_eq!(settings.run.migrate_as, MigrateAs::Superuser);
    assert!(settings.run.keep && !settings.run.list);
}

#[test]
fn nothing_said_is_the_defaults() {
    let settings = read("").unwrap();
    assert_eq!(settings.tenant.column, "organisation_id");
    assert!(!settings.tenant.column_given);
    assert_eq!(settings.tenant.null_means, NullMeans::Error);
    assert_eq!(settings.access, None);
    let run = &settings.run;
    assert_eq!((run.organisations, run.rows, run.cases), (3, 6, 1));
    assert_eq!((&*run.server, run.format.as_str()), ("auto", "text"));
    assert_eq!(run.timeout, Duration::from_secs(30));
    assert!(run.is_full());
    let path = settings.migrate.required_path().unwrap_err();
    assert!(path.contains("--migrations"));
}

#[test]
fn what_is_said_of_queries_is_read() {
    let settings = read("[queries]\n\".sqlx/3f*\" = { tenant = \"system: login\" }\n").unwrap();
    let entry = &settings.queries[0];
    assert_eq!(entry.object, ".sqlx/3f*");
    assert_eq!(entry.tenant, "system: login");
    assert_eq!(entry.place, "conf/watertight.toml:2");
}

#[test]
fn the_folder_of_sqlx_is_found_where_it_usually_is() {
    let found = |name: &str, files: &[(&str, &str)]| {
        let folder = Folder::new(name, files);
        let here = folder.0.join("app");
        let settings = resolve(CommandLine::default(), &[], &here).unwrap();
        let found = settings.run.sqlx_found;
        found.map(|path| here.join(path).strip_prefix(&folder.0).unwrap().to_owned())
    };
    let beside = [
        ("app/watertight.toml", ""),
        ("app/.sqlx/a.json", ""),
        (".sqlx/a.json", ""),
    ];
    assert_eq!(found("sqlx-1", &beside), Some("app/.sqlx".into()));
    let around = [
        ("app/watertight.toml", ""),
        ("Cargo.lock", ""),
        (".sqlx/a.json", ""),
    ];
    assert_eq!(found("sqlx-2", &around), Some(".sqlx".into()));
    let outside = [
        ("app/watertight.toml", ""),
        ("app/Cargo.lock", ""),
        (".sqlx/a.json", ""),
    ];
    assert_eq!(found("sqlx-3", &outside), None);
}

#[test]
fn what_is_wrong_in_the_file_is_named_by_line_and_key() {
    for (text, words) in [
        (
            "\n[tenant]\ncolum = \"a\"",
            &["watertight.toml:3", "`colum` in [tenant]", "`column`"][..],
        ),
        (
            "[tennant]\ncolumn = \"a\"",
            &["watertight.toml:1", "`tennant`", "`tenant`"],
        ),
        (
            "[run]\npg-bin = \"a\"",
            &["watertight.toml:2", "`pg-bin` in [run]", "`pg_bin`"],
        ),
        (
            "[[allow]]\nchek = \"a\"",
            &["watertight.toml:2", "[[allow]]", "`check`"],
        ),
        (
            "[queries]\n\"a\" = \"context\"",
            &["watertight.toml:2", "`a` in [queries]", "tenant = "],
        ),
        (
            "[queries]\n\"a\" = { tenant = \"contxt\" }",
            &["watertight.toml:2", "`tenant` in [queries]", "`context`"],
        ),
        (
            "[tenant]\nshared = \"a\"",
            &["watertight.toml:2", "`shared`", "a list of strings"],
        ),
        (
            "[tenant]\ncolumn = 3",
            &["watertight.toml:2", "`column`", "a string"],
        ),
        (
            "[tenant]\nlinked = { iam.users = \"x\" }",
            &["`linked`", "quotes around the key"],
        ),
        (
            "[tenant]\nnull_means = \"nothing\"",
            &["`null_means`", "shared"],
        ),
        ("tenant = 1", &["watertight.toml:1", "[tenant]"]),
        (
            "[allow]\ncheck = \"a\"",
            &["watertight.toml:1", "[[allow]]"],
        ),
        (
            "[[allow]]\ncheck = \"a\"\nobject = \"b\"",
            &["watertight.toml:2", "`reason`"],
        ),
        ("[access]\ncontext = []", &["[access] needs the key `role`"]),
        (
            "[access]\nrole = \"app\"\ncontext = [\"SET x = 1\"]",
            &["watertight.toml:3", "$1", "{tenant}"],
        ),
        (
            "[run]\nrows = \"six\"",
            &["watertight.toml:2", "`rows`", "a number"],
        ),
        (
            "[run]\nrows = 0",
            &["watertight.toml:2", "`rows`", "from 1", "found `0`"],
        ),
        ("[run]\nkeep = \"yes\"", &["`keep`", "`true` or `false`"]),
        (
            "[run]\npostgres = [\"18.1\"]",
            &["`postgres`", "major versions"],
        ),
        ("[run]\ncommand = \"x\"", &["unknown key `command`"]),
        ("a = \n", &["watertight.toml:1"]),
        (
            "[run]\nrows = 1\nrows = 2",
            &["watertight.toml:3", "duplicate"],
        ),
    ] {
        refused(text, words);
    }
    assert!(read("[access]\nrole = \"app_{tenant}\"").is_ok());
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() {
    let folder = Folder::new(
        "order",
        &[
            (
                "watertight.toml",
                "[run]\nrows = 10\ncases = 20\norganisations = 30\n[tenant]\ncolumn = \"a\"",
            ),
            ("below/further/x", ""),
            ("migrations/1.sql", ""),
        ],
    );
    let settings = resolve(
        options(&[("organisations", "5"), ("only", "a:f(int, text)")]),
        &variables(&[
            ("CASES", "4"),
            ("ORGANISATIONS", "6"),
            ("TENANT_COLUMN", "b"),
            ("SKIP", "x, y:f(a,b)"),
            ("KEEP", "1"),
            ("SHARD", "2/3"),
        ]),
        &folder.0.join("below/further"),
    )
    .unwrap();
    let run = &settings.run;
    assert_eq!((run.rows, run.cases, run.organisations), (10, 4, 5));
    assert_eq!(settings.tenant.column, "b");
    assert_eq!(settings.file, Some("../../watertight.toml".into()));
    assert_eq!(settings.migrate.path, Some("../../migrations".into()));
    assert_eq!(run.only, ["a:f(int, text)"]);
    assert_eq!(run.skip, ["x", "y:f(a,b)"]);
    assert!(run.keep && !run.is_full());
    assert_eq!(run.shard, Some(Shard { index: 2, count: 3 }));
}

#[test]
fn the_file_may_be_named() {
    let folder = Folder::new(
        "named",
        &[
            ("a.toml", "[run]\nrows = 7"),
            ("watertight.toml", "nonsense"),
        ],
    );
    let named = CommandLine {
        config: Some("a.toml".into()),
        ..CommandLine::default()
    };
    assert_eq!(resolve(named, &[], &folder.0).unwrap().run.rows, 7);
    let named = variables(&[("CONFIG", "a.toml")]);
    assert_eq!(
        resolve(CommandLine::default(), &named, &folder.0)
            .unwrap()
            .run
            .rows,
        7
    );
    let missing = variables(&[("CONFIG", "b.toml")]);
    let error = resolve(CommandLine::default(), &missing, &folder.0).unwrap_err();
    assert!(error.to_string().contains("b.toml"));
}

#[test]
fn wrong_options_and_variables_are_named() {
    let here = Folder::new("wrong", &[("x", "")]);
    for (key, value, word) in [
        ("organisations", "1", "from 2"),
        ("rows", "-1", "from 1"),
        ("timeout", "soon", "whole number"),
        ("shard", "4/3", "1/3"),
        ("shard", "0/3", "1/3"),
        ("report", "json", "FORMAT=PATH"),
        ("deny", "notes", "`weakness`"),
        ("migrate_as", "root", "`superuser`"),
        ("server", " ", "one value"),
        ("record", "maybe", "`true`"),
    ] {
        let error = resolve(options(&[(key, value)]), &[], &here.0)
            .unwrap_err()
            .to_string();
        let option = format!("--{}: ", key.replace('_', "-"));
        assert!(
            error.starts_with(&option) && error.contains(word),
            "{error}"
        );
    }
    let error = resolve(CommandLine::default(), &variables(&[("ROW", "1")]), &here.0).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("WATERTIGHT_ROW: ") && error.ends_with("WATERTIGHT_ROWS"),
        "{error}"
    );
}

#[test]
fn migrations_are_found_where_they_usually_are() {
    let find = |name: &str, files: &[(&str, &str)]| {
        let folder = Folder::new(name, files);
        resolve(CommandLine::default(), &[], &folder.0)
    };
    let found = find("usual", &[("db/migrations/1.sql", "")]).unwrap();
    assert_eq!(found.migrate.path, Some("db/migrations".into()));
    let error = find(
        "two",
        &[("db/migrations/1.sql", ""), ("migrations/1.sql", "")],
    )
    .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("`migrations` and `db/migrations`") && error.contains("--migrations"),
        "{error}"
    );
    let found = find("none", &[("x", "")]).unwrap();
    assert_eq!(found.migrate.path, None);
}
