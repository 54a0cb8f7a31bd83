//! Migrations on a real server.

use sqlx::{Connection as _, PgConnection};
use watertight::migration::{Applied, MigrationSet, apply, revert};
use watertight::{Error, MigrationError};

use crate::folder::Folder;
use crate::scratch::Database;

async fn migrate(
    files: &[(&str, &str)],
    connection: &mut PgConnection,
) -> watertight::Result<Applied> {
    let set = MigrationSet::read(Folder::new(files).path()).unwrap();
    apply(&set, connection).await
}

/// The error of a set whose last file fails.
async fn failure(files: &[(&str, &str)]) -> MigrationError {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    // The project uses sqlx: its rules for transactions hold, also where a file can't work by them.
    let files: Vec<_> = files.iter().copied().chain([("sqlx.toml", "")]).collect();
    match migrate(&files, &mut connection).await {
        Err(Error::Migration(error)) => {
            let alive: i32 = sqlx::query_scalar("SELECT 1")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(alive, 1, "no failed transaction is left open");
            *error
        }
        other => panic!("{other:?}"),
    }
}

async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_second_run_applies_nothing() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let files = [
        (
            "1_a.sql",
            "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);",
        ),
        (
            "2_b.sql",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;",
        ),
        ("3_empty.sql", "-- nothing\n"),
    ];
    let first = migrate(&files, &mut connection).await.unwrap();
    assert_eq!(
        first,
        Applied {
            applied: 3,
            skipped: 0
        }
    );
    let second = migrate(&files, &mut connection).await.unwrap();
    assert_eq!(
        second,
        Applied {
            applied: 0,
            skipped: 3
        }
    );
    assert_eq!(count(&mut connection, "SELECT count(*) FROM a").await, 1);

    let more = [
        files[0],
        files[1],
        files[2],
        ("4_c.sql", "INSERT INTO a VALUES (2)"),
    ];
    let third = migrate(&more, &mut connection).await.unwrap();
    assert_eq!(
        third,
        Applied {
            applied: 1,
            skipped: 3
        }
    );
    assert_eq!(count(&mut connection, "SELECT count(*) FROM a").await, 2);
}

#[tokio::test]
async fn a_changed_or_vanished_file_is_named() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let files = [("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")];
    migrate(&files, &mut connection).await.unwrap();
    let changed = [files[0], ("2_b.sql", "SELECT 3")];
    let error = migrate(&changed, &mut connection)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("2_b.sql") && error.contains("changed"),
        "{error}"
    );
    let error = migrate(&files[..1], &mut connection)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("2_b") && error.contains("no longer"),
        "{error}"
    );
}

#[tokio::test]
async fn a_changed_repeatable_runs_again() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let versioned = ("V1__a.sql", "CREATE TABLE a (id int)");
    let repeatable = |text| ("R__v.sql", text);
    migrate(
        &[versioned, repeatable("INSERT INTO a VALUES (1)")],
        &mut connection,
    )
    .await
    .unwrap();
    let again = [versioned, repeatable("INSERT INTO a VALUES (2)")];
    let applied = migrate(&again, &mut connection).await.unwrap();
    assert_eq!(
        applied,
        Applied {
            applied: 1,
            skipped: 1
        }
    );
    let applied = migrate(&again, &mut connection).await.unwrap();
    assert_eq!(
        applied,
        Applied {
            applied: 0,
            skipped: 2
        }
    );
    assert_eq!(count(&mut connection, "SELECT count(*) FROM a").await, 2);
}

