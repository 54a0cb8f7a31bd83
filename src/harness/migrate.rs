//! Whether migrations may be run again: nothing new is nothing done, and what is undone and done again is as it was.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};

use super::Harness;
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Error, Result};
use crate::introspect::snapshot;
use crate::migration::{Migration, MigrationSet, apply, prepare, revert};

/// So many differences are shown of a migration.
const SHOWN: usize = 6;

/// What came of [`Harness::check_migrations`].
#[derive(Clone, Debug, Default)]
pub struct MigrationsChecked {
    /// What the migrations are.
    pub migrations: String,
    /// What was tried and held, a line each.
    pub held: Vec<String>,
    /// What did not, with the file.
    pub broken: Vec<String>,
    /// What could not be tried, and why.
    pub untried: Vec<String>,
}

impl Harness {
    /// Applies the migrations to a new database, and again; changes each and sees that this is refused; undoes and repeats
    /// each that can be undone; repeats the repeatable ones.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work, and a migration that fails the first time.
    pub async fn check_migrations(&self, stage: &dyn Fn(&str)) -> Result<MigrationsChecked> {
        let set = self.migrations()?;
        stage("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let result = async {
            let mut databases = Databases::open(&server, self.settings.run.migrate_as).await?;
            let checked = Box::pin(check(&set, &mut databases, stage)).await;
            databases.remove().await?;
            checked
        }
        .await;
        server.stop().await?;
        result
    }
}

async fn check(
    set: &MigrationSet,
    databases: &mut Databases<'_>,
    stage: &dyn Fn(&str),
) -> Result<MigrationsChecked> {
    let mut checked = MigrationsChecked {
        migrations: set.describe(),
        ..MigrationsChecked::default()
    };
    stage("applying migrations");
    let name = databases.migrated(set, false).await?;
    let mut connection = connect(&databases.as_owner(&name)).await?;
    let first = snapshot(&mut connection).await?;
    if set.tool.is_some() {
        connection.close().await.doing("close a connection")?;
        databases.run_tool(set, &name).await?;
        let mut connection = connect(&databases.as_owner(&name)).await?;
        let second = snapshot(&mut connection).await?;
        connection.close().await.doing("close a connection")?;
        let all = "a second run of the command leaves the schema as it is";
        checked.take(all, &differences(&first, &second));
        let why = "what the command applies, undoes and remembers is its own: only the second run was tried";
        checked.untried.push(why.to_owned());
        return Ok(checked);
    }
    stage("applying them again");
    let again = apply(set, &mut connection).await?;
    let mut wrong = differences(&first, &snapshot(&mut connection).await?);
    if again.applied > 0 {
        wrong.push(format!("{} were applied again", again.applied));
    }
    checked.take("a second run applies nothing", &wrong);
    changed(set, &mut connection, &mut checked).await?;
    repeated(set, &mut connection, &first, &mut checked).await?;
    connection.close().await.doing("close a connection")?;
    stage("undoing and repeating each");
    there_and_back(set, databases, &mut checked).await?;
    Ok(checked)
}

/// Each file that was applied, as if it had changed since: an error that names it.
async fn changed(
    set: &MigrationSet,
    connection: &mut PgConnection,
    checked: &mut MigrationsChecked,
) -> Result<()> {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for index in 0..set.migrations.len() {
        if set.migrations[index].repeatable {
            continue;
        }
        tried += 1;
        let mut other = set.clone();
        other.migrations[index].checksum.push('0');
        let file = set.migrations[index].file.display().to_string();
        match apply(&other, connection).await {
            Err(Error::Usage(message)) if message.contains(&file) => {}
            Err(error @ Error::Database { .. }) => return Err(error),
            _ => wrong.push(format!("{file} was changed, and nothing said so")),
        }
    }
    if tried > 0 {
        let what = format!("a changed file is refused by its name, each of {tried}");
        checked.take(&what, &wrong);
    }
    Ok(())
}

