//! Rows that must differ, and columns that can't have twins.

use sqlparser::ast::Expr;

use super::{Draft, Maker};
use crate::generate::Part;
use crate::generate::hints::arguments;
use crate::generate::mend::{View, view};
use crate::generate::plan::Plan;
use crate::generate::truth::{self, Worth};
use crate::generate::unique::{Operator, Scope, Unique, Value};
use crate::model::{Cell, Class};

/// What must be equal for a conflict: the numbers of table and key, which rows may ever meet, and the values.
pub(super) type Mark = (usize, usize, u8, Vec<Cell>);

/// What two rows with equal values must not have in common.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::generate) enum Other {
    /// Another value: `<>`.
    Differs(Cell),
    /// A stretch that overlaps: from, to, and whether each end belongs to it.
    Overlaps((f64, bool), (f64, bool)),
}

impl Other {
    pub(in crate::generate) fn conflicts(&self, with: &Self) -> bool {
        match (self, with) {
            (Self::Differs(a), Self::Differs(b)) => a != b,
            (Self::Overlaps(low, high), Self::Overlaps(from, to)) => {
                before(*low, *to) && before(*from, *high)
            }
            _ => false,
        }
    }
}

/// A lower end lies before an upper one.
fn before(low: (f64, bool), high: (f64, bool)) -> bool {
    low.0 < high.0 || (low.1 && high.1 && low.0 <= high.0)
}

impl<'a> Maker<'a> {
    /// Whether the row differs from all others where it must; if so, it is remembered.
    pub(super) fn differs(&mut self, draft: &Draft<'a>) -> bool {
        let mut marks = Vec::new();
        for (number, unique) in draft.table.uniques.iter().enumerate() {
            let get = |column: &str| draft.get(column);
            let row = view(self.ground.catalog, draft, &get);
            let Some((values, others)) = compared(&row, unique) else {
                continue;
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
                    (Part::Poisoned, _) => 4,
                    (Part::Many, _) => 5,
                }
            };
            let mark = (draft.table.number, number, scope, values);
            let conflict = |seen: &Vec<Other>| {
                let mut pairs = seen.iter().zip(&others);
                pairs.all(|(seen, other)| seen.conflicts(other))
            };
            if self
                .seen
                .get(&mark)
                .is_some_and(|all| all.iter().any(conflict))
            {
                return false;
            }
            marks.push((mark, others));
        }
        for (mark, others) in marks {
            self.seen.entry(mark).or_default().push(others);
        }
        true
    }
}

/// What a unique key compares of a row; `None` where it does not hold for the row, or the server must say so.
pub(in crate::generate) fn compared(
    row: &View<'_, '_>,
    unique: &Unique<'_>,
) -> Option<(Vec<Cell>, Vec<Other>)> {
    let get = |column: &str| row.worth(column);
    match &unique.scope {
        Scope::Total => {}
        Scope::Where(expr, _) if truth::worth(expr, &get) == Worth::Bool(true) => {}
        _ => return None,
    }
    let (mut values, mut others) = (Vec::new(), Vec::new());
    for term in &unique.terms {
        if term.operator == Operator::Overlaps
            && let Some(stretch) = stretch(row, &term.value, &get)
        {
            others.push(Other::Overlaps(stretch.0, stretch.1));
            continue;
        }
        let cell = match &term.value {
            Value::Column { name, folded } => {
                let cell = (row.get)(name).cloned().flatten();
                if *folded {
                    cell.map(|text| text.to_lowercase())
                } else {
                    cell
                }
            }
            Value::Expression(expr) => match truth::worth(expr, &get) {
                Worth::Null => None,
                Worth::Bool(value) => Some(value.to_string()),
                Worth::Number(value) => Some(value.to_string()),
                Worth::Text(text) => Some(text),
                // Different enough where what it is made of differs.
                Worth::Unknown => Some(joined(row, &unique.columns)),
            },
            Value::Columns(columns) => Some(joined(row, columns)),
        };
        if cell.is_none() && !unique.nulls_equal {
            return None;
        }
        if term.operator == Operator::Differs {
            others.push(Other::Differs(cell));
        } else {
            values.push(cell);
        }
    }
    Some((values, others))
}

/// The columns' values without case.
fn joined(row: &View<'_, '_>, columns: &[&str]) -> String {
    let values = columns
        .iter()
        .map(|column| (row.get)(column).cloned().flatten().unwrap_or_default());
    values.collect::<Vec<_>>().join("\u{1}").to_lowercase()
}

/// The ends of a range: of a column's or of one made of two columns.
type Stretch = ((f64, bool), (f64, bool));

fn stretch(row: &View<'_, '_>, value: &Value<'_>, get: &dyn Fn(&str) -> Worth) -> Option<Stretch> {
    match value {
        Value::Column { name, .. } => literal_stretch((row.get)(name)?.as_ref()?),
        Value::Expression(expr) => {
            let Expr::Function(function) = expr.as_ref() else {
                return None;
            };
            let name = function.name.to_string().to_lowercase();
            let arguments = arguments(function);
            let (low, high, ends) = match arguments[..] {
                [low, high] => (low, high, "[)".to_owned()),
                [low, high, ends] => match truth::worth(ends, get) {
                    Worth::Text(ends) => (low, high, ends),
                    _ => return None,
                },
                _ => return None,
            };
            let end = |expr: &Expr, open: f64| match truth::worth(expr, get) {
                Worth::Null => Some(open),
                Worth::Number(value) => Some(value),
                Worth::Text(text) => truth::number(&text),
                _ => None,
            };
            name.ends_with("range").then_some(())?;
            Some((
                (end(low, f64::NEG_INFINITY)?, ends.starts_with('[')),
                (end(high, f64::INFINITY)?, ends.ends_with(']')),
            ))
        }
        Value::Columns(_) => None,
    }
}

/// A range as Postgres prints it: `["2026-01-01 00:00:00+00",)`.
fn literal_stretch(text: &str) -> Option<Stretch> {
    let (low, high) = text.get(1..text.len().checked_sub(1)?)?.split_once(',')?;
    let end = |text: &str, open: f64| match text.trim_matches('"') {
        "" => Some(open),
        text => truth::number(text),
    };
    Some((
        (end(low, f64::NEG_INFINITY)?, text.starts_with('[')),
        (end(high, f64::INFINITY)?, text.ends_with(']')),
    ))
}

/// Columns that are unique over all tenants and that no key fills.
pub(super) fn untwinned(plan: &Plan<'_>) -> Vec<String> {
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
