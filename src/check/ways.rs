//! The ways in which a row can come to refer to another tenant's: what is sent to the server to try a foreign key.

use std::collections::BTreeSet;

use super::row::{self, RowRef, acting, insert, spare, update};
use super::{Scene, crossing, reference};
use crate::model::{
    Attempt, Case, Cell, Class, Context, ForeignKey, Purpose, Session, Stage, Table, quoted,
    quoted_list,
};

const CHECKED: &str = "SET CONSTRAINTS ALL IMMEDIATE";

const COMMIT: &str = "COMMIT";

/// A way of attack; each is a case of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A new row names another tenant's.
    Insert,
    /// A row is changed to name it.
    Update,
    /// By the conflict of an INSERT with the row that is there.
    Upsert,
    /// By an UPDATE that is checked at COMMIT, and committed.
    Commit,
    /// The row itself goes to another tenant.
    Move,
    /// The row that it refers to goes to another tenant.
    MoveParent,
    /// Rows that migrations left refer so already.
    Rows,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Insert,
        Self::Update,
        Self::Upsert,
        Self::Commit,
        Self::Move,
        Self::MoveParent,
        Self::Rows,
    ];

    /// As a case's subject and reports name it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Upsert => "INSERT ON CONFLICT",
            Self::Commit => "COMMIT",
            Self::Move => "move",
            Self::MoveParent => "move of what it refers to",
            Self::Rows => "rows that are there",
        }
    }

    /// The way of a case.
    pub(super) fn of(case: &Case) -> Option<Self> {
        let word = case.subject.split(", ").next().unwrap_or_default();
        Self::ALL.into_iter().find(|way| way.word() == word)
    }

    /// Those that there are for a key which can cross tenants.
    pub(super) fn for_key<'a>(
        scene: Scene<'a>,
        table: &'a Table,
        key: &'a ForeignKey,
    ) -> impl Iterator<Item = Self> + 'a {
        let class = move |name| scene.tenancy.classes.get(name);
        let scoped = move |name| matches!(class(name), Some(Class::Scoped { .. }));
        let derived = move |name| matches!(class(name), Some(Class::Derived { .. }));
        let (child, parent) = (&table.name, &key.target);
        Self::ALL.into_iter().filter(move |way| match way {
            Self::Insert | Self::Update => true,
            Self::Upsert => arbiter(scene, table, key).is_some(),
            Self::Commit => key.deferrable,
            Self::Move => scoped(child) || derived(child),
            Self::MoveParent => scoped(parent),
            Self::Rows => table.existing_rows > 0 && (scoped(parent) || derived(parent)),
        })
    }

    /// Where in an attempt's statements the write stands that it is about: the last before the server is made to check it.
    pub(super) fn writes_at(attempt: &Attempt) -> usize {
        let mut statements = attempt.statements.iter();
        let checked = statements.position(|sql| sql == CHECKED || sql == COMMIT);
        checked.unwrap_or(1).saturating_sub(1)
    }

    /// Pairs of a control and an attack that differ in the tenant alone; more than one where a row stood in the way of a
    /// statement for reasons of its own.
    pub(super) fn attempts(
        self,
        scene: Scene<'_>,
        table: &Table,
        key: &ForeignKey,
        pairs: usize,
    ) -> Vec<Attempt> {
        let Some(count) = crossing::count(scene.catalog, scene.tenancy, &table.name, key) else {
            return Vec::new();
        };
        let pair = match self {
            Self::Rows => return vec![attempt(self, Purpose::Probe, vec![count])],
            Self::Move => moves(scene, table, key, pairs),
            Self::MoveParent => parent_moves(scene, table, key, pairs),
            _ => references(self, scene, table, key, pairs),
        };
        let mut attempts: Vec<Attempt> = pair
            .into_iter()
            .take(pairs)
            .flat_map(|(control, attack)| [(Purpose::Control, control), (Purpose::Attack, attack)])
            .map(|(purpose, writes)| attempt(self, purpose, self.around(writes, &count)))
            .collect();
        if self == Self::Commit {
            for attempt in &mut attempts {
                attempt.stage = Stage::Thrown;
            }
        }
        attempts
    }

    /// The write with what makes the server check it. What is committed is counted at once, as it can't be done again.
    fn around(self, writes: Vec<String>, count: &str) -> Vec<String> {
        if self != Self::Commit {
            return with(writes, vec![CHECKED.to_owned()]);
        }
        let begin = vec![
            "BEGIN".to_owned(),
            "SET CONSTRAINTS ALL DEFERRED".to_owned(),
        ];
        let end = vec![COMMIT.to_owned(), count.to_owned()];
        with(with(begin, writes), end)
    }
}

