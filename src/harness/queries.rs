//! Where the user's queries come from: files of SQL, the folder `.sqlx` that `cargo sqlx prepare` writes, a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::{Harness, Schema};
use crate::database::execute;
use crate::error::{Doing as _, Error, Result};
use crate::model::{Inconclusive, Query, QuerySettings, Report, RunSettings, Settings, glob};
use crate::query::{Offline, Recorded, RecordedQuery, annotate, offline, same_text};

/// The user's queries, and what the report says of where they came from.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) queries: Vec<Query>,
    /// How many came from where, and what was left out.
    remarks: Vec<String>,
    /// What was asked for and held no query, or not all of them, and why.
    incomplete: Vec<String>,
    /// Of recorded queries, by their objects.
    recorded: BTreeMap<String, RecordedQuery>,
}

impl Sources {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// A folder that is not there. A file that can't be read is a query with a problem: the others still run.
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        let mut sources = Self::default();
        if let Some(path) = &settings.run.queries {
            sources.read_sql(path)?;
        }
        sources.read_offline(&settings.run)?;
        annotate_all(&mut sources.queries, &settings.queries);
        if !settings.run.record {
            sources.find_unused(&settings.queries);
        }
        Ok(sources)
    }

    /// Adds what was recorded; `summary` is the line that tells of it.
    pub(super) fn add_recorded(
        &mut self,
        found: &Recorded,
        summary: String,
        settings: &[QuerySettings],
    ) {
        self.remarks.push(summary);
        for one in &found.queries {
            let mut one = one.clone();
            annotate_all(std::slice::from_mut(&mut one.query), settings);
            annotate_all(std::slice::from_mut(&mut one.plain), settings);
            self.queries.push(one.query.clone());
            self.recorded.insert(one.query.object.clone(), one);
        }
        self.find_unused(settings);
    }

    /// The texts by which a query may have been sent.
    pub(super) fn texts_of(&self, object: &str) -> BTreeSet<String> {
        let queries = self.queries.iter().filter(|query| query.object == object);
        let sent = self.recorded.get(object).map(|one| &one.plain);
        queries
            .chain(sent)
            .map(|query| same_text(&query.sql))
            .collect()
    }

    /// Says that there is less to test than there should be, and why.
    pub(super) fn say_incomplete(&mut self, why: String) {
        self.incomplete.push(why);
    }

    /// The queries of a folder of SQL files, in the order of their paths; or of one file.
    fn read_sql(&mut self, path: &Path) -> Result<()> {
        let mut files = Vec::new();
        collect(path, &mut files, 0)?;
        files.sort();
        let base = if path.is_file() {
            path.parent().unwrap_or(path)
        } else {
            path
        };
        let before = self.queries.len();
        for file in files {
            let name = file.strip_prefix(base).unwrap_or(&file);
            let name = name.to_string_lossy().replace('\\', "/");
            let read = text_of(&file).and_then(|text| crate::query::read(&name, &text));
            let mut read = read.unwrap_or_else(|why| vec![unreadable(name, &why)]);
            for query in &mut read {
                query.file = file.display().to_string();
            }
            self.queries.extend(read);
        }
        if self.queries.len() == before {
            let path = path.display();
            self.incomplete.push(format!(
                "there are no queries in {path}, where --queries looks"
            ));
        }
        Ok(())
    }

    /// The queries of a `.sqlx` folder: the one that was named, else the one that is there.
    fn read_offline(&mut self, run: &RunSettings) -> Result<()> {
        let (folder, asked) = match (&run.sqlx, &run.sqlx_found) {
            (Some(none), _) if none.as_os_str().is_empty() => return Ok(()),
            (Some(folder), _) => (folder, true),
            (None, Some(folder)) => (folder, false),
            (None, None) => return Ok(()),
        };
        let shown = folder.display();
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| {
            Error::Usage(format!(
                "{shown}: {error}; --sqlx names the folder `.sqlx` that `cargo sqlx prepare` writes"
            ))
        })? {
            let path = entry.map_err(|error| Error::io(folder, error))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                files.push(path);
            }
        }
        files.sort();
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        let before = self.queries.len();
        for file in files {
            let path = file.display().to_string();
            match text_of(&file).and_then(|text| offline(&path, &text)) {
                Ok(Offline::Query(query)) => self.queries.push(*query),
                Ok(Offline::Other(database)) => *others.entry(database).or_default() += 1,
                Err(why) => {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let mut query = unreadable(format!(".sqlx/{name}"), &why);
                    query.file = path;
                    self.queries.push(query);
                }
            }
        }
        let found = self.queries.len() - before;
        let mut said = format!("{found} queries of {shown} were read");
        if !asked {
            said.push_str(", as it is there (--sqlx none leaves it out)");
        }
        for (database, number) in others {
            let _ = write!(said, "; {number} are for {database}");
        }
        if found == 0 && asked {
            self.incomplete
                .push(format!("{said}: `cargo sqlx prepare` writes them"));
        }
        self.remarks.push(said);
        Ok(())
    }

    /// Names the entries of `[queries]` that no query is called by.
    fn find_unused(&mut self, settings: &[QuerySettings]) {
        for entry in settings {
            let mut queries = self.queries.iter();
            if !queries.any(|query| glob(&entry.object, &query.object)) {
                let (place, object) = (&entry.place, &entry.object);
                self.remarks
                    .push(format!("{place}: no query is called `{object}`"));
            }
        }
    }

    /// Asks the server for the types of every query's parameters; what it will not prepare is noted on the query. One
    /// that was recorded is tried as it was sent then; and where the server refused it when it was sent, it is no query.
    ///
    /// Where nothing else says so, a query's names are looked for in `search_path`.
    pub(super) async fn describe(
        &mut self,
        connection: &mut PgConnection,
        search_path: Option<&str>,
    ) -> Result<()> {
        let recorded = self.recorded.values_mut();
        let plain = recorded.map(|one| &mut one.plain);
        for query in self.queries.iter_mut().chain(plain) {
            if query.search_path.is_none() {
                query.search_path = search_path.map(str::to_owned);
            }
        }
        let mut refused = Vec::new();
        for query in &mut self.queries {
            if query.problem.is_some() {
                continue;
            }
            describe(connection, query).await?;
            if let Some(one) = self.recorded.get(&query.object)
                && query.problem.is_some()
            {
                *query = one.plain.clone();
                describe(connection, query).await?;
                if query.problem.is_some() && one.refused {
                    refused.push(query.object.clone());
                }
            }
        }
        if !refused.is_empty() {
            self.queries
                .retain(|query| !refused.contains(&query.object));
            let number = refused.len();
            self.remarks.push(format!(
                "{number} more were refused by the server when they were sent, and are left out"
            ));
        }
        execute(connection, "DEALLOCATE ALL").await
    }

    /// Adds to the report what the queries are and where they came from.
    pub(super) fn tell(&self, report: &mut Report) {
        report.remarks.extend(self.remarks.iter().cloned());
        if self.queries.is_empty() && self.incomplete.is_empty() {
            let ways = "--queries DIR names SQL files, --sqlx DIR a folder of `cargo sqlx prepare`, --record -- COMMAND \
                        takes what a program sends";
            report
                .remarks
                .push(format!("no queries were checked: {ways}"));
        }
        report
            .inconclusive
            .extend(self.incomplete.iter().map(|reason| Inconclusive {
                check: "run",
                object: "queries".to_owned(),
                reason: reason.clone(),
                accepted: false,
                versions: Vec::new(),
            }));
        report.inconclusive.sort();
        let shown = self.queries.iter().filter_map(|query| {
            let text = query.shown.as_ref()?;
            Some((query.object.clone(), text.clone()))
        });
        report.texts = shown.collect();
    }
}

