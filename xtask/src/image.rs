//! `cargo xtask image`: a Postgres image from Debian's packages, with the interface of the official one.
//!
//! mmdebstrap (or debootstrap) makes the tree, `finish.sh` turns it into an image's, `docker build` adds the
//! metadata. Nothing is pulled. An image that the same recipe made is not built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

const DOCKERFILE: &str = include_str!("../../fixtures/image/Dockerfile");
const ENTRYPOINT: &str = include_str!("../../fixtures/image/entrypoint.sh");
const FINISH: &str = include_str!("../../fixtures/image/finish.sh");

/// Debian's suites, and the one major version that each carries.
const SUITES: [(u32, &str); 3] = [(15, "bookworm"), (17, "trixie"), (18, "forky")];

/// What stands in front of it in `fixtures/compose/`: a few hundred kB.
const POOLER: &str = "pgbouncer";

/// Keeps Debian's package from making and starting a cluster for the machine.
const NO_CLUSTER: &str = "mkdir -p \"$1/etc/postgresql-common\" && \
                          echo 'create_main_cluster = false' > \"$1/etc/postgresql-common/createcluster.conf\"";

/// Which image, and from where.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The major version
    #[arg(long, value_name = "MAJOR", default_value_t = 18)]
    postgres: u32,
    /// Debian's suite [default: the one that carries the version]
    #[arg(long)]
    suite: Option<String>,
    /// Debian's mirror [default: the one that this machine's apt uses]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// The image's name [default: watertight-postgres:MAJOR]
    #[arg(long, value_name = "NAME:TAG")]
    tag: Option<String>,
    /// Take a suite whose Release file has expired, as that of a snapshot has
    #[arg(long)]
    allow_expired: bool,
    /// Build even where the same recipe has made the image already
    #[arg(long)]
    force: bool,
    /// Install mmdebstrap by apt-get where neither it nor debootstrap is there
    #[arg(long)]
    install_tools: bool,
}

/// What makes the tree.
enum Tool {
    Mmdebstrap,
    Debootstrap,
}

/// A build in its own folder, which is removed with it.
struct Build<'a> {
    options: &'a Options,
    suite: String,
    mirror: String,
    folder: PathBuf,
}

/// Builds the image, or says that it is there.
///
/// # Errors
/// What went wrong and what would help.
pub(crate) fn build(options: &Options) -> Result<(), String> {
    let major = options.postgres;
    let tag = options
        .tag
        .clone()
        .unwrap_or_else(|| format!("watertight-postgres:{major}"));
    let suite = suite(options)?;
    let recipe = recipe(major, &suite);
    run(
        Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]),
        "reach Docker",
    )?;
    if !options.force && label(&tag).as_deref() == Some(recipe.as_str()) {
        println!("{tag} is there, by this recipe ({})", &recipe[..12]);
        return Ok(());
    }
    let tool = tool(options)?;
    let mirror = options
        .mirror
        .clone()
        .map_or_else(mirror_of_this_machine, Ok)?;
    let folder = std::env::temp_dir().join(format!("watertight-image-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let build = Build {
        options,
        suite,
        mirror,
        folder,
    };
    println!(
        "building {tag}: PostgreSQL {major} of Debian {}",
        build.suite
    );
    build.write("Dockerfile", DOCKERFILE)?;
    build.write("entrypoint.sh", ENTRYPOINT)?;
    build.write("finish.sh", FINISH)?;
    run(
        Command::new("chmod")
            .arg("+x")
            .arg(build.folder.join("finish.sh")),
        "make the script executable",
    )?;
    match tool {
        Tool::Mmdebstrap => build.tree_by_mmdebstrap()?,
        Tool::Debootstrap => build.tree_by_debootstrap()?,
    }
    let replaced = image_id(&tag);
    build.image(&tag, &recipe)?;
    // An image that lost its name is of no use; one that a container still runs stays.
    if let Some(id) = replaced.filter(|id| image_id(&tag).as_ref() != Some(id)) {
        let _ = run(
            Command::new("docker").args(["image", "rm", &id]),
            "remove the image replaced",
        );
    }
    let version = run(
        Command::new("docker").args(["run", "--rm", &tag, "--version"]),
        "run the image",
    )?;
    println!("built {tag}: {}", version.trim());
    Ok(())
}

