//! Schemas in the styles of real products: the harness makes rows for all of them, and finds what is there and no more.

use std::path::{Path, PathBuf};

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use watertight::model::{RunVerdict, Settings};
use watertight::server::Server;
use watertight::{Harness, introspect, tenancy};

use crate::fixture::{Fixture, lines};
use crate::{psql, server};

#[rstest]
#[tokio::test]
async fn a_schema_is_judged_as_its_style_deserves(
    #[files("fixtures/schemas/*.sql")] path: PathBuf,
    // The second seed is another than the fixtures': what holds by luck is seen.
    #[values(None, Some("0123456789abcdef@1767225600"))] seed: Option<&str>,
) {
    // A server of the test's own, given by URL: it ends with the test, whatever is kept on it.
    judge(&path, seed, server::local().await).await;
}

/// What an older server can't read: in a container, where `WATERTIGHT_TEST_DOCKER=1` says that there is an engine.
#[rstest]
#[tokio::test]
async fn a_schema_of_postgres_18_is_judged_as_well(
    #[files("fixtures/schemas/18/*.sql")] path: PathBuf,
    #[values(None, Some("0123456789abcdef@1767225600"))] seed: Option<&str>,
) {
    if std::env::var("WATERTIGHT_TEST_DOCKER").is_ok_and(|value| value == "1") {
        let mut request = crate::server::request("docker");
        request.version = Some(18);
        let server = watertight::server::start(&request).await.unwrap();
        judge(&path, seed, server).await;
    }
}

async fn judge(path: &Path, seed: Option<&str>, server: Server) {
    let fixture = Fixture::read(path);
    let url = server.url(server.administrator(), server.maintenance_database());
    let mut settings = fixture.settings(&url);
    settings.run.keep = true;
    if let Some(seed) = seed {
        settings.run.seed = Some(seed.to_owned());
    }
    let report = Harness::new(settings.clone()).run(&|_| {}).await.unwrap();
    assert_eq!(
        lines(&report),
        fixture.expected,
        "left: what was found; right: what the fixture expects\n{:#?}\n{:#?}",
        report.findings,
        report.inconclusive
    );
    let leaky = path
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .ends_with("-leaky");
    let expected = if leaky {
        RunVerdict::Leaked
    } else {
        RunVerdict::Held
    };
    assert_eq!(report.verdict(), expected);
    let kept = psql::kept(&report);
    psql::paste(&kept, include_str!("schemas/revalidate.sql"));
    assert_everybody_has_rows_everywhere(&kept, &settings).await;
    server.stop().await.unwrap();
}

/// Every organisation has rows in every table whose rows belong to one.
async fn assert_everybody_has_rows_everywhere(url: &str, settings: &Settings) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let catalog = introspect::introspect(&mut connection).await.unwrap();
    let tenancy = tenancy::classify(&catalog, &settings.tenant, None).unwrap();
    for table in tenancy.owned() {
        let of = tenancy.tenant_expression(&catalog, table, "t").unwrap();
        let sql = format!("SELECT count(DISTINCT {of}) FROM {} t", table.quoted());
        let row = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let organisations: i64 = row.get(0);
        assert!(
            organisations >= i64::try_from(settings.run.organisations).unwrap(),
            "{table} has rows of {organisations} organisations"
        );
    }
}
