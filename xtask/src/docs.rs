//! `cargo xtask docs`: the documents that are written from the code, and whether they still say what it says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use watertight::config::{self, CommandLine};
use watertight::harness::Validated;
use watertight::{Harness, check, document};

/// Options of `docs`.
#[derive(Args)]
pub(crate) struct Options {
    /// Write nothing: fail where a document is not what would be written
    #[arg(long)]
    check: bool,
    /// Where the disposable database is that documents are read off: local, docker or auto
    #[arg(long, value_name = "KIND", default_value = "local")]
    server: String,
}

/// A document: where it lies in the repository, and what it says.
struct Document {
    path: &'static str,
    text: fn(&Validated) -> String,
}

/// All of them; a new one is one entry.
const DOCUMENTS: &[Document] = &[
    Document {
        path: "docs/CHECKS.md",
        text: |_| checks(),
    },
    Document {
        path: "docs/ERD.md",
        text: diagram,
    },
    Document {
        path: "docs/VALIDATION.md",
        text: record,
    },
];

/// The line that may differ from machine to machine: which server was at hand.
const PROVED_ON: &str = "Proved on PostgreSQL ";

/// Writes every document that is not current, or says which are stale.
///
/// # Errors
/// A document is stale under `--check`, or can't be read or written.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let root = root();
    let validated = validated(&root, &options.server)?;
    let stale = stale(&root, &validated)?;
    if options.check {
        return match stale.as_slice() {
            [] => Ok(()),
            stale => Err(format!(
                "{} is not what the code says; `cargo xtask docs` writes it anew",
                paths(stale)
            )),
        };
    }
    for document in &stale {
        let path = root.join(document.path);
        let folder = path.parent().unwrap_or(&root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, (document.text)(&validated)))
            .map_err(|error| format!("could not write {}: {error}", path.display()))?;
        println!("wrote {}", document.path);
    }
    Ok(())
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn paths(documents: &[&Document]) -> String {
    let paths: Vec<&str> = documents.iter().map(|document| document.path).collect();
    paths.join(", ")
}

/// The reference application, migrated and seeded on a disposable server, and what the validation suites say of it.
fn validated(root: &Path, server: &str) -> Result<Validated, String> {
    let settings = config::load(CommandLine {
        config: Some(root.join("watertight.toml")),
        options: vec![("server", vec![server.to_owned()])],
        command: Vec::new(),
    })
    .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let harness = Harness::new(settings);
    runtime
        .block_on(Box::pin(harness.documented(&|_| ())))
        .map_err(|error| error.to_string())
}

/// The documents below this folder that are missing or say something else.
fn stale(root: &Path, validated: &Validated) -> Result<Vec<&'static Document>, String> {
    let mut stale = Vec::new();
    for document in DOCUMENTS {
        let path = root.join(document.path);
        let there = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("could not read {}: {error}", path.display())),
        };
        let now = (document.text)(validated);
        if there.is_none_or(|there| settled(&there) != settled(&now)) {
            stale.push(document);
        }
    }
    Ok(stale)
}

/// The text without the line that says on which version it was written.
fn settled(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines.filter(|line| !line.starts_with(PROVED_ON)).collect()
}

/// Tables and relations of the reference application.
fn diagram(validated: &Validated) -> String {
    format!(
        "<!-- Written by `cargo xtask docs` from the catalog of a migrated database. -->\n\n\
         # Tables and relations\n\n\
         The reference application's, as its migrations make them. In brackets stands whose a table's rows are: *root* is \
         the\ntable of organisations, *scoped* has the organisation's column, *linked* is seen through a scoped table, and \
         *shared* is\nread by everyone.\n\n{}",
        document::diagram(&validated.catalog, &validated.tenancy)
    )
}

/// What the validation suites prove of the reference application.
fn record(validated: &Validated) -> String {
    format!(
        "<!-- Written by `cargo xtask docs` from a run of the suites over a migrated, seeded database. -->\n\n\
         # Validation\n\n\
         `cargo xtask validate` asks these suites of any database, without writing to it. This is what they said of the \
         reference\napplication's, with notes counted as wrong (`--strict`). Rows were seeded for several organisations.\n\n\
         {PROVED_ON}{}.\n\n{}",
        validated.report.major(),
        document::record(&validated.report)
    )
}

/// The pages of all checks, as `explain` shows them.
fn checks() -> String {
    let pages: Vec<check::Page> = check::ALL.iter().map(|check| check.page()).collect();
    let mut text = String::from(
        "<!-- Written by `cargo xtask docs` from the checks' own pages; edit those, in src/check/checks/. -->\n\n\
         # Checks\n\n\
         Every way in which rows cross organisations that a run tries. `cargo xtask explain CHECK` shows one page,\n\
         `cargo xtask test-db --list` what a run would try.\n\n",
    );
    for page in &pages {
        let _ = writeln!(text, "- [`{0}`](#{0}): {1}", page.id, prose(page.title));
    }
    for page in &pages {
        let _ = writeln!(
            text,
            "\n## {}\n\n{}\n\n**What is checked.** {}\n\n**Why it leaks.** {}\n\n**Example**\n\n{}\n\n**Fix**\n\n{}",
            page.id,
            sentence(page.title),
            prose(page.what),
            prose(page.why),
            fenced(page.example),
            fenced(page.fix)
        );
    }
    text
}

/// Text that Markdown shows as it is: `*` and `<` mean nothing in it.
fn prose(text: &str) -> String {
    text.trim().replace('*', "\\*").replace('<', "\\<")
}

fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(letters).collect();
    format!("{}.", prose(&text))
}

fn fenced(text: &str) -> String {
    format!("```text\n{}\n```", text.trim())
}

#[cfg(test)]
mod tests {
    use watertight::model::{Catalog, Report, Tenancy};

    use super::*;

    #[test]
    fn what_is_committed_is_current() {
        let root = root();
        let validated = validated(&root, "local").unwrap();
        let stale = stale(&root, &validated).unwrap();
        assert!(
            stale.is_empty(),
            "run `cargo xtask docs`: {}",
            paths(&stale)
        );
    }

    #[test]
    fn a_document_that_is_missing_or_differs_is_stale() {
        let validated = Validated {
            catalog: Catalog::default(),
            tenancy: Tenancy::default(),
            report: Report::default(),
        };
        let stale = |folder: &Path| stale(folder, &validated).unwrap();
        let folder = std::env::temp_dir().join(format!("watertight-docs-{}", std::process::id()));
        fs::create_dir_all(folder.join("docs")).unwrap();
        assert_eq!(stale(&folder).len(), DOCUMENTS.len());
        for document in DOCUMENTS {
            fs::write(folder.join(document.path), (document.text)(&validated)).unwrap();
        }
        assert!(stale(&folder).is_empty());
        fs::write(folder.join("docs/CHECKS.md"), "# Checks\n").unwrap();
        assert_eq!(paths(&stale(&folder)), "docs/CHECKS.md");
        // Another server at hand makes no document stale.
        fs::write(folder.join("docs/CHECKS.md"), checks()).unwrap();
        let text = record(&validated).replace(PROVED_ON, &format!("{PROVED_ON}99"));
        fs::write(folder.join("docs/VALIDATION.md"), text).unwrap();
        assert!(stale(&folder).is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_check_has_its_page() {
        let text = checks();
        for check in check::ALL {
            let page = check.page();
            assert!(text.contains(&format!("\n## {}\n", page.id)), "{}", page.id);
        }
        assert!(!text.contains("   "), "a page with spaces from its source");
    }
}