fn with(mut list: Vec<String>, more: Vec<String>) -> Vec<String> {
    list.extend(more);
    list
}

/// What a control writes, and what an attack does.
type Pair = (Vec<String>, Vec<String>);

fn attempt(way: Way, purpose: Purpose, statements: Vec<String>) -> Attempt {
    Attempt {
        purpose,
        label: format!("by {}", way.word()),
        session: Session::Owner,
        context: Context::Unset,
        stage: Stage::Seeded,
        statements,
        witness: None,
    }
}

/// Statements that name a row of the own tenant, and the same with one of another; so many pairs at least, where there are.
fn references(
    way: Way,
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    pairs: usize,
) -> Vec<Pair> {
    let own = acting(scene.worlds, &key.target);
    let theirs = reference::foreign_tuples(scene, table, key);
    let inserts = way == Way::Insert;
    let subjects: Vec<RowRef<'_>> = if inserts {
        spare(scene.worlds, 0, &table.name)
    } else {
        changed_rows(scene, table, key)
    };
    let write = |row: RowRef<'_>, changed: &[(String, Cell)]| match way {
        Way::Insert => insert(&table.name, row, changed),
        Way::Upsert => upsert(scene, table, key, row, changed),
        _ => update(table, row, changed),
    };
    let (mut found, mut later) = (Vec::new(), Vec::new());
    for row in subjects {
        if found.len() >= pairs {
            break;
        }
        let taken = |tuple: &[String]| reference::is_taken(scene, table, key, row, tuple);
        let nearest = reference::nearest(scene, table, key, row, &theirs);
        let Some(theirs) = nearest else {
            continue;
        };
        for parent in reference::own_tuples(scene, table, key, row, &own, inserts) {
            let named = |tuple| write(row, &reference::changes(scene, table, key, tuple));
            let pair = (vec![named(&parent)], vec![named(theirs)]);
            if taken(&parent) || taken(theirs) {
                later.push(pair);
            } else {
                found.push(pair);
            }
        }
    }
    found.extend(later);
    found
}

/// The rows of the acting tenant that are made to refer to others: first and last, as the last is referred to by none.
fn changed_rows<'a>(scene: Scene<'a>, table: &Table, key: &ForeignKey) -> Vec<RowRef<'a>> {
    let rows = acting(scene.worlds, &table.name);
    let mut chosen: Vec<RowRef<'_>> = rows.last().copied().into_iter().collect();
    chosen.extend(rows.first().filter(|_| rows.len() > 1).copied());
    // Where columns exclude each other, only a row that refers already may refer.
    let refers = |row: &&RowRef<'_>| row.tuple(&key.columns).is_some();
    if !chosen.iter().any(|row| refers(&row)) {
        chosen.extend(rows.iter().find(refers).copied());
    }
    chosen
}

/// The columns of a unique key that a row keeps whatever it refers to by this key.
fn arbiter<'a>(scene: Scene<'_>, table: &'a Table, key: &ForeignKey) -> Option<Vec<&'a str>> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let mut unique: Vec<_> = table
        .indexes
        .iter()
        .filter(|index| index.unique && index.predicate.is_none())
        .filter(|index| index.plain_columns().len() == index.keys.len())
        .collect();
    unique.sort_by_key(|index| !index.primary);
    let kept = |columns: &Vec<&str>| {
        !columns.iter().any(|column| {
            Some(*column) != tenant && key.columns.iter().any(|changed| changed == column)
        })
    };
    unique
        .into_iter()
        .map(crate::model::Index::plain_columns)
        .find(kept)
}

