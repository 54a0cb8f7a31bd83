//! The search for values that hold all CHECKs: a walk that changes, of a row that breaks one, a column that it speaks of.

use std::collections::{BTreeMap, BTreeSet};

use super::wild::Wild;
use super::words::Words;
use crate::generate::dice::Dice;
use crate::generate::value::{self, Maker};
use crate::model::{Candidate, Cell, Judgement};

/// Rows of values that are walked with at a time.
const WALKERS: usize = 128;

/// Steps of each of them.
const STEPS: usize = 90;

/// So many steps without a first row that holds everything, and there may be none.
const IN_VAIN: usize = 60;

/// What stands for the canaries of texts.
const CANARY: &str = "wtq0a1b2c3d4";

/// A column that is searched.
pub(super) struct Source {
    /// As rows usually have it; none where its type is not known.
    pub(super) maker: Option<Maker>,
    /// Otherwise; none where the user's own values are the only ones.
    pub(super) wild: Option<(Wild, Words)>,
    pub(super) nullable: bool,
    /// Its value should differ from row to row.
    pub(super) distinct: bool,
    /// A key or the tenant fills it.
    pub(super) fixed: bool,
    /// Columns of the same type, whose values may be those of this one.
    pub(super) alike: Vec<usize>,
}

/// What a CHECK speaks of, by position.
pub(super) struct Speaks {
    pub(super) columns: Vec<usize>,
    /// The settings of the question that serve it.
    pub(super) settings: Vec<usize>,
    /// One of them makes it hold by itself.
    pub(super) equates: bool,
    /// It is a part of another condition: it only says how near that one is.
    pub(super) part: bool,
}

#[derive(Clone)]
struct Walker {
    cells: Vec<Cell>,
    /// Of each condition, whether it held; none where nothing was said yet.
    held: Option<Vec<bool>>,
}

pub(super) struct Search {
    dice: Dice,
    instant: i64,
    ordinal: u64,
    pub(super) sources: Vec<Source>,
    pub(super) speaks: Vec<Speaks>,
    /// The conditions that count.
    pub(super) wanted: Vec<usize>,
    walkers: Vec<Walker>,
    asked: Vec<Candidate>,
    found: BTreeSet<Vec<Cell>>,
    /// How many were found for each way in which references are there or not.
    ways: BTreeMap<Vec<bool>, usize>,
    /// In the order in which they were found.
    pub(super) tuples: Vec<Vec<Cell>>,
    /// How often each condition was broken.
    pub(super) broken: Vec<usize>,
    step: usize,
    enough: usize,
}

impl Search {
    pub(super) fn new(
        seed: u64,
        instant: i64,
        sources: Vec<Source>,
        speaks: Vec<Speaks>,
        enough: usize,
    ) -> Self {
        let mut search = Self {
            dice: Dice::new(seed),
            instant,
            ordinal: 0,
            broken: vec![0; speaks.len()],
            wanted: (0..speaks.len()).collect(),
            sources,
            speaks,
            walkers: Vec::new(),
            asked: Vec::new(),
            found: BTreeSet::new(),
            ways: BTreeMap::new(),
            tuples: Vec::new(),
            step: 0,
            enough,
        };
        search.walkers = (0..WALKERS).map(|_| search.fresh()).collect();
        search
    }

    /// A row as rows usually are.
    fn fresh(&mut self) -> Walker {
        self.ordinal += 1;
        let all = 0..self.sources.len();
        Walker {
            cells: all.map(|column| self.usual(column)).collect(),
            held: None,
        }
    }

    fn usual(&mut self, column: usize) -> Cell {
        let source = &self.sources[column];
        if source.nullable && self.dice.one_in(3) {
            return None;
        }
        let row = self.dice.word();
        let cell = value::Cell {
            instant: self.instant,
            ordinal: if source.distinct {
                self.dice.word() % 1_000_000
            } else {
                self.ordinal
            },
            counted: false,
            // As every other row has one: it is not as names are.
            canary: self.ordinal.is_multiple_of(2).then_some(CANARY),
            turn: self.ordinal,
            salt: 0,
            row,
        };
        let maker = source.maker.as_ref()?;
        maker.make(&cell, &mut self.dice).into_cell()
    }

    /// Another value for a column of a row.
    fn other(&mut self, cells: &[Cell], column: usize) -> Cell {
        let made = self.thought_of(cells, column);
        if made.is_none() && !self.sources[column].nullable {
            return self.usual(column);
        }
        made
    }

