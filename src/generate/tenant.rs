//! The tenants' ids: of the tenant column's type, as every table with that column wants them.

use super::dice::{Dice, hash};
use super::plan::Plan;
use super::value::{self, Profile};
use super::{Genes, Ground};

/// An id that must differ from those before is made anew so often.
const ATTEMPTS: u64 = 200;

/// One id a tenant, as text.
pub(super) fn ids(ground: Ground<'_>, plan: &Plan<'_>, genes: &Genes) -> Vec<String> {
    let base = ground.catalog.base_type(ground.tenancy.type_oid);
    let name = ground
        .catalog
        .types
        .get(&base)
        .map_or("uuid", |of| of.name.as_str());
    let profile = profile(plan, base);
    let mut ids: Vec<String> = Vec::new();
    for number in 0..genes.organisations {
        let mut dice = Dice::new(hash(genes.seed.number, &["tenant", &number.to_string()]));
        let readable = match name {
            "int2" | "int4" | "int8" | "numeric" => (1_001 + number).to_string(),
            "uuid" => value::uuid(dice.word(), dice.word()).to_string(),
            _ => format!("org-{}-{:04x}", number + 1, dice.word() & 0xffff),
        };
        let open = match name {
            "uuid" => true,
            "int2" | "int4" | "int8" | "numeric" => {
                let hints = &profile.hints;
                let value = 1_001.0 + f64::from(u32::try_from(number).unwrap_or(0));
                hints.choices.is_none()
                    && hints.min.is_none_or(|min| value > min)
                    && hints.max.is_none_or(|max| value < max)
            }
            _ => false,
        };
        // Readable where nothing speaks against it.
        let made = if open || (plain_text(name) && is_unbounded(&profile, &readable)) {
            readable
        } else {
            other(ground, genes, &profile, number, &ids).unwrap_or(readable)
        };
        ids.push(made);
    }
    ids
}

fn plain_text(name: &str) -> bool {
    matches!(name, "text" | "varchar" | "bpchar" | "citext" | "name")
}

/// Nothing but a length is asked for, and the text has it.
fn is_unbounded(profile: &Profile, text: &str) -> bool {
    let hints = &profile.hints;
    let declared = usize::try_from(profile.modifier - 4).unwrap_or(usize::MAX);
    hints.choices.is_none()
        && hints.patterns.is_empty()
        && hints.likes.is_empty()
        && !hints.upper
        && hints.min_length.is_none_or(|n| text.len() >= n)
        && hints.max_length.is_none_or(|n| text.len() <= n)
        && text.len() <= declared
}

/// A value as for any other column, that no tenant before has.
fn other(
    ground: Ground<'_>,
    genes: &Genes,
    profile: &Profile,
    number: usize,
    taken: &[String],
) -> Option<String> {
    (0..ATTEMPTS).find_map(|attempt| {
        let words = [number.to_string(), attempt.to_string()];
        let mut dice = Dice::new(hash(genes.seed.number, &["tenant", &words[0], &words[1]]));
        let cell = value::Cell {
            instant: genes.seed.instant,
            ordinal: 1_001 + number as u64 + attempt,
            counted: false,
            canary: None,
            turn: number as u64 + attempt,
            salt: 0,
            row: number as u64 + attempt,
        };
        let made = value::value(ground.catalog, profile, &cell, &mut dice).ok()?;
        (!taken.contains(&made)).then_some(made)
    })
}

/// What all tenant columns want together.
fn profile(plan: &Plan<'_>, base: u32) -> Profile {
    let mut all = Profile {
        name: "tenant slug".to_owned(),
        type_oid: base,
        modifier: -1,
        distinct: true,
        ..Profile::default()
    };
    for table in plan.tables.values() {
        let Some(tenant) = table.tenant_column() else {
            continue;
        };
        if let Some((_, own)) = table
            .columns
            .iter()
            .find(|(column, _)| column.name == tenant)
        {
            all.hints.narrow(&own.hints);
            if own.modifier >= 0 && (all.modifier < 0 || own.modifier < all.modifier) {
                all.modifier = own.modifier;
            }
        }
        // Partitions by tenant, without a default one: only their tenants can have rows.
        let listed: Option<Vec<&Vec<String>>> = table
            .bounds
            .iter()
            .map(|bound| bound.get(tenant)?.choices.as_ref())
            .collect();
        if let Some(listed) = listed.filter(|lists| !lists.is_empty()) {
            all.hints.narrow(&super::hints::Hints {
                choices: Some(listed.into_iter().flatten().cloned().collect()),
                ..Default::default()
            });
        }
    }
    all
}
