//! Genes → rows, table by table, tenant by tenant.

use std::collections::{BTreeMap, HashSet};

use super::dice::{Dice, hash, mixed};
use super::mend;
use super::plan::{KeyPlan, Plan, TablePlan};
use super::reach;
use super::value::{self, Profile};
use super::{Genes, Ground, Part, RowKey};
use crate::model::{Canary, Cell, Class, Column, Dataset, RelationName, Rows, WorldKind, Worlds};

/// A row that must differ from others is made anew so often before it is given up.
const ATTEMPTS: u32 = 48;

/// Values are chosen again so often for the CHECKs of a row before it is made anew.
const MENDS: u32 = 64;

/// More rows of the acting tenant's kind under ids that it lacks.
const EXTRA_TWINS: usize = 2;

pub(super) fn decode(ground: Ground<'_>, plan: &Plan<'_>, genes: &Genes) -> Worlds {
    let mut maker = Maker {
        ground,
        genes,
        plan,
        made: BTreeMap::new(),
        seen: HashSet::new(),
        canaries: BTreeMap::new(),
        refused: BTreeMap::new(),
        tenants: super::tenant::ids(ground, plan, genes),
    };
    maker.fill(Part::Shared, 0);
    maker.fill(Part::Acting, 0);
    for tenant in 1..genes.organisations {
        maker.fill(Part::Different, tenant);
        maker.fill(Part::Twins, tenant);
    }
    maker.fill(Part::Spare, 0);
    maker.fill(Part::Spare, 1);
    maker.into_worlds()
}

/// A row and where its references went.
#[derive(Clone, Debug)]
struct Made {
    /// By position of the column in the plan.
    cells: Vec<Cell>,
    /// By position of the key in the plan: the parent's number among the same tenant's rows.
    parents: Vec<Option<usize>>,
}

struct Maker<'a> {
    ground: Ground<'a>,
    genes: &'a Genes,
    plan: &'a Plan<'a>,
    /// `None` for a row that could not be made: numbers stay what they are.
    made: BTreeMap<(Part, usize, &'a RelationName), Vec<Option<Made>>>,
    seen: HashSet<(RelationName, usize, u8, Vec<Cell>)>,
    canaries: BTreeMap<String, Canary>,
    refused: BTreeMap<RelationName, String>,
    tenants: Vec<String>,
}

/// The row that is being made.
pub(super) struct Draft<'a> {
    place: RowKey,
    salt: u32,
    attempt: u32,
    /// How often values were chosen again for a CHECK.
    again: u32,
    /// What may be NULL is so as often as not: something was refused before.
    loose: bool,
    /// `None` where nothing was decided yet.
    cells: Vec<Option<Cell>>,
    parents: Vec<Option<usize>>,
    pub(super) table: &'a TablePlan<'a>,
    /// The seed's reference instant.
    pub(super) instant: i64,
}

impl Draft<'_> {
    fn position(&self, column: &str) -> Option<usize> {
        self.table
            .columns
            .iter()
            .position(|(candidate, _)| candidate.name == column)
    }

    pub(super) fn get(&self, column: &str) -> Option<&Cell> {
        self.cells[self.position(column)?].as_ref()
    }

    pub(super) fn set(&mut self, column: &str, cell: Cell) {
        if let Some(position) = self.position(column) {
            self.cells[position] = Some(cell);
        }
    }

    fn dice(&self, seed: u64, what: &str) -> Dice {
        let place = &self.place;
        let numbers = [
            place.part as u64,
            place.tenant as u64,
            place.row as u64,
            u64::from(self.salt),
            u64::from(self.attempt + self.again * 1_000),
        ];
        let seed = numbers
            .iter()
            .fold(seed, |seed, number| mixed(seed, *number));
        Dice::new(hash(seed, &[&place.table.schema, &place.table.name, what]))
    }

    fn finish(self) -> Made {
        Made {
            cells: self.cells.into_iter().map(Option::flatten).collect(),
            parents: self.parents,
        }
    }
}

