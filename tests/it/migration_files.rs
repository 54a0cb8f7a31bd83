//! Which files make which migrations; no server needed.

use watertight::Error;
use watertight::migration::{MigrationSet, Reading};

use crate::folder::Folder;

fn read(files: &[(&str, &str)]) -> MigrationSet {
    MigrationSet::read(Folder::new(files).path()).unwrap()
}

fn names(set: &MigrationSet) -> Vec<&str> {
    set.migrations.iter().map(|m| m.name.as_str()).collect()
}

/// The message of the error, and that it has these words.
fn refused(files: &[(&str, &str)], words: &[&str]) {
    let error = MigrationSet::read(Folder::new(files).path()).unwrap_err();
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` in: {message}");
    }
}

#[test]
fn sqlx_folders_are_read_in_the_order_of_their_numbers() {
    let set = read(&[
        ("10_last.sql", "SELECT 10"),
        ("2_two.up.sql", "SELECT 2; SELECT 3"),
        ("2_two.down.sql", "-- no-transaction\nSELECT -2"),
        ("0001_one.sql", "-- no-transaction\nSELECT 1"),
        ("notes.md", "not SQL"),
        (".0003_hidden.sql", "nothing"),
        ("archive/0004_old.sql", "broken '"),
    ]);
    assert_eq!(set.convention, "sqlx");
    assert_eq!(names(&set), ["0001_one", "2_two", "10_last"]);
    let transactions: Vec<_> = set.migrations.iter().map(|m| m.transaction).collect();
    assert_eq!(transactions, [false, true, true]);
    let two = &set.migrations[1];
    assert_eq!(two.script.len(), 2);
    let down = two.down.as_ref().unwrap();
    assert!(!down.transaction);
    assert_eq!(down.script[0].text, "SELECT -2");
    assert_eq!(set.migrations[0].down, None);
    assert!(
        set.describe().starts_with("3 migrations in "),
        "{}",
        set.describe()
    );
    assert!(set.describe().ends_with("(sqlx)"));
}

#[test]
fn flyway_folders_are_read_with_those_below() {
    let set = read(&[
        ("V1.10__ten.sql", "SELECT 1"),
        ("V1_2__two.sql", "CREATE INDEX CONCURRENTLY i ON t (a)"),
        ("later/V2__later.sql", "SELECT 1"),
        ("later/V2__later.sql.conf", "executeInTransaction=false\n"),
        ("R__b.sql", "SELECT 1"),
        ("views/R__a.sql", "SELECT 1"),
        ("U2__later.sql", "broken '"),
    ]);
    assert_eq!(set.convention, "Flyway");
    assert_eq!(
        names(&set),
        ["V1_2__two", "V1.10__ten", "V2__later", "R__a", "R__b"]
    );
    let transactions: Vec<_> = set.migrations.iter().map(|m| m.transaction).collect();
    assert_eq!(transactions, [false, true, false, true, true]);
    assert!(set.migrations[4].repeatable && !set.migrations[2].repeatable);
    let below = read(&[("sql/V1__a.sql", "SELECT 1")]);
    assert_eq!(names(&below), ["V1__a"]);
}

#[test]
fn a_flyway_baseline_stands_for_what_came_before() {
    let set = read(&[
        ("V1__a.sql", ""),
        ("V2__b.sql", ""),
        ("V3__c.sql", ""),
        ("B1__old.sql", ""),
        ("B2__base.sql", ""),
    ]);
    assert_eq!(names(&set), ["B2__base", "V3__c"]);
}

#[test]
fn plain_files_are_read_by_number_or_by_name() {
    let set = read(&[("10-b.sql", ""), ("2.sql", ""), ("2.1 x.SQL", "")]);
    assert_eq!(set.convention, "numbered files");
    assert_eq!(names(&set), ["2", "2.1 x", "10-b"]);
    let set = read(&[("schema.sql", "VACUUM"), ("a.sql", ""), ("a.down.sql", "")]);
    assert_eq!(set.convention, "files by name");
    assert_eq!(names(&set), ["a", "schema"]);
    assert!(set.migrations[0].down.is_some());
    assert!(!set.migrations[1].transaction);
}

#[test]
fn one_file_is_one_migration() {
    let folder = Folder::new(&[(
        "structure.sql",
        "\u{feff}CREATE TABLE a (id int);\r\nSELECT 1",
    )]);
    let set = MigrationSet::read(&folder.path().join("structure.sql")).unwrap();
    assert_eq!(names(&set), ["structure"]);
    assert_eq!(set.migrations[0].script.len(), 2);
    assert_eq!(set.convention, "one file");
}

#[test]
fn a_folder_without_sql_is_an_empty_set() {
    let set = read(&[("README.md", "nothing")]);
    assert!(set.migrations.is_empty());
    assert!(set.describe().starts_with("no migrations in "));
}

#[test]
fn the_digest_changes_with_names_texts_and_order() {
    let digest = |files: &[(&str, &str)]| read(files).digest();
    let base = digest(&[("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")]);
    assert_eq!(
        base,
        digest(&[("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")])
    );
    assert_eq!(base.len(), 64);
    for other in [
        digest(&[("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT  2")]),
        digest(&[("1_a.sql", "SELECT 1"), ("2_c.sql", "SELECT 2")]),
        digest(&[("3_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")]),
        digest(&[("1_a.sql", "SELECT 1")]),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn doubtful_orders_are_refused_by_name() {
    refused(
        &[("1_a.sql", ""), ("V1__b.sql", "")],
        &["1_a.sql", "V1__b.sql", "conventions"],
    );
    refused(
        &[("1_a.sql", ""), ("seed.sql", "")],
        &["1_a.sql", "seed.sql"],
    );
    refused(
        &[("1_a.sql", ""), ("01_b.sql", "")],
        &["1_a.sql", "01_b.sql", "version"],
    );
    refused(
        &[("V1__a.sql", ""), ("x/V1.0__b.sql", "")],
        &["V1__a.sql", "V1.0__b.sql"],
    );
    refused(
        &[("R__a.sql", ""), ("x/R__a.sql", "")],
        &["R__a.sql", "x/R__a.sql"],
    );
    refused(&[("1_a.down.sql", "")], &["1_a.down.sql", "not there"]);
    refused(
        &[("a/1.sql", ""), ("b/2.sql", "")],
        &["1.sql", "command", "[migrate]"],
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new(&[]);
    let message = |path: &std::path::Path| MigrationSet::read(path).unwrap_err().to_string();
    assert!(message(&folder.path().join("absent")).contains("--migrations"));

    folder.write("1_a.sql", b"SELECT 1;\nSELECT '\xff'");
    assert!(message(folder.path()).contains("1_a.sql`: line 2 is not UTF-8"));

    folder.write("1_a.sql", b"SELECT 1;\n\nSELECT 'a;\n");
    let error = MigrationSet::read(folder.path()).unwrap_err();
    let Error::Migration(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.line, 3);
    assert!(error.file.ends_with("1_a.sql"));
    assert_eq!(error.statement, "3 | SELECT 'a;");
}

