//! A foreign key as attacks meet it: whether it can cross tenants at all, whose rows it may be made to name, and the columns
//! that say so.

use super::Scene;
use super::row::{self, RowRef, acting, foreign, spare};
use crate::model::{Attempt, Case, Catalog, Cell, Class, ForeignKey, Table, literal};

/// The key that is printed so, and its table.
pub(super) fn find<'a>(catalog: &'a Catalog, object: &str) -> Option<(&'a Table, &'a ForeignKey)> {
    catalog.roots().find_map(|table| {
        let mut keys = table.foreign_keys.iter();
        let key = keys.find(|key| table.name.names(&key.name, object))?;
        Some((table, key))
    })
}

/// The columns on both sides that say the tenant, where the key pairs them.
pub(super) fn tenant_pair<'a>(
    scene: Scene<'a>,
    table: &Table,
    key: &'a ForeignKey,
) -> Option<(&'a str, &'a str)> {
    let own = scene.tenancy.tenant_column(&table.name)?;
    let theirs = scene.tenancy.tenant_column(&key.target)?;
    key.pairs().find(|pair| *pair == (own, theirs))
}

/// The keys that can cross tenants, and their tables, of those that cases are planned for.
pub(super) fn all(scene: Scene<'_>) -> impl Iterator<Item = (&Table, &ForeignKey)> {
    let tables = scene.tables();
    tables
        .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)))
        .filter(move |(table, key)| outside(scene, table, key).is_none())
}

/// The table has a key that can cross tenants: its rows do not outlive all that they name.
pub(super) fn refers(scene: Scene<'_>, table: &Table) -> bool {
    let mut keys = table.foreign_keys.iter();
    keys.any(|key| outside(scene, table, key).is_none())
}

/// The one case of a check on a key.
pub(super) fn case(
    check: &'static str,
    table: &Table,
    key: &ForeignKey,
    attempts: Vec<Attempt>,
) -> Case {
    Case {
        check,
        object: table.name.object(&key.name),
        subject: String::new(),
        attempts,
    }
}

/// The columns of the key that say what is referred to, and not whose the row is.
pub(super) fn named_columns<'a>(
    scene: Scene<'_>,
    table: &Table,
    key: &'a ForeignKey,
) -> Vec<&'a str> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let columns = key.columns.iter().map(String::as_str);
    columns.filter(|column| Some(*column) != tenant).collect()
}

/// The column that tells a table's rows apart within their tenant.
pub(super) fn id_column<'a>(scene: Scene<'_>, table: &'a Table) -> Option<&'a str> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let mut key = table.primary_key();
    key.retain(|column| Some(*column) != tenant);
    match key.as_slice() {
        [one] => Some(one),
        _ => key.into_iter().find(|column| *column == "id"),
    }
}

/// The query that shows the key as it is.
pub(super) fn definition(table: &Table, key: &ForeignKey) -> String {
    format!(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {}::regclass AND conname = {};",
        literal(&table.name.quoted()),
        literal(&key.name)
    )
}

/// Where a key of several columns has the child's tenant column: that, what stands opposite, and the parent's tenant
/// column.
pub(super) fn opposites<'a>(
    scene: Scene<'a>,
    table: &Table,
    key: &'a ForeignKey,
) -> Option<(&'a str, &'a str, &'a str)> {
    let own = scene.tenancy.tenant_column(&table.name)?;
    let theirs = match scene.tenancy.classes.get(&key.target)? {
        Class::Scoped { column } => column.as_str(),
        _ => return None,
    };
    let (own, opposite) = key.pairs().find(|(child, _)| *child == own)?;
    (key.columns.len() > 1).then_some((own, opposite, theirs))
}

/// Why a key is not attacked, if it isn't.
pub(super) fn outside(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> Option<String> {
    let class = scene.tenancy.classes.get(&table.name)?;
    let tenant = scene.tenancy.tenant_column(&table.name);
    if !matches!(
        class,
        Class::Scoped { .. } | Class::Derived { .. } | Class::Root { .. }
    ) {
        return Some(format!(
            "the rows of a {} table are no tenant's",
            class.word()
        ));
    }
    if key
        .columns
        .iter()
        .all(|column| Some(column.as_str()) == tenant)
    {
        return Some("it says whose the row is".to_owned());
    }
    if matches!(class, Class::Derived { foreign_key } if *foreign_key == key.name) {
        return Some("it defines the tenancy".to_owned());
    }
    match scene.tenancy.classes.get(&key.target) {
        Some(Class::Shared) => Some("it refers to shared rows".to_owned()),
        Some(Class::Root { .. }) => Some("it refers to a tenant, not to a tenant's row".to_owned()),
        Some(Class::Linked { through, column })
            if *through == table.name && key.columns == [column.clone()] =>
        {
            Some("it is the link itself".to_owned())
        }
        Some(Class::Scoped { .. } | Class::Derived { .. } | Class::Linked { .. }) => None,
        _ => Some("the rows that it refers to are no tenant's".to_owned()),
    }
}

/// Other tenants' rows that the acting one lacks: as this row of the child would have to name them.
pub(super) fn foreign_tuples(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
) -> Vec<Vec<String>> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    let named = |tuple: Vec<String>| -> Vec<String> {
        key.columns
            .iter()
            .zip(tuple)
            .map(|(column, value)| {
                if Some(column.as_str()) == tenant {
                    scene.worlds.acting_tenant().to_owned()
                } else {
                    value
                }
            })
            .collect()
    };
    let own: Vec<Vec<String>> = acting(scene.worlds, &key.target)
        .iter()
        .filter_map(|row| row.tuple(&key.target_columns))
        .collect();
    foreign(scene.worlds, &key.target)
        .into_iter()
        .rev()
        .filter_map(|row| row.tuple(&key.target_columns))
        .map(named)
        .filter(|tuple| !own.contains(tuple))
        .collect()
}

