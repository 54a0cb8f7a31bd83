//! Rows in bulk: as many as asked for, the same ones again, and what the server refuses is said.

mod lanes;

use std::path::Path;

use sqlx::{Connection as _, PgConnection, Row as _};
use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::harness::{Filled, Seeded};
use watertight::server::{self, Server, ServerChoice, ServerRequest};

use crate::fixture::SEED;
use crate::folder::Folder;
use crate::psql;

/// Every way in which rows must differ, refer and hold.
const SCHEMA: &str = "
    CREATE EXTENSION btree_gist;
    CREATE TYPE kind AS ENUM ('a', 'b', 'c');
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, slug text NOT NULL UNIQUE);
    CREATE TABLE people (organisation_id uuid NOT NULL REFERENCES orgs, id bigint NOT NULL, email text NOT NULL UNIQUE
        CHECK (email ~ '^[^@]+@[^@]+[.][a-z]+$'), first_name text, last_name text, boss_id bigint, best_id bigint,
        created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL CHECK (updated_at >= created_at),
        PRIMARY KEY (organisation_id, id), FOREIGN KEY (organisation_id, boss_id) REFERENCES people);
    CREATE TABLE tags (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, kind kind NOT NULL, n smallint NOT NULL
        CHECK (n BETWEEN 1 AND 200), UNIQUE (organisation_id, id), UNIQUE (organisation_id, kind, n));
    CREATE TABLE person_tags (organisation_id uuid NOT NULL, person_id bigint NOT NULL, tag_id uuid NOT NULL,
        PRIMARY KEY (organisation_id, person_id, tag_id),
        FOREIGN KEY (organisation_id, person_id) REFERENCES people,
        FOREIGN KEY (organisation_id, tag_id) REFERENCES tags (organisation_id, id));
    CREATE TABLE badges (organisation_id uuid NOT NULL, person_id bigint NOT NULL, code char(3) NOT NULL,
        main boolean NOT NULL, UNIQUE (organisation_id, person_id),
        FOREIGN KEY (organisation_id, person_id) REFERENCES people ON DELETE CASCADE);
    CREATE TABLE phones (organisation_id uuid NOT NULL, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        person_id bigint NOT NULL, main boolean NOT NULL, number text NOT NULL,
        FOREIGN KEY (organisation_id, person_id) REFERENCES people);
    CREATE UNIQUE INDEX phones_main ON phones (organisation_id, person_id) WHERE main;
    CREATE TABLE bookings (organisation_id uuid NOT NULL, room_id uuid NOT NULL, during tstzrange NOT NULL,
        FOREIGN KEY (organisation_id, room_id) REFERENCES tags (organisation_id, id),
        EXCLUDE USING gist (room_id WITH =, during WITH &&));
    CREATE TABLE lines (id uuid PRIMARY KEY, person bigint NOT NULL, organisation_id uuid NOT NULL,
        quantity int NOT NULL CHECK (quantity > 0), price numeric(8,2) NOT NULL, total numeric(12,2) NOT NULL
        CHECK (total = quantity * price), starts date NOT NULL, ends date NOT NULL CHECK (ends > starts),
        doubled int GENERATED ALWAYS AS (quantity * 2) STORED,
        FOREIGN KEY (organisation_id, person) REFERENCES people);
    CREATE TABLE left_side (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, other uuid);
    CREATE TABLE right_side (organisation_id uuid NOT NULL, id uuid PRIMARY KEY,
        other uuid NOT NULL REFERENCES left_side);
    ALTER TABLE left_side ADD CONSTRAINT back FOREIGN KEY (other) REFERENCES right_side;
    CREATE TABLE chicken (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, egg uuid NOT NULL);
    CREATE TABLE egg (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, chicken uuid NOT NULL REFERENCES chicken);
    ALTER TABLE chicken ADD CONSTRAINT of_egg FOREIGN KEY (egg) REFERENCES egg DEFERRABLE;
    CREATE TABLE parts (organisation_id uuid NOT NULL, at timestamptz NOT NULL, note text) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
    CREATE TABLE small (organisation_id uuid NOT NULL, kind kind NOT NULL, UNIQUE (organisation_id, kind));
    ALTER TABLE people ENABLE ROW LEVEL SECURITY;
    ALTER TABLE people FORCE ROW LEVEL SECURITY;
";

