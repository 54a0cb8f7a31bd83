//! The order of tables: parents first, and what goes round in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Plan, TablePlan};
use crate::model::{ForeignKey, RelationName};

/// How many tables each table still waits for, counted by key.
#[derive(Default)]
struct Waiting<'a> {
    /// By table: for all of its keys, and for those that must be there.
    counts: BTreeMap<&'a RelationName, (usize, usize)>,
    /// By target: who waits for it, and whether the key must be there.
    by_target: BTreeMap<&'a RelationName, Vec<(&'a RelationName, bool)>>,
    /// Those that wait for nothing.
    free: BTreeSet<&'a RelationName>,
    /// Those that wait for nothing that must be there.
    passable: BTreeSet<&'a RelationName>,
}

impl<'a> Waiting<'a> {
    fn new(plan: &Plan<'a>) -> Self {
        let mut waiting = Self::default();
        let none = BTreeSet::new();
        for (name, table) in &plan.tables {
            let count = |all| plan.waits_for(table, &none, all).count();
            waiting.counts.insert(name, (count(true), count(false)));
            let mut needed: Vec<&RelationName> = plan.waits_for(table, &none, false).collect();
            for target in plan.waits_for(table, &none, true) {
                let must = needed.iter().position(|name| *name == target);
                let must = must.map(|at| needed.swap_remove(at)).is_some();
                let waiters = waiting.by_target.entry(target).or_default();
                waiters.push((name, must));
            }
            waiting.sort_in(name);
        }
        waiting
    }

    fn sort_in(&mut self, name: &'a RelationName) {
        match self.counts.get(name) {
            Some((0, _)) => {
                self.free.insert(name);
            }
            Some((_, 0)) => {
                self.passable.insert(name);
            }
            _ => {}
        }
    }

    /// A table has its place: nobody waits for it any longer.
    fn done(&mut self, name: &'a RelationName) {
        self.counts.remove(name);
        self.free.remove(name);
        self.passable.remove(name);
        for (waiter, must) in self.by_target.remove(name).into_iter().flatten() {
            if let Some((all, needed)) = self.counts.get_mut(waiter) {
                *all -= 1;
                *needed -= usize::from(must);
                self.passable.remove(waiter);
                self.sort_in(waiter);
            }
        }
    }
}

impl<'a> Plan<'a> {
    /// Orders tables by their keys. In a circle a nullable key waits; where none is nullable, the circle is loaded
    /// with its keys deferred or in one statement, and a row refers to the one of the same number.
    pub(super) fn sort(&mut self) {
        let mut waiting = Waiting::new(self);
        let mut done: BTreeSet<&'a RelationName> = BTreeSet::new();
        let mut circle: Vec<&'a RelationName> = Vec::new();
        while let Some((&first, _)) = waiting.counts.first_key_value() {
            // What a circle was begun with is ended first.
            let in_circle = |set: &BTreeSet<&'a RelationName>| {
                circle.iter().copied().find(|name| set.contains(name))
            };
            let next = in_circle(&waiting.free)
                .or_else(|| in_circle(&waiting.passable))
                .or_else(|| circle.first().copied())
                .or_else(|| waiting.free.first().copied())
                .or_else(|| waiting.passable.first().copied());
            let next = next.unwrap_or_else(|| {
                let open: Vec<_> = waiting.counts.keys().copied().collect();
                circle = self.smallest_circle(&open, &done);
                circle.first().copied().unwrap_or(first)
            });
            self.delay(next, &done);
            circle.retain(|name| *name != next);
            done.insert(next);
            waiting.done(next);
            self.order.push(next);
        }
    }

    /// The tables not yet done that a table's keys need; with `all`, also those that its nullable keys may refer to.
    fn waits_for(
        &self,
        plan: &TablePlan<'a>,
        done: &BTreeSet<&'a RelationName>,
        all: bool,
    ) -> impl Iterator<Item = &'a RelationName> {
        // The key of the tenant column alone chooses no parent, but its parent must be there.
        let needed = plan
            .keys
            .iter()
            .filter(|key| all || key.nullable.is_empty());
        let keys: Vec<&'a ForeignKey> = plan
            .tenant_keys()
            .chain(needed.map(|key| key.key))
            .filter(|key| {
                key.target != plan.table.name
                    && !done.contains(&key.target)
                    && self.tables.contains_key(&key.target)
            })
            .collect();
        keys.into_iter().map(|key| &key.target)
    }

    /// Tables that need each other, and nothing else that is not done: the smallest set that a table reaches. It is
    /// noted where one statement must load it.
    fn smallest_circle(
        &mut self,
        open: &[&'a RelationName],
        done: &BTreeSet<&'a RelationName>,
    ) -> Vec<&'a RelationName> {
        let reach = |start: &'a RelationName| {
            let mut met = BTreeSet::new();
            let mut next = vec![start];
            while let Some(name) = next.pop() {
                let new = self.waits_for(&self.tables[name], done, false);
                next.extend(new.filter(|name| met.insert(*name)));
            }
            met
        };
        let circle: Vec<&RelationName> = open
            .iter()
            .map(|name| reach(name))
            .min_by_key(BTreeSet::len)
            .map(|names| names.into_iter().collect())
            .unwrap_or_default();
        let stiff = circle.iter().any(|name| {
            let mut keys = self.tables[name].keys.iter();
            keys.any(|key| {
                key.nullable.is_empty() && !key.key.deferrable && circle.contains(&&key.key.target)
            })
        });
        if stiff && circle.len() > 1 {
            let names = circle.iter().map(|name| (*name).clone());
            self.circles.push(names.collect());
        }
        circle
    }

    /// The keys of a table whose parents are made after it.
    fn delay(&mut self, table: &'a RelationName, done: &BTreeSet<&'a RelationName>) {
        let known: BTreeSet<&RelationName> = self.tables.keys().copied().collect();
        let Some(plan) = self.tables.get_mut(table) else {
            return;
        };
        for key in &mut plan.keys {
            let target = &key.key.target;
            if target == table || !known.contains(target) || done.contains(target) {
                continue;
            }
            key.late = true;
            // A deferred key bears its value at once; one that is not must wait as NULL.
            if !key.key.deferrable && !key.nullable.is_empty() {
                self.late
                    .entry(table.clone())
                    .or_default()
                    .push(key.key.name.clone());
            }
        }
    }
}