/// In how many columns a row would have to change to name this parent; a row that would name itself comes last.
pub(super) fn distance(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    tuple: &[String],
) -> usize {
    let itself = key.target == table.name
        && row
            .tuple(&key.target_columns)
            .is_some_and(|own| own == tuple);
    let changed = changes(scene, table, key, tuple)
        .iter()
        .filter(|(column, cell)| row.cell(column) != cell.as_deref())
        .count();
    changed + if itself { key.columns.len() } else { 0 }
}

/// Another tenant's row that a row is made to name: the nearest, so that what several keys share stays as it is, where it can.
/// One with which it takes no unique value comes first: such a refusal is none of the key's.
pub(super) fn nearest<'t>(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    theirs: &'t [Vec<String>],
) -> Option<&'t Vec<String>> {
    theirs
        .iter()
        .min_by_key(|tuple| far(scene, table, key, row, tuple))
}

/// Whether a row that names another by the key then has a unique value of some other row's.
pub(super) fn is_taken(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    tuple: &[String],
) -> bool {
    row::is_taken(scene, table, row, &changes(scene, table, key, tuple))
}

/// How ill a row may name another: with a unique value that is taken, and at which distance.
fn far(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    tuple: &[String],
) -> (bool, usize) {
    let taken = is_taken(scene, table, key, row, tuple);
    (taken, distance(scene, table, key, row, tuple))
}

/// Parents of the acting tenant that a control may name: what the row names already (for one that is `inserts`ed), one that no row names, any other.
pub(super) fn own_tuples(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    row: RowRef<'_>,
    own: &[RowRef<'_>],
    inserts: bool,
) -> Vec<Vec<String>> {
    let named = row.tuple(&key.columns);
    let mut found: Vec<Vec<String>> = Vec::new();
    if inserts {
        found.extend(named);
    } else {
        found.extend(
            spare(scene.worlds, 0, &table.name)
                .iter()
                .filter_map(|row| row.tuple(&key.columns))
                .chain(
                    own.iter()
                        .rev()
                        .filter_map(|row| row.tuple(&key.target_columns)),
                )
                .filter(|tuple| Some(tuple) != named.as_ref()),
        );
    }
    if found.is_empty() {
        found.extend(
            own.iter()
                .rev()
                .filter_map(|row| row.tuple(&key.target_columns)),
        );
    }
    found.sort_by_cached_key(|tuple| far(scene, table, key, row, tuple));
    found.truncate(2);
    // Where several keys share columns, no other parent may fit: then the one that the row has is written again.
    found.extend(
        row.tuple(&key.columns)
            .filter(|tuple| !found.contains(tuple)),
    );
    found
}

/// The columns that a statement sets: those of the key, but never the row's own tenant column.
pub(super) fn changes(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    tuple: &[String],
) -> Vec<(String, Cell)> {
    let tenant = scene.tenancy.tenant_column(&table.name);
    key.columns
        .iter()
        .zip(tuple)
        .filter(|(column, _)| Some(column.as_str()) != tenant)
        .map(|(column, value)| (column.clone(), Some(value.clone())))
        .collect()
}

/// Why there is nothing to attack with.
pub(super) fn no_attempt(scene: Scene<'_>, table: &Table, key: &ForeignKey) -> String {
    for (what, name) in [
        ("its own table", &table.name),
        ("the table it refers to", &key.target),
    ] {
        if acting(scene.worlds, name).is_empty() {
            let why = scene
                .worlds
                .gaps
                .get(name)
                .map_or("none was made", String::as_str);
            return format!("{what} {name} has no rows: {why}");
        }
    }
    format!(
        "no row of {} could be named that is another tenant's",
        key.target
    )
}
