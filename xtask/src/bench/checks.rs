//! Foreign keys attacked by the harness, each attack with its control, and the same assertions in pgTAP, on one server and over the
//! same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use watertight::check::{self, Check, Scene};
use watertight::generate::{Generator, Genes, Ground, Pools};
use watertight::load::Layout;
use watertight::model::{
    Attempt, Catalog, Focus, Purpose, Stage, Tenancy, TenantSettings, Verdict, Worlds, literal,
};
use watertight::run::{Arena, Late, load_all};
use watertight::server::{Server, ServerChoice, ServerRequest};

use super::fixture::{SEED, connect, execute, said};
use super::synthetic::{self, Parents};
use super::{Outcome, median};

/// Tables of the two sizes: a hundred foreign keys, and a thousand.
const TABLES: [usize; 2] = [40, 400];

/// What attacks foreign keys.
const CHECK: &str = "cross-tenant-reference";

/// After the statements of an attack, which pgTAP's functions run as one.
const CHECKED: &str = "SET CONSTRAINTS";

/// How pgTAP comes to be there.
const INSTALL: &str = "the peer is pgTAP: install it for this server (Debian: apt-get install postgresql-15-pgtap; \
                       elsewhere: https://pgtap.org), and psql";

pub(super) async fn run(rounds: usize) -> Result<Outcome, String> {
    let request = ServerRequest {
        choice: ServerChoice::Local,
        ..ServerRequest::default()
    };
    let server = watertight::server::start(&request).await.map_err(said)?;
    let result = measured(&server, rounds).await;
    server.stop().await.map_err(said)?;
    result
}

async fn measured(server: &Server, rounds: usize) -> Result<Outcome, String> {
    let [few, many] = TABLES;
    let hub = Subject::new(server, "hub", &synthetic::schema(many, Parents::Hub)).await?;
    let few = Subject::new(server, "few", &synthetic::schema(few, Parents::Spread)).await?;
    let many = Subject::new(server, "many", &synthetic::schema(many, Parents::Spread)).await?;
    let (script, attacks) = (many.assertions(true)?, many.assertions(false)?);
    let hub_script = hub.assertions(true)?;
    let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..=rounds {
        let small = few.checked(server).await?;
        let large = many.checked(server).await?;
        let asserted = script.run(server)?;
        let attacked = attacks.run(server)?;
        let bare = script.bare(server).await?;
        let of_hub = hub.checked(server).await?;
        let hub_asserted = hub_script.run(server)?;
        // The first round warms caches up.
        if round == 0 {
            continue;
        }
        for (name, figure) in [
            ("pgtap_over_checks", asserted / large),
            ("pgtap_attacks_over_checks", attacked / large),
            ("pgtap_attacks_over_attacks_alone", attacked / bare),
            ("time_growth", large / many.keys() / (small / few.keys())),
            ("hub_pgtap_over_checks", hub_asserted / of_hub),
            ("checks_seconds", large),
            ("attacks_alone_seconds", bare),
            ("pgtap_seconds", asserted),
            ("pgtap_attacks_seconds", attacked),
            ("hub_checks_seconds", of_hub),
            ("hub_pgtap_seconds", hub_asserted),
        ] {
            seconds.entry(name).or_default().push(figure);
        }
    }
    let mut outcome = Outcome::default();
    for (name, figures) in seconds {
        let figure = median(figures);
        if name.ends_with("seconds") {
            outcome.figures.insert(name.to_owned(), figure.into());
        } else {
            outcome.ratios.insert(name, figure);
        }
    }
    for (name, figure) in [
        ("keys", many.keys().into()),
        ("assertions", script.assertions.into()),
        ("attacks", attacks.assertions.into()),
    ] {
        outcome.figures.insert(name.to_owned(), figure);
    }
    Ok(outcome)
}

/// A synthetic schema with rows.
struct Subject {
    database: String,
    catalog: Catalog,
    tenancy: Tenancy,
    worlds: Worlds,
}