/// Rows that the server refuses, now and then or always, and a type of which nobody knows a value.
const REFUSED: &str = "
    CREATE TABLE odd (organisation_id uuid NOT NULL, id int NOT NULL, place point NOT NULL, h int[] NOT NULL,
        PRIMARY KEY (organisation_id, id));
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id % 100 = 7 THEN RAISE 'no sevens'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE TABLE never (organisation_id uuid NOT NULL, id uuid NOT NULL);
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never ever'; END $$;
    CREATE TRIGGER never BEFORE INSERT ON never FOR EACH ROW EXECUTE FUNCTION never();
    CREATE TABLE unknown (organisation_id uuid NOT NULL, tree pg_node_tree NOT NULL);
";

async fn local() -> Server {
    let request = ServerRequest {
        choice: ServerChoice::Local,
        ..ServerRequest::default()
    };
    server::start(&request).await.unwrap()
}

async fn seeded(server: &Server, schema: &str, output: Option<&Path>) -> Seeded {
    let url = server.url(server.administrator(), server.maintenance_database());
    seeded_at(url, schema, output).await
}

async fn seeded_at(url: String, schema: &str, output: Option<&Path>) -> Seeded {
    let amount = [("rows", "300"), ("organisations", "3")];
    try_seeded(url, schema, output, &amount).await.unwrap()
}

async fn try_seeded(
    url: String,
    schema: &str,
    output: Option<&Path>,
    more: &[(&'static str, &str)],
) -> watertight::Result<Seeded> {
    let folder = Folder::new(&[
        ("watertight.toml", "[tenant]\ntable = \"public.orgs\"\n"),
        ("migrations/0001_all.sql", schema),
    ]);
    let mut options = vec![
        ("server", vec![url]),
        ("seed", vec![SEED.to_owned()]),
        ("migrate_as", vec!["superuser".to_owned()]),
    ];
    options.extend(
        more.iter()
            .map(|(name, value)| (*name, vec![(*value).to_owned()])),
    );
    let settings = config::load(CommandLine {
        config: Some(folder.path().join("watertight.toml")),
        options,
        command: Vec::new(),
    })?;
    Harness::new(settings)
        .seed_database(output, &|_| {}, &|_| {})
        .await
}

fn table<'s>(seeded: &'s Seeded, name: &str) -> &'s Filled {
    let mut tables = seeded.tables.iter();
    tables.find(|table| table.table.name == name).unwrap()
}

/// The URL in the first line of how the database is opened.
fn url(seeded: &Seeded) -> &str {
    seeded.opened[0]
        .trim_start_matches("psql '")
        .trim_end_matches('\'')
}

async fn open(seeded: &Seeded) -> PgConnection {
    PgConnection::connect(url(seeded)).await.unwrap()
}

async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(connection).await.unwrap().get(0)
}