#[tokio::test]
async fn a_failing_statement_is_named_by_file_and_line() {
    let error = failure(&[
        ("1_a.sql", "CREATE TABLE a (id int);"),
        ("2_b.sql", "INSERT INTO a VALUES (1);"),
        (
            "3_c.sql",
            "-- é\nSELECT 1;\n\n/* why */ CREATE TABLE é (\n\tid int,\n\tother uuid PRIMRY KEY\n);\nSELECT 2;",
        ),
    ])
    .await;
    assert!(error.file.ends_with("3_c.sql"));
    assert_eq!(error.line, 6);
    assert_eq!(error.sqlstate.as_deref(), Some("42601"));
    assert_eq!(error.message, "syntax error at or near \"PRIMRY\"");
    assert_eq!(
        error.statement,
        "4 | CREATE TABLE é (\n5 |  id int,\n6 |  other uuid PRIMRY KEY\n  |             ^\n7 | )"
    );
    let shown = error.to_string();
    assert!(
        shown.contains("3_c.sql:6: migration failed (SQLSTATE 42601): syntax error"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_line_is_the_one_that_the_server_means() {
    for (sql, line, state) in [
        (
            "SELECT 1;\nDO $$\nBEGIN\n  PERFORM 1;\n  RAISE EXCEPTION 'no';\nEND\n$$;",
            5,
            "P0001",
        ),
        (
            "DO $$ BEGIN\n  PERFORM 1;\n  RAISE EXCEPTION 'no';\nEND $$;",
            3,
            "P0001",
        ),
        (
            "DO $$\nBEGIN\n  INSERT INTO missing\n  VALUES (1);\nEND\n$$;",
            3,
            "42P01",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\nSELECT 1;\nSELECT nope;\n$$",
            3,
            "42703",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRN 1;\nEND $$",
            3,
            "42601",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a\nVALUES (1), (1);",
            2,
            "23505",
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1);\n\nINSERT INTO a VALUES (1);",
            4,
            "23505",
        ),
        ("SELECT 1;\n\n  SELEC 2", 3, "42601"),
        ("SELECT 1;\nVACUUM", 2, "25001"),
    ] {
        let error = failure(&[("1_a.sql", sql)]).await;
        assert_eq!(error.line, line, "{sql}\n{error}");
        assert_eq!(error.sqlstate.as_deref(), Some(state), "{error}");
    }
    let copy = failure(&[("1_a.sql", "SELECT 1;\nCOPY (SELECT 1) TO STDOUT;")]).await;
    assert_eq!(copy.line, 2);
    assert!(copy.message.contains("only psql"), "{copy}");
    let vacuum = failure(&[("1_a.sql", "SELECT 1;\nVACUUM")]).await;
    assert!(vacuum.message.contains("-- no-transaction"), "{vacuum}");
    let detail = failure(&[(
        "1_a.sql",
        "CREATE TABLE a (id int UNIQUE);\nINSERT INTO a VALUES (7), (7)",
    )])
    .await;
    assert!(
        detail
            .message
            .contains("detail: Key (id)=(7) already exists"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_failed_file_leaves_nothing_and_the_ones_before_stay() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let files = [
        ("1_a.sql", "CREATE TABLE a (id int)"),
        ("2_b.sql", "CREATE TABLE b (id int); SELEC"),
    ];
    migrate(&files, &mut connection).await.unwrap_err();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(count(&mut connection, tables).await, 1);
    let mended = [files[0], ("2_b.sql", "CREATE TABLE b (id int)")];
    let applied = migrate(&mended, &mut connection).await.unwrap();
    assert_eq!(
        applied,
        Applied {
            applied: 1,
            skipped: 1
        }
    );
    assert_eq!(count(&mut connection, tables).await, 2);
}

#[tokio::test]
async fn files_manage_their_own_transactions() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let files = [
        (
            "1_a.sql",
            "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\nVACUUM a;",
        ),
        (
            "2_b.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON a (id);\nVACUUM a;",
        ),
    ];
    let applied = migrate(&files, &mut connection).await.unwrap();
    assert_eq!(applied.applied, 2);
    assert_eq!(
        count(
            &mut connection,
            "SELECT count(*) FROM pg_class WHERE relname = 'i'"
        )
        .await,
        1
    );

    let error = failure(&[("1_a.sql", "SELECT 1;\nBEGIN;\nSELECT 2;")]).await;
    assert_eq!((error.line, error.sqlstate.as_deref()), (2, None));
    let error = failure(&[("1_a.sql", "BEGIN;\nSELEC;\nCOMMIT;")]).await;
    assert_eq!(error.line, 2);
}

#[tokio::test]
async fn roles_and_settings_of_a_file_end_where_its_convention_says() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let role = "other";
    let create = format!(
        "CREATE ROLE {role}; CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO {role}; SET ROLE {role}; SET search_path = s; CREATE TABLE mine (id int);"
    );
    let files = [
        ("1-a.sql", create.as_str()),
        ("2-b.sql", "CREATE TABLE theirs (id int)"),
    ];
    migrate(&files, &mut connection).await.unwrap();
    let owned: Vec<(String, String)> = sqlx::query_as(
        "SELECT schemaname::text || '.' || tablename, tableowner::text FROM pg_tables WHERE tablename IN ('mine', 'theirs') ORDER BY 1 DESC",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(owned[0], ("s.mine".into(), role.to_owned()));
    assert_eq!(owned[1].0, "public.theirs");
    assert_ne!(owned[1].1, role);
}

#[tokio::test]
async fn down_undoes_what_has_a_way_back() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let folder = Folder::new(&[
        ("1_a.sql", "CREATE TABLE a (id int)"),
        ("2_b.up.sql", "CREATE TABLE b (id int)"),
        ("2_b.down.sql", "DROP TABLE b"),
        ("3_c.up.sql", "CREATE TABLE c (id int REFERENCES d)"),
        ("3_c.down.sql", "DROP TABLE c; DROP TABLE d"),
    ]);
    folder.write(
        "3_c.up.sql",
        b"CREATE TABLE d (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES d)",
    );
    let set = MigrationSet::read(folder.path()).unwrap();
    apply(&set, &mut connection).await.unwrap();
    assert_eq!(revert(&set, &mut connection).await.unwrap(), 2);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(count(&mut connection, tables).await, 1);
    assert_eq!(revert(&set, &mut connection).await.unwrap(), 0);
    assert_eq!(
        apply(&set, &mut connection).await.unwrap(),
        Applied {
            applied: 2,
            skipped: 1
        }
    );
    assert_eq!(count(&mut connection, tables).await, 4);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn data_of_a_dump_is_loaded_and_its_bad_line_named() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let dump = "\\restrict x\nCREATE TABLE a (id int PRIMARY KEY, t text);\n\nCOPY a (id, t) FROM stdin;\n1\tit's; -- \\\\a\n2\t\\N\n\\.\n\n\\unrestrict x\nSELECT 1;\n";
    migrate(&[("1_a.sql", dump)], &mut connection)
        .await
        .unwrap();
    let texts = "SELECT count(*) FROM a WHERE t = 'it''s; -- \\a' OR t IS NULL";
    assert_eq!(count(&mut connection, texts).await, 2);
    let error = failure(&[("1_a.sql", &dump.replace("2\t", "two\t"))]).await;
    assert_eq!(error.line, 6, "{error}");
    assert_eq!(error.statement, "6 | two\t\\N".replace('\t', " "));
    let open = MigrationSet::read(Folder::new(&[("1_a.sql", "COPY a FROM stdin;\n1\n")]).path());
    assert!(open.unwrap_err().to_string().contains("has no end"));
}

#[tokio::test]
async fn missing_roles_and_extensions_are_named_with_the_way_out() {
    let error = failure(&[(
        "1_a.sql",
        "CREATE TABLE a (id int);\nGRANT SELECT ON a TO nobody_here;",
    )])
    .await;
    assert_eq!(error.line, 2);
    assert!(
        error.message.contains("--stub-roles makes `nobody_here`"),
        "{error}"
    );
    let error = failure(&[("1_a.sql", "CREATE EXTENSION nothing_of_the_kind;")]).await;
    assert!(
        error.message.contains("no extension `nothing_of_the_kind`"),
        "{error}"
    );
    let error = failure(&[("1_a.sql", "CREATE TABLE a (id uuid REFERENCES auth.users);")]).await;
    assert!(error.message.contains("--supabase"), "{error}");
}

#[tokio::test]
async fn roles_are_made_where_that_is_asked_for() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let files = [
        (
            "1_a.sql",
            "CREATE TABLE a (id int);\nGRANT SELECT ON a TO reader, \"Odd; one\";",
        ),
        (
            "2_b.sql",
            "-- no-transaction\nCREATE TABLE b (id int);\nDO $$ BEGIN GRANT SELECT ON b TO writer; END $$;",
        ),
    ];
    let folder = Folder::new(&files);
    let mut set = MigrationSet::read(folder.path()).unwrap();
    let roles = watertight::model::StubRoles {
        all: true,
        names: Vec::new(),
    };
    set.stub(&roles, false);
    apply(&set, &mut connection).await.unwrap();
    let made = "SELECT count(*) FROM pg_roles WHERE rolname IN ('reader', 'writer', 'Odd; one') AND NOT rolcanlogin";
    assert_eq!(count(&mut connection, made).await, 3);
    let granted = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee IN ('reader', 'writer', 'Odd; one')";
    assert_eq!(count(&mut connection, granted).await, 3);
}

#[tokio::test]
async fn a_dump_of_a_database_that_was_migrated_here_is_applied() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let dump = "-- PostgreSQL database dump\nSET no_such_setting = 0;\nCREATE SCHEMA watertight;\n\
                ALTER SCHEMA watertight OWNER TO nobody_here;\nCREATE DATABASE x;\nCOMMENT ON DATABASE x IS 'y';\n\
                CREATE TABLE watertight.migrations (name text NOT NULL);\n\
                ALTER TABLE ONLY watertight.migrations ADD CONSTRAINT migrations_pkey PRIMARY KEY (name);\n\
                COPY watertight.migrations (name) FROM stdin;\nx\n\\.\n\nCREATE SCHEMA public;\nCREATE TABLE a (id int);\n";
    migrate(&[("1_a.sql", dump)], &mut connection)
        .await
        .unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'a'";
    assert_eq!(count(&mut connection, tables).await, 1);
    let books = "SELECT count(*) FROM watertight.migrations";
    assert_eq!(count(&mut connection, books).await, 1);
}
