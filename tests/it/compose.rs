//! The reference database by `docker compose`, where `WATERTIGHT_TEST_DOCKER=1` says that there is an engine: what
//! `fixtures/compose/` starts is there through both ports, and nothing stays.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::command_line::text;
use crate::psql::paste;
use crate::reference::root;
use crate::server::becomes_within;
use crate::server::containers::{containers, docker_wanted};

/// One project of its own, on ports of its own; removed however the test ends.
struct Project {
    name: String,
    ports: [u16; 2],
}

impl Project {
    fn new() -> Self {
        // Both at once, so that they differ.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Self {
            name: format!("watertight-test-{}", std::process::id()),
            ports: free.map(|listener| listener.local_addr().unwrap().port()),
        }
    }

    /// By the plugin of Docker's command line, or by the program of Debian's package `docker-compose`.
    fn compose(&self, arguments: &[&str]) {
        let has_plugin = Command::new("docker")
            .args(["compose", "version"])
            .output()
            .is_ok_and(|output| output.status.success());
        let mut command = Command::new(if has_plugin {
            "docker"
        } else {
            "docker-compose"
        });
        if has_plugin {
            command.arg("compose");
        }
        let [postgres, pooler] = self.ports.map(|port| port.to_string());
        let output = command
            .arg("--file")
            .arg(root().join("fixtures/compose/compose.yaml"))
            .args(arguments)
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("POSTGRES_IMAGE", image())
            .env("POSTGRES_PORT", postgres)
            .env("POOLER_PORT", pooler)
            .output()
            .expect("install `docker compose` or `docker-compose` for this test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    fn label(&self) -> String {
        format!("label=com.docker.compose.project={}", self.name)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if !containers(&self.label()).is_empty() {
            self.compose(&["down", "--volumes", "--rmi", "local"]);
        }
    }
}

/// The one that `cargo xtask image` builds, where it is there; else the official one.
fn image() -> &'static str {
    let built = "watertight-postgres:18";
    let inspected = Command::new("docker")
        .args(["image", "inspect", built])
        .output();
    if inspected.is_ok_and(|output| output.status.success()) {
        built
    } else {
        "postgres:18"
    }
}

fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}:development@127.0.0.1:{port}/{database}")
}

/// The ids of volumes or networks with this label.
fn listed(kind: &str, label: &str) -> String {
    let output = Command::new("docker")
        .args([kind, "ls", "--quiet", "--filter", label])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn compose_starts_what_up_starts_and_removes_it() {
    if !docker_wanted() {
        return;
    }
    let project = Project::new();
    project.compose(&["up", "--detach", "--build"]);
    let label = project.label();
    let healthy = || {
        let healthy = Command::new("docker")
            .args(["ps", "--quiet", "--filter", &label])
            .args(["--filter", "health=healthy"])
            .output();
        text(&healthy.unwrap().stdout).lines().count() == 2
    };
    assert!(becomes_within(Duration::from_mins(2), healthy));

    let [direct, pooled] = project.ports;
    let admin = url("postgres", direct, "development");
    let rows = "SELECT count(*) FROM iam.organisations; SELECT count(*) FROM crm.people; \
                SELECT min(id::text) FROM iam.organisations";
    let [organisations, people, organisation] = paste(&admin, rows).try_into().unwrap();
    assert_eq!((&*organisations, &*people), ("3", "24"));
    // The application sees one organisation in its transaction, and nobody's rows outside of it.
    let seen = paste(
        &url("app", pooled, "development"),
        &format!(
            "BEGIN; SELECT set_config('app.organisation_id', '{organisation}', true);
             SELECT string_agg(DISTINCT organisation_id::text, ' '), count(*) FROM crm.people; COMMIT;
             SELECT count(*) FROM crm.people"
        ),
    );
    let own = format!("{organisation}|8");
    assert_eq!(seen, ["BEGIN", &organisation, &own, "COMMIT", "0"]);
    let settings = paste(&url("postgres", pooled, "pgbouncer"), "SHOW CONFIG");
    assert!(
        settings
            .iter()
            .any(|line| line.starts_with("pool_mode|transaction|"))
    );

    project.compose(&["down", "--volumes", "--rmi", "local"]);
    assert!(containers(&label).is_empty());
    assert_eq!(listed("volume", &label) + &listed("network", &label), "");
}
