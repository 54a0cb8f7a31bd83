//! Values of the twins that have no model of their own: they reach where a copy of the acting tenant's rows does not.

use super::clock::{self, DAY};
use crate::model::{Catalog, Cell, Column};

/// How far behind the acting tenant's last time, or before its first: beyond a window of years.
const FAR: i64 = 1_000 * DAY;

/// A time after all of these (`greatest(day) - 365` is another one then), or before all of them (the oldest that waits is
/// another one), where the column's type is a time.
pub(super) fn far<'c>(
    catalog: &Catalog,
    column: &Column,
    before: bool,
    cells: impl Iterator<Item = &'c Cell>,
) -> Cell {
    let (print, is_range): (fn(i64) -> String, bool) = match type_name(catalog, column) {
        "date" => (clock::date, false),
        "timestamp" => (clock::timestamp, false),
        "timestamptz" => (clock::instant, false),
        "daterange" => (clock::date, true),
        "tsrange" => (clock::timestamp, true),
        "tstzrange" => (clock::instant, true),
        _ => return None,
    };
    let times = cells
        .flatten()
        .filter_map(|text| clock::seconds(if is_range { lower(text) } else { text }));
    let (last, step) = if before {
        (times.min_by(f64::total_cmp)?, -FAR)
    } else {
        (times.max_by(f64::total_cmp)?, FAR)
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of a date that the generator made"
    )]
    let far = print(last as i64 + step);
    Some(if is_range {
        format!("[\"{far}\",)")
    } else {
        far
    })
}

/// A range's lower bound.
fn lower(text: &str) -> &str {
    let bound = text.split(',').next().unwrap_or_default();
    bound.trim_matches(['[', '(', '"'])
}

/// Whether values of this column may stand in a column of the same name elsewhere, as an address does that is on a
/// person and on a list of those to leave alone.
pub(super) fn lends(catalog: &Catalog, column: &Column) -> bool {
    matches!(type_name(catalog, column), "text" | "varchar" | "citext")
}

/// Whether two columns may hold the same value, written alike.
pub(super) fn alike(catalog: &Catalog, one: &Column, other: &Column) -> bool {
    let (one_is, other_is) = (type_name(catalog, one), type_name(catalog, other));
    let number = |name: &str| matches!(name, "int2" | "int4" | "int8");
    one_is == other_is
        || (lends(catalog, one) && lends(catalog, other))
        || (number(one_is) && number(other_is))
}

fn type_name<'c>(catalog: &'c Catalog, column: &Column) -> &'c str {
    let base = catalog.base_type(column.type_oid);
    catalog.types.get(&base).map_or("", |of| of.name.as_str())
}