impl<'a> Maker<'a> {
    /// Makes all rows of one tenant in one part, in the order of the tables.
    fn fill(&mut self, part: Part, tenant: usize) {
        let plan = self.plan;
        for name in &plan.order {
            let table = &plan.tables[name];
            let shared = matches!(table.class, Class::Shared | Class::Unclassified { .. });
            // A table without columns has no row that could be told from another.
            if shared != (part == Part::Shared)
                || (shared && table.table.existing_rows > 0)
                || table.columns.is_empty()
            {
                continue;
            }
            let count = self.count(table, part, tenant);
            for row in 0..count {
                let place = RowKey {
                    table: (*name).clone(),
                    part,
                    tenant,
                    row,
                };
                let made = if self.genes.dropped.contains(&place) {
                    None
                } else {
                    self.row(table, place)
                };
                self.made
                    .entry((part, tenant, *name))
                    .or_default()
                    .push(made);
            }
        }
        for name in &plan.order {
            self.close_circles(&plan.tables[name], part, tenant);
        }
    }

    fn count(&self, table: &TablePlan<'_>, part: Part, tenant: usize) -> usize {
        if part == Part::Twins {
            let acting = self.made.get(&(Part::Acting, 0, &table.table.name));
            let extra = if matches!(table.class, Class::Root { .. }) {
                0
            } else {
                EXTRA_TWINS
            };
            return acting.map_or(0, Vec::len) + extra;
        }
        if matches!(table.class, Class::Root { .. }) {
            return 1;
        }
        let rows = match part {
            // Enough that each of several optional references is there in one.
            Part::Spare => {
                let optional = table.keys.iter().filter(|key| !key.nullable.is_empty());
                return optional.count().clamp(2, 4);
            }
            Part::Different => self.genes.rows + tenant,
            _ => self.genes.rows,
        };
        if table.one_a_tenant() {
            return 1;
        }
        // Where each row needs a parent of its own, two parents stay free: one for a spare row, one for nobody.
        table
            .bounding_parents()
            .map(|parent| {
                let there = self.made.get(&(part, tenant, parent));
                there.map_or(rows, |there| there.len().min(rows))
            })
            .min()
            .map_or(rows, |parents| parents.saturating_sub(2).max(1))
    }

    /// One row, made anew until it differs where it must.
    fn row(&mut self, table: &'a TablePlan<'a>, place: RowKey) -> Option<Made> {
        let salt = self.genes.salts.get(&place).copied().unwrap_or(0);
        let mut why = String::from("its unique keys leave no more rows");
        let mut loose = salt % 2 == 1;
        for attempt in 0..ATTEMPTS {
            let draft = Draft {
                place: place.clone(),
                salt,
                attempt,
                again: 0,
                loose,
                cells: vec![None; table.columns.len()],
                parents: vec![None; table.keys.len()],
                table,
                instant: self.genes.seed.instant,
            };
            let made = if place.part == Part::Twins {
                self.twin(draft)
            } else {
                self.fresh(draft)
            };
            match made {
                Ok(draft) if self.differs(&draft) => return Some(draft.finish()),
                Ok(_) => {}
                Err(reason) => (why, loose) = (reason, true),
            }
        }
        self.refused.entry(place.table).or_insert(why);
        None
    }

