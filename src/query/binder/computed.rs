//! Values of expressions over columns.

use super::{Binder, Foreign, farther};
use crate::query::infer::Source;

impl Binder<'_> {
    /// What an expression comes to in one of the rows, for the parameter that is compared with it.
    pub(super) fn computed(
        &self,
        number: usize,
        row: usize,
        wide: bool,
        foreign: Option<Foreign<'_>>,
    ) -> Option<String> {
        let known = self.query.computed.get(&number)?;
        let (table, by) =
            self.inferred
                .sources
                .get(&number)?
                .iter()
                .find_map(|source| match source {
                    Source::Computed { table, by, .. } => Some((table, *by)),
                    _ => None,
                })?;
        let acting = self.worlds.acting_tenant();
        let theirs = foreign.is_some_and(|of| of.table == table && !of.written);
        let is_chosen = |whose: &Option<String>| match whose {
            Some(whose) => (whose == acting) != theirs,
            None => true,
        };
        let chosen = known.iter().filter(|(whose, _)| is_chosen(whose));
        let values: Vec<String> = chosen.map(|(_, value)| value.clone()).collect();
        match by {
            '<' | '>' if wide => farther(&values, by == '<'),
            '%' | '~' => None,
            _ => values.get(row % values.len().max(1)).cloned(),
        }
    }
}