/// The row once more, with other values where it is there already.
fn upsert(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    changed: &[(String, Cell)],
) -> String {
    let columns = arbiter(scene, table, key).unwrap_or_default();
    let set: Vec<String> = changed
        .iter()
        .map(|(column, _)| format!("{column} = EXCLUDED.{column}", column = quoted(column)))
        .collect();
    format!(
        "{} ON CONFLICT ({}) DO UPDATE SET {}",
        insert(&table.name, row, changed),
        quoted_list(columns),
        set.join(", ")
    )
}

/// Rows that refer by this key, those first that refer to little else: a move is stopped by any key that carries the
/// tenant.
fn freest<'a>(rows: Vec<RowRef<'a>>, table: &Table) -> Vec<RowRef<'a>> {
    let others = |row: &RowRef<'_>| {
        let keys = table.foreign_keys.iter();
        keys.filter(|other| row.tuple(&other.columns).is_some())
            .count()
    };
    let mut rows = rows;
    rows.sort_by_key(others);
    rows
}

/// The other tenants: strangers first, as a twin has rows under the same ids.
fn elsewhere(scene: Scene<'_>) -> impl Iterator<Item = &String> {
    scene.worlds.tenants.iter().skip(1).rev()
}

/// A row that refers by this key is written into its own tenant again, and into another.
fn moves(scene: Scene<'_>, table: &Table, key: &ForeignKey, pairs: usize) -> Vec<Pair> {
    let own = acting(scene.worlds, &table.name);
    let refers = |row: &RowRef<'_>| {
        row.tuple(&key.columns).is_some_and(|named| {
            key.target != table.name || row.tuple(&key.target_columns) != Some(named)
        })
    };
    let rows = freest(own.into_iter().filter(refers).collect(), table);
    let defining = match scene.tenancy.classes.get(&table.name) {
        Some(Class::Derived { foreign_key }) => table.foreign_key(foreign_key),
        _ => None,
    };
    let mut found = Vec::new();
    for row in rows {
        if found.len() >= pairs {
            break;
        }
        let Some(defining) = defining else {
            found.extend(moved(scene, table, row));
            continue;
        };
        let parents = acting(scene.worlds, &defining.target);
        let theirs = reference::foreign_tuples(scene, table, defining);
        let inside = reference::own_tuples(scene, table, defining, row, &parents, false);
        if let (Some(inside), Some(outside)) = (inside.first(), theirs.first()) {
            let write = |tuple| {
                update(
                    table,
                    row,
                    &reference::changes(scene, table, defining, tuple),
                )
            };
            found.push((vec![write(inside)], vec![write(outside)]));
        }
    }
    found
}

/// A row that others refer to by this key, likewise.
fn parent_moves(scene: Scene<'_>, table: &Table, key: &ForeignKey, pairs: usize) -> Vec<Pair> {
    let Some(parent) = scene.catalog.tables.get(&key.target) else {
        return Vec::new();
    };
    let named: Vec<Vec<String>> = acting(scene.worlds, &table.name)
        .iter()
        .filter(|row| {
            key.target != table.name || row.tuple(&key.columns) != row.tuple(&key.target_columns)
        })
        .filter_map(|row| row.tuple(&key.columns))
        .collect();
    let is_named = |row: &RowRef<'_>| {
        row.tuple(&key.target_columns)
            .is_some_and(|tuple| named.contains(&tuple))
    };
    let rows = acting(scene.worlds, &key.target);
    let mut rows = freest(rows.into_iter().filter(is_named).collect(), parent);
    // Likewise by a key of others that refer to it.
    let held = holders(scene, key);
    rows.sort_by_cached_key(|row| held.iter().filter(|held| held.names(row)).count());
    let free = |row: &&RowRef<'_>| !held.iter().any(|held| held.names(row));
    let new = if rows.iter().any(|row| free(&row)) {
        Vec::new()
    } else {
        new_parents(scene, table, key, parent)
    };
    let there = rows.into_iter().flat_map(|row| moved(scene, parent, row));
    let mut all: Vec<Pair> = new.into_iter().chain(there).take(pairs).collect();
    // What refers to it may be held by rows in its turn: tried second, as most are not.
    let second = all.len().min(1);
    if second < pairs {
        all.splice(second..second, new_family(scene, table, key, parent));
    }
    all
}