    /// A row of its own.
    fn fresh(&mut self, mut draft: Draft<'a>) -> Result<Draft<'a>, String> {
        let table = draft.table;
        if let Some(column) = table.tenant_column() {
            draft.set(column, Some(self.tenants[draft.place.tenant].clone()));
        }
        for (number, key) in table.keys.iter().enumerate() {
            if !key.late {
                self.refer(&mut draft, number, key)?;
            }
        }
        for (column, profile) in &table.columns {
            if draft.get(&column.name).is_none()
                && !table.is_late(&column.name)
                && !waits_for_itself(&draft, &column.name)
            {
                let cell = self.cell(&draft, column, profile)?;
                draft.set(&column.name, cell);
            }
        }
        refer_to_itself(&mut draft);
        order_pairs(&mut draft);
        self.mend(&mut draft)?;
        Ok(draft)
    }

    /// The acting tenant's row of the same number in another tenant's hands; beyond these, the same under new keys.
    fn twin(&mut self, mut draft: Draft<'a>) -> Result<Draft<'a>, String> {
        let table = draft.table;
        let models = self
            .made
            .get(&(Part::Acting, 0, &table.table.name))
            .cloned()
            .unwrap_or_default();
        let row = draft.place.row;
        let extra = row >= models.len();
        let index = row % models.len().max(1);
        let Some(model) = models.get(index).cloned().flatten() else {
            return self.fresh(draft);
        };
        if let Some(column) = table.tenant_column() {
            draft.set(column, Some(self.tenants[draft.place.tenant].clone()));
        }
        for (number, key) in table.keys.iter().enumerate() {
            if key.late {
                continue;
            }
            match model.parents[number] {
                // What refers to the row before it, or to itself, does so here too.
                Some(parent) if !extra && self.refer_to(&mut draft, number, key, parent) => {}
                // One without a model brings together what is apart in the models.
                _ if extra
                    && draft.salt + draft.attempt == 0
                    && models[(index + 1 + number) % models.len()]
                        .as_ref()
                        .and_then(|other| other.parents[number])
                        .is_some_and(|parent| self.refer_to(&mut draft, number, key, parent)) => {}
                _ if key.key.columns.iter().any(|column| {
                    model_cell(table, &model, column).is_none_or(Option::is_none)
                }) && !key.nullable.is_empty() =>
                {
                    for column in &key.nullable {
                        if draft.get(column).is_none() {
                            draft.set(column, None);
                        }
                    }
                }
                _ => self.refer(&mut draft, number, key)?,
            }
        }
        for (position, (column, profile)) in table.columns.iter().enumerate() {
            if draft.cells[position].is_some()
                || table.is_late(&column.name)
                || waits_for_itself(&draft, &column.name)
            {
                continue;
            }
            // What the server goes on refusing may be any of the model's values.
            let fresh = draft.salt > 1
                // One tenant's twins are the acting tenant's in all, the next one's in ids, references and times alone:
                // a name that is the same shows nothing.
                || (!extra && draft.place.tenant > 1 && reach::lends(self.ground.catalog, column))
                || table.uniques.iter().any(|unique| {
                    unique.columns.contains(&column.name.as_str())
                        && (unique.global || extra || draft.salt > 0)
                });
            let reached = if extra && draft.salt == 0 && draft.attempt == 0 {
                self.reached(table, position, row - models.len(), fresh)
            } else {
                None
            };
            let cell = if reached.is_some() {
                reached
            } else if fresh {
                self.cell(&draft, column, profile)?
            } else {
                model.cells[position].clone()
            };
            draft.cells[position] = Some(cell);
        }
        refer_to_itself(&mut draft);
        order_pairs(&mut draft);
        self.mend(&mut draft)?;
        Ok(draft)
    }

    /// What a twin without a model has instead: the first, where a unique key wants a new value, one that the acting
    /// tenant has in another table's column of the same name; the second, a time after all of the acting tenant's.
    fn reached(&self, table: &TablePlan<'a>, position: usize, number: usize, fresh: bool) -> Cell {
        let catalog = self.ground.catalog;
        let (column, _) = table.columns[position];
        let acting = |name: &'a RelationName| {
            let made = self.made.get(&(Part::Acting, 0, name));
            made.into_iter().flatten().flatten()
        };
        if number > 0 {
            let cells = acting(&table.table.name).map(|made| &made.cells[position]);
            return reach::far(catalog, column, cells);
        }
        if !fresh || !reach::lends(catalog, column) {
            return None;
        }
        let lenders = self.plan.tables.values().filter(|other| {
            other.table.name != table.table.name
                && other
                    .table
                    .column(&column.name)
                    .is_some_and(|other| reach::lends(catalog, other))
        });
        lenders
            .flat_map(|other| {
                acting(&other.table.name).filter_map(|made| model_cell(other, made, &column.name))
            })
            .find_map(Clone::clone)
    }

    /// Chooses values again for the CHECKs that the draft breaks; where that does not help, the row is made anew.
    fn mend(&mut self, draft: &mut Draft<'a>) -> Result<(), String> {
        let catalog = self.ground.catalog;
        while let Some(check) = mend::broken(catalog, draft) {
            let free: Vec<&String> = check
                .columns
                .iter()
                .filter(|column| draft.table.is_free(column))
                .collect();
            if draft.again >= MENDS || free.is_empty() {
                // What was read wrongly must not keep the server from judging.
                return if draft.attempt + 1 < ATTEMPTS {
                    Err(format!(
                        "no values were found that hold its CHECK {}",
                        check.name
                    ))
                } else {
                    Ok(())
                };
            }
            draft.again += 1;
            if mend::solve(catalog, draft, check) {
                continue;
            }
            for name in free {
                if let Some((column, profile)) = draft
                    .table
                    .columns
                    .iter()
                    .find(|(column, _)| column.name == *name)
                {
                    let cell = self.cell(draft, column, profile)?;
                    draft.set(name, cell);
                }
            }
            order_pairs(draft);
        }
        Ok(())
    }

    /// Chooses a parent for a key, or none where that is allowed.
    fn refer(&self, draft: &mut Draft<'a>, number: usize, key: &KeyPlan<'a>) -> Result<(), String> {
        let known_null = key
            .key
            .columns
            .iter()
            .any(|column| draft.get(column) == Some(&None));
        let must = key.nullable.iter().any(|column| {
            draft
                .table
                .columns
                .iter()
                .any(|(c, profile)| c.name == *column && profile.hints.not_null)
        });
        let mut dice = draft.dice(self.genes.seed.number, &key.key.name);
        let nothing = |draft: &mut Draft<'a>| {
            for column in &key.nullable {
                if draft.get(column).is_none() {
                    draft.set(column, None);
                }
            }
        };
        let skip = if draft.loose {
            // Of columns that exclude each other every one has its turn.
            let turn = draft.place.row + usize::try_from(draft.attempt / 16).unwrap_or(0);
            let optional = || {
                draft
                    .table
                    .keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| !key.nullable.is_empty())
            };
            let kept = optional().nth(turn % optional().count().max(1));
            kept.is_none_or(|(kept, _)| kept != number) && (draft.attempt == 1 || dice.one_in(2))
        } else {
            draft.place.row > 0 && draft.place.part != Part::Spare && dice.one_in(4)
        };
        if !key.nullable.is_empty() && (known_null || (skip && !must)) {
            nothing(draft);
            return Ok(());
        }
        let parents = self.parents(draft, key);
        // The last row of a table is referred to by none, as long as there are others: it can be deleted.
        let open =
            if parents.len() > 1 && usize::try_from(draft.attempt).unwrap_or(0) < parents.len() {
                parents.len() - 1
            } else {
                parents.len()
            };
        let start = dice.below(open) + usize::try_from(draft.attempt).unwrap_or(0);
        for step in 0..open {
            let (parent, values) = &parents[(start + step) % open];
            let fits = key
                .key
                .columns
                .iter()
                .zip(values)
                .all(|(column, value)| draft.get(column).is_none_or(|cell| cell == value));
            if fits && values.iter().all(Option::is_some) {
                for (column, value) in key.key.columns.iter().zip(values) {
                    draft.set(column, value.clone());
                }
                draft.parents[number] = *parent;
                return Ok(());
            }
        }
        if !key.nullable.is_empty() {
            nothing(draft);
            return Ok(());
        }
        if key.key.target == draft.place.table {
            // The first row of a table that must refer to itself: see `refer_to_itself`.
            return Ok(());
        }
        Err(format!(
            "no row of {} could be referred to by {}",
            key.key.target, key.key.name
        ))
    }

    /// Refers to the parent of this number among the same tenant's rows. Returns whether it is there and fits.
    fn refer_to(
        &self,
        draft: &mut Draft<'a>,
        number: usize,
        key: &KeyPlan<'a>,
        parent: usize,
    ) -> bool {
        let parents = self.parents(draft, key);
        let Some((_, values)) = parents.iter().find(|(index, _)| *index == Some(parent)) else {
            return false;
        };
        let fits = key
            .key
            .columns
            .iter()
            .zip(values)
            .all(|(column, value)| draft.get(column).is_none_or(|cell| cell == value));
        if fits {
            for (column, value) in key.key.columns.iter().zip(values) {
                draft.set(column, value.clone());
            }
            draft.parents[number] = Some(parent);
        }
        fits
    }

    /// The rows that a key may refer to: the same tenant's, or shared ones. With their number, where it has one.
    fn parents(&self, draft: &Draft<'a>, key: &KeyPlan<'a>) -> Vec<(Option<usize>, Vec<Cell>)> {
        let target = &key.key.target;
        let Some(table) = self.plan.tables.get(target) else {
            return Vec::new();
        };
        let mut found: Vec<(Option<usize>, Vec<Cell>)> = Vec::new();
        let shared = matches!(table.class, Class::Shared | Class::Unclassified { .. });
        let (part, tenant) = match draft.place.part {
            _ if shared => (Part::Shared, 0),
            Part::Spare if draft.place.tenant == 0 => (Part::Acting, 0),
            Part::Spare => (Part::Different, draft.place.tenant),
            part => (part, draft.place.tenant),
        };
        if let Some((_, name)) = self
            .plan
            .tables
            .get_key_value(target)
            .map(|(name, t)| (t, *name))
            && let Some(rows) = self.made.get(&(part, tenant, name))
        {
            for (index, made) in rows.iter().enumerate() {
                if let Some(made) = made {
                    let values = key
                        .key
                        .target_columns
                        .iter()
                        .map(|column| model_cell(table, made, column).cloned().flatten())
                        .collect();
                    found.push(((!shared).then_some(index), values));
                }
            }
        }
        if shared {
            for row in self.ground.existing.get(target).into_iter().flatten() {
                let values = key
                    .key
                    .target_columns
                    .iter()
                    .map(|column| row.get(column).cloned().flatten())
                    .collect();
                found.push((None, values));
            }
        }
        found
    }

    /// A value for a column that no key fills.
    fn cell(
        &mut self,
        draft: &Draft<'a>,
        column: &Column,
        profile: &Profile,
    ) -> Result<Cell, String> {
        let mut dice = draft.dice(self.genes.seed.number, &column.name);
        let narrowed = self.narrowed(draft, column, profile);
        let profile = narrowed.as_ref().unwrap_or(profile);
        if profile.hints.null {
            return Ok(None);
        }
        let nullable = !column.not_null && !profile.hints.not_null;
        // What marks a row as gone is rare, other gaps rarer; the first row has none.
        let gone = [
            "deleted",
            "archived",
            "removed",
            "retracted",
            "revoked",
            "disabled",
            "cancel",
        ]
        .iter()
        .any(|word| profile.name.starts_with(word));
        if nullable
            && (if draft.again > 0 || draft.loose {
                dice.one_in(2)
            } else if gone {
                draft.place.row == 0 || !dice.one_in(4)
            } else if self.is_event(profile) {
                // Two rows with it, two without: with what is so in every other row it meets in all ways.
                draft.place.row.div_ceil(2) % 2 == 1
            } else {
                draft.place.row > 0 && dice.one_in(8)
            })
        {
            return Ok(None);
        }
        let place = &draft.place;
        let block = match place.part {
            Part::Shared => 0,
            Part::Acting => 1,
            Part::Spare => 2 + place.tenant,
            Part::Different => 4 + 2 * place.tenant,
            Part::Twins => 5 + 2 * place.tenant,
        };
        let ordinal = block as u64 * 1_000_000
            + u64::from(draft.salt * ATTEMPTS + draft.attempt) * 1_000
            + place.row as u64;
        let token = (place.tenant > 0).then(|| canary_token(dice.word()));
        let made = value::value(
            self.ground.catalog,
            profile,
            &value::Cell {
                instant: self.genes.seed.instant,
                ordinal,
                counted: false,
                canary: token.as_deref(),
                turn: shift(self.genes.seed.number, place, &column.name),
                // States keep their turn as long as other columns may mend the row.
                salt: draft.salt + draft.attempt + draft.again / 8,
                row: draft.dice(self.genes.seed.number, "").word(),
            },
            &mut dice,
        )
        .map_err(|why| format!("column {}: {why}", place.table.object(&column.name)))?;
        if let Some(token) = token.filter(|token| made.contains(token)) {
            self.canaries.insert(
                token,
                Canary {
                    tenant: place.tenant,
                    table: place.table.clone(),
                    column: column.name.clone(),
                    row: place.row,
                },
            );
        }
        Ok(Some(made))
    }

    /// The time of something that may not have happened yet: sent, locked, read, due.
    fn is_event(&self, profile: &Profile) -> bool {
        let times = ["date", "timestamp", "timestamptz"];
        let kept = ["creat", "insert", "updat", "modif"];
        self.ground
            .catalog
            .types
            .get(&profile.type_oid)
            .is_some_and(|of| times.contains(&of.name.as_str()))
            && !kept.iter().any(|word| profile.name.starts_with(word))
    }

    /// The column's profile within the bounds of the partition that the row goes to: one after the other.
    fn narrowed(&self, draft: &Draft<'a>, column: &Column, profile: &Profile) -> Option<Profile> {
        let bounds = &draft.table.bounds;
        let place = &draft.place;
        let turn = shift(self.genes.seed.number, place, "")
            + u64::from(draft.salt + draft.attempt + draft.again);
        let chosen = usize::try_from(turn % (bounds.len().max(1) as u64)).unwrap_or(0);
        let hints = bounds.get(chosen)?.get(&column.name)?;
        let mut narrowed = profile.clone();
        narrowed.hints.narrow(hints);
        Some(narrowed)
    }

    /// Whether the row differs from all others where it must; if so, it is remembered.
    fn differs(&mut self, draft: &Draft<'a>) -> bool {
        let mut marks = Vec::new();
        for (number, unique) in draft.table.uniques.iter().enumerate() {
            if unique.partial {
                continue;
            }
            let values: Vec<Cell> = unique
                .columns
                .iter()
                .map(|column| draft.get(column).cloned().flatten())
                .collect();
            if !unique.nulls_equal && values.iter().any(Option::is_none) {
                continue;
            }
            let values = if unique.folded {
                values
                    .into_iter()
                    .map(|cell| cell.map(|text| text.to_lowercase()))
                    .collect()
            } else {
                values
            };
            // Keys with the tenant in them can't collide between tenants, and a tenant's rows in one world never
            // meet its rows in another.
            let scope = if unique.global && !matches!(draft.table.class, Class::Root { .. }) {
                0
            } else {
                match (draft.place.part, draft.place.tenant) {
                    (Part::Shared | Part::Acting, _) | (Part::Spare, 0) => 1,
                    (Part::Different | Part::Spare, _) => 2,
                    (Part::Twins, _) => 3,
                }
            };
            marks.push((draft.place.table.clone(), number, scope, values));
        }
        if marks.iter().any(|mark| self.seen.contains(mark)) {
            return false;
        }
        self.seen.extend(marks);
        true
    }

    /// Sets the keys that close a circle, now that every table has rows.
    fn close_circles(&mut self, table: &'a TablePlan<'a>, part: Part, tenant: usize) {
        let late: Vec<usize> = (0..table.keys.len())
            .filter(|n| table.keys[*n].late)
            .collect();
        if late.is_empty() {
            return;
        }
        let name = &table.table.name;
        let Some(rows) = self.made.remove(&(part, tenant, name)) else {
            return;
        };
        let closed = rows
            .into_iter()
            .enumerate()
            .map(|(row, made)| {
                let made = made?;
                let place = RowKey {
                    table: name.clone(),
                    part,
                    tenant,
                    row,
                };
                let salt = self.genes.salts.get(&place).copied().unwrap_or(0);
                let waiting: Vec<bool> = table
                    .columns
                    .iter()
                    .map(|(column, _)| {
                        table.is_late(&column.name)
                            && Some(column.name.as_str()) != table.tenant_column()
                    })
                    .collect();
                let mut draft = Draft {
                    place,
                    salt,
                    attempt: 0,
                    again: 0,
                    loose: salt % 2 == 1,
                    cells: made
                        .cells
                        .into_iter()
                        .zip(waiting)
                        .map(|(cell, waits)| {
                            if waits && cell.is_none() {
                                None
                            } else {
                                Some(cell)
                            }
                        })
                        .collect(),
                    parents: made.parents,
                    table,
                    instant: self.genes.seed.instant,
                };
                for number in &late {
                    // A row that finds no parent keeps NULL; where that is not allowed, the server will say so.
                    let _ = self.refer(&mut draft, *number, &table.keys[*number]);
                }
                Some(draft.finish())
            })
            .collect();
        self.made.insert((part, tenant, name), closed);
    }

    fn into_worlds(self) -> Worlds {
        let plan = self.plan;
        let dataset = |part: Part, tenant: usize| -> Dataset {
            plan.order
                .iter()
                .filter_map(|name| {
                    let rows = self.made.get(&(part, tenant, name))?;
                    Some(((*name).clone(), into_rows(&plan.tables[name], rows)))
                })
                .collect()
        };
        let others = |part| {
            (1..self.genes.organisations)
                .map(|tenant| dataset(part, tenant))
                .collect()
        };
        let acting = dataset(Part::Acting, 0);
        let gaps = acting
            .iter()
            .chain(&dataset(Part::Shared, 0))
            .filter(|(name, rows)| {
                // What nobody can classify is inconclusive already, with what would settle it.
                let unclassified =
                    |plan: &TablePlan<'_>| matches!(plan.class, Class::Unclassified { .. });
                rows.rows.is_empty() && !plan.tables.get(name).is_some_and(unclassified)
            })
            .map(|(name, _)| {
                let why = self.refused.get(name).cloned();
                (
                    name.clone(),
                    why.unwrap_or_else(|| "the server refused every row".to_owned()),
                )
            })
            .collect();
        Worlds {
            order: plan.order.iter().map(|name| (*name).clone()).collect(),
            shared: dataset(Part::Shared, 0),
            acting,
            others: BTreeMap::from([
                (WorldKind::Different, others(Part::Different)),
                (WorldKind::Twins, others(Part::Twins)),
            ]),
            spares: vec![dataset(Part::Spare, 0), dataset(Part::Spare, 1)],
            late: plan.late.clone(),
            untwinned: untwinned(plan),
            gaps,
            canaries: self.canaries,
            tenants: self.tenants,
        }
    }
}

