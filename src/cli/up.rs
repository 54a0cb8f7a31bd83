//! `up` and `down`: a database for development.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::arguments::{PostgresOptions, said};
use super::output;
use super::progress::Progress;
use crate::config;
use crate::error::Result;
use crate::harness::{Harness, Up};

#[derive(Args, Debug)]
pub(super) struct UpOptions {
    /// Where the server comes from: local, docker or auto
    #[arg(long, value_name = "KIND")]
    server: Option<String>,
    #[command(flatten)]
    postgres: PostgresOptions,
    /// Rows per scoped table and organisation
    #[arg(long, value_name = "N", default_value = "20")]
    rows: String,
    /// How many organisations [default: 3]
    #[arg(long, value_name = "N")]
    organisations: Option<String>,
    /// Without `PgBouncer` in front of it
    #[arg(long)]
    no_pooler: bool,
    /// Write the connections to a file that pgAdmin imports
    #[arg(long, value_name = "FILE")]
    pgadmin: Option<PathBuf>,
    /// Settings [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct DownOptions {
    /// Settings [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) async fn up(options: UpOptions) -> Result<u8> {
    let texts = [
        ("server", options.server),
        ("rows", Some(options.rows)),
        ("organisations", options.organisations),
    ];
    let texts = texts.into_iter().chain(options.postgres.texts());
    let harness = Harness::new(config::load(said(options.config, texts))?);
    let progress = Progress::on_terminal();
    let up = harness
        .up(!options.no_pooler, &|stage| progress.show(stage))
        .await;
    progress.clear();
    let up = up?;
    let servers = format!("{:#}\n", servers(&up));
    let mut text = told(&up);
    match &options.pgadmin {
        Some(file) => {
            output::write_file(file, &servers)?;
            let _ = writeln!(
                text,
                "pgadmin  {}: import it by Tools, Import/Export Servers",
                file.display()
            );
        }
        None => {
            let _ = write!(text, "pgadmin  {servers}");
        }
    }
    text.push_str("         (it stays; `down` removes it)\n");
    output::print(&output::disarmed(&text))?;
    Ok(0)
}

pub(super) async fn down(options: DownOptions) -> Result<u8> {
    let harness = Harness::new(config::load(said(options.config, [].into_iter()))?);
    let removed = harness.down().await?;
    let text = if removed.is_empty() {
        "nothing is up\n".to_owned()
    } else {
        removed.join("\n") + "\n"
    };
    output::print(&output::disarmed(&text))?;
    let failed = removed.iter().any(|line| line.starts_with("could not"));
    Ok(if failed { super::FAILED } else { 0 })
}

fn told(up: &Up) -> String {
    let rows: u64 = up.seeded.tables.iter().map(|table| table.rows).sum();
    let mut text = format!(
        "server   {}\nseeded   {rows} rows (--seed {})\nadmin    {}\nowner    {}\n",
        up.server, up.seeded.seed, up.administrator, up.owner
    );
    if let Some(url) = &up.application {
        let _ = writeln!(text, "app      {url}");
    }
    if let Some(url) = &up.pooled {
        let _ = writeln!(
            text,
            "pooled   {url}  (transactions; set the organisation inside each, and use no named prepared statements)"
        );
    }
    text
}

/// The form that pgAdmin imports; it takes no passwords.
fn servers(up: &Up) -> Value {
    let mut list = Map::new();
    for (number, (role, port, pooled)) in up.doors.iter().enumerate() {
        let through = if *pooled { ", through PgBouncer" } else { "" };
        let server = json!({
            "Name": format!("{} as {role}{through}", up.database),
            "Group": "watertight",
            "Host": "127.0.0.1",
            "Port": port,
            "MaintenanceDB": up.database,
            "Username": role,
            "SSLMode": "prefer",
        });
        list.insert((number + 1).to_string(), server);
    }
    json!({ "Servers": list })
}