/// What a row of the table need not refer to, but for one key: NULL, so that nothing holds the row in its tenant.
fn optional(scene: Scene<'_>, table: &Table, but: Option<&ForeignKey>) -> Vec<(String, Cell)> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let others = table.foreign_keys.iter().filter(|key| Some(*key) != but);
    let columns = others.flat_map(|key| &key.columns).filter(|name| {
        let named = but.is_some_and(|key| key.columns.contains(name));
        let column = table.column(name);
        !named && Some(name.as_str()) != tenant && column.is_some_and(|column| !column.not_null)
    });
    columns.map(|name| (name.clone(), None)).collect()
}

/// A row and one that refers to it, both made and the first then moved: no other row names either.
fn new_family(scene: Scene<'_>, table: &Table, key: &ForeignKey, parent: &Table) -> Option<Pair> {
    let row = *spare(scene.worlds, 0, &key.target).first()?;
    let children = spare(scene.worlds, 0, &table.name);
    let child = *children.get(usize::from(table.name == key.target))?;
    let tuple = row.tuple(&key.target_columns)?;
    let mut changes = optional(scene, table, Some(key));
    changes.extend(reference::changes(scene, table, key, &tuple));
    let made = [
        insert(&key.target, row, &optional(scene, parent, None)),
        insert(&table.name, child, &changes),
    ];
    let (control, attack) = moved(scene, parent, row).into_iter().next()?;
    let after = |writes: Vec<String>| with(made.to_vec(), writes);
    Some((after(control), after(attack)))
}

/// Rows that are made, referred to, and moved then: nothing else holds them.
fn new_parents(scene: Scene<'_>, table: &Table, key: &ForeignKey, parent: &Table) -> Vec<Pair> {
    let subjects = changed_rows(scene, table, key);
    let mut found = Vec::new();
    for (row, child) in spare(scene.worlds, 0, &key.target)
        .into_iter()
        .zip(subjects)
    {
        let Some(tuple) = row.tuple(&key.target_columns) else {
            continue;
        };
        let made = [
            insert(&key.target, row, &[]),
            update(table, child, &reference::changes(scene, table, key, &tuple)),
        ];
        let after = |writes: Vec<String>| with(made.to_vec(), writes);
        found.extend(
            moved(scene, parent, row)
                .into_iter()
                .map(|(control, attack)| (after(control), after(attack))),
        );
    }
    found
}

/// What the acting tenant's rows name by a key: the columns named, and their values.
struct Held<'a> {
    columns: &'a [String],
    named: BTreeSet<Vec<&'a str>>,
}

impl Held<'_> {
    fn names(&self, row: &RowRef<'_>) -> bool {
        let values = row.values(self.columns);
        values.is_some_and(|values| self.named.contains(&values))
    }
}

/// What they name by the other keys to the same table that carry the tenant.
fn holders<'a>(scene: Scene<'a>, key: &'a ForeignKey) -> Vec<Held<'a>> {
    let keys = scene
        .catalog
        .roots()
        .flat_map(|table| table.foreign_keys.iter().map(move |other| (table, other)));
    keys.filter(|(table, other)| {
        other.target == key.target
            && *other != key
            && reference::tenant_pair(scene, table, other).is_some()
    })
    .map(|(table, other)| {
        let rows = acting(scene.worlds, &table.name).into_iter();
        Held {
            columns: &other.target_columns,
            named: rows.filter_map(|row| row.values(&other.columns)).collect(),
        }
    })
    .collect()
}

/// A row into its own tenant, and into each other.
fn moved(scene: Scene<'_>, table: &Table, row: RowRef<'_>) -> Vec<Pair> {
    let Some(column) = scene.tenancy.tenant_column(&table.name) else {
        return Vec::new();
    };
    let to =
        |tenant: &str| row::update(table, row, &[(column.to_owned(), Some(tenant.to_owned()))]);
    elsewhere(scene)
        .map(|tenant| (vec![to(scene.worlds.acting_tenant())], vec![to(tenant)]))
        .collect()
}