/// A digest of all rows of each table, in no order.
async fn digests(connection: &mut PgConnection, seeded: &Seeded) -> Vec<String> {
    let mut found = Vec::new();
    for table in &seeded.tables {
        let name = table.table.quoted();
        let sql = format!(
            "SELECT '{name} ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {name} t"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await;
        found.push(row.unwrap().get(0));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_as_many_as_asked_for_or_it_is_said_why() {
    let server = local().await;
    let seeded = seeded(&server, &format!("{SCHEMA}{REFUSED}"), None).await;
    let short: Vec<String> = seeded
        .tables
        .iter()
        .filter(|table| table.rows < table.asked)
        .map(|table| {
            let why = table.why.as_deref().unwrap_or_default();
            format!("{} {}/{}: {why}", table.table.name, table.rows, table.asked)
        })
        .collect();
    assert_eq!(
        short,
        [
            "never 0/900: never ever",
            "odd 891/900: no sevens",
            "small 9/900: small_organisation_id_kind_key leaves 9 rows",
            "unknown 0/900: column public.unknown.tree: no values are known for the type pg_node_tree: give some under \
             [generate.types] in watertight.toml",
        ],
        "{seeded:#?}"
    );
    let mut connection = open(&seeded).await;
    for table in &seeded.tables {
        let sql = format!("SELECT count(*) FROM {}", table.table.quoted());
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await;
        let there: i64 = row.unwrap().get(0);
        assert_eq!(u64::try_from(there).unwrap(), table.rows, "{}", table.table);
    }
    assert_eq!(table(&seeded, "orgs").rows, 3);
    // Circles are closed, in both ways; optional references are mostly there.
    let closed = "SELECT count(*) FROM left_side WHERE other IS NOT NULL";
    assert!(count(&mut connection, closed).await > 600);
    assert!(count(&mut connection, "SELECT count(boss_id) FROM people").await > 600);
    // Some have many children, most have few.
    let most =
        "SELECT max(n) FROM (SELECT count(*) n FROM phones GROUP BY organisation_id, person_id) q";
    assert!(count(&mut connection, most).await > 5);
    // E-mails are of the people whose names stand beside them, and no accent is left in them.
    let strangers = "SELECT count(*) FROM people WHERE first_name ~ '^[A-Za-z]+$' AND email NOT LIKE lower(first_name) || '.%'";
    assert_eq!(count(&mut connection, strangers).await, 0);
    assert!(
        count(
            &mut connection,
            "SELECT count(*) FROM people WHERE first_name ~ '^[A-Za-z]+$'"
        )
        .await
            > 500
    );
    // Forced policies are forced again.
    let forced = "SELECT count(*) FROM pg_class WHERE relname = 'people' AND relforcerowsecurity";
    assert_eq!(count(&mut connection, forced).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_come_again_also_from_files() {
    let server = local().await;
    let first = seeded(&server, SCHEMA, None).await;
    let second = seeded(&server, SCHEMA, None).await;
    let expected = digests(&mut open(&first).await, &first).await;
    assert_eq!(digests(&mut open(&second).await, &second).await, expected);
    assert!(expected.len() > 12);
    let folder = Folder::new(&[]);
    let written = seeded(&server, SCHEMA, Some(&folder.path().join("rows"))).await;
    assert!(written.opened.is_empty(), "no database is left");
    let mut maintenance = open(&first).await;
    sqlx::raw_sql("CREATE DATABASE again")
        .execute(&mut maintenance)
        .await
        .unwrap();
    let url = server.url(server.administrator(), "again");
    psql::paste(&url, SCHEMA);
    let script = format!(
        "\\cd {}\n\\i load.sql\n",
        folder.path().join("rows").display()
    );
    psql::paste(&url, &script);
    let mut again = PgConnection::connect(&url).await.unwrap();
    assert_eq!(digests(&mut again, &first).await, expected);
}

/// One table whose policies hold for its owner too.
const FORCED: &str = "
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE firms (organisation_id uuid NOT NULL REFERENCES orgs, id bigint NOT NULL, siren text NOT NULL,
        siret text NOT NULL UNIQUE, PRIMARY KEY (organisation_id, id));
    ALTER TABLE firms ENABLE ROW LEVEL SECURITY;
    ALTER TABLE firms FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON firms USING (organisation_id = nullif(current_setting('app.org', true), '')::uuid);
";

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_no_superuser_fills_forced_tables_and_leaves_them_forced() {
    let server = local().await;
    let administrator = server.url(server.administrator(), server.maintenance_database());
    let mut maintenance = PgConnection::connect(&administrator).await.unwrap();
    sqlx::raw_sql("CREATE ROLE plain LOGIN CREATEDB CREATEROLE PASSWORD 'p'")
        .execute(&mut maintenance)
        .await
        .unwrap();
    let (host, port) = server.tcp();
    let url = format!("postgres://plain:p@{host}:{port}/postgres");
    let seeded = seeded_at(url, FORCED, None).await;
    assert_eq!(table(&seeded, "firms").rows, 900, "{seeded:?}");
    let database = url_of_database(&administrator, &seeded);
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let forced = "SELECT count(*) FROM pg_class WHERE relname = 'firms' AND relforcerowsecurity";
    assert_eq!(count(&mut connection, forced).await, 1);
    assert_eq!(
        count(&mut connection, "SELECT count(*) FROM firms").await,
        900
    );
    // An establishment's number begins with its company's.
    let strangers = "SELECT count(*) FROM firms WHERE siret NOT LIKE siren || '_____'";
    assert_eq!(count(&mut connection, strangers).await, 0);
}

/// Companies with and without a number in the register; several establishments each, one of which is the main one.
const REGISTERED: &str = "
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, name text NOT NULL, siren text);
    CREATE TABLE firms (organisation_id uuid NOT NULL REFERENCES orgs, id bigint NOT NULL, siren char(9),
        PRIMARY KEY (organisation_id, id), UNIQUE (organisation_id, siren));
    CREATE TABLE sites (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, firm_id bigint NOT NULL,
        siret text NOT NULL CHECK (siret ~ '^[0-9]{14}$'), is_main boolean NOT NULL,
        FOREIGN KEY (organisation_id, firm_id) REFERENCES firms, UNIQUE (organisation_id, siret));
    CREATE UNIQUE INDEX ON sites (organisation_id, firm_id) WHERE is_main;
    CREATE TABLE depots (organisation_id uuid NOT NULL, id uuid PRIMARY KEY, firm_id bigint, siret text UNIQUE,
        FOREIGN KEY (organisation_id, firm_id) REFERENCES firms);
    CREATE VIEW pairs AS SELECT f.siren, s.siret FROM firms f JOIN (SELECT organisation_id, firm_id, siret FROM sites
        UNION ALL SELECT organisation_id, firm_id, siret FROM depots) s
        ON s.organisation_id = f.organisation_id AND s.firm_id = f.id;
";

#[tokio::test(flavor = "multi_thread")]
async fn establishments_have_numbers_of_the_company_that_they_belong_to() {
    let server = local().await;
    let seeded = seeded(&server, REGISTERED, None).await;
    let mut connection = PgConnection::connect(url(&seeded)).await.unwrap();
    for of in ["sites", "depots"] {
        assert_eq!(table(&seeded, of).rows, 900, "{seeded:?}");
    }
    let strangers = "SELECT count(*) FROM pairs WHERE siret NOT LIKE siren || '_____'";
    assert_eq!(count(&mut connection, strangers).await, 0);
    let under = "SELECT count(*) FROM pairs WHERE siret LIKE siren || '_____'";
    assert!(count(&mut connection, under).await > 900);
}

/// Numbers that sequences give: up and down, by a default of its own, and one that migrations left rows of.
const NUMBERED: &str = "
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE notes (organisation_id uuid NOT NULL REFERENCES orgs, id bigserial PRIMARY KEY,
        line int GENERATED ALWAYS AS IDENTITY UNIQUE, body text);
    CREATE SEQUENCE down INCREMENT -1 START -1;
    CREATE SEQUENCE \"Ticket No\" START 5;
    CREATE TABLE tickets (organisation_id uuid NOT NULL REFERENCES orgs, id int PRIMARY KEY DEFAULT nextval('down'),
        number numeric NOT NULL UNIQUE DEFAULT nextval('\"Ticket No\"'));
    CREATE TABLE colours (id smallserial PRIMARY KEY, name text NOT NULL);
    INSERT INTO colours (name) SELECT 'colour ' || n FROM generate_series(1, 9) n;
";

#[tokio::test(flavor = "multi_thread")]
async fn an_application_goes_on_inserting_where_the_rows_end() {
    let server = local().await;
    let insert =
        "INSERT INTO notes (organisation_id, body) SELECT organisation_id, 'new' FROM orgs;
        INSERT INTO tickets (organisation_id) SELECT organisation_id FROM orgs;
        INSERT INTO colours (name) VALUES ('new');";
    let first = seeded(&server, NUMBERED, None).await;
    psql::paste(url(&first), insert);
    let mut connection = open(&first).await;
    assert_eq!(
        count(&mut connection, "SELECT count(*) FROM notes").await,
        903
    );
    let colours = count(&mut connection, "SELECT max(id)::int8 FROM colours").await;
    assert_eq!(colours, 10, "what migrations counted goes on");
    // Files set them, too.
    let folder = Folder::new(&[]);
    seeded(&server, NUMBERED, Some(&folder.path().join("rows"))).await;
    sqlx::raw_sql("CREATE DATABASE again")
        .execute(&mut connection)
        .await
        .unwrap();
    let again = server.url(server.administrator(), "again");
    psql::paste(&again, NUMBERED);
    let rows = folder.path().join("rows");
    psql::paste(
        &again,
        &format!("\\cd {}\n\\i load.sql\n{insert}", rows.display()),
    );
}

/// The seeded database by the administrator's URL.
fn url_of_database(administrator: &str, seeded: &Seeded) -> String {
    let (server, _) = administrator.rsplit_once('/').unwrap();
    let (_, name) = url(seeded).rsplit_once('/').unwrap();
    format!("{server}/{name}")
}