/// The row's number, shifted for other tenants by what the seed says for column and tenant. The acting tenant's first
/// rows have the first values whatever the seed: the states that queries ask for must not come and go with it.
fn shift(seed: u64, place: &RowKey, column: &str) -> u64 {
    if place.tenant == 0 {
        return place.row as u64;
    }
    let seed = mixed(seed, place.tenant as u64);
    (hash(seed, &[&place.table.schema, &place.table.name, column]) % 1_000) + place.row as u64
}

fn model_cell<'m>(table: &TablePlan<'_>, made: &'m Made, column: &str) -> Option<&'m Cell> {
    let position = table.columns.iter().position(|(c, _)| c.name == column)?;
    made.cells.get(position)
}

fn into_rows(table: &TablePlan<'_>, rows: &[Option<Made>]) -> Rows {
    Rows {
        columns: table
            .columns
            .iter()
            .map(|(column, _)| column.name.clone())
            .collect(),
        rows: rows
            .iter()
            .flatten()
            .map(|made| made.cells.clone())
            .collect(),
        numbers: (0..rows.len())
            .filter(|number| rows[*number].is_some())
            .collect(),
    }
}

/// A column of a reference to the own table that must be there and found no row: it will name the row itself.
fn waits_for_itself(draft: &Draft<'_>, column: &str) -> bool {
    draft
        .table
        .keys
        .iter()
        .zip(&draft.parents)
        .any(|(key, parent)| {
            key.key.target == draft.place.table
                && key.nullable.is_empty()
                && parent.is_none()
                && key
                    .key
                    .pairs()
                    .any(|(own, target)| own == column && target != column)
                && !key.key.target_columns.iter().any(|name| name == column)
        })
}

