//! What owners leave that were killed, and what they keep.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use watertight::server;

use super::{becomes, entry, folder, local, postmaster, request, runs};

/// Tells this binary, run again, which server to own until it is killed.
const OWNER: &str = "WATERTIGHT_TEST_OWNER";

/// Not a test of its own: run again by others here, it owns a server until it is killed.
#[tokio::test]
async fn owner_for_others() {
    let Ok(choice) = std::env::var(OWNER) else {
        return;
    };
    if choice == "cleanable" {
        for line in server::cleanable().await.unwrap() {
            println!("\nCLEANABLE {line}");
        }
        for sign in server::examine().await.unwrap() {
            println!("\nSIGN {:?} {} {}", sign.state, sign.subject, sign.says);
        }
        return;
    }
    if choice == "clean" {
        for line in server::clean().await.unwrap() {
            println!("\nCLEANED {line}");
        }
        return;
    }
    let (choice, keep) = match choice.strip_suffix("+keep") {
        Some(choice) => (choice, true),
        None => (choice.as_str(), false),
    };
    println!("\nSTARTING");
    let server = server::start(&request(choice)).await.unwrap();
    println!("\nREADY {}", folder(&server).display());
    if keep {
        server.keep().unwrap();
        return;
    }
    std::future::pending::<()>().await;
}

/// This binary once more, as the owner of a server.
pub(crate) fn owner(choice: &str, user: Option<u32>) -> (Child, impl Iterator<Item = String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "server::leftovers::owner_for_others",
            "--nocapture",
        ])
        .env(OWNER, choice)
        .current_dir("/")
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    (child, lines)
}

pub(crate) fn said(lines: &mut impl Iterator<Item = String>, word: &str) -> String {
    let line = lines.find_map(|line| line.strip_prefix(word).map(|rest| rest.trim().to_owned()));
    line.unwrap_or_else(|| panic!("the owner did not say {word}"))
}

#[tokio::test]
async fn what_a_killed_owner_left_is_removed_by_the_next_start() {
    let (mut child, mut lines) = owner("local", None);
    let folder = PathBuf::from(said(&mut lines, "READY"));
    let pid = postmaster(&folder);
    // As long as its owner lives, nobody touches it.
    local().await.stop().await.unwrap();
    assert!(runs(pid) && folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    local().await.stop().await.unwrap();
    // Another test's start may be at it at the same time.
    assert!(becomes(|| !runs(pid)
        && !folder.exists()
        && !entry(&folder).exists()));
}

#[tokio::test]
async fn an_owner_killed_while_it_starts_leaves_nothing_for_good() {
    let server = local().await;
    let registry = folder(&server).parent().unwrap().to_owned();
    for pause in [0, 3, 8, 15, 25, 40, 60, 90] {
        let (mut child, mut lines) = owner("local", None);
        said(&mut lines, "STARTING");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    local().await.stop().await.unwrap();
    assert!(
        becomes(|| ownerless(&registry).is_empty()),
        "left in {}: {:?}",
        registry.display(),
        ownerless(&registry)
    );
    server.stop().await.unwrap();
}

/// Entries whose lock is free, folders without an entry, and servers without a folder.
fn ownerless(registry: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(registry)
        .unwrap()
        .flatten()
        .map(|file| file.path())
    {
        let locked = |path: &Path| File::open(path).is_ok_and(|file| file.try_lock().is_err());
        // A server that is shared waits for its next user.
        let kept = fs::read_to_string(&file)
            .is_ok_and(|text| text.contains("kept") || text.contains("shared "));
        // What tests tell each other of migrations is forgotten in a day.
        let told = file.extension().is_some_and(|ending| ending == "known");
        let owned = if told {
            true
        } else if file.extension().is_some() {
            locked(&file)
        } else {
            entry(&file).exists()
        };
        if file.exists() && !owned && !kept {
            found.push(file.display().to_string());
        }
    }
    let output = Command::new("ps")
        .args(["-axww", "-o", "pid=,args="])
        .output()
        .unwrap();
    let view = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // Another test has a view of the files of its own, and its servers have their folders there.
        let pid = line.split_whitespace().next().unwrap_or_default();
        if view(pid).is_some_and(|of| Some(of) != view("self")) {
            continue;
        }
        let data = line
            .split_once("-D ")
            .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
        if data
            .is_some_and(|data| Path::new(data).starts_with(registry) && !Path::new(data).exists())
        {
            found.push(line.to_owned());
        }
    }
    found
}

/// As root, all of this as an ordinary user too; as an ordinary user the other tests have shown it.
#[tokio::test]
async fn an_ordinary_user_has_servers_and_keeps_and_cleans_them() {
    let nobody = 65534;
    if fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        return;
    }
    let (mut child, mut lines) = owner("local", Some(nobody));
    let folder = PathBuf::from(said(&mut lines, "READY"));
    let pid = postmaster(&folder);
    assert_eq!(fs::metadata(&folder).unwrap().uid(), nobody);
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, mut lines) = owner("local+keep", Some(nobody));
    let kept = PathBuf::from(said(&mut lines, "READY"));
    assert!(child.wait().unwrap().success());
    assert!(
        !runs(pid) && !folder.exists(),
        "the next start removes what the killed one left"
    );

    let (mut child, mut lines) = owner("local", Some(nobody));
    said(&mut lines, "READY");
    assert!(
        runs(postmaster(&kept)),
        "a start leaves alone what was kept"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let kept_pid = postmaster(&kept);
    // What is only looked at stays.
    let (mut child, lines) = owner("cleanable", Some(nobody));
    let lines: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success());
    let process = format!("process postgres {kept_pid}");
    for word in [
        format!("CLEANABLE {process}"),
        format!("CLEANABLE {}", kept.display()),
        format!("SIGN Note leftovers kept: {process}"),
        "SIGN Well binaries PostgreSQL ".to_owned(),
        "SIGN Well locks ".to_owned(),
        "SIGN Well sockets ".to_owned(),
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(&word)),
            "{word}: {lines:?}"
        );
    }
    assert!(runs(kept_pid) && kept.exists());

    let (mut child, lines) = owner("clean", Some(nobody));
    let cleaned: Vec<String> = lines.filter(|line| line.starts_with("CLEANED")).collect();
    assert!(child.wait().unwrap().success());
    assert!(
        cleaned
            .iter()
            .any(|line| line.contains(&format!("ended postgres {kept_pid}"))),
        "{cleaned:?}"
    );
    assert!(!runs(kept_pid) && !kept.exists());
    assert!(ownerless(kept.parent().unwrap()).is_empty());
}
