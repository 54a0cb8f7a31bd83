//! Genes → rows, table by table, tenant by tenant.

mod cell;
mod circle;
mod draft;
mod draw;
mod inside;
mod refer;
mod stretch;
mod twin;
mod unique;
mod wish;
mod worlds;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::mend::{self, Repair};
use super::plan::{Plan, TablePlan};
use super::{Genes, Ground, Part, RowKey};
use crate::model::{Canary, Class, RelationName, Want, Wish, Worlds};
pub(super) use draft::Draft;
use draft::{Made, order_pairs};
use refer::{refer_to_itself, waits_for_itself};
pub(super) use unique::compared;
use unique::{Mark, Other};
use wish::Lacked;

/// A row that must differ from others is made anew so often before it is given up.
const ATTEMPTS: u32 = 48;

/// Values are chosen again so often for the CHECKs of a row before it is made anew.
const MENDS: u32 = 64;

/// After so many rows that were made in vain for a CHECK it may have been read wrongly.
const MISREAD: u32 = 6;

/// So many times the acting tenant's rows are many.
const MANY: usize = 100;

/// More rows of the acting tenant's kind under ids that it lacks.
const EXTRA_TWINS: usize = 3;

pub(super) fn decode(ground: Ground<'_>, plan: &Plan<'_>, genes: &Genes) -> Worlds {
    let mut maker = Maker {
        ground,
        genes,
        plan,
        made: BTreeMap::new(),
        childless: BTreeMap::new(),
        wished: BTreeMap::new(),
        lacking: BTreeMap::new(),
        seen: HashMap::new(),
        canaries: BTreeMap::new(),
        refused: BTreeMap::new(),
        tenants: super::tenant::ids(ground, plan, genes),
    };
    maker.fill(Part::Shared, 0);
    maker.fill(Part::Acting, 0);
    for tenant in 1..genes.organisations {
        for part in genes.kinds.iter().filter_map(|kind| Part::of(*kind)) {
            maker.fill(part, tenant);
        }
    }
    maker.fill(Part::Spare, 0);
    maker.fill(Part::Spare, 1);
    maker.into_worlds()
}

/// One tenant's rows of a table, by number.
type Rows = Vec<Option<Rc<Made>>>;

