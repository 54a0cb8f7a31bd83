//! [`Folder`]: the files below a folder of migrations, and what the project around it says of its tools.

use std::cell::OnceCell;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The most files and folders that are looked at below a folder of migrations.
const MOST: usize = 20_000;

/// So much of a file is looked at to know its convention, and so much of a file that describes a project, in bytes.
const HEAD: u64 = 64 * 1024;

/// So many folders above are looked at for the files of the project that the migrations are a part of.
const ABOVE: usize = 7;

/// So many files are looked at to know whether reading them again would be of use.
const FEW: usize = 1_000;

/// Where one of these lies, the project ends: what is above it is another's.
const PROJECT: [&str; 9] = [
    ".git",
    "watertight.toml",
    "Cargo.toml",
    "go.mod",
    "package.json",
    "pyproject.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
];

/// Never migrations, and sometimes very many files.
const FOREIGN: [&str; 4] = ["node_modules", "target", "vendor", "__pycache__"];

/// Names of other databases: beside a folder for Postgres, theirs are not for us.
const OTHERS: [&str; 12] = [
    "mysql",
    "mariadb",
    "h2",
    "hsqldb",
    "oracle",
    "sqlite",
    "sqlite3",
    "mssql",
    "sqlserver",
    "db2",
    "cockroachdb",
    "cassandra",
];

/// The files below a folder, by their paths; hidden ones are left out.
pub(super) struct Folder {
    /// The folder, as it was given.
    pub(super) path: PathBuf,
    /// All files, whatever they are.
    pub(super) files: Vec<File>,
    /// A link that leads back to a folder above it, where there is one.
    circle: Option<PathBuf>,
}

/// A file of a [`Folder`].
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// The folders that it lies in, from the one that was read downwards.
    pub(super) below: Vec<String>,
    head: OnceCell<String>,
}

impl Folder {
    /// Lists a folder.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut folder = Self {
            path: path.to_owned(),
            files: Vec::new(),
            circle: None,
        };
        let mut walk = Walk::default();
        walk.enter(path, &mut folder)?;
        folder
            .files
            .sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
        folder.leave_out_other_databases();
        Ok(folder)
    }

    /// One file as a folder of its own.
    pub(super) fn of_file(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let here = folder.as_os_str().is_empty();
        Self {
            path: if here {
                PathBuf::from(".")
            } else {
                folder.to_owned()
            },
            files: vec![File {
                path: path.to_owned(),
                name: name.to_string_lossy().into_owned(),
                below: Vec::new(),
                head: OnceCell::new(),
            }],
            circle: None,
        }
    }

    /// The SQL files, at whatever depth.
    pub(super) fn sql(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| is_sql(&file.name))
    }

    /// The SQL files that lie in the folder itself; a file that was named by itself is one, whatever it is called.
    pub(super) fn top(&self) -> impl Iterator<Item = &File> {
        self.sql().filter(|file| file.below.is_empty())
    }

    /// The file at this path below the folder.
    pub(super) fn at(&self, relative: &str) -> Option<&File> {
        let path = self.path.join(relative);
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether a line of some SQL file begins so, but for spaces and case.
    pub(super) fn marked(&self, mark: &str) -> bool {
        self.top().any(|file| file.marked(mark))
    }

    /// The texts of files of this name beside the migrations or above them, the nearest first.
    pub(super) fn around(&self, name: &str) -> Vec<String> {
        let real = self.path.canonicalize().unwrap_or_default();
        let mut texts = Vec::new();
        for folder in real.ancestors().take(ABOVE) {
            let path = folder.join(name);
            if path.is_file() {
                texts.push(head(&path));
            }
            if PROJECT.iter().any(|name| folder.join(name).exists()) {
                break;
            }
        }
        texts
    }

    /// Whether a file of this name around the migrations has that word.
    pub(super) fn project_says(&self, name: &str, word: &str) -> bool {
        self.around(name).iter().any(|text| text.contains(word))
    }

    /// Whether the folder that holds this one is called so.
    pub(super) fn is_in(&self, name: &str) -> bool {
        let real = self.path.canonicalize().unwrap_or_default();
        real.parent()
            .and_then(Path::file_name)
            .is_some_and(|n| n == name)
    }

    /// The error of a link that leads in a circle, for conventions that look into folders below.
    pub(super) fn refuse_circle(&self) -> Result<()> {
        match &self.circle {
            None => Ok(()),
            Some(path) => Err(Error::Usage(format!(
                "migrations: `{}` is a symbolic link to a folder that holds it",
                relative(path).display()
            ))),
        }
    }

    /// Where folders are called after databases, and one is for Postgres, the others are not.
    fn leave_out_other_databases(&mut self) {
        let postgres = |part: &String| {
            let part = part.to_lowercase();
            part.starts_with("postgres") || part == "pg" || part == "pgsql"
        };
        let other = |part: &String| OTHERS.contains(&part.to_lowercase().as_str());
        if self.sql().any(|file| file.below.iter().any(postgres)) {
            self.files.retain(|file| !file.below.iter().any(other));
        }
    }
}

