//! Who attacked which table how: a row for each table, a column for each organisation or context and command.

use std::collections::{BTreeMap, BTreeSet};

use super::Markup;
use crate::model::{Actor, Report, Tally};
use crate::report::page::count;

/// Commands as one thinks of them: what reads first, then what writes.
const ORDER: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

pub(super) fn write(page: &mut Markup, report: &Report) {
    if report.attacks.is_empty() {
        return;
    }
    let mut columns: BTreeMap<Actor, BTreeSet<(usize, &str)>> = BTreeMap::new();
    let mut rows: BTreeMap<&str, BTreeMap<(Actor, &str), &Tally>> = BTreeMap::new();
    for (attacked, tally) in &report.attacks {
        let column = (attacked.actor, attacked.operation.as_str());
        let place = ORDER.iter().position(|operation| *operation == column.1);
        let place = (place.unwrap_or(ORDER.len()), column.1);
        columns.entry(column.0).or_default().insert(place);
        rows.entry(&attacked.object)
            .or_default()
            .insert(column, tally);
    }
    page.section("matrix", "Organisation × table × operation");
    page.add("<p class=\"legend\">Who tried what on rows that are not theirs: <b class=\"held\">✓</b> refused, with a \
              control that worked; <b class=\"leaked\">✗</b> it worked; <b class=\"inconclusive\">?</b> could not be \
              judged; <b class=\"none\">–</b> can’t be tried; blank: nothing to try. The owner’s attempts are on keys, \
              with row-level security out of the way.</p>\n");
    page.add("<p><label><input type=\"checkbox\" id=\"wrong\"> only what did not hold</label>");
    page.add("<label class=\"filter\" hidden> Filter <input type=\"search\" data-filter=\"#matrix tbody tr\"></label></p>\n");
    page.add("<div class=\"wide\"><table class=\"matrix\">\n<thead>\n<tr><th scope=\"col\" rowspan=\"2\">table</th>");
    for (actor, operations) in &columns {
        page.add(&format!(
            "<th scope=\"colgroup\" colspan=\"{}\">",
            operations.len()
        ));
        page.say(actor).add("</th>");
    }
    page.add("</tr>\n<tr>");
    for operations in columns.values() {
        for (number, (_, operation)) in operations.iter().enumerate() {
            let class = if number == 0 { "first" } else { "" };
            page.element("th", class, operation);
        }
    }
    page.add("</tr>\n</thead>\n<tbody>\n");
    for (object, cells) in &rows {
        let held = cells
            .values()
            .all(|tally| tally.leaked + tally.inconclusive == 0);
        page.add(if held { "<tr class=\"ok\">" } else { "<tr>" });
        page.add("<th scope=\"row\">").say(object).add("</th>");
        for (actor, operations) in &columns {
            for (number, (_, operation)) in operations.iter().enumerate() {
                let edge = if number == 0 { " first" } else { "" };
                write_cell(page, cells.get(&(*actor, *operation)).copied(), edge);
            }
        }
        page.add("</tr>\n");
    }
    page.add("</tbody></table></div>\n</section>\n");
}

fn write_cell(page: &mut Markup, tally: Option<&Tally>, edge: &str) {
    let Some(tally) = tally else {
        page.add(&format!("<td class=\"{}\"></td>", edge.trim()));
        return;
    };
    let (class, sign) = match tally {
        Tally { leaked: 1.., .. } => ("leaked", "✗"),
        Tally {
            inconclusive: 1.., ..
        } => ("inconclusive", "?"),
        Tally { held: 1.., .. } => ("held", "✓"),
        _ => ("none", "–"),
    };
    let parts = [
        (tally.leaked, "leaked"),
        (tally.inconclusive, "inconclusive"),
        (tally.held, "held"),
        (tally.not_applicable, "n/a"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let told: Vec<String> = parts
        .map(|(number, word)| count(*number, word, word))
        .collect();
    page.add(&format!(
        "<td class=\"{class}{edge}\" title=\"{}\">{sign}</td>",
        told.join(", ")
    ));
}
