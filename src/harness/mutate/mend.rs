//! The fix of what was found, applied to the mutant: does it silence the finding, and does all else hold as before?

use sqlx::Connection as _;

use super::bench::Bench;
use super::fate::Seen;
use super::stage::{Staged, change};
use crate::database::{Databases, connect};
use crate::error::{Doing as _, Result};
use crate::model::Named;
use crate::mutate::Mutant;

impl Bench<'_> {
    /// Applies the first finding's fix and looks again.
    pub(super) async fn mend(
        &self,
        databases: &mut Databases<'_>,
        mutant: &Mutant,
        sql: &str,
        staged: &mut Staged<'_>,
        (seen, named): (&Seen, &mut Named),
    ) -> Result<()> {
        let Some(finding) = seen.findings.first() else {
            return Ok(());
        };
        let fix = finding.fix.as_str();
        let mut connection = connect(&databases.administrator(&staged.place.seeded)).await?;
        let refused = change(&mut connection, fix).await?;
        if let Some(why) = refused {
            connection.close().await.doing("close a connection")?;
            named.mended = Some(false);
            named.why_not = format!("the server does not take it: {why}");
            return Ok(());
        }
        staged.schema = self.schema(&mut connection).await?;
        connection.close().await.doing("close a connection")?;
        // The one without rows is made anew, and mended.
        let blank = std::mem::take(&mut staged.place.blank);
        if !blank.is_empty() {
            databases.drop_clone(&blank).await?;
        }
        let both = format!("{sql}\n;{fix}");
        let after = self.look(databases, &both, staged, &mutant.touches).await?;
        // What the mutant took away may come back under another name.
        let lost = lost(self, &after, &|object| {
            mutant.touches.includes(object)
                && (object != mutant.object || finding.object == mutant.object)
        });
        let after = after.since(&self.before, mutant);
        let left = after.noticed().into_iter().next();
        named.mended = Some(left.is_none() && lost.is_none());
        if let Some((check, object)) = left.or(lost) {
            named.why_not = format!("then {check} of {object} does not hold");
        }
        Ok(())
    }
}

/// What held of the original, and does not now.
fn lost(
    bench: &Bench<'_>,
    after: &Seen,
    touched: &dyn Fn(&str) -> bool,
) -> Option<(String, String)> {
    let mut held = bench.before.held.iter();
    let (check, object) = held.find(|(check, object)| {
        touched(object) && !after.held.contains(&(*check, object.clone()))
    })?;
    Some(((*check).to_owned(), object.clone()))
}