impl Harness {
    /// Where queries look for names without a schema: where the settings say, or where the application's role does. What
    /// is set for the database holds for our sessions as well.
    pub(super) async fn search_path(
        &self,
        connection: &mut PgConnection,
        schema: &Schema,
    ) -> Result<Option<String>> {
        let said = &self.settings.run.search_path;
        let (None, Some(access)) = (said, &schema.tenancy.access) else {
            return Ok(said.clone());
        };
        sqlx::query_scalar(
            "SELECT substr(c, 13) FROM pg_db_role_setting, unnest(setconfig) c
             WHERE starts_with(c, 'search_path=') AND setrole = (SELECT oid FROM pg_roles WHERE rolname = $1)
               AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY setdatabase DESC LIMIT 1",
        )
        .bind(&access.role)
        .fetch_optional(connection)
        .await
        .doing("read the settings of the application's role")
    }
}

/// What `[queries]` says of queries; the entry that names most of an object is the one that counts.
fn annotate_all(queries: &mut [Query], settings: &[QuerySettings]) {
    for query in queries {
        let named = settings
            .iter()
            .filter(|entry| glob(&entry.object, &query.object));
        if let Some(entry) = named.max_by_key(|entry| entry.object.len()) {
            annotate(query, &entry.tenant);
        }
    }
}

/// A file as a query that can't be tested.
fn unreadable(object: String, why: &str) -> Query {
    Query {
        object,
        line: 1,
        problem: Some(format!("the file can't be read: {why}")),
        ..Query::default()
    }
}

fn text_of(file: &Path) -> std::result::Result<String, String> {
    fs::read_to_string(file).map_err(|error| error.to_string())
}

fn collect(path: &Path, into: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    // A folder that links to one above it would never end.
    if depth > 32 {
        return Err(Error::Usage(format!(
            "{}: folders nest too deeply",
            path.display()
        )));
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| Error::io(path, error))? {
            collect(
                &entry.map_err(|error| Error::io(path, error))?.path(),
                into,
                depth + 1,
            )?;
        }
    } else if path.extension().is_some_and(|extension| extension == "sql") {
        into.push(path.to_owned());
    } else if depth == 0 {
        return Err(Error::Usage(format!(
            "{}: there are no queries here; --queries names a folder of .sql files or one",
            path.display()
        )));
    }
    Ok(())
}

/// Asks the server for the types of a query's parameters, and notes on it where it won't be prepared.
pub(super) async fn describe(connection: &mut PgConnection, query: &mut Query) -> Result<()> {
    execute(connection, "DEALLOCATE ALL; BEGIN").await?;
    if let Some(look) = query.looking() {
        execute(connection, &look).await?;
    }
    let prepare = format!("PREPARE watertight_query AS {}", query.sql);
    let prepared = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(prepare)))
        .await;
    // What is prepared stays.
    let ended = execute(connection, "ROLLBACK").await;
    if let Err(error) = prepared {
        let Some(database) = error.as_database_error() else {
            return Err(error).doing(format!("prepare {}", query.object));
        };
        query.problem = Some(format!(
            "the server does not take it: {} (SQLSTATE {})",
            database.message(),
            database.code().unwrap_or_default()
        ));
        return Ok(());
    }
    ended?;
    let types = sqlx::raw_sql(
        "SELECT t::text FROM pg_prepared_statements, unnest(parameter_types) WITH ORDINALITY u(t, i)
         WHERE name = 'watertight_query' ORDER BY i",
    )
    .fetch_all(&mut *connection)
    .await
    .doing("read the types of parameters")?;
    query.types = types
        .iter()
        .map(|row| row.try_get(0).doing("read the types of parameters"))
        .collect::<Result<_>>()?;
    Ok(())
}
