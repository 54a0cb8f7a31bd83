//! Liquibase's formatted SQL: `--changeset author:id` in files that begin with `--liquibase formatted sql`.

use super::cut::{Cut, lines};
use super::{Convention, Entry, Fit, Label, Part, Transaction, labelled, stem};
use crate::error::{Error, Result};
use crate::migration::folder::{File, Folder, begins, relative};

/// As of Liquibase 4, with the files in the order of their paths, as `includeAll` has them. `--rollback` lines are comments.
pub(super) struct Liquibase;

fn is_formatted(file: &File) -> bool {
    let first = file.head().lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| begins(line, "-- liquibase formatted sql"))
}

/// Whether a changeset is for Postgres.
fn is_ours(line: &str) -> bool {
    let Some((_, after)) = line.split_once("dbms:") else {
        return true;
    };
    let list = after
        .trim_start_matches('"')
        .split(['"', ' ', '\n', '\r'])
        .next();
    let words: Vec<&str> = list.unwrap_or_default().split(',').map(str::trim).collect();
    let no = words
        .iter()
        .any(|word| matches!(*word, "!postgresql" | "!all" | "none"));
    let yes = words
        .iter()
        .any(|word| matches!(*word, "postgresql" | "all"));
    !no && (yes || words.iter().all(|word| word.starts_with('!')))
}

impl Convention for Liquibase {
    fn name(&self) -> &'static str {
        "Liquibase"
    }

    fn fit(&self, folder: &Folder) -> Fit {
        if folder.sql().any(is_formatted) {
            Fit::Content
        } else {
            Fit::No
        }
    }

    fn entries(&self, folder: &Folder) -> Result<Vec<Entry>> {
        folder.refuse_circle()?;
        let changelog = |file: &&File| {
            let name = file.name.to_lowercase();
            let other = [".xml", ".yaml", ".yml", ".json"]
                .iter()
                .any(|end| name.ends_with(end));
            let head = file.head();
            // One that only includes the others adds an order; changes of its own are not SQL.
            other
                && ["<changeSet", "changeSet:", "\"changeSet\""]
                    .iter()
                    .any(|word| head.contains(word))
        };
        if let Some(file) = folder.files.iter().find(changelog) {
            return Err(Error::Usage(format!(
                "migrations: `{}` has changes that are not SQL, which only Liquibase reads: set `command` under [migrate] in \
                 watertight.toml, as `liquibase --url=\"jdbc:postgresql://$PGHOST:$PGPORT/$PGDATABASE\" \
                 --username=$PGUSER --password=$PGPASSWORD update`",
                relative(&file.path).display()
            )));
        }
        let mut files: Vec<&File> = folder.sql().filter(|file| is_formatted(file)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let below = |file: &File| {
            let mut parts = file.below.clone();
            parts.extend(stem(&file.name).map(str::to_owned));
            parts.join("/")
        };
        let mut entries = labelled(files.iter().copied(), |name| {
            Some(Label {
                part: Part::Up,
                version: None,
                name: name.to_owned(),
            })
        });
        for (entry, file) in entries.iter_mut().zip(&files) {
            entry.label.name = below(file);
        }
        Ok(entries)
    }

    fn cut(&self, text: &str) -> std::result::Result<Cut, (usize, String)> {
        let mut cut = Cut::default();
        let mut open = None;
        for (start, line) in lines(text) {
            if !begins(line, "-- changeset") {
                continue;
            }
            if let Some(from) = open.take() {
                cut.up.push(from..start);
            }
            open = is_ours(line).then_some(start);
            if line.contains("runInTransaction:false") {
                cut.transaction = Some(Transaction::Never);
            }
        }
        cut.up.extend(open.map(|from| from..text.len()));
        Ok(cut)
    }

    fn transaction(&self, _: &std::path::Path) -> Transaction {
        Transaction::AsStatementsAllow
    }

    fn resets_session(&self) -> bool {
        false
    }
}
