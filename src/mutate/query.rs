//! Queries with a defect: `query` finds where.

use super::{Change, Mutant, Original, Part};
use crate::model::Focus;
use crate::query::{deformed, is_tied};

/// What is wrong with each query.
pub(super) fn mutants(original: Original<'_>) -> Vec<Mutant> {
    let mut found = Vec::new();
    for query in original.queries {
        let all = deformed(original.catalog, original.tenancy, query);
        for (number, mut deformed) in all.into_iter().enumerate() {
            let object = format!("{} #{}", query.object, number + 1);
            deformed.query.object.clone_from(&object);
            let touches = Focus::Objects(vec![object.clone()]);
            let mut mutant = Mutant::new(deformed.kind, query.object.clone(), Part::Other, touches);
            mutant.detail = format!("line {}: {}", deformed.line, deformed.label);
            mutant.named = vec![object];
            if is_tied(original.catalog, original.tenancy, &deformed.query) {
                mutant.equivalent =
                    Some("every table that it reads or writes is still tied to the tenant");
            }
            mutant.change = Change::Query(Box::new(deformed.query));
            found.push(mutant);
        }
    }
    found
}
