//! From worlds that show a failure to the smallest that still do.
//!
//! It goes over the worlds as plain data: what is dropped takes along what must refer to it, and the rest keeps the
//! keys, unique keys and CHECKs that can be told here. What only the server can judge it judges: worlds that it refuses
//! show no failure. Each candidate costs one execution of the property, so the large cuts come first: kinds of worlds,
//! tables that nothing is about, organisations, tables, rows in halves and then one by one. Then references are
//! brought together, cells become NULL, and values become simple ones.

mod frame;
mod lawful;
mod links;
mod rows;
mod simple;
mod steps;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::strategy::ValueTree;

use self::frame::Frame;
use self::links::Links;
use self::rows::State;
use self::steps::Phase;
use super::Generator;
use crate::model::{RelationName, Worlds};

/// What a failure is known to be about, which spares executions.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    /// Tables that it names; others are dropped first, but for those that these refer to. Empty: not known.
    pub tables: BTreeSet<RelationName>,
    /// Text in which values stand as they are: they are not made simpler.
    pub text: String,
}

/// Worlds and what is left to try on them: a tree for proptest, and for a driver of one's own.
///
/// [`ValueTree::simplify`] says that the present worlds fail, [`ValueTree::complicate`] that they do not; each moves on
/// to the next candidate, and returns false when there is none left: the present worlds are then the smallest that
/// failed.
pub struct WorldsTree<'a> {
    generator: Arc<Generator<'a>>,
    /// The seed's reference instant, for CHECKs that ask for the present.
    instant: i64,
    frame: Frame,
    focus: Focus,
    best: State,
    links: Links,
    phase: Phase,
    /// The worlds that are being tried, and how many changes of the phase they hold.
    tried: Option<(State, usize)>,
}

impl<'a> WorldsTree<'a> {
    /// A tree over worlds that the generator made.
    #[must_use]
    pub fn new(generator: Arc<Generator<'a>>, worlds: Worlds, focus: Focus, instant: i64) -> Self {
        let (frame, best) = Frame::take(worlds);
        let links = Links::read(generator.ground.catalog, &best);
        Self {
            generator,
            instant,
            frame,
            focus,
            best,
            links,
            phase: Phase::first(),
            tried: None,
        }
    }

    /// The smallest worlds that failed so far.
    #[must_use]
    pub fn best(&self) -> Worlds {
        self.frame.fill(&self.best)
    }

    /// Moves on to the next candidate.
    fn propose(&mut self) -> bool {
        loop {
            if self.phase.is_over() {
                let Some(stage) = self.phase.next_stage() else {
                    return false;
                };
                self.phase = self.begin(stage);
                continue;
            }
            let changes = self.phase.chunk();
            let size = changes.len();
            match self.apply(changes) {
                Applied::Nothing => self.phase.forget(size),
                Applied::Unlawful => self.phase.skip(),
                Applied::Smaller(state) => {
                    self.tried = Some((state, size));
                    return true;
                }
            }
        }
    }
}

impl ValueTree for WorldsTree<'_> {
    type Value = Worlds;

    fn current(&self) -> Worlds {
        let state = self.tried.as_ref().map_or(&self.best, |(state, _)| state);
        self.frame.fill(state)
    }

    fn simplify(&mut self) -> bool {
        if let Some((state, size)) = self.tried.take() {
            self.best = state;
            self.links = Links::read(self.generator.ground.catalog, &self.best);
            self.phase.accept(size);
        }
        self.propose()
    }

    fn complicate(&mut self) -> bool {
        if self.tried.take().is_none() {
            return false;
        }
        self.phase.skip();
        self.propose()
    }
}

/// What changes come to.
enum Applied {
    /// They change nothing.
    Nothing,
    /// They break a constraint.
    Unlawful,
    Smaller(State),
}