#[cfg(unix)]
#[test]
fn symbolic_links_do_not_trap_the_reader() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new(&[("V1__a.sql", ""), ("below/V2__b.sql", "")]);
    symlink(folder.path(), folder.path().join("below/round")).unwrap();
    let error = MigrationSet::read(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("below/round") && error.contains("symbolic link"),
        "{error}"
    );

    let folder = Folder::new(&[]);
    symlink("/nonexistent", folder.path().join("1_a.sql")).unwrap();
    let error = MigrationSet::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("1_a.sql"), "{error}");

    let folder = Folder::new(&[]);
    symlink("/dev/zero", folder.path().join("1_a.sql")).unwrap();
    let error = MigrationSet::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
}

#[test]
fn files_below_the_working_directory_are_named_relative_to_it() {
    let here = std::env::current_dir().unwrap();
    let set = MigrationSet::read(&here.join("migrations")).unwrap();
    assert!(set.migrations[0].file.starts_with("migrations"));
    let folder = Folder::new(&[("1_a.sql", "")]);
    let set = MigrationSet::read(folder.path()).unwrap();
    assert_eq!(set.migrations[0].file, folder.path().join("1_a.sql"));
}

/// The name of the convention of a folder.
fn convention(files: &[(&str, &str)]) -> &'static str {
    read(files).convention
}

#[test]
fn what_stands_in_the_files_and_around_them_counts_before_names() {
    let file = |text| [("20240101_a.sql", text)];
    assert_eq!(convention(&file("-- migrate:up\nSELECT 1")), "dbmate");
    assert_eq!(convention(&file("--   +goose up\nSELECT 1")), "goose");
    assert_eq!(
        convention(&file("-- Up Migration\nSELECT 1")),
        "node-pg-migrate"
    );
    assert_eq!(
        convention(&file("\n--liquibase formatted sql\n")),
        "Liquibase"
    );
    assert_eq!(convention(&file("SELECT 'x -- migrate:up'")), "sqlx");
    let concurrent = "CREATE INDEX CONCURRENTLY i ON t (a)";
    assert_eq!(convention(&file(concurrent)), "numbered files");
    let up = [("1_a.up.sql", concurrent), ("1_a.down.sql", "")];
    assert_eq!(convention(&up), "golang-migrate");
    let sqlx = [
        up[0],
        up[1],
        ("Cargo.toml", "[dependencies]\nsqlx = \"0.9\""),
    ];
    assert_eq!(convention(&sqlx), "sqlx");
    assert_eq!(
        convention(&[("V1__a.sql", ""), ("U2__b.sql", "")]),
        "refinery"
    );
    assert_eq!(
        convention(&[("V2__a.sql", ""), ("U2__b.sql", "")]),
        "Flyway"
    );
    assert_eq!(
        convention(&[("a/up.sql", ""), ("a/down.sql", "")]),
        "Diesel"
    );
    assert_eq!(convention(&[("db/1_a/up.sql", "")]), "Hasura");
    assert_eq!(convention(&[("1_a/migration.sql", "")]), "Prisma");
    assert_eq!(convention(&[("1_a.sql", ""), ("atlas.sum", "")]), "Atlas");
    assert_eq!(convention(&[("sql/1_a.sql", "")]), "sqlx");
}