struct Maker<'a> {
    ground: Ground<'a>,
    genes: &'a Genes,
    plan: &'a Plan<'a>,
    /// By part, tenant and the table's number; `None` for a row that could not be made: numbers stay what they are.
    made: BTreeMap<(Part, usize, usize), Rows>,
    /// By the table's number: for each key the acting tenant's rows that nothing refers to by it.
    childless: BTreeMap<usize, Vec<Vec<usize>>>,
    /// By the table's number: the acting tenant's first row that a query wished for, and the wishes from there on.
    wished: BTreeMap<usize, (usize, Vec<&'a Wish>)>,
    /// By the table's number: the first twin that is what the acting tenant's rows lack, and what they are from there on.
    lacking: BTreeMap<usize, (usize, Vec<Lacked<'a>>)>,
    /// Rows that later ones must differ from: by what must be equal for a conflict, what else they must not meet.
    seen: HashMap<Mark, Vec<Vec<Other>>>,
    canaries: BTreeMap<String, Canary>,
    refused: BTreeMap<RelationName, String>,
    tenants: Vec<String>,
}

impl<'a> Maker<'a> {
    /// Makes all rows of one tenant in one part, in the order of the tables.
    fn fill(&mut self, part: Part, tenant: usize) {
        let plan = self.plan;
        for name in &plan.order {
            let table = &plan.tables[name];
            let shared = table.is_shared();
            // A table without columns has no row that could be told from another.
            if shared != (part == Part::Shared)
                || (shared && table.table.existing_rows > 0)
                || table.columns.is_empty()
            {
                continue;
            }
            let count = self.count(table, part, tenant);
            self.some(table, (part, tenant), 0..count);
            if part == Part::Acting {
                let wishes = self.unmet(table);
                let rows = count..count + wishes.len();
                self.wished.insert(table.number, (count, wishes));
                self.some(table, (part, tenant), rows);
            }
        }
        for name in &plan.order {
            self.close_circles(&plan.tables[name], part, tenant);
        }
    }

    /// Makes rows of these numbers.
    fn some(
        &mut self,
        table: &'a TablePlan<'a>,
        (part, tenant): (Part, usize),
        rows: std::ops::Range<usize>,
    ) {
        for row in rows {
            let place = RowKey {
                table: table.table.name.clone(),
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
                .entry((part, tenant, table.number))
                .or_default()
                .push(made.map(Rc::new));
        }
    }

    fn count(&mut self, table: &TablePlan<'a>, part: Part, tenant: usize) -> usize {
        let is_root = matches!(table.class, Class::Root { .. });
        if part == Part::Twins {
            let models = self.rows(Part::Acting, 0, table.number).len();
            let extra = if is_root {
                0
            } else {
                EXTRA_TWINS + self.childless(table)
            };
            let lacked = if is_root {
                Vec::new()
            } else {
                self.lacked(table)
            };
            let count = models + extra + lacked.len();
            self.lacking.insert(table.number, (models + extra, lacked));
            return count;
        }
        if is_root {
            return 1;
        }
        let rows = match part {
            // Enough that each of several optional references is there in one.
            Part::Spare => {
                let optional = table.keys.iter().filter(|key| !key.nullable.is_empty());
                return optional.count().clamp(2, 4);
            }
            // More children for a parent than the acting tenant's have: an average over everybody is another one.
            Part::Different => {
                let bound = table
                    .keys
                    .iter()
                    .any(|key| key.nullable.is_empty() && !self.is_root(&key.key.target));
                let rows = self.genes.rows.max(table.states) + tenant;
                if bound {
                    rows.max(3 * self.rows(Part::Acting, 0, table.number).len())
                } else {
                    rows
                }
            }
            Part::Many => self.genes.rows.max(table.states) * MANY,
            _ => self.genes.rows.max(table.states),
        };
        if table.one_a_tenant() {
            return 1;
        }
        // Where each row needs a parent of its own, two parents stay free: one for a spare row, one for nobody.
        table
            .bounding_parents()
            .filter_map(|parent| self.plan.tables.get(parent))
            .map(
                |parent| match self.rows(part, tenant, parent.number).len() {
                    0 => rows,
                    there => there.min(rows),
                },
            )
            .min()
            .map_or(rows, |parents| parents.saturating_sub(2).max(1))
    }

    /// The table of tenants.
    fn is_root(&self, table: &RelationName) -> bool {
        let plan = self.plan.tables.get(table);
        plan.is_some_and(|plan| matches!(plan.class, Class::Root { .. }))
    }

    /// The rows that were made of a table.
    fn rows(&self, part: Part, tenant: usize, table: usize) -> &[Option<Rc<Made>>] {
        self.made
            .get(&(part, tenant, table))
            .map_or(&[], Vec::as_slice)
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
        let wish = self.wish(&draft);
        if let Some(wish) = wish {
            self.grant(&mut draft, wish);
        }
        for (number, key) in table.keys.iter().enumerate() {
            if !key.late && draft.parents[number].is_none() {
                self.refer(&mut draft, number, key)?;
            }
        }
        self.draw(&mut draft)?;
        for (column, profile) in &table.columns {
            if draft.get(&column.name).is_none()
                && !table.is_late(&column.name)
                && !waits_for_itself(&draft, &column.name)
            {
                let cell = self.cell(&draft, column, profile)?;
                draft.set(&column.name, cell);
            }
        }
        for (column, want) in wish.iter().flat_map(|wish| &wish.wants) {
            if *want == Want::Known && draft.get(column) == Some(&None) {
                self.choose(&mut draft, column)?;
            }
        }
        refer_to_itself(&mut draft);
        order_pairs(&mut draft);
        stretch::lay_out(self.ground.catalog, &mut draft);
        self.mend(&mut draft)?;
        Ok(draft)
    }

    /// Chooses values again for the CHECKs that the draft breaks; where that does not help, the row is made anew.
    fn mend(&mut self, draft: &mut Draft<'a>) -> Result<(), String> {
        let catalog = self.ground.catalog;
        while let Some(check) = {
            let get = |column: &str| draft.get(column);
            mend::view(catalog, draft, &get).broken()
        } {
            let free: Vec<&String> = check
                .columns
                .iter()
                .filter(|column| draft.table.is_free(column))
                .collect();
            let refers = |column: &String| draft.table.optional_key(column).is_some();
            let is_fixed = free.is_empty() && !check.columns.iter().any(refers);
            if draft.again >= MENDS || is_fixed {
                // What was read wrongly must not keep the server from judging.
                return if draft.attempt < MISREAD {
                    Err(format!(
                        "no values were found that hold its CHECK {}",
                        check.name
                    ))
                } else {
                    Ok(())
                };
            }
            draft.again += 1;
            // Now and then the dice say: what was read may lead in a circle.
            let repair = if draft.again.is_multiple_of(4) {
                Repair::Unknown
            } else {
                mend::repair(catalog, draft, &check.expr, draft.again - 1)
            };
            match repair {
                Repair::Done => continue,
                Repair::Choose(name) => {
                    self.choose(draft, &name)?;
                    continue;
                }
                Repair::Refer(name) if self.refer_after_all(draft, &name) => continue,
                Repair::Refer(_) | Repair::Unknown => {}
            }
            for name in free {
                if let Some((column, profile)) = draft.table.known(name) {
                    let cell = self.cell(draft, column, profile)?;
                    draft.set(name, cell);
                }
            }
            order_pairs(draft);
        }
        Ok(())
    }

    /// Chooses another value for a column until it is not NULL.
    fn choose(&mut self, draft: &mut Draft<'a>, name: &str) -> Result<(), String> {
        let Some((column, profile)) = draft.table.known(name) else {
            return Ok(());
        };
        while draft.again < MENDS {
            draft.again += 1;
            let cell = self.cell(draft, column, profile)?;
            if cell.is_some() {
                draft.set(name, cell);
                break;
            }
        }
        Ok(())
    }
}