/// Everything that decides what reading a folder of migrations, or one file, comes to: the files beside each other, and those
/// of the project around them, with folders for their names' sake. None where folders are among the migrations, or where
/// looking at so many files would take as long as reading.
#[must_use]
pub fn decides(path: &Path) -> Option<Vec<PathBuf>> {
    let real = path.canonicalize().ok()?;
    let mut found = Vec::new();
    for folder in real
        .ancestors()
        .skip(usize::from(!real.is_dir()))
        .take(ABOVE)
    {
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?.path();
            if folder == real && entry.is_dir() {
                return None;
            }
            found.push(entry);
        }
        if found.len() > FEW {
            return None;
        }
        if PROJECT.iter().any(|name| folder.join(name).exists()) {
            break;
        }
    }
    found.sort();
    Some(found)
}

impl File {
    /// Its first part, as far as it is text.
    pub(super) fn head(&self) -> &str {
        self.head.get_or_init(|| head(&self.path))
    }

    /// Whether a line begins so, but for spaces and case.
    pub(super) fn marked(&self, mark: &str) -> bool {
        self.head().lines().any(|line| begins(line, mark))
    }
}

/// Whether a line begins with these words, but for spaces between and before them, and case.
pub(super) fn begins(line: &str, words: &str) -> bool {
    let mut rest = line.trim_start_matches('\u{feff}');
    words.split_whitespace().all(|word| {
        rest = rest.trim_start();
        match rest.get(..word.len()) {
            Some(first) if first.eq_ignore_ascii_case(word) => {
                rest = &rest[word.len()..];
                true
            }
            _ => false,
        }
    })
}

/// The first part of a file; nothing of what is no regular file.
fn head(path: &Path) -> String {
    let regular = fs::metadata(path).is_ok_and(|kind| kind.is_file());
    let mut bytes = Vec::new();
    if regular && let Ok(file) = fs::File::open(path) {
        let _ = file.take(HEAD).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a name ends as SQL does.
pub(super) fn is_sql(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("sql"))
}

/// The way through a folder.
#[derive(Default)]
struct Walk {
    /// The real paths of the folders that led here, and their names.
    above: Vec<PathBuf>,
    below: Vec<String>,
    seen: usize,
}

impl Walk {
    fn enter(&mut self, path: &Path, folder: &mut Folder) -> Result<()> {
        let real = path.canonicalize().map_err(|e| Error::io(path, e))?;
        if self.above.contains(&real) {
            folder.circle = Some(path.to_owned());
            return Ok(());
        }
        self.above.push(real);
        for entry in fs::read_dir(path).map_err(|e| Error::io(path, e))? {
            let path = entry.map_err(|e| Error::io(path, e))?.path();
            self.seen += 1;
            if self.seen > MOST {
                return Err(Error::Usage(format!(
                    "migrations: more than {MOST} files below `{}`; name the folder of the migrations itself",
                    folder.path.display()
                )));
            }
            self.take(path, folder)?;
        }
        self.above.pop();
        Ok(())
    }

    fn take(&mut self, path: PathBuf, folder: &mut Folder) -> Result<()> {
        let name = path.file_name().unwrap_or_default();
        let sql = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("sql"));
        if name.as_encoded_bytes().starts_with(b".") {
            return Ok(());
        }
        let Some(name) = name.to_str().map(str::to_owned) else {
            return if sql {
                Err(not_unicode(&path, "its name"))
            } else {
                Ok(())
            };
        };
        match fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => {
                if !FOREIGN.contains(&name.as_str()) {
                    self.below.push(name);
                    self.enter(&path, folder)?;
                    self.below.pop();
                }
            }
            Ok(_) => folder.files.push(File {
                path,
                name,
                below: self.below.clone(),
                head: OnceCell::new(),
            }),
            Err(e) if sql => return Err(Error::io(relative(&path), e)),
            Err(_) => {}
        }
        Ok(())
    }
}

/// The SQL files of a folder and of those below that don't undo anything, by their paths; or one file.
pub(super) fn sql_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let undoes = |file: &&File| {
        let name = file.name.to_lowercase();
        ["down", "revert", "rollback", "undo"]
            .iter()
            .any(|word| name.contains(word))
    };
    let Ok(folder) = Folder::read(path) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = folder
        .sql()
        .filter(|file| !undoes(file))
        .map(|file| file.path.clone())
        .collect();
    paths.sort();
    paths
}

/// The path as users know it: relative to the working directory where it lies below.
pub(super) fn relative(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(&current).unwrap_or(path);
    let below = below.strip_prefix("./").unwrap_or(below);
    if below.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    below.to_owned()
}

/// The error of something that is not UTF-8, and where.
pub(super) fn not_unicode(path: &Path, place: &str) -> Error {
    Error::Usage(format!(
        "migrations: `{}`: {place} is not UTF-8; save it as UTF-8",
        relative(path).display()
    ))
}