#[test]
fn a_doubt_is_refused_with_the_option_that_settles_it() {
    let both = [
        (
            "1_a.sql",
            "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2",
        ),
        ("2_b.sql", "-- +goose Up\nSELECT 1"),
    ];
    refused(
        &both,
        &[
            "dbmate",
            "goose",
            "--convention dbmate",
            "`convention` under [migrate]",
        ],
    );
    let folder = Folder::new(&[
        ("1_a.sql", "SELECT 1"),
        ("seed.sql", "SELECT 2"),
        ("2_b.down.sql", "broken '"),
    ]);
    let read_as = |convention: &str| {
        let reading = Reading {
            convention: Some(convention.to_owned()),
            ..Reading::default()
        };
        MigrationSet::read_as(folder.path(), &reading)
    };
    let message = MigrationSet::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains("--convention sqlx"), "{message}");
    std::fs::remove_file(folder.path().join("2_b.down.sql")).unwrap();
    let set = read_as("SQLx").unwrap();
    assert_eq!(names(&set), ["1_a"]);
    assert!(
        set.describe().ends_with("(sqlx); not of them: seed.sql"),
        "{}",
        set.describe()
    );
    assert_eq!(names(&read_as("files by name").unwrap()), ["1_a", "seed"]);
    let message = read_as("fly-way").unwrap_err().to_string();
    assert!(message.contains("nearest is `flyway`"), "{message}");
}

#[test]
fn what_undoes_is_never_run_as_up() {
    let marked = "-- migrate:up\nSELECT 1;\n\n-- migrate:down\nSELECT 2;\n";
    let set = read(&[("1_a.sql", marked)]);
    let one = &set.migrations[0];
    assert_eq!((one.script.len(), one.script[0].line), (1, 2));
    let down = one.down.as_ref().unwrap();
    assert_eq!(
        (down.script[0].text.as_str(), down.script[0].line),
        ("SELECT 2", 5)
    );
    let set = read(&[(
        "1_a.sql",
        "-- +goose Down\nSELECT 2;\n-- +goose Up\nSELECT 1;",
    )]);
    assert_eq!(set.migrations[0].script[0].text, "SELECT 1");
    let error =
        MigrationSet::read(Folder::new(&[("1_a.sql", marked), ("2_b.sql", "SELECT 1")]).path());
    let Err(Error::Migration(error)) = error else {
        panic!("{error:?}");
    };
    assert!(
        error.file.ends_with("2_b.sql") && error.message.contains("-- migrate:up"),
        "{error}"
    );
}

#[test]
fn placeholders_without_a_value_are_named_by_file_and_line() {
    let folder = Folder::new(&[("V1__a.sql", "SELECT 1;\nSELECT '${who}';")]);
    let Err(Error::Migration(error)) = MigrationSet::read(folder.path()) else {
        panic!();
    };
    assert_eq!(error.line, 2);
    assert!(
        error.message.contains("`${who}`") && error.message.contains("placeholders ="),
        "{error}"
    );
    let reading = Reading {
        placeholders: [("who".to_owned(), "me".to_owned())].into(),
        ..Reading::default()
    };
    let set = MigrationSet::read_as(folder.path(), &reading).unwrap();
    assert_eq!(set.migrations[0].script[1].text, "SELECT 'me'");
}

#[test]
fn migrations_that_are_code_are_answered_with_the_command_that_runs_them() {
    refused(
        &[("versions/1_a.py", "from alembic import op")],
        &["Alembic", "[migrate]\ncommand = \"alembic upgrade head\""],
    );
    refused(
        &[("0001_initial.py", "from django.db import migrations")],
        &["Django", "python manage.py migrate"],
    );
    refused(
        &[("1-a.ts", "import { MigrationInterface } from 'typeorm'")],
        &["TypeORM", "npx typeorm migration:run"],
    );
    refused(
        &[("1_a.rb", "class A < ActiveRecord::Migration[7.1]")],
        &["Rails", "structure.sql"],
    );
    refused(
        &[("1_a.js", "exports.up = (knex) => 1")],
        &["Knex", "npx knex migrate:latest"],
    );
    refused(
        &[
            ("1_a.go", "goose.AddMigration()"),
            ("2_b.sql", "-- +goose Up"),
        ],
        &["1_a.go", "command"],
    );
    refused(
        &[(
            "1.xml",
            "<databaseChangeLog><changeSet/></databaseChangeLog>",
        )],
        &["Liquibase", "jdbc:postgresql://$PGHOST"],
    );
}

#[test]
fn folders_of_other_databases_are_left_out() {
    let set = read(&[
        ("postgresql/V1__a.sql", "SELECT 1"),
        ("mysql/V1__a.sql", "SELECT `1`"),
        ("common/V2__b.sql", "SELECT 2"),
    ]);
    assert_eq!(names(&set), ["V1__a", "V2__b"]);
}
