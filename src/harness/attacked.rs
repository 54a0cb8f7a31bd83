//! Which cell of the report's matrix a case belongs to.

use std::collections::BTreeSet;

use crate::check::Scene;
use crate::model::{
    Actor, Attacked, Attempt, Case, Context, Purpose, Session, Tally, TokenKind, Tokens, Verdict,
};

/// The names of what is no query.
pub(super) struct Objects<'a> {
    scene: Scene<'a>,
    tables: BTreeSet<String>,
    queries: BTreeSet<&'a str>,
}

impl<'a> Objects<'a> {
    pub(super) fn of(scene: Scene<'a>) -> Self {
        let queries = scene.queries.iter().map(|query| query.object.as_str());
        Self {
            scene,
            tables: scene
                .catalog
                .roots()
                .map(|table| table.name.to_string())
                .collect(),
            queries: queries.collect(),
        }
    }

    /// What a case attacks, as whom and how; `None` of a query, and where only the catalog is read.
    pub(super) fn attacked(&self, case: &Case) -> Option<Attacked> {
        if self.queries.contains(case.object.as_str()) {
            return None;
        }
        let attacks = case.attempts.iter().rev();
        let attack = attacks
            .filter(|attempt| attempt.purpose != Purpose::Control)
            .find_map(|attempt| Some((attempt, operation(attempt)?)));
        let (attempt, operation) = attack?;
        Some(Attacked {
            object: self.object(&case.object).to_owned(),
            actor: self.actor(attempt),
            operation,
        })
    }

    /// The table that an object is part of, else the object itself.
    fn object<'o>(&self, object: &'o str) -> &'o str {
        let ends = object.match_indices('.').map(|(end, _)| end);
        ends.chain([object.len()])
            .map(|end| &object[..end])
            .find(|name| self.tables.contains(*name))
            .unwrap_or(object)
    }

    fn actor(&self, attempt: &Attempt) -> Actor {
        let tenants = &self.scene.worlds.tenants;
        match (attempt.session, &attempt.context) {
            (Session::Owner, _) => Actor::Owner,
            (Session::Application, Context::Unset) => Actor::Unset,
            (Session::Application, Context::Tenant(text)) if text.is_empty() => Actor::Empty,
            (Session::Application, Context::Tenant(text)) => tenants
                .iter()
                .position(|tenant| tenant == text)
                .map_or(Actor::Malformed, |index| Actor::Organisation(index + 1)),
        }
    }
}

/// The first command of an attempt that reads or writes rows.
fn operation(attempt: &Attempt) -> Option<String> {
    const COMMANDS: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"];
    attempt.statements.iter().find_map(|statement| {
        let mut words = Tokens::new(statement)
            .filter_map(Result::ok)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|token| token.text.to_uppercase());
        words.find(|word| COMMANDS.contains(&word.as_str()))
    })
}

/// Counts a verdict.
pub(super) fn count(tally: &mut Tally, verdict: &Verdict) {
    tally.cases += 1;
    match verdict {
        Verdict::Held(_) => tally.held += 1,
        Verdict::Leaked(_) => tally.leaked += 1,
        Verdict::NotApplicable(_) => tally.not_applicable += 1,
        Verdict::Inconclusive(_) | Verdict::FollowUp(_) => tally.inconclusive += 1,
    }
}
