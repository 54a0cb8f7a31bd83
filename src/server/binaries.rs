//! Finding Postgres binaries on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::OLDEST;
use crate::error::{Error, Result};

/// Where packages put them; a `*` stands for one name, or for part of one.
const PLACES: [&str; 12] = [
    "/usr/lib/postgresql/*/bin",          // Debian, PGDG's apt
    "/usr/pgsql-*/bin",                   // PGDG's yum
    "/usr/libexec/postgresql*",           // Alpine
    "/usr/lib/postgresql*/bin",           // SUSE
    "/opt/homebrew/opt/postgresql@*/bin", // Homebrew
    "/opt/homebrew/opt/postgresql/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin", // EDB's installer
    "/usr/local/pgsql/bin",      // from source
];

/// One set of binaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The folder that has `postgres` and `initdb`.
    pub(super) folder: PathBuf,
    /// The version without the packager's part: `15.18`, `19beta1`.
    pub(super) version: String,
    /// The whole line of `postgres --version`, which tells two builds of one version apart.
    pub(super) full: String,
    /// The major version.
    pub(super) major: u32,
}

/// The binaries to use: those of the folder, or the newest of the machine, or of the wanted major.
///
/// # Errors
/// [`Error::NoServer`] that says what there is and how to get what was wanted.
pub(super) fn find(wanted: Option<u32>, folder: Option<&Path>) -> Result<Binaries> {
    let found =
        match folder {
            Some(folder) => vec![look(folder).map_err(|reason| {
                Error::Usage(format!("--pg-bin {}: {reason}", folder.display()))
            })?],
            None => search(),
        };
    choose(found, wanted)
}

/// The binaries of a folder of our own, which must be of the wanted major.
///
/// # Errors
/// [`Error::NoServer`] where they are of another; [`Error::Server`] where they don't run.
#[cfg_attr(
    not(feature = "embedded"),
    expect(dead_code, reason = "only what is built in is in such a folder")
)]
pub(super) fn in_folder(folder: &Path, wanted: Option<u32>) -> Result<Binaries> {
    let found =
        look(folder).map_err(|reason| Error::Server(format!("{}: {reason}", folder.display())))?;
    match wanted.filter(|major| *major != found.major) {
        Some(major) => Err(Error::NoServer(format!(
            "PostgreSQL {major} was asked for, and {} is built in; {}",
            found.version,
            how_to_get(major)
        ))),
        None => Ok(found),
    }
}

fn choose(mut found: Vec<Binaries>, wanted: Option<u32>) -> Result<Binaries> {
    found.sort_by_key(|binaries| std::cmp::Reverse(rank(binaries)));
    let matching = found
        .iter()
        .find(|binaries| wanted.is_none_or(|major| binaries.major == major));
    match (matching, wanted) {
        (Some(binaries), _) if binaries.major < OLDEST => Err(Error::NoServer(format!(
            "PostgreSQL {} in {} is too old: {OLDEST} or newer is needed; {}",
            binaries.version,
            binaries.folder.display(),
            how_to_get(OLDEST.max(wanted.unwrap_or(OLDEST)))
        ))),
        (Some(binaries), _) => Ok(binaries.clone()),
        (None, Some(major)) if !found.is_empty() => {
            let there: Vec<String> = found
                .iter()
                .map(|binaries| format!("{} in {}", binaries.version, binaries.folder.display()))
                .collect();
            Err(Error::NoServer(format!(
                "no binaries of PostgreSQL {major} on this machine, only {}; {}",
                there.join(", "),
                how_to_get(major)
            )))
        }
        (None, wanted) => Err(Error::NoServer(format!(
            "no Postgres binaries (`postgres` and `initdb` in one folder) on PATH or in the usual places; {}",
            how_to_get(wanted.unwrap_or(18))
        ))),
    }
}

/// How to come by a major version, in one sentence.
fn how_to_get(major: u32) -> String {
    format!(
        "to get {major}: `apt-get install postgresql-{major}` (Debian; other majors from apt.postgresql.org), \
         `dnf install postgresql{major}-server` (PGDG), `brew install postgresql@{major}`, `--pg-bin DIR`, or \
         `--server docker` (without a registry in reach after `cargo xtask image --postgres {major}`)"
    )
}

