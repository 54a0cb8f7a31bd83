//! Servers that processes share end by themselves.

use std::process::Command;
use std::time::Duration;

use watertight::server::{self, Shared};

use super::{becomes, entry, folder, local, postmaster, request, runs};

const SHORT: Duration = Duration::from_secs(1);

async fn share(key: &str) -> Shared {
    server::share(&request("local"), key, SHORT).await.unwrap()
}

#[tokio::test]
async fn it_is_one_server_for_all_who_ask_with_its_key_and_ends_when_nobody_uses_it() {
    let first = share("ends").await;
    let folder = folder(&first.server);
    let pid = postmaster(&folder);
    let (second, unused) = tokio::join!(share("ends"), share("unused"));
    assert_eq!(super::folder(&second.server), folder);
    let other = postmaster(&super::folder(&unused.server));
    assert_ne!(other, pid);
    drop((first, unused));
    // By the time that one without a user ends, one with a user has not, and no start takes it for a dead one's.
    assert!(becomes(|| !runs(other)));
    local().await.stop().await.unwrap();
    assert!(runs(pid));
    drop(second);
    assert!(becomes(|| !runs(pid) && !folder.join("data").exists()));
    // What is left of it goes with the next start.
    local().await.stop().await.unwrap();
    assert!(becomes(|| !folder.exists() && !entry(&folder).exists()));
}

#[tokio::test]
async fn one_that_was_killed_is_replaced() {
    let first = share("killed").await;
    let folder = folder(&first.server);
    let pid = postmaster(&folder);
    let killed = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert!(becomes(|| !runs(pid)));
    let second = share("killed").await;
    assert_ne!(super::folder(&second.server), folder);
}
