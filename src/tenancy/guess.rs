//! What a schema alone says of its tenancy: the tenant column, and how the application acts as one tenant. A proposal, for a
//! person to read.

use std::collections::BTreeMap;

use crate::model::{Catalog, ForeignKey, Table};

/// Words in the names of tables and columns that tell whose a row is.
const WORDS: [&str; 16] = [
    "tenant",
    "organisation",
    "organization",
    "org",
    "account",
    "workspace",
    "company",
    "team",
    "customer",
    "client",
    "shop",
    "store",
    "agency",
    "clinic",
    "school",
    "firm",
];

/// The column that most tables have which may be the tenant's: one that is named so, else a foreign key that half of the
/// tables have to the same table.
#[must_use]
pub fn tenant_column(catalog: &Catalog) -> Option<String> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keyed: BTreeMap<&str, usize> = BTreeMap::new();
    for table in catalog.roots() {
        for column in &table.columns {
            let name = column.name.as_str();
            if is_named(name) {
                *named.entry(name).or_default() += 1;
            }
            if table.foreign_keys.iter().any(|key| key.columns == [name]) {
                *keyed.entry(name).or_default() += 1;
            }
        }
    }
    let most = |counts: BTreeMap<&str, usize>, least: usize| {
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        // A real column of the tenant points at the table of tenants; of equals the first by name.
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let (name, count) = *counts.first()?;
        (count >= least).then(|| name.to_owned())
    };
    let tables = catalog.roots().count();
    most(named, 1).or_else(|| most(keyed, tables.div_ceil(2).max(2)))
}

/// `organisation_id`, `org_uuid`, `tenant`; not `client_ip`.
fn is_named(column: &str) -> bool {
    let lower = column.to_lowercase();
    let stem = ["_id", "_uuid", "_key", "id"]
        .iter()
        .find_map(|ending| lower.strip_suffix(ending))
        .unwrap_or(&lower);
    WORDS.contains(&stem)
}

/// The role that policies and privileges are for: neither who owns the tables nor one that bypasses policies.
#[must_use]
pub fn application_role(catalog: &Catalog) -> Option<String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for table in catalog.roots() {
        let policies = table.policies.iter().flat_map(|policy| &policy.roles);
        for name in policies.chain(table.privileges.keys()) {
            let fits = catalog
                .roles
                .get(name)
                .is_some_and(|role| !role.superuser && !role.bypass_rls);
            if fits && *name != table.owner {
                *votes.entry(name).or_default() += 1;
            }
        }
    }
    let elected = votes
        .into_iter()
        .max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)));
    elected.map(|(name, _)| name.to_owned())
}

/// The setting that policies read the tenant from.
#[must_use]
pub fn tenant_setting(catalog: &Catalog) -> Option<String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for policy in catalog.roots().flat_map(|table| &table.policies) {
        for text in policy.using.iter().chain(&policy.check) {
            for after in text.split("current_setting('").skip(1) {
                let name = after.split('\'').next().unwrap_or_default();
                *votes.entry(name).or_default() += 1;
            }
        }
    }
    let elected = votes
        .into_iter()
        .max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a)));
    elected.map(|(name, _)| name.to_owned())
}

/// The column of a table that is most often a key to somewhere, for a message where nothing was found.
#[must_use]
pub fn common_keys(catalog: &Catalog) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let single = |key: &&ForeignKey| key.columns.len() == 1;
    for key in catalog
        .roots()
        .flat_map(|table: &Table| table.foreign_keys.iter().filter(single))
    {
        *counts.entry(&key.columns[0]).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    counts
        .into_iter()
        .take(5)
        .map(|(name, _)| name.to_owned())
        .collect()
}
