//! One mutant of a schema: made on clones, judged by the cases that it touches, and by all where these notice nothing.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::super::{Schema, assemble};
use super::bench::{Bench, Place};
use super::fate::Seen;
use crate::check::Scene;
use crate::database::{Databases, connect, execute, refuse_vacuous};
use crate::error::{Doing as _, Error, Result};
use crate::migration::ObjectKind;
use crate::model::{Fate, Focus, Named, Notice, Stage, Tried, Worlds};
use crate::mutate::{Change, Mutant, Part, Rows};

/// A mutant that was made.
pub(super) struct Staged<'b> {
    pub(super) place: Place,
    pub(super) schema: Schema,
    /// Its rows; `None` where they are the original's.
    own: Option<Worlds>,
    begun: Option<&'b Worlds>,
}

impl Staged<'_> {
    /// What is looked at for `focus`: the queries only where that is everything.
    pub(super) fn scene<'s>(&'s self, bench: &'s Bench<'_>, focus: &'s Focus) -> Scene<'s> {
        let worlds = self.own.as_ref().or(self.begun);
        let scene = bench.scene(
            &self.schema.catalog,
            &self.schema.tenancy,
            worlds.unwrap_or(&bench.ground.worlds),
        );
        let queries = match focus {
            Focus::All => scene.queries,
            _ => &[],
        };
        Scene {
            queries,
            focus,
            ..scene
        }
    }
}

/// What came of making one.
pub(super) enum Made<T> {
    Yes(T),
    /// The server's words.
    No(String),
}

