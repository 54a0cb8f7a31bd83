//! Data folders: made by `initdb` once per exact version, then copied.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::archive::{self, Archive};
use super::binaries::Binaries;
use super::claim::Claim;
use super::registry::Registry;
use super::runner::Runner;
use crate::error::{Error, Result};

/// The role that `initdb` makes.
pub(super) const SUPERUSER: &str = "postgres";

/// Part of a cached folder's name: raise it when what is made here changes.
const FORMAT: u32 = 3;

/// Who may log in how: by the socket everybody, as its folder is private; by TCP with a password.
const AUTHENTICATION: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// The data folder in a server's folder.
pub(super) fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Makes a data folder in a server's folder: a copy of the cached one, which is made first where there is none.
pub(super) fn make(
    binaries: &Binaries,
    registry: &Registry,
    claim: &mut Claim,
    folder: &Path,
    runner: Runner,
) -> Result<()> {
    let data = data_folder(folder);
    let cached = registry.cache().map(|cache| cache.join(name(binaries)));
    let bytes = cached
        .as_ref()
        .and_then(|cached| fs::read(cached).ok())
        .unwrap_or_default();
    if let Some(archive) = Archive::read(&bytes) {
        return archive
            .unpack(&data, &|path| runner.give(path))
            .map_err(|error| Error::io(&data, error));
    }
    initialise(binaries, &data, runner)?;
    cached.map_or(Ok(()), |cached| store(&data, &cached, claim))
}

/// The cached file's name: builds that differ in anything that they tell of themselves share none.
fn name(binaries: &Binaries) -> String {
    let mut hasher = DefaultHasher::new();
    (&binaries.full, &binaries.folder).hash(&mut hasher);
    format!(
        "data-{FORMAT}-{}-{:016x}",
        binaries.version,
        hasher.finish()
    )
}

/// Packs a new data folder beside the cache and renames it: two that do it at once are both right, and one
/// that is killed leaves what its entry names.
fn store(data: &Path, cached: &Path, claim: &mut Claim) -> Result<()> {
    let aside = cached.with_file_name(format!("making-{}", claim.id()));
    claim.note(&aside)?;
    let packed = archive::pack(data).map_err(|error| Error::io(data, error))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
        .open(&aside)
        .and_then(|mut file| file.write_all(&packed))
        .and_then(|()| fs::rename(&aside, cached))
        .map_err(|error| Error::io(&aside, error))
}

/// Runs `initdb`: in C.UTF-8 where this machine knows it, else in C.
fn initialise(binaries: &Binaries, data: &Path, runner: Runner) -> Result<()> {
    match run_initdb(binaries, data, runner, "C.UTF-8") {
        Err(Error::Server(text)) if text.contains("locale") => {
            let _ = fs::remove_dir_all(data);
            run_initdb(binaries, data, runner, "C")?;
        }
        other => other?,
    }
    for database in ["template0", "template1", "postgres"] {
        compact(binaries, data, runner, database)?;
    }
    let configuration = data.join("postgresql.conf");
    let mut text =
        fs::read_to_string(&configuration).map_err(|error| Error::io(&configuration, error))?;
    text.push_str("\ninclude 'watertight.conf'\n");
    runner.write(&configuration, &text)?;
    runner.write(&data.join("pg_hba.conf"), AUTHENTICATION)
}

/// Writes a database's catalogs anew, without the maps of free and of visible pages that `initdb` leaves: a fourth of the
/// files that every server and every database is a copy of.
fn compact(binaries: &Binaries, data: &Path, runner: Runner, database: &str) -> Result<()> {
    let mut command = runner.command(&binaries.folder.join("postgres"));
    command
        .args(["--single", "-F", "-D"])
        .arg(data)
        .arg(database);
    run_with(command, "VACUUM FULL FREEZE\n", runner)
}

fn run_initdb(binaries: &Binaries, data: &Path, runner: Runner, locale: &str) -> Result<()> {
    let program = binaries.folder.join("initdb");
    let mut command = runner.command(&program);
    command
        .arg("-D")
        .arg(data)
        .args([
            "--no-sync",
            "--no-instructions",
            "--auth=trust",
            "--encoding=UTF8",
            "--username",
            SUPERUSER,
        ])
        // The first segment is copied for every server.
        .arg("--wal-segsize=1")
        .arg(format!("--locale={locale}"));
    if binaries.major >= 18 {
        // On by default from 18: time for nothing on data that is thrown away.
        command.arg("--no-data-checksums");
    }
    run_with(command, "", runner)
}

/// Runs a program to its end, with something to read.
fn run_with(mut command: Command, input: &str, runner: Runner) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut run = || {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| runner.refused(&program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Server(format!(
        "{} failed ({}): {}\n{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
        String::from_utf8_lossy(&output.stdout).trim()
    )))
}
