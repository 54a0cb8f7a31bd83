//! Servers given by URL.

use sqlx::{Connection, PgConnection};
use watertight::Error;
use watertight::server::{self, Login, ServerRequest};

use super::{local, refused, request, value};

#[tokio::test]
async fn a_server_by_url_is_checked_first_and_left_as_it_is() {
    let ours = local().await;
    let url = ours.url(ours.administrator(), "postgres");
    let given = server::start(&request(&url)).await.unwrap();
    assert_eq!((given.kind(), given.is_superuser()), ("external", true));
    assert_eq!(given.tcp(), ours.tcp());
    assert!(
        given.chosen().contains("postgres://postgres:***@127.0.0.1"),
        "{given:?}"
    );
    let login = given.administrator().clone();
    assert_eq!(Some(&login), Some(ours.administrator()));
    let mut connection = PgConnection::connect_with(&given.options(&login, "template1"))
        .await
        .unwrap();
    assert_eq!(
        value(&mut connection, "SELECT current_database()::text").await,
        "template1"
    );
    connection.close().await.unwrap();
    PgConnection::connect(&given.url(&login, "template1"))
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    given.stop().await.unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "CREATE ROLE plain LOGIN PASSWORD 'secret'; CREATE ROLE half LOGIN CREATEDB PASSWORD 'secret';
         CREATE ROLE \"En ough\" LOGIN CREATEDB CREATEROLE PASSWORD 'secret'",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let login = |role: &str, password: &str| Login {
        role: role.to_owned(),
        password: Some(password.to_owned()),
    };
    for (login, parts) in [
        (
            login("plain", "secret"),
            [
                "CREATEDB and CREATEROLE",
                "ALTER ROLE plain CREATEDB CREATEROLE",
            ],
        ),
        (
            login("half", "secret"),
            ["lacks CREATEROLE", "ALTER ROLE half CREATEROLE"],
        ),
        (
            login("plain", "mistaken"),
            ["plain:***@", "password authentication failed"],
        ),
    ] {
        let error = refused(request(&ours.url(&login, "postgres"))).await;
        assert!(matches!(error, Error::NoServer(_)), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert!(
            !error.to_string().contains("secret") && !error.to_string().contains("mistaken"),
            "{error}"
        );
    }
    let enough = server::start(&request(&ours.url(&login("En ough", "secret"), "postgres")))
        .await
        .unwrap();
    assert!(!enough.is_superuser());
    drop(enough);
    let error = refused(ServerRequest {
        version: Some(99),
        ..request(&url)
    })
    .await;
    assert!(error.to_string().contains("99 was asked for"), "{error}");
    PgConnection::connect(&url)
        .await
        .expect("the server given by URL still runs")
        .close()
        .await
        .unwrap();
    ours.stop().await.unwrap();
}
