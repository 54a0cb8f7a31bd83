//! `seed`: a database full of rows, or files of them.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::output;
use super::progress::Progress;
use crate::config::{self, CommandLine};
use crate::error::Result;
use crate::harness::{Harness, Seeded};

pub(super) async fn run(command_line: CommandLine, folder: Option<PathBuf>) -> Result<u8> {
    let settings = config::load(command_line)?;
    let progress = Progress::on_terminal();
    let harness = Harness::new(settings.clone());
    let seeded = harness
        .seed_database(
            folder.as_deref(),
            &|stage| progress.show(stage),
            &|filling| {
                progress.bar(filling.done, filling.all, &filling.table.to_string());
            },
        )
        .await;
    progress.clear();
    let seeded = seeded?;
    let mut text = summary(&seeded);
    if let Some(folder) = folder {
        let _ = writeln!(
            text,
            "files    {0}: `cd {0} && psql DATABASE -f load.sql` loads them",
            folder.display()
        );
    }
    for line in &seeded.opened {
        let _ = writeln!(text, "opened   {line}");
    }
    if !seeded.opened.is_empty() {
        text.push_str(
            "         (it stays; `clean` removes a server of the harness's own with it)\n",
        );
    }
    output::print(&text)?;
    Ok(0)
}

/// What there is now, and for each table that has fewer rows than asked for, why.
fn summary(seeded: &Seeded) -> String {
    let rows: u64 = seeded.tables.iter().map(|table| table.rows).sum();
    let seconds = seeded.took.as_secs_f64();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "seeded   {rows} rows in {} tables in {seconds:.1} s",
        seeded.tables.iter().filter(|table| table.rows > 0).count()
    );
    for table in &seeded.tables {
        if let Some(why) = &table.why {
            let _ = writeln!(
                text,
                "fewer    {}: {} of {} rows: {}",
                table.table,
                table.rows,
                table.asked,
                output::disarmed(why).replace('\n', " ")
            );
        }
    }
    let _ = writeln!(text, "server   {}", output::disarmed(&seeded.server));
    let _ = writeln!(text, "again    --seed {}", seeded.seed);
    text
}
