//! Mutants of the user's schema and queries: each is made on clones, the checks run over it, and what they notice is
//! compared with what they notice of the original.

mod bench;
mod fate;
mod mend;
mod queries;
mod stage;
mod tempo;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use self::bench::Bench;
use self::stage::tried;
use self::tempo::Tempo;
use super::Harness;
use super::queries::Sources;
use crate::database::Databases;
use crate::error::{Error, Result};
use crate::migration::MigrationSet;
use crate::model::{Equivalent, Fate, Mistake, Mutation, Notice, Timings, Tried, glob};
use crate::mutate::{Change, Mutant, OPERATORS, Original, plan, unique_targets};
use crate::server::Server;

impl Harness {
    /// Makes one-defect mutants of the schema and the queries, runs the checks over each, and says which were noticed.
    /// `only` and `skip` of the settings select mutants here, as `OPERATOR[:OBJECT]`. `progress` is told what is being
    /// done.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work; a schema in which nothing can be mutated.
    pub async fn mutate(&self, progress: &dyn Fn(&str)) -> Result<Mutation> {
        let started = Instant::now();
        let operators: Vec<&str> = OPERATORS.iter().map(|(word, _)| *word).collect();
        if let Some(pattern) = self.settings().run.unknown_pattern(&operators) {
            return Err(Error::Usage(format!(
                "`{pattern}` selects no mutant; there are {}",
                operators.join(", ")
            )));
        }
        progress("reading migrations");
        let migrations = self.migrations()?;
        let sources = Sources::read(self.settings())?;
        progress("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let result = self
            .mutate_on(&server, &migrations, sources, progress)
            .await;
        let ended = server.stop().await;
        let mut mutation = result?;
        ended?;
        mutation.took_ms = super::since(started);
        Ok(mutation)
    }

    async fn mutate_on(
        &self,
        server: &Server,
        migrations: &MigrationSet,
        sources: Sources,
        progress: &dyn Fn(&str),
    ) -> Result<Mutation> {
        if !server.is_superuser() {
            return Err(Error::Usage(
                "mutants are made by a superuser: take a server of the harness's own (--server local or docker)"
                    .to_owned(),
            ));
        }
        let timings = Timings::default();
        let (mut databases, _) = self.migrate(server, migrations, timings, progress).await?;
        let result = self
            .mutate_in(&mut databases, server, migrations, sources, progress)
            .await;
        let removed = databases.remove().await;
        let mutation = result?;
        removed?;
        Ok(mutation)
    }

    async fn mutate_in(
        &self,
        databases: &mut Databases<'_>,
        server: &Server,
        migrations: &MigrationSet,
        mut sources: Sources,
        progress: &dyn Fn(&str),
    ) -> Result<Mutation> {
        let timings = Timings::default();
        let queries = Some(sources.queries.as_slice()).filter(|queries| !queries.is_empty());
        let ground = self
            .seed(
                server,
                databases,
                (migrations.clone(), queries),
                timings,
                progress,
            )
            .await?;
        let mut connection =
            crate::database::connect(&databases.administrator(&ground.seeded)).await?;
        let search_path = self.search_path(&mut connection, &ground.schema).await?;
        sources
            .describe(&mut connection, search_path.as_deref())
            .await?;
        let known = (&ground.schema.catalog, &ground.schema.tenancy);
        super::computed::compute(&mut connection, known, &mut sources.queries).await?;
        drop(connection);
        let version = server.version().split('.').next();
        let original = Original {
            catalog: &ground.schema.catalog,
            tenancy: &ground.schema.tenancy,
            queries: &sources.queries,
            version: version.and_then(|major| major.parse().ok()).unwrap_or(15),
        };
        let mutants = self.chosen(plan(original));
        let unique = unique_targets(original);
        progress("running the checks over the original");
        let bench = Bench::new(self, server, databases, &ground, &sources.queries, &unique).await?;
        let mut mutation = Mutation {
            seed: ground.seed.to_string(),
            server: self.facts(server, &ground).server,
            remarks: Self::left_out(server, original),
            ..Mutation::default()
        };
        mutation.tried = self.try_all(&bench, &mutants, progress).await?;
        mutation.remarks.extend(disputed(&mutants, &mutation.tried));
        let unused = acquit(&mut mutation.tried, &self.settings().equivalent);
        if self.settings().run.is_full() {
            mutation.mistake = unused;
        }
        Ok(mutation)
    }

    /// The mutants that `only`, `skip` and `shard` select.
    fn chosen(&self, all: Vec<Mutant>) -> Vec<Mutant> {
        let run = &self.settings().run;
        let selected = all
            .into_iter()
            .filter(|mutant| run.selects(mutant.operator, &mutant.object));
        let numbered = selected.enumerate().filter(|(number, _)| {
            let shard = run.shard;
            shard.is_none_or(|shard| number % shard.count.max(1) + 1 == shard.index)
        });
        numbered.map(|(_, mutant)| mutant).collect()
    }

    /// What no mutants were made of, and why.
    fn left_out(server: &Server, original: Original<'_>) -> Vec<String> {
        let mut remarks = Vec::new();
        if original.tenancy.access.is_none() {
            remarks.push(
                "no mutants of policies, views, functions and roles: watertight.toml has no [access] with the \
                 application's role, so that a run would notice none of them"
                    .to_owned(),
            );
        } else if !server.is_disposable() {
            remarks.push(
                "no mutants of roles: those of a server that was given by URL are left as they are"
                    .to_owned(),
            );
        }
        if original.queries.is_empty() {
            remarks.push("no mutants of queries: none were read".to_owned());
        }
        remarks
    }

    async fn try_all(
        &self,
        bench: &Bench<'_>,
        mutants: &[Mutant],
        progress: &dyn Fn(&str),
    ) -> Result<Vec<Tried>> {
        let (queries, others): (Vec<_>, Vec<_>) = (0..mutants.len())
            .partition(|number| matches!(mutants[*number].change, Change::Query(_)));
        let (roles, schemas): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|number| matches!(mutants[*number].change, Change::Roles { .. }));
        let mut found: Vec<Option<Tried>> = vec![None; mutants.len()];
        let some: Vec<&Mutant> = queries.iter().map(|number| &mutants[*number]).collect();
        for (number, one) in queries
            .into_iter()
            .zip(bench.try_queries(&some, progress).await?)
        {
            found[number] = Some(one);
        }
        let (next, tempo) = (Cell::new(0), Tempo::new(schemas.len()));
        let work = || async {
            let mut databases = self.own(bench).await?;
            let mut some = Vec::new();
            while let Some(number) = schemas.get(next.replace(next.get() + 1)).copied() {
                let mutant = &mutants[number];
                progress(&tempo.line(mutant));
                let started = Instant::now();
                let mut one = match self.bounded(bench, &mut databases, mutant).await {
                    Ok(one) => one,
                    Err(error) => {
                        // Whatever it left is gone before the next; a server that is gone ends the run here.
                        let left = std::mem::replace(&mut databases, self.own(bench).await?);
                        left.remove().await?;
                        tried(mutant, Fate::Failed(error.to_string()))
                    }
                };
                one.took_ms = super::since(started);
                tempo.done(&one);
                some.push((number, one));
            }
            databases.remove().await?;
            Ok::<_, Error>(some)
        };
        for (number, one) in together((0..self.at_once()).map(|_| work())).await? {
            found[number] = Some(one);
        }
        // Roles are the whole server's: one at a time, and nothing else beside.
        let databases = self.own(bench).await?;
        for number in roles {
            if bench.server.is_disposable() {
                progress(&format!("mutant {}", mutants[number].operator));
                let one = bench.try_role(&databases, &mutants[number]).await;
                let failed =
                    |error: Error| tried(&mutants[number], Fate::Failed(error.to_string()));
                found[number] = Some(one.unwrap_or_else(failed));
            }
        }
        databases.remove().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Databases of a worker's own.
    async fn own<'s>(&self, bench: &Bench<'s>) -> Result<Databases<'s>> {
        Databases::open(bench.server, self.settings().run.migrate_as).await
    }

    /// Tries a mutant for so many times as long as a statement may take.
    async fn bounded(
        &self,
        bench: &Bench<'_>,
        databases: &mut Databases<'_>,
        mutant: &Mutant,
    ) -> Result<Tried> {
        let limit: Duration = self.settings().run.timeout * STATEMENTS;
        let trial = Box::pin(bench.try_schema(databases, mutant));
        let in_time = tokio::time::timeout(limit, trial).await;
        in_time.unwrap_or_else(|_| {
            Err(Error::Server(format!(
                "it took longer than {} s, {STATEMENTS} times what --timeout gives a statement",
                limit.as_secs()
            )))
        })
    }

    /// Mutants that are tried at the same time: while the server makes or drops a database for one, another is judged.
    fn at_once(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        self.settings().run.jobs.unwrap_or(2 * cores).max(1)
    }
}