impl Build<'_> {
    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn package(&self) -> String {
        format!("postgresql-{}", self.options.postgres)
    }

    fn tree_by_mmdebstrap(&self) -> Result<(), String> {
        let mut command = Command::new("mmdebstrap");
        if is_root() {
            command.arg("--mode=root");
        }
        command.args(["--variant=essential", "--skip=cleanup/run"]);
        command.arg(format!("--include={},{POOLER}", self.package()));
        for folder in ["doc", "man", "info", "locale"] {
            command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
        }
        if self.options.allow_expired {
            command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        }
        command
            .arg(format!("--essential-hook={NO_CLUSTER}"))
            .arg(format!(
                "--customize-hook={}",
                self.folder.join("finish.sh").display()
            ))
            .arg(&self.suite)
            .arg(self.folder.join("rootfs.tar"))
            .arg(&self.mirror);
        self.with_environment(&mut command);
        run(&mut command, "make the tree by mmdebstrap")
            .map_err(|error| self.expired(error))
            .map(drop)
    }

    /// debootstrap's own resolver of dependencies is a simple one: it makes the base, and apt inside adds the rest.
    fn tree_by_debootstrap(&self) -> Result<(), String> {
        if !is_root() {
            return Err("debootstrap needs root; mmdebstrap does without".to_owned());
        }
        let tree = self.folder.join("tree");
        let mut command = Command::new("debootstrap");
        command
            .args(["--variant=minbase", &self.suite])
            .arg(&tree)
            .arg(&self.mirror);
        if !Path::new("/usr/share/debootstrap/scripts")
            .join(&self.suite)
            .exists()
        {
            // A suite younger than the program is made as the newest that it knows.
            command.arg("sid");
        }
        run(&mut command, "make the tree by debootstrap")?;
        let expired = format!(
            "-oAcquire::Check-Valid-Until={}",
            !self.options.allow_expired
        );
        let script = format!(
            "set -eu; {NO_CLUSTER}; cp /etc/resolv.conf \"$1/etc/resolv.conf\"
             mount -t proc proc \"$1/proc\"; trap 'umount \"$1/proc\"' EXIT
             printf '#!/bin/sh\\nexit 101\\n' > \"$1/usr/sbin/policy-rc.d\"; chmod +x \"$1/usr/sbin/policy-rc.d\"
             export DEBIAN_FRONTEND=noninteractive PATH=\"/usr/sbin:/usr/bin:/sbin:/bin:$PATH\"
             chroot \"$1\" apt-get {expired} update
             chroot \"$1\" apt-get install -y --no-install-recommends {} {POOLER}
             rm \"$1/usr/sbin/policy-rc.d\"
             rm -rf \"$1\"/tmp/* \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*
             \"$2/finish.sh\" \"$1\"
             umount \"$1/proc\"; trap - EXIT
             tar --numeric-owner -C \"$1\" -cf \"$2/rootfs.tar\" .",
            self.package()
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, "sh"])
            .arg(&tree)
            .arg(&self.folder);
        self.with_environment(&mut command);
        run(&mut command, "install Postgres in the tree")
            .map_err(|error| self.expired(error))
            .map(drop)
    }

    /// What `finish.sh` is told.
    fn with_environment(&self, command: &mut Command) {
        command
            .env("MAJOR", self.options.postgres.to_string())
            .env("ENTRYPOINT", self.folder.join("entrypoint.sh"));
    }

    fn expired(&self, error: String) -> String {
        if error.contains("is expired") && !self.options.allow_expired {
            format!(
                "{error}\nthe suite's Release file has expired, as a snapshot's does: --allow-expired takes it"
            )
        } else if error.contains("Unable to locate package") {
            format!(
                "{error}\nDebian {} does not carry {}: give another --suite",
                self.suite,
                self.package()
            )
        } else {
            error
        }
    }

    fn image(&self, tag: &str, recipe: &str) -> Result<(), String> {
        // Only what goes into the image is sent to the engine.
        let context = self.folder.join("context");
        fs::create_dir(&context)
            .and_then(|()| fs::rename(self.folder.join("rootfs.tar"), context.join("rootfs.tar")))
            .map_err(|error| format!("{}: {error}", context.display()))?;
        let mut command = Command::new("docker");
        command
            .args(["build", "--quiet", "--tag", tag])
            .args(["--build-arg", &format!("MAJOR={}", self.options.postgres)])
            .args(["--build-arg", &format!("RECIPE={recipe}")])
            .arg("--file")
            .arg(self.folder.join("Dockerfile"))
            .arg(&context);
        run(&mut command, "build the image").map(drop)
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn suite(options: &Options) -> Result<String, String> {
    if let Some(suite) = &options.suite {
        return Ok(suite.clone());
    }
    let major = options.postgres;
    SUITES.iter().find(|(carried, _)| *carried == major).map(|(_, suite)| (*suite).to_owned()).ok_or_else(|| {
        let known: Vec<String> = SUITES.iter().map(|(major, suite)| format!("{major} ({suite})")).collect();
        format!(
            "no Debian suite carries PostgreSQL {major}, only {}: use the official image `postgres:{major}` \
             (`docker save` and `docker load` carry it to a machine that can't pull), or name a --suite that has it",
            known.join(", ")
        )
    })
}

/// Tells a recipe from every other: what decides the image, but for the packages' minor versions.
fn recipe(major: u32, suite: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [
        major.to_string().as_str(),
        suite,
        DOCKERFILE,
        ENTRYPOINT,
        FINISH,
        include_str!("image.rs"),
    ] {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// The recipe that an image was made by, where it is there.
fn label(tag: &str) -> Option<String> {
    let format = "{{index .Config.Labels \"watertight.recipe\"}}";
    let mut command = Command::new("docker");
    command.args(["image", "inspect", "--format", format, tag]);
    run(&mut command, "look at the image")
        .ok()
        .map(|text| text.trim().to_owned())
}

fn image_id(tag: &str) -> Option<String> {
    run(
        Command::new("docker").args(["image", "inspect", "--format", "{{.Id}}", tag]),
        "look at the image",
    )
    .ok()
    .map(|text| text.trim().to_owned())
}

fn tool(options: &Options) -> Result<Tool, String> {
    let there = |name: &str| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    if there("mmdebstrap") {
        return Ok(Tool::Mmdebstrap);
    }
    if there("debootstrap") {
        return Ok(Tool::Debootstrap);
    }
    let line = "apt-get update && apt-get install --yes --no-install-recommends mmdebstrap debian-archive-keyring";
    if options.install_tools {
        println!("installing mmdebstrap");
        run(Command::new("sh").args(["-c", line]), "install mmdebstrap")?;
        return Ok(Tool::Mmdebstrap);
    }
    let sudo = if is_root() { "" } else { ", as root" };
    Err(format!(
        "neither mmdebstrap nor debootstrap is on this machine: `{line}`{sudo}, or --install-tools does it"
    ))
}

/// The mirror of Debian itself (not of its security updates) among the sources of this machine's apt.
fn mirror_of_this_machine() -> Result<String, String> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(LABEL)|$(REPO_URI)",
        "Created-By: Packages",
    ]);
    run(&mut command, "ask apt for its sources")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("Debian|").map(str::to_owned))
        .ok_or_else(|| {
            "this machine's apt knows no mirror of Debian: run `apt-get update` first, or give --mirror URL".to_owned()
        })
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u"), "ask for the user").is_ok_and(|text| text.trim() == "0")
}

/// Runs a command; its output, or what it said when it failed.
fn run(command: &mut Command, doing: &str) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("could not {doing}: `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // What went wrong is said at the end; what went right before it may be hundreds of lines.
    let lines: Vec<&str> = said.trim().lines().collect();
    let end = lines[lines.len().saturating_sub(25)..].join("\n");
    Err(format!("could not {doing} ({}):\n{end}", output.status))
}
