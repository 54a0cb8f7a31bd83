//! Attempts of two clients at once: what one of them leaves behind, and another meets.

use sqlx::{Connection as _, PgConnection};

use super::{Arena, session};
use crate::error::{Doing as _, Error, Result};
use crate::model::{Observation, Refusal, Session as Login};

/// Runs the statements up to the first COMMIT as `first`, and the rest as another client, the application, while the first
/// one stays connected.
pub(super) async fn run(
    arena: &Arena<'_>,
    statements: &[String],
    (first, pooled): (Login, bool),
) -> Result<Observation> {
    let application = if pooled {
        match &arena.pooled {
            Ok(options) => Some(options),
            Err(why) => return Ok(untried(why)),
        }
    } else {
        arena.application.as_ref()
    };
    let Some(application) = application else {
        return Err(Error::Server(
            "no role of the application is configured".to_owned(),
        ));
    };
    let commit = statements.iter().position(|sql| sql == "COMMIT");
    let (before, after) = statements.split_at(commit.map_or(0, |at| at + 1));
    let options = match first {
        Login::Owner => &arena.seeded,
        Login::Application => application,
    };
    let mut one = session::bounded(options, arena.timeout).await?;
    let mut seen = session::once(&mut one, before).await?;
    if seen.worked() {
        let mut other = session::bounded(application, arena.timeout).await?;
        let rest = session::once(&mut other, after).await?;
        seen.outputs.extend(rest.outputs);
        seen.refusal = rest.refusal.map(|refusal| Refusal {
            statement: refusal.statement + before.len(),
            ..refusal
        });
        close(other).await?;
    }
    close(one).await?;
    Ok(seen)
}

async fn close(connection: PgConnection) -> Result<()> {
    connection.close().await.doing("close a connection")
}

fn untried(why: &str) -> Observation {
    Observation {
        refusal: Some(Refusal {
            sqlstate: Refusal::NO_POOLER.to_owned(),
            message: why.to_owned(),
            ..Refusal::default()
        }),
        ..Observation::default()
    }
}