/// Newest first: the major, then the minor; betas below everything released.
fn rank(binaries: &Binaries) -> (u32, u32) {
    let minor = binaries
        .version
        .strip_prefix(&format!("{}.", binaries.major));
    (
        binaries.major,
        minor
            .and_then(|minor| minor.parse::<u32>().ok())
            .map_or(0, |minor| minor + 1),
    )
}

/// All binaries of the machine, each folder once however many ways lead to it.
pub(super) fn search() -> Vec<Binaries> {
    let mut seen = BTreeSet::new();
    folders()
        .into_iter()
        .filter(|folder| {
            fs::canonicalize(folder.join("postgres")).is_ok_and(|file| seen.insert(file))
        })
        .filter_map(|folder| look(&folder).ok())
        .collect()
}

/// Where programs may lie: those of PATH first.
pub(super) fn folders() -> Vec<PathBuf> {
    let places = PLACES.iter().flat_map(|place| expand(place));
    path().into_iter().chain(places).collect()
}

/// The folders of PATH.
pub(super) fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// The binaries of one folder, or why they are none. Debian's wrappers in `/usr/bin` have neither program.
fn look(folder: &Path) -> std::result::Result<Binaries, String> {
    for program in ["postgres", "initdb"] {
        if !folder.join(program).is_file() {
            return Err(format!("there is no `{program}` in it"));
        }
    }
    // Absolute, as the server is started in another working folder.
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    let (full, version, major) = version_of(&folder, "postgres")?;
    Ok(Binaries {
        folder,
        version,
        full,
        major,
    })
}

/// What a program of the folder says of its version: the whole line, the version, the major.
pub(super) fn version_of(
    folder: &Path,
    program: &str,
) -> std::result::Result<(String, String, u32), String> {
    let output = Command::new(folder.join(program))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{program} --version` could not be run: {error}"))?;
    let full = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let (version, major) = parse_version(&full).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("`{program} --version` said `{full}{}`", said.trim())
    })?;
    Ok((full, version, major))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → `15.18` and 15.
fn parse_version(line: &str) -> Option<(String, u32)> {
    let version = line
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

/// The folders that a pattern stands for; one `*` per name.
fn expand(pattern: &str) -> Vec<PathBuf> {
    pattern
        .split('/')
        .skip(1)
        .fold(vec![PathBuf::from("/")], |folders, name| {
            let Some((start, end)) = name.split_once('*') else {
                return folders
                    .into_iter()
                    .map(|folder| folder.join(name))
                    .collect();
            };
            folders
                .iter()
                .filter_map(|folder| fs::read_dir(folder).ok())
                .flat_map(std::iter::Iterator::flatten)
                .filter(|entry| {
                    entry.file_name().to_str().is_some_and(|found| {
                        found.len() >= name.len() - 1
                            && found.starts_with(start)
                            && found.ends_with(end)
                    })
                })
                .map(|entry| entry.path())
                .collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(version: &str) -> Binaries {
        let (version, major) =
            parse_version(&format!("postgres (PostgreSQL) {version} (Debian)")).unwrap();
        Binaries {
            folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
            full: String::new(),
            version,
            major,
        }
    }

    #[test]
    fn the_newest_or_the_wanted_is_chosen() {
        let found = || ["15.18", "17.9", "17.10", "16.2"].map(binaries).to_vec();
        assert_eq!(choose(found(), None).unwrap().version, "17.10");
        assert_eq!(choose(found(), Some(16)).unwrap().version, "16.2");
        let error = choose(found(), Some(18)).unwrap_err().to_string();
        for part in [
            "17.10 in /usr",
            "postgresql-18",
            "postgresql@18",
            "--server docker",
            "xtask image --postgres 18",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let error = choose(vec![binaries("14.3")], None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("14.3") && error.contains("15 or newer"),
            "{error}"
        );
        assert!(
            choose(Vec::new(), None)
                .unwrap_err()
                .to_string()
                .contains("no Postgres binaries")
        );
    }

    #[test]
    fn a_beta_is_older_than_its_release() {
        assert_eq!(
            choose(["19beta1", "19.0"].map(binaries).to_vec(), None)
                .unwrap()
                .version,
            "19.0"
        );
    }
}
