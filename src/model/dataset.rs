//! Rows, and the worlds they make: what is common to all worlds, and everyone else's rows in each.

use std::collections::BTreeMap;

use super::{RelationName, Satisfied, literal, quoted_list};

/// A value in Postgres' text form; `None` is NULL.
pub type Cell = Option<String>;

/// One tenant's rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns that are given, in the table's order.
    pub columns: Vec<String>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// The generator's number of each row; rows that the server refused too often leave gaps.
    pub numbers: Vec<usize>,
}

impl Rows {
    /// The position of a column.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The cell of a row.
    #[must_use]
    pub fn cell(&self, row: usize, column: &str) -> Option<&Cell> {
        self.rows.get(row)?.get(self.position(column)?)
    }
}

/// A cell in SQL: a literal, or NULL.
#[must_use]
pub fn value(cell: Option<&str>) -> String {
    cell.map_or_else(|| "NULL".to_owned(), literal)
}

/// An INSERT of rows, identity columns given.
#[must_use]
pub fn insert(table: &RelationName, columns: &[String], rows: &[Vec<Cell>]) -> String {
    let tuples: Vec<String> = rows
        .iter()
        .map(|row| {
            let values = row.iter().map(|cell| value(cell.as_deref()));
            format!("({})", values.collect::<Vec<_>>().join(", "))
        })
        .collect();
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}",
        table.quoted(),
        quoted_list(columns.iter().map(String::as_str)),
        tuples.join(", ")
    )
}

/// One tenant's rows (or the shared ones), by table.
pub type Dataset = BTreeMap<RelationName, Rows>;

/// What everyone else's rows are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorldKind {
    /// There is nobody else.
    Absent,
    /// Rows that have nothing in common with the acting tenant's.
    Different,
    /// Rows with the acting tenant's ids where the keys allow it, and its names, e-mails, slugs and times, and more
    /// of the kind under ids that it lacks.
    Twins,
    /// Rows with values that break an expression which is evaluated on them: text that is no number, zero, infinity,
    /// empty arrays.
    Poisoned,
    /// A hundred times as many rows as the acting tenant has.
    Many,
}

impl WorldKind {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::Different,
        Self::Twins,
        Self::Poisoned,
        Self::Many,
    ];

    /// The word for it in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Different => "different",
            Self::Twins => "twins",
            Self::Poisoned => "poisoned",
            Self::Many => "many",
        }
    }
}

/// Where a canary stands: a value that says whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The tenant's number.
    pub tenant: usize,
    /// The table.
    pub table: RelationName,
    /// The column.
    pub column: String,
    /// The row's number among the tenant's rows of that table.
    pub row: usize,
}

/// Rows that belong together: the acting tenant's and the shared ones, and everyone else's in several forms.
#[derive(Clone, Debug, Default)]
pub struct Worlds {
    /// The order in which tables are loaded: parents first.
    pub order: Vec<RelationName>,
    /// The tenants' ids as text; the first is the acting one.
    pub tenants: Vec<String>,
    /// Shared rows that migrations did not leave behind.
    pub shared: Dataset,
    /// The acting tenant's rows: the same in every world.
    pub acting: Dataset,
    /// Everyone else's rows, by kind of world; one data set a tenant, the second tenant first.
    pub others: BTreeMap<WorldKind, Vec<Dataset>>,
    /// Rows that are valid and not loaded, by tenant (the acting one and the second one of the world `Different`):
    /// what controls and attacks insert.
    pub spares: Vec<Dataset>,
    /// Foreign keys that wait: their columns are NULL in the first pass and set in a second one, for cycles.
    pub late: BTreeMap<RelationName, Vec<String>>,
    /// Tables whose rows need each other at once: one statement loads them. They stand next to each other in `order`.
    pub circles: Vec<Vec<RelationName>>,
    /// By token.
    pub canaries: BTreeMap<String, Canary>,
    /// How the constraints were met.
    pub satisfied: Vec<Satisfied>,
    /// Tables of which the acting tenant has fewer rows than asked for or than it takes to meet every state, though some,
    /// and why.
    pub short: BTreeMap<RelationName, String>,
    /// Tables that got no rows, and why.
    pub gaps: BTreeMap<RelationName, String>,
    /// Unique over all tenants, so they can't be twinned: `schema.table.column`.
    pub untwinned: Vec<String>,
}

impl Worlds {
    /// Whose rows the seeded database holds, and which: twins of the acting tenant (the second tenant) and
    /// strangers (the rest), so that both kinds of defect are met in one database.
    #[must_use]
    pub fn seeded(&self) -> Vec<&Dataset> {
        let mut parts = vec![&self.shared, &self.acting];
        parts.extend(
            self.others
                .get(&WorldKind::Twins)
                .and_then(|all| all.first()),
        );
        parts.extend(
            self.others
                .get(&WorldKind::Different)
                .into_iter()
                .flat_map(|all| all.iter().skip(1)),
        );
        parts
    }

    /// The worlds as one of the tenants acts in them: its own rows are those that the seeded database holds. The second
    /// tenant has the first as its twin; a stranger has no twins, and meets everyone else as they were seeded.
    #[must_use]
    pub fn seen_by(&self, tenant: usize) -> Self {
        let mut seen = self.clone();
        seen.spares.clear();
        let others = |kind: WorldKind| self.others.get(&kind).cloned().unwrap_or_default();
        let (mut twins, mut different) = (others(WorldKind::Twins), others(WorldKind::Different));
        if tenant == 0 || tenant > twins.len() || tenant > different.len() {
            return seen;
        }
        if tenant == 1 {
            seen.acting = std::mem::replace(&mut twins[0], self.acting.clone());
            different.remove(0);
        } else {
            seen.acting = different.remove(tenant - 1);
            different[0] = twins.swap_remove(0);
            different.push(self.acting.clone());
            twins.clear();
        }
        seen.tenants.rotate_left(tenant);
        seen.others =
            BTreeMap::from([(WorldKind::Twins, twins), (WorldKind::Different, different)]);
        seen
    }

    /// The rows of everyone else in a world.
    #[must_use]
    pub fn others(&self, kind: WorldKind) -> Vec<&Dataset> {
        self.others.get(&kind).into_iter().flatten().collect()
    }

    /// The acting tenant's id.
    ///
    /// # Panics
    /// Never for worlds that the generator made: they have at least two tenants.
    #[must_use]
    pub fn acting_tenant(&self) -> &str {
        &self.tenants[0]
    }
}
