//! Tables that several connections load beside each other.

use sqlx::{Connection as _, PgConnection};
use watertight::harness::Seeded;
use watertight::server::Server;

use super::{SCHEMA, count, digests, local, open, try_seeded, url};
use crate::psql;

/// Rows of which the server refuses some, as an expression of another one is the same, and a trigger that counts.
const MEETING: &str = "
    CREATE TABLE halves (organisation_id uuid NOT NULL REFERENCES orgs, id uuid PRIMARY KEY, code int NOT NULL
        CHECK (code BETWEEN 0 AND 1000000));
    CREATE UNIQUE INDEX halves_meet ON halves ((code / 4));
    CREATE TABLE counted (organisation_id uuid NOT NULL REFERENCES orgs, id uuid PRIMARY KEY, place int);
    CREATE FUNCTION next_place() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.place := (SELECT coalesce(max(place), 0) + 1 FROM counted); RETURN NEW; END $$;
    CREATE INDEX ON counted (place);
    CREATE TRIGGER next_place BEFORE INSERT ON counted FOR EACH ROW EXECUTE FUNCTION next_place();
";

/// No disk is left for the rows of one of the organisations.
const FULL: &str = "
    CREATE TABLE orgs (organisation_id uuid PRIMARY KEY, name text NOT NULL);
    CREATE FUNCTION room(organisation uuid) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN
            IF organisation::text = (SELECT max(organisation_id::text) FROM public.orgs) THEN
                RAISE 'no space left' USING ERRCODE = 'disk_full';
            END IF;
            RETURN organisation;
        END $$;
    CREATE TABLE notes (organisation_id uuid NOT NULL REFERENCES orgs, id uuid PRIMARY KEY, body text);
    CREATE INDEX ON notes (room(organisation_id));
";

async fn by(server: &Server, schema: &str, jobs: &str) -> watertight::Result<Seeded> {
    let url = server.url(server.administrator(), server.maintenance_database());
    let amount = [("rows", "1600"), ("organisations", "2"), ("jobs", jobs)];
    try_seeded(url, schema, None, &amount).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_are_the_same_by_however_many_lanes() {
    let server = local().await;
    let schema = format!("{SCHEMA}{MEETING}");
    let one = by(&server, &schema, "1").await.unwrap();
    let mut connection = open(&one).await;
    let expected = digests(&mut connection, &one).await;
    // Each lane's rows have a transaction of their own.
    let writers = "SELECT count(DISTINCT xmin::text) FROM phones";
    assert_eq!(count(&mut connection, writers).await, 1);
    for jobs in ["2", "3"] {
        let several = by(&server, &schema, jobs).await.unwrap();
        let mut connection = open(&several).await;
        assert_eq!(digests(&mut connection, &several).await, expected, "{jobs}");
        psql::paste(url(&several), include_str!("../schemas/revalidate.sql"));
        let lanes: i64 = jobs.parse().unwrap();
        assert_eq!(count(&mut connection, writers).await, lanes);
    }
    // Rows were refused, and that is said.
    let mut tables = one.tables.iter();
    let halves = tables.find(|table| table.table.name == "halves").unwrap();
    assert!((3_000..halves.asked).contains(&halves.rows), "{halves:?}");
    assert!(halves.why.as_deref().unwrap().contains("halves_meet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_one_lane_leaves_no_database() {
    let server = local().await;
    let error = by(&server, FULL, "2").await.unwrap_err().to_string();
    assert!(error.contains("no space left"), "{error}");
    let administrator = server.url(server.administrator(), server.maintenance_database());
    let mut maintenance = PgConnection::connect(&administrator).await.unwrap();
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'watertight%'";
    assert_eq!(count(&mut maintenance, left).await, 0);
}
