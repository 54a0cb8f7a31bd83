//! Data folders: made by `initdb` once per exact version, then copied.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::binaries::Binaries;
use super::local::Runner;
use super::registry::{Claim, Registry};
use crate::error::{Error, Result};

/// The role that `initdb` makes.
pub(super) const SUPERUSER: &str = "postgres";

/// Part of a cached folder's name: raise it when what is made here changes.
const FORMAT: u32 = 1;

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
    match &cached {
        Some(cached) if cached.is_dir() => copy(cached, &data, runner)?,
        _ => {
            initialise(binaries, &data, runner)?;
            if let Some(cached) = &cached {
                store(&data, cached, claim)?;
            }
        }
    }
    runner.write(&data.join("pg_hba.conf"), AUTHENTICATION)
}

/// The cached folder's name: builds that differ in anything that they tell of themselves share none.
fn name(binaries: &Binaries) -> String {
    let mut hasher = DefaultHasher::new();
    (&binaries.full, &binaries.folder).hash(&mut hasher);
    format!(
        "data-{FORMAT}-{}-{:016x}",
        binaries.version,
        hasher.finish()
    )
}

/// Copies a new data folder to beside the cache and renames it: two that do it at once are both right, and
/// one that is killed leaves what its entry names.
fn store(data: &Path, cached: &Path, claim: &mut Claim) -> Result<()> {
    let aside = cached.with_file_name(format!("making-{}", claim.id()));
    claim.note_folder(&aside)?;
    copy(data, &aside, Runner::ourselves())?;
    match fs::rename(&aside, cached) {
        // Somebody else was faster; ours goes with the claim.
        Err(_) if cached.is_dir() => Ok(()),
        other => other.map_err(|error| Error::io(cached, error)),
    }
}

/// Runs `initdb`: in the locale of production images where this machine knows it, else in C.
fn initialise(binaries: &Binaries, data: &Path, runner: Runner) -> Result<()> {
    let first = run_initdb(binaries, data, runner, "C.UTF-8");
    match first {
        Err(Error::Server(text)) if text.contains("locale") => {
            let _ = fs::remove_dir_all(data);
            run_initdb(binaries, data, runner, "C")?;
        }
        other => other?,
    }
    let configuration = data.join("postgresql.conf");
    let mut text =
        fs::read_to_string(&configuration).map_err(|error| Error::io(&configuration, error))?;
    text.push_str("\ninclude 'watertight.conf'\n");
    runner.write(&configuration, &text)
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
        .arg(format!("--locale={locale}"));
    if binaries.major >= 18 {
        // On by default from 18: time for nothing on data that is thrown away.
        command.arg("--no-data-checksums");
    }
    let output = command
        .output()
        .map_err(|error| Error::io(&program, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Server(format!(
        "{} failed ({}): {}{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
        String::from_utf8_lossy(&output.stdout).trim()
    )))
}

/// Copies a folder of files and folders, readable by its owner alone, and gives all of it to the runner.
fn copy(from: &Path, to: &Path, runner: Runner) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(to)
        .map_err(|error| Error::io(to, error))?;
    runner.give(to)?;
    let entries = fs::read_dir(from).map_err(|error| Error::io(from, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(from, error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .map_err(|error| Error::io(&source, error))?;
        if kind.is_dir() {
            copy(&source, &target, runner)?;
        } else {
            fs::copy(&source, &target).map_err(|error| Error::io(&source, error))?;
            runner.give(&target)?;
        }
    }
    Ok(())
}
