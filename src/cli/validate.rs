//! `validate`: the suites over a database that is in use.

use std::path::PathBuf;

use clap::Args;

use super::arguments::said;
use super::progress::Progress;
use super::{output, show, usage};
use crate::config;
use crate::error::Result;
use crate::harness::Harness;

#[derive(Args, Debug)]
pub(super) struct Validate {
    /// The URL of the database, postgres://…; a password may come from PGPASSWORD or .pgpass
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Print the suites as a file that `psql` alone can run, for the database of --server, or for what the migrations make
    #[arg(long)]
    print_sql: bool,
    /// Notes fail, too: keys and indexes are held to the rules of a schema that is made for many tenants
    #[arg(long)]
    strict: bool,
    /// Settings, which say whose rows are [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The bound of each suite, in seconds [default: 30]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<String>,
    /// The report that is printed: text, json or github [default: text]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// A report to a file; repeatable
    #[arg(long, value_name = "FORMAT=PATH")]
    report: Vec<String>,
}

pub(super) async fn run(options: Validate) -> Result<u8> {
    let by_url = options.server.is_some();
    if !by_url && !options.print_sql {
        return Err(usage(
            "validate wants the database's URL: --server postgres://user@host:5432/database; or --print-sql",
        ));
    }
    let texts = [
        ("server", options.server),
        ("timeout", options.timeout),
        ("format", options.format),
    ];
    let mut line = said(options.config, texts.into_iter());
    if !options.report.is_empty() {
        line.options.push(("report", options.report));
    }
    let settings = config::load(line)?;
    show::refuse_formats(&settings)?;
    let harness = Harness::new(settings.clone());
    let progress = Progress::on_terminal();
    let stage = |stage: &str| progress.show(stage);
    if options.print_sql {
        let script = harness
            .validation_script(by_url, options.strict, &stage)
            .await;
        progress.clear();
        output::print(&script?)?;
        return Ok(0);
    }
    let report = harness.validate(options.strict, &stage).await;
    progress.clear();
    show::show(&settings, &report?)
}
