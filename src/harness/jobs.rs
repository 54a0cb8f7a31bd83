//! Cases spread over databases that have the same rows: `--jobs`.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::pin::Pin;
use std::thread::available_parallelism;

use crate::error::Result;
use crate::model::{Case, Observation};
use crate::run::{Arena, run};

/// By default no more: each has databases of its own, and loads its own worlds.
const MOST: usize = 4;

/// Databases at once where nobody said how many. What is tried in one arena is several sessions already, which keep two
/// cores busy.
pub(super) fn usual() -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, MOST)
}

/// Runs the cases in all arenas at once; the observations are in their order. All cases of an object are in one arena:
/// what is compared is there in one transaction.
pub(super) async fn spread(
    arenas: &[Arena<'_>],
    cases: &[Case],
    progress: &dyn Fn(&str),
) -> Result<Vec<Vec<Observation>>> {
    if let [arena] = arenas {
        return run(arena, cases, progress).await;
    }
    let mut objects: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parts: Vec<(Vec<usize>, Vec<Case>)> = vec![Default::default(); arenas.len()];
    for (number, case) in cases.iter().enumerate() {
        let next = objects.len();
        let object = *objects.entry(&case.object).or_insert(next);
        let part = &mut parts[object % arenas.len()];
        part.0.push(number);
        part.1.push(case.clone());
    }
    let works = arenas.iter().zip(&parts).map(|(arena, (_, cases))| {
        let work: Work<'_, Vec<Vec<Observation>>> = Box::pin(run(arena, cases, progress));
        work
    });
    let seen = together(works.collect()).await?;
    let mut observations = vec![Vec::new(); cases.len()];
    for ((numbers, _), seen) in parts.iter().zip(seen) {
        for (number, seen) in numbers.iter().zip(seen) {
            observations[*number] = seen;
        }
    }
    Ok(observations)
}

/// What is done beside other things of its kind.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// What comes of each, when all are done, or the first error.
pub(super) fn together<'a, T: 'a>(mut works: Vec<Work<'a, T>>) -> Work<'a, Vec<T>> {
    Box::pin(async move {
        let Some(last) = works.pop() else {
            return Ok(Vec::new());
        };
        let (mut others, seen) = tokio::try_join!(together(works), last)?;
        others.push(seen);
        Ok(others)
    })
}