/// A mutant may take as long as so many statements.
const STATEMENTS: u32 = 4;

/// Runs futures at the same time and puts together what they found.
async fn together<T, F: Future<Output = Result<Vec<T>>>>(
    futures: impl Iterator<Item = F>,
) -> Result<Vec<T>> {
    let mut open: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut found = Vec::new();
    std::future::poll_fn(|context| {
        let mut failed = None;
        open.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(some)) => {
                found.extend(some);
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if open.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await?;
    Ok(found)
}

/// What a rule says of a mutant that findings noticed all the same: either is wrong, and worth a look.
fn disputed(mutants: &[Mutant], tried: &[Tried]) -> Vec<String> {
    let found = tried.iter().filter_map(|one| {
        let Fate::Killed(Notice::Finding(_)) = one.fate else {
            return None;
        };
        // The rules speak of rows that cross, not of what a query costs.
        if one.noticed.iter().all(|(check, _)| check == "query-cost") {
            return None;
        }
        let mut of = mutants.iter().filter(|mutant| {
            (mutant.operator, &mutant.object, &mutant.detail)
                == (one.operator, &one.object, &one.detail)
        });
        let why = of.find_map(|mutant| mutant.equivalent)?;
        Some(format!(
            "{} {} {} was noticed, though it is said that {why}",
            one.operator, one.object, one.detail
        ))
    });
    found.collect()
}

/// Takes survivors for equivalent that `[[equivalent]]` names; returns the first entry that none needed.
fn acquit(tried: &mut [Tried], entries: &[Equivalent]) -> Option<Mistake> {
    let mut used = BTreeSet::new();
    for one in tried.iter_mut().filter(|one| one.fate == Fate::Survived) {
        for (number, entry) in entries.iter().enumerate() {
            if glob(&entry.mutant, one.operator)
                && glob(&entry.object, &one.object)
                && glob(&entry.detail, &one.detail)
            {
                used.insert(number);
                one.fate = Fate::Equivalent(entry.reason.clone());
            }
        }
    }
    let mut unused = entries.iter().enumerate();
    let (_, entry) = unused.find(|(number, _)| !used.contains(number))?;
    Some(Mistake {
        place: entry.place.clone(),
        message: format!(
            "this [[equivalent]] was needed by no mutant in a full run (mutant `{}`, object `{}`): take it out, or mend \
             its globs",
            entry.mutant, entry.object
        ),
    })
}
