//! Which files make which migrations; no server needed.

use watertight::Error;
use watertight::migration::MigrationSet;

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
        &[("2024_init/migration.sql", "")],
        &["migration.sql", "command", "[migrate]"],
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
