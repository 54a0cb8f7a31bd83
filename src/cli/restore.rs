//! `restore`: a backup takes a database's place.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::backup::{harness, holds};
use super::output;
use super::progress::Progress;
use crate::error::Result;
use crate::model::quoted;
use crate::operations::{Backup, Swap};

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// The backup's folder
    #[arg(value_name = "BACKUP")]
    file: PathBuf,
    /// The database that is replaced, or made where it isn't there, by its URL: postgres://…
    #[arg(long, value_name = "URL")]
    server: String,
    /// Where the backup of what is there now goes [default: beside the one that is restored]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// End the sessions of others; without it, a database that is in use is not replaced
    #[arg(long)]
    disconnect: bool,
    /// Remove the old database once the new one serves
    #[arg(long)]
    drop_old: bool,
    /// The folder of `pg_restore`, of the server's version [default: found where packages put it]
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<String>,
    /// Settings, which say whose rows are [default: watertight.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) async fn run(options: Restore) -> Result<u8> {
    let harness = harness(options.config, Some(options.server), options.pg_bin.clone())?;
    let backup = Backup::open(&options.file)?;
    let swap = Swap {
        output: options.output,
        pg_bin: options.pg_bin.map(PathBuf::from),
        disconnect: options.disconnect,
        drop_old: options.drop_old,
    };
    let progress = Progress::on_terminal();
    let restored = harness
        .restore(&backup, &swap, &|stage| progress.show(stage))
        .await;
    progress.clear();
    let restored = restored?;
    let mut text = format!("restored  {}\n", holds(&restored.manifest));
    if let Some(folder) = &restored.safety {
        let _ = writeln!(text, "before    saved in {}", folder.display());
    }
    if let Some(old) = &restored.old {
        let drop = format!("DROP DATABASE {}", quoted(old));
        let _ = writeln!(
            text,
            "kept      the old database as {old}; `{drop}` removes it"
        );
    }
    for line in &restored.roles {
        let _ = writeln!(
            text,
            "role      as it is on this server, not as it was saved: {line}"
        );
    }
    output::print(&output::disarmed(&text))?;
    Ok(0)
}
