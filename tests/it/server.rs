//! The server room, on real servers.
use sqlx::Connection;
use std::time::Instant;
use watertight::server::{self, ServerChoice, ServerRequest};

#[tokio::test]
async fn quick() {
    for choice in [
        ServerChoice::Local,
        ServerChoice::Local,
        ServerChoice::Docker,
        ServerChoice::Auto,
    ] {
        let t = Instant::now();
        let s = server::start(&ServerRequest {
            choice,
            ..Default::default()
        })
        .await
        .unwrap();
        println!("{} in {:?}", s.chosen(), t.elapsed());
        println!(
            "{} {:?}",
            s.url(s.administrator(), "postgres"),
            s.options(s.administrator(), "postgres").get_socket()
        );
        let t = Instant::now();
        let mut c = sqlx::PgConnection::connect(&s.url(s.administrator(), "postgres"))
            .await
            .unwrap();
        let x: String = sqlx::query_scalar("select string_agg(name || '=' || setting, ' ') from pg_settings where source not in ('default','client','session')").fetch_one(&mut c).await.unwrap();
        println!("{x} {:?}", t.elapsed());
        println!("{}", s.log_tail().unwrap());
        let t = Instant::now();
        s.stop().await.unwrap();
        println!("stopped in {:?}", t.elapsed());
    }
}