/// The repeatable ones once more.
async fn repeated(
    set: &MigrationSet,
    connection: &mut PgConnection,
    first: &BTreeSet<String>,
    checked: &mut MigrationsChecked,
) -> Result<()> {
    let mut other = set.clone();
    let mut count = 0;
    for migration in other.migrations.iter_mut().filter(|m| m.repeatable) {
        migration.checksum.push('0');
        count += 1;
    }
    if count == 0 {
        return Ok(());
    }
    let what = format!("repeatable ones applied twice leave the schema as it is, {count} of them");
    let wrong = match apply(&other, connection).await {
        Ok(_) => differences(first, &snapshot(connection).await?),
        Err(Error::Migration(error)) => vec![error.to_string()],
        Err(error) => return Err(error),
    };
    checked.take(&what, &wrong);
    Ok(())
}

/// From an empty database on: each migration up, down and up.
async fn there_and_back(
    set: &MigrationSet,
    databases: &mut Databases<'_>,
    checked: &mut MigrationsChecked,
) -> Result<()> {
    if set
        .migrations
        .iter()
        .all(|migration| migration.down.is_none())
    {
        let why = "nothing undoes the migrations: up, down and up was not tried";
        checked.untried.push(why.to_owned());
        return Ok(());
    }
    let lasting = |m: &&Migration| m.down.is_none() && !m.repeatable;
    let without = set.migrations.iter().filter(lasting).count();
    if without > 0 {
        checked
            .untried
            .push(format!("{without} have nothing that undoes them"));
    }
    // Roles are the server's, and those that the first database's migrations made are there: they go first.
    let name = databases.emptied().await?;
    let mut connection = connect(&databases.as_owner(&name)).await?;
    prepare(set, &mut connection).await?;
    let mut part = set.clone();
    part.migrations.clear();
    let mut held = 0;
    let mut before = snapshot(&mut connection).await?;
    for migration in &set.migrations {
        part.migrations.push(migration.clone());
        apply(&part, &mut connection).await?;
        let after = snapshot(&mut connection).await?;
        if let Some(down) = &migration.down {
            let wrong = match back(&part, &mut connection, &before, &after).await {
                Ok(wrong) => wrong,
                Err(Error::Migration(error)) => {
                    checked.broken.push(error.to_string());
                    checked
                        .untried
                        .push(format!("what comes after {}", migration.file.display()));
                    break;
                }
                Err(error) => return Err(error),
            };
            if wrong.is_empty() {
                held += 1;
            } else {
                let what = format!(
                    "{}: up, down and up leaves the schema as it was",
                    down.file.display()
                );
                checked.take(&what, &wrong);
            }
        }
        before = snapshot(&mut connection).await?;
    }
    if held > 0 {
        checked.held.push(format!(
            "up, down and up leaves the schema as it was, each of {held}"
        ));
    }
    connection.close().await.doing("close a connection")
}

/// Undoes the last migration and applies it again; what is not as it was.
async fn back(
    part: &MigrationSet,
    connection: &mut PgConnection,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) -> Result<Vec<String>> {
    let mut last = part.clone();
    last.migrations = part.migrations.last().cloned().into_iter().collect();
    revert(&last, connection).await?;
    let mut wrong = differences(before, &snapshot(connection).await?);
    apply(part, connection).await?;
    let again = differences(after, &snapshot(connection).await?);
    if wrong.is_empty() {
        wrong = again;
    }
    Ok(wrong)
}

/// What is there now and was not, and the other way round.
fn differences(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(after).map(|line| format!("- {line}"));
    let new = after.difference(before).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

impl MigrationsChecked {
    /// Enters what was tried: held where nothing is wrong.
    fn take(&mut self, what: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.held.push(what.to_owned());
            return;
        }
        let mut shown: Vec<String> = wrong.iter().take(SHOWN).cloned().collect();
        if wrong.len() > SHOWN {
            shown.push(format!("… and {} more", wrong.len() - SHOWN));
        }
        self.broken.push(format!(
            "not so: {what}\n    {}",
            shown.join("\n    ").replace('\n', "\n    ")
        ));
    }
}