/// A reference to the own table that found no row before this one refers to the row itself.
fn refer_to_itself(draft: &mut Draft<'_>) {
    let table = draft.table;
    for key in &table.keys {
        if key.key.target == draft.place.table {
            for (column, target) in key.key.pairs() {
                if draft.get(column).is_none_or(Option::is_none)
                    && key.nullable.is_empty()
                    && let Some(own) = draft.get(target).cloned()
                {
                    draft.set(column, own);
                }
            }
        }
    }
}

/// Swaps two values where a CHECK wants them in the other order.
fn order_pairs(draft: &mut Draft<'_>) {
    let table = draft.table;
    // Once for each pair: a chain of them needs as many passes.
    for (low, high) in table
        .ascending
        .iter()
        .cycle()
        .take(table.ascending.len().pow(2))
    {
        let kind = |name: &str| table.table.column(name).map(|column| column.type_oid);
        let free = |name: &String| {
            Some(name.as_str()) != table.tenant_column()
                && !table.keys.iter().any(|key| key.key.columns.contains(name))
        };
        if kind(low) == kind(high)
            && free(low)
            && free(high)
            && let (Some(Some(a)), Some(Some(b))) =
                (draft.get(low).cloned(), draft.get(high).cloned())
        {
            let above = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a > b,
                _ => a > b,
            };
            if above {
                draft.set(low, Some(b));
                draft.set(high, Some(a));
            }
        }
    }
}

/// Twelve letters and digits that no other text has.
fn canary_token(mut word: u64) -> String {
    let mut token = String::from("wtq");
    for _ in 0..9 {
        let digit = u8::try_from(word % 36).unwrap_or(0);
        token.push(char::from(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        }));
        word /= 36;
    }
    token
}

/// Columns that are unique over all tenants and that no key fills.
fn untwinned(plan: &Plan<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in &plan.tables {
        if !matches!(table.class, Class::Scoped { .. } | Class::Derived { .. }) {
            continue;
        }
        for unique in table.uniques.iter().filter(|unique| unique.global) {
            for column in &unique.columns {
                let filled = table
                    .keys
                    .iter()
                    .any(|key| key.key.columns.iter().any(|c| c == column));
                if !filled {
                    found.push(name.object(column));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
