//! Values for CHECKs that can't be read: proposed by the generator, judged by the server, before a row is made.

use sqlx::PgConnection;

use crate::database::execute;
use crate::error::Result;
use crate::generate::{Ground, Pools, Seed, Trials};
use crate::load;

/// A hundred candidates take milliseconds.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = '5s'";

/// Tries values for every table that wants it; as many for each as are `enough`.
pub(super) async fn pools(
    connection: &mut PgConnection,
    ground: Ground<'_>,
    seed: Seed,
    enough: usize,
) -> Result<Pools> {
    let mut pools = Pools::default();
    let trials = Trials::new(ground);
    // A function of the user's own may never end.
    execute(connection, BEGIN).await?;
    for mut trial in trials.each(seed, enough) {
        if !load::ask(connection, trial.question()).await? {
            continue;
        }
        loop {
            let candidates = trial.propose();
            if candidates.is_empty() {
                break;
            }
            let Some(said) = load::judge(connection, trial.question(), &candidates).await? else {
                execute(connection, "ROLLBACK").await?;
                execute(connection, BEGIN).await?;
                break;
            };
            trial.learn(&candidates, said);
        }
        trial.end(&mut pools);
    }
    execute(connection, "ROLLBACK").await?;
    Ok(pools)
}
