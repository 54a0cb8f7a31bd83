//! Attempts that go to the server together come to what they come to by themselves.

use sqlx::{Connection as _, Executor as _, PgConnection};
use watertight::model::{
    Attempt, Case, Catalog, Context, Observation, Purpose, Session, Stage, Tenancy, Worlds,
};
use watertight::run::{Arena, Late, run};

use crate::server;

/// A table that refuses what it is given in several ways.
const SCHEMA: &str = "
    CREATE TABLE words (id int PRIMARY KEY, parent int REFERENCES words DEFERRABLE, word text CHECK (word <> 'no'));
    CREATE FUNCTION looked_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        CASE NEW.word
            WHEN 'slow' THEN PERFORM pg_sleep(60);
            WHEN 'never' THEN ASSERT false, 'never';
            WHEN 'skipped' THEN RETURN NULL;
            WHEN 'together' THEN
                IF current_query() NOT LIKE '%watertight.attempts%' THEN RAISE 'by itself'; END IF;
            ELSE NULL;
        END CASE;
        RETURN NEW; END $$;
    CREATE TRIGGER looked_at BEFORE INSERT OR UPDATE ON words FOR EACH ROW EXECUTE FUNCTION looked_at();
    INSERT INTO words VALUES (1, NULL, 'a'), (2, 1, 'b');
";

const CHECKED: &str = "SET CONSTRAINTS ALL IMMEDIATE";

fn case(statements: &[&str]) -> Case {
    Case {
        check: "cross-tenant-reference",
        object: "public.words".to_owned(),
        subject: String::new(),
        attempts: vec![Attempt {
            purpose: Purpose::Attack,
            label: String::new(),
            session: Session::Owner,
            context: Context::Unset,
            stage: Stage::Seeded,
            statements: statements.iter().map(|sql| (*sql).to_owned()).collect(),
            witness: None,
        }],
    }
}

fn insert(word: &str) -> Case {
    case(&[
        &format!("INSERT INTO words VALUES (3, 1, '{word}')"),
        CHECKED,
    ])
}

/// What is seen of cases: all of them in one run, or each in a run of its own.
async fn seen(cases: &[Case], together: bool) -> Vec<Observation> {
    let server = server::local().await;
    let options = server.options(server.administrator(), server.maintenance_database());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection.execute(SCHEMA).await.unwrap();
    let (catalog, tenancy, worlds) = (Catalog::default(), Tenancy::default(), Worlds::default());
    let arena = Arena {
        seeded: options.clone(),
        blank: options,
        application: None,
        pooled: Err(String::new()),
        thrown: None,
        access: None,
        catalog: &catalog,
        tenancy: &tenancy,
        worlds: &worlds,
        shadow: Vec::new(),
        timeout: 1,
        late: Late::default(),
    };
    let mut found = Vec::new();
    for cases in cases.chunks(if together { cases.len() } else { 1 }) {
        found.extend(run(&arena, cases, &|_| ()).await.unwrap().concat());
    }
    connection.close().await.unwrap();
    server.stop().await.unwrap();
    found
}

#[tokio::test]
async fn attempts_come_together_to_what_they_come_to_alone() {
    let mut cases = vec![
        insert("a"),
        insert("skipped"),
        insert("no"),
        insert("never"),
        insert("it''s"),
        case(&["UPDATE words SET word = 'c'", CHECKED]),
        case(&["INSERT INTO words VALUES (2, 1, 'a')", CHECKED]),
        case(&["INSERT INTO words VALUES (3, 9, 'a')", CHECKED]),
        case(&[
            "SET CONSTRAINTS ALL DEFERRED",
            "INSERT INTO words VALUES (3, 9, 'a')",
            CHECKED,
        ]),
        case(&["DELETE FROM words WHERE id = 1", CHECKED]),
        case(&["DELETE FROM words WHERE id = 2", CHECKED]),
        case(&["INSERT INTO word VALUES (1)"]),
    ];
    let (alone, together) = (seen(&cases, false).await, seen(&cases, true).await);
    assert_eq!(alone, together);
    let refused = alone.iter().filter(|seen| !seen.worked()).count();
    assert_eq!(refused, 7, "{alone:?}");
    // One of them takes more time than all may.
    cases.insert(2, insert("slow"));
    assert_eq!(seen(&cases, false).await, seen(&cases, true).await);
}

#[tokio::test]
async fn attempts_do_go_together() {
    let seen = seen(&[insert("together"), insert("a")], true).await;
    assert!(seen.iter().all(Observation::worked), "{seen:?}");
}