impl Subject {
    async fn new(server: &Server, name: &str, schema: &str) -> Result<Self, String> {
        let database = format!("bench_checks_{name}");
        let mut connection = connect(server, server.maintenance_database()).await?;
        execute(&mut connection, &format!("CREATE DATABASE {database}")).await?;
        let mut connection = connect(server, &database).await?;
        execute(&mut connection, schema).await?;
        let catalog = watertight::introspect::introspect(&mut connection)
            .await
            .map_err(said)?;
        let settings = TenantSettings {
            table: Some("t000".to_owned()),
            ..TenantSettings::default()
        };
        let tenancy = watertight::tenancy::classify(&catalog, &settings, None)?;
        let (existing, pools) = (BTreeMap::new(), Pools::default());
        let generator = Generator::new(Ground {
            catalog: &catalog,
            tenancy: &tenancy,
            existing: &existing,
            pools: &pools,
        });
        let worlds = generator.decode(&Genes::new(SEED, 3, 6));
        let layout = Layout::of(&catalog, &tenancy, &worlds, true);
        execute(&mut connection, "BEGIN").await?;
        load_all(&mut connection, layout, &worlds.seeded())
            .await
            .map_err(said)?;
        execute(&mut connection, "COMMIT").await?;
        execute(&mut connection, "ANALYZE; CREATE EXTENSION pgtap")
            .await
            .map_err(|why| format!("{why}: {INSTALL}"))?;
        Ok(Self {
            database,
            catalog,
            tenancy,
            worlds,
        })
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            catalog: &self.catalog,
            tenancy: &self.tenancy,
            worlds: &self.worlds,
            queries: &[],
            focus: &Focus::All,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a thousand or so")]
    fn keys(&self) -> f64 {
        let keys = self.catalog.roots().map(|table| table.foreign_keys.len());
        keys.sum::<usize>() as f64
    }

    /// Plans, runs and judges the attacks on all foreign keys: the seconds that it takes.
    async fn checked(&self, server: &Server) -> Result<f64, String> {
        let options = server.options(server.administrator(), &self.database);
        let arena = Arena {
            seeded: options.clone(),
            blank: options,
            application: None,
            pooled: Err("no pooler is wanted".to_owned()),
            thrown: None,
            access: None,
            catalog: &self.catalog,
            tenancy: &self.tenancy,
            worlds: &self.worlds,
            shadow: Vec::new(),
            timeout: 30,
            late: Late::default(),
        };
        let (scene, check) = (self.scene(), attacking()?);
        let started = Instant::now();
        let mut open = check.plan(scene);
        while !open.is_empty() {
            let work = Box::pin(watertight::run::run(&arena, &open, &|_| ()));
            let seen = work.await.map_err(said)?;
            let mut again = Vec::new();
            for (case, seen) in open.iter().zip(&seen) {
                match check.judge(scene, case, seen) {
                    Verdict::Held(_) | Verdict::NotApplicable(_) => {}
                    Verdict::FollowUp(next) => again.push(*next),
                    other => return Err(format!("{} {}: {other:?}", case.object, case.subject)),
                }
            }
            open = again;
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// The same assertions as people write them for pgTAP, those on a table's keys in a transaction of their own: each attack
    /// must fail with the code of a foreign key, and each control must work, in a savepoint that is rolled back.
    fn assertions(&self, controls: bool) -> Result<Script, String> {
        let mut tables: BTreeMap<String, BTreeSet<(bool, String)>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for case in attacking()?.plan(self.scene()) {
            let table = case.object.rsplit_once('.');
            let (table, _) = table.ok_or_else(|| format!("`{}` has no table", case.object))?;
            let seeded = |attempt: &&Attempt| attempt.stage == Stage::Seeded;
            for attempt in case.attempts.iter().filter(seeded) {
                let attacks = match attempt.purpose {
                    Purpose::Attack => true,
                    Purpose::Control if controls => false,
                    _ => continue,
                };
                let statements = attempt.statements.iter();
                let writes = statements.take_while(|sql| !sql.starts_with(CHECKED));
                let writes = writes.cloned().collect::<Vec<_>>().join("; ");
                // One move is the attack on every key that it concerns: the harness makes it once, too.
                if known.insert((attacks, writes.clone())) {
                    let of_table = tables.entry(table.to_owned()).or_default();
                    of_table.insert((attacks, writes));
                }
            }
        }
        let attacks = known.iter().filter(|(attacks, _)| *attacks);
        let all: Vec<String> = attacks.map(|(_, sql)| literal(sql)).collect();
        let mut text = String::new();
        for (table, assertions) in &tables {
            let _ = writeln!(text, "BEGIN;\nSELECT plan({});", assertions.len());
            for (attacks, sql) in assertions {
                let (sql, table) = (literal(sql), literal(table));
                let _ = if *attacks {
                    writeln!(text, "SELECT throws_ok({sql}, '23503', NULL, {table});")
                } else {
                    writeln!(
                        text,
                        "SAVEPOINT control;\nSELECT lives_ok({sql}, {table});\nROLLBACK TO control;"
                    )
                };
            }
            text.push_str("SELECT * FROM finish();\nROLLBACK;\n");
        }
        let name = format!(
            "watertight-{}-{controls}-{}.sql",
            self.database,
            std::process::id()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Script {
            database: self.database.clone(),
            path,
            bare: format!(
                "DO $bare$ DECLARE attack text; BEGIN FOREACH attack IN ARRAY ARRAY[{}] LOOP BEGIN EXECUTE attack; RAISE 'it \
                 worked'; EXCEPTION WHEN foreign_key_violation THEN NULL; END; END LOOP; END $bare$",
                all.join(", ")
            ),
            assertions: known.len(),
        })
    }
}

fn attacking() -> Result<&'static dyn Check, String> {
    check::find(CHECK).ok_or_else(|| format!("no check is called {CHECK}"))
}

/// A file of assertions, gone when it is done with.
struct Script {
    database: String,
    path: PathBuf,
    /// The attacks in one statement that does nothing else: what they cost the server.
    bare: String,
    assertions: usize,
}

impl Script {
    /// The seconds that the attacks alone take, without controls and whatever tells what came of them.
    async fn bare(&self, server: &Server) -> Result<f64, String> {
        let mut connection = connect(server, &self.database).await?;
        let started = Instant::now();
        execute(&mut connection, &self.bare).await?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// The seconds that `psql` takes for it, by the socket where the server has one.
    fn run(&self, server: &Server) -> Result<f64, String> {
        let (login, database) = (server.administrator(), self.database.as_str());
        let mut command = Command::new("psql");
        command
            .envs(server.variables(login, database))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(&self.path);
        if let Some(socket) = server.options(login, database).get_socket() {
            command.env("PGHOST", socket);
        }
        let started = Instant::now();
        let output = command
            .output()
            .map_err(|error| format!("psql: {error}: {INSTALL}"))?;
        let took = started.elapsed().as_secs_f64();
        let printed = String::from_utf8_lossy(&output.stdout);
        let held = printed.lines().filter(|line| line.starts_with("ok "));
        if held.count() == self.assertions {
            return Ok(took);
        }
        let failed = printed.lines().position(|line| line.starts_with("not ok"));
        let shown: Vec<&str> = printed.lines().skip(failed.unwrap_or(0)).take(5).collect();
        Err(format!(
            "not all of pgTAP's {} assertions held: {}{}",
            self.assertions,
            shown.join("\n"),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