    fn thought_of(&mut self, cells: &[Cell], column: usize) -> Cell {
        let source = &self.sources[column];
        let Some((wild, words)) = &source.wild else {
            return self.usual(column);
        };
        let dice = &mut self.dice;
        match dice.below(8) {
            0 | 1 => self.usual(column),
            2 if source.nullable => None,
            3 | 4 => {
                let near = match source.alike.get(dice.below(source.alike.len())) {
                    Some(alike) if dice.one_in(2) => &cells[*alike],
                    _ => &cells[column],
                };
                let near = near
                    .as_deref()
                    .and_then(|text| wild.beside(text, cells, words, dice));
                near.or_else(|| wild.make(words, self.instant, &mut self.dice))
            }
            5 => match source.alike.get(dice.below(source.alike.len())) {
                Some(alike) => cells[*alike].clone(),
                None => wild.make(words, self.instant, dice),
            },
            _ => wild.make(words, self.instant, dice),
        }
    }

    /// The next values to ask for; none where the search is over.
    pub(super) fn propose(&mut self) -> Vec<Candidate> {
        let in_vain = self.tuples.is_empty() && self.step >= IN_VAIN;
        if in_vain || self.step >= STEPS || self.tuples.len() >= self.enough {
            return Vec::new();
        }
        let walkers = std::mem::take(&mut self.walkers);
        self.asked = walkers.iter().map(|walker| self.changed(walker)).collect();
        self.walkers = walkers;
        self.asked.clone()
    }

    /// A row with something changed for what it breaks, or with anything changed where it breaks nothing.
    fn changed(&mut self, walker: &Walker) -> Candidate {
        let mut cells = walker.cells.clone();
        let Some(held) = &walker.held else {
            return Candidate {
                cells,
                setting: None,
            };
        };
        let broken: Vec<usize> = self
            .wanted
            .iter()
            .copied()
            .filter(|at| !held[*at])
            .collect();
        let columns = match broken.get(self.dice.below(broken.len())) {
            Some(at) => {
                let speaks = &self.speaks[*at];
                if !speaks.settings.is_empty() && self.dice.one_in(2) {
                    let setting = speaks.settings[self.dice.below(speaks.settings.len())];
                    return Candidate {
                        cells,
                        setting: Some(setting),
                    };
                }
                speaks.columns.clone()
            }
            None => (0..self.sources.len()).collect(),
        };
        for _ in 0..=self.dice.below(2) {
            if let Some(column) = columns.get(self.dice.below(columns.len())).copied() {
                cells[column] = self.other(&cells, column);
            }
        }
        if broken.is_empty() {
            for column in 0..cells.len() {
                if self.sources[column].distinct {
                    cells[column] = self.other(&cells, column);
                }
            }
        }
        Candidate {
            cells,
            setting: None,
        }
    }

    fn score(&self, held: &[bool]) -> usize {
        self.wanted.iter().filter(|at| held[**at]).count()
    }

    /// Whether the values are not among those found, nor all too many in the same way.
    fn is_new(&mut self, cells: &[Cell]) -> bool {
        let optional = self.sources.iter().zip(cells);
        let way = optional.filter(|(source, _)| source.fixed && source.nullable);
        let way: Vec<bool> = way.map(|(_, cell)| cell.is_some()).collect();
        let most = if way.is_empty() {
            self.enough
        } else {
            self.enough / 2
        };
        let count = self.ways.entry(way).or_default();
        let new = *count < most && self.found.insert(cells.to_vec());
        *count += usize::from(new);
        new
    }

    /// Takes in what the server said of what was proposed last.
    pub(super) fn learn(&mut self, said: Vec<Option<Judgement>>) {
        self.step += 1;
        let mut walkers = std::mem::take(&mut self.walkers);
        for (walker, judgement) in walkers.iter_mut().zip(said) {
            let whole = |judgement: &Judgement| {
                let mut cells = judgement.cells.iter().zip(&self.sources);
                cells.all(|(cell, source)| cell.is_some() || source.nullable)
            };
            let Some(judgement) = judgement.filter(whole) else {
                if walker.held.is_none() {
                    *walker = self.fresh();
                }
                continue;
            };
            let now = self.score(&judgement.held);
            for at in &self.wanted {
                self.broken[*at] += usize::from(!judgement.held[*at]);
            }
            let whole = self.wanted.iter().filter(|at| !self.speaks[**at].part);
            let all = whole.into_iter().all(|at| judgement.held[*at]);
            if all && self.is_new(&judgement.cells) {
                self.tuples.push(judgement.cells.clone());
                // One row in two begins anew, so that they do not all descend from one.
                if self.dice.one_in(2) {
                    *walker = self.fresh();
                    continue;
                }
            }
            let before = walker.held.as_deref().map(|held| self.score(held));
            if before.is_none_or(|before| now >= before) || self.dice.one_in(24) {
                walker.cells = judgement.cells;
                walker.held = Some(judgement.held);
            }
        }
        self.walkers = walkers;
    }
}