impl Bench<'_> {
    /// Makes a mutant and sees what notices it.
    pub(super) async fn try_schema(
        &self,
        databases: &mut Databases<'_>,
        mutant: &Mutant,
    ) -> Result<Tried> {
        let Change::Schema { sql, rows } = &mutant.change else {
            return Ok(tried(
                mutant,
                Fate::Unmade("it is none of a schema".to_owned()),
            ));
        };
        let mut staged = match self.stage(databases, sql, *rows, &mutant.touches).await? {
            Made::Yes(staged) => staged,
            Made::No(why) => return Ok(tried(mutant, Fate::Unmade(why))),
        };
        let result = self.try_staged(databases, mutant, sql, &mut staged).await;
        self.clear(databases, &staged.place).await?;
        result
    }

    async fn try_staged(
        &self,
        databases: &mut Databases<'_>,
        mutant: &Mutant,
        sql: &str,
        staged: &mut Staged<'_>,
    ) -> Result<Tried> {
        if let Some(access) = &staged.schema.tenancy.access
            && let Err(Error::Usage(_)) = refuse_vacuous(&staged.schema.catalog, access)
        {
            return Ok(tried(mutant, Fate::Killed(Notice::Refusal)));
        }
        let first = self.look(databases, sql, staged, &mutant.touches).await?;
        let first = first.since(&self.before, mutant);
        if !first.findings.is_empty() {
            let mut named = self.named(mutant, &first);
            self.mend(databases, mutant, sql, staged, (&first, &mut named))
                .await?;
            return Ok(Tried {
                noticed: first.noticed(),
                named: Some(named),
                ..tried(mutant, first.fate())
            });
        }
        // Nothing was made anew, so that what can't be judged any more is the mutant's doing.
        if staged.own.is_none() && !first.inconclusive.is_empty() {
            return Ok(Tried {
                noticed: first.noticed(),
                ..tried(mutant, first.fate())
            });
        }
        if let Some(why) = mutant.equivalent {
            return Ok(tried(mutant, Fate::Equivalent(why.to_owned())));
        }
        // All of it, with rows of its own: what survives this survives a run.
        let anew = match self.stage(databases, sql, Rows::Anew, &Focus::All).await? {
            Made::Yes(anew) => anew,
            Made::No(why) => return Ok(tried(mutant, Fate::Unmade(why))),
        };
        let mut anew = anew;
        let all = self.look(databases, sql, &mut anew, &Focus::All).await;
        self.clear(databases, &anew.place).await?;
        let all = all?.since(&self.before, mutant);
        let named = (!all.findings.is_empty()).then(|| self.named(mutant, &all));
        Ok(Tried {
            noticed: all.noticed(),
            named,
            ..tried(mutant, all.fate())
        })
    }

    /// Makes a mutant, with the rows that it begins with or with rows of its own for what is looked at.
    pub(super) async fn stage(
        &self,
        databases: &mut Databases<'_>,
        sql: &str,
        rows: Rows,
        focus: &Focus,
    ) -> Result<Made<Staged<'_>>> {
        if let Some((seeded, worlds)) = self.begins_with(rows) {
            let name = databases.clone_of(seeded).await?;
            let mut connection = connect(&databases.administrator(&name)).await?;
            if change(&mut connection, sql).await?.is_none() {
                let schema = self.schema(&mut connection).await?;
                connection.close().await.doing("close a connection")?;
                return Ok(Made::Yes(Staged {
                    place: Place::of(name),
                    schema,
                    own: None,
                    begun: Some(worlds),
                }));
            }
            connection.close().await.doing("close a connection")?;
            databases.drop_clone(&name).await?;
        }
        let name = databases.clone_of(&self.template).await?;
        let mut connection = connect(&databases.administrator(&name)).await?;
        let refused = change(&mut connection, sql).await?;
        let made = match refused {
            Some(why) => Made::No(why),
            None => match self.worlds(&mut connection, focus).await {
                Ok((schema, worlds)) => Made::Yes((schema, worlds)),
                // What the server refuses of its rows is said of this mutant, and the others are tried.
                Err(error @ (Error::Server(_) | Error::Database { .. })) => {
                    Made::No(format!("no rows could be made for it: {error}"))
                }
                Err(error) => return Err(error),
            },
        };
        connection.close().await.doing("close a connection")?;
        Ok(match made {
            Made::Yes((schema, worlds)) => Made::Yes(Staged {
                place: Place::of(name),
                schema,
                own: Some(worlds),
                begun: None,
            }),
            Made::No(why) => {
                databases.drop_clone(&name).await?;
                Made::No(why)
            }
        })
    }

    /// Judges the cases of a mutant that are looked at, in the databases that they need.
    pub(super) async fn look(
        &self,
        databases: &mut Databases<'_>,
        sql: &str,
        staged: &mut Staged<'_>,
        focus: &Focus,
    ) -> Result<Seen> {
        let cases = assemble::planned(staged.scene(self, focus));
        let needs = |fits: &dyn Fn(Stage) -> bool| {
            let mut attempts = cases.iter().flat_map(|case| &case.attempts);
            attempts.any(|attempt| fits(attempt.stage))
        };
        let place = &mut staged.place;
        if needs(&|stage| matches!(stage, Stage::World { .. })) && place.blank.is_empty() {
            let name = databases.clone_of(&self.template).await?;
            let mut connection = connect(&databases.administrator(&name)).await?;
            execute(&mut connection, sql).await?;
            connection.close().await.doing("close a connection")?;
            place.blank = name;
        }
        if needs(&|stage| stage == Stage::Thrown) {
            place.thrown = Some(databases.clone_of(&place.seeded).await?);
        }
        let scene = staged.scene(self, focus);
        let seen = self
            .judge_cases(databases, &staged.place, scene, cases)
            .await;
        if let Some(thrown) = staged.place.thrown.take() {
            databases.drop_clone(&thrown).await?;
        }
        seen
    }

    /// Drops a mutant's databases.
    pub(super) async fn clear(&self, databases: &mut Databases<'_>, place: &Place) -> Result<()> {
        for name in [&place.seeded, &place.blank] {
            if !name.is_empty() {
                databases.drop_clone(name).await?;
            }
        }
        Ok(())
    }

    /// Whether what was found names what was changed.
    fn named(&self, mutant: &Mutant, seen: &Seen) -> Named {
        let worst = seen.findings.first();
        let object = worst.is_some_and(|worst| mutant.named.contains(&worst.object))
            && seen
                .findings
                .iter()
                .all(|one| mutant.named.contains(&one.object));
        let (kind, relation, name) = match &mutant.part {
            Part::Constraint(table, name) => (ObjectKind::Constraint, table, name.as_str()),
            Part::Index(table, name) => (ObjectKind::Index, table, name.as_str()),
            Part::Column(table, name) => (ObjectKind::Column, table, name.as_str()),
            Part::Policy(table, name) => (ObjectKind::Policy, table, name.as_str()),
            Part::Table(table) => (ObjectKind::Table, table, ""),
            Part::View(name) => (ObjectKind::View, name, ""),
            Part::Function(name) => (ObjectKind::Function, name, ""),
            Part::Other => {
                return Named {
                    object,
                    ..Named::default()
                };
            }
        };
        let place = self.ground.migrations.locate(kind, relation, name);
        let found = seen.findings.first().and_then(|one| one.place.as_ref());
        Named {
            object,
            place: object && found.is_some() && found == place.as_ref(),
            ..Named::default()
        }
    }

    /// A mutant of roles: refused, or noticed by the cases that it touches, in the original's databases.
    pub(super) async fn try_role(
        &self,
        databases: &Databases<'_>,
        mutant: &Mutant,
    ) -> Result<Tried> {
        let Change::Roles { sql, undo } = &mutant.change else {
            return Ok(tried(
                mutant,
                Fate::Unmade("it is none of a role".to_owned()),
            ));
        };
        let options = self
            .server
            .options(self.server.administrator(), &self.template);
        let mut connection = connect(&options).await?;
        let refused = change(&mut connection, sql).await?;
        let seen = match refused {
            Some(why) => Ok(tried(mutant, Fate::Unmade(why))),
            None => self.changed_role(&mut connection, databases, mutant).await,
        };
        execute(&mut connection, undo).await?;
        connection.close().await.doing("close a connection")?;
        seen
    }

    async fn changed_role(
        &self,
        connection: &mut PgConnection,
        databases: &Databases<'_>,
        mutant: &Mutant,
    ) -> Result<Tried> {
        let schema = self.schema(connection).await?;
        if let Some(access) = &schema.tenancy.access {
            match refuse_vacuous(&schema.catalog, access) {
                Err(Error::Usage(_)) => return Ok(tried(mutant, Fate::Killed(Notice::Refusal))),
                other => other?,
            }
        }
        let place = self.original();
        let scene = Scene {
            focus: &mutant.touches,
            ..self.scene(&schema.catalog, &schema.tenancy, &self.ground.worlds)
        };
        let seen = self.judge(databases, &place, scene).await?;
        let seen = seen.since(&self.before, mutant);
        let mut named = self.named(mutant, &seen);
        named.object = seen.findings.iter().all(|one| one.object == mutant.object);
        Ok(Tried {
            noticed: seen.noticed(),
            named: (!seen.findings.is_empty()).then_some(named),
            ..tried(mutant, seen.fate())
        })
    }
}

impl Place {
    /// A mutant's: its few attempts are no reason for another clone, so that the application waits for the owner.
    fn of(seeded: String) -> Self {
        Self {
            application: Some(seeded.clone()),
            seeded,
            blank: String::new(),
            thrown: None,
        }
    }
}

/// A mutant and its fate.
pub(super) fn tried(mutant: &Mutant, fate: Fate) -> Tried {
    Tried {
        operator: mutant.operator,
        object: mutant.object.clone(),
        detail: mutant.detail.clone(),
        fate,
        noticed: Vec::new(),
        named: None,
        took_ms: 0,
    }
}

/// Runs statements that the server may refuse; its words where it does.
pub(super) async fn change(connection: &mut PgConnection, sql: &str) -> Result<Option<String>> {
    let sent = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await;
    match sent {
        Ok(_) => Ok(None),
        Err(error) => match error.as_database_error() {
            Some(refusal) => Ok(Some(refusal.message().to_owned())),
            None => Err(error).doing("make a mutant"),
        },
    }
}
