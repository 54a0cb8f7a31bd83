//! The register of checks. A new one is one file, one pair of fixtures and one line here.

use super::Check;

macro_rules! register {
    ($($module:ident,)*) => {
        /// All checks, in the order of their ids.
        pub static ALL: &[&dyn Check] = &[$(&$module::CHECK,)*];
    };
}

mod activity_shows_other_sessions;
mod context_outlives_transaction;
mod cross_tenant_reference;
mod definer_without_search_path;
mod function_past_policies;
mod index_without_tenant;
mod key_not_validated;
mod large_object_without_tenant;
mod mispaired_key;
mod notify_reaches_other_tenants;
mod nullable_tenant;
mod optional_reference_refused;
mod partition_past_policies;
mod policy_in_prepared_plan;
mod policy_too_wide;
mod published_without_tenant;
mod query_cost;
mod query_interference;
mod reference_without_key;
mod row_level_security_read;
mod row_level_security_write;
mod sequence_counts_other_rows;
mod set_null_clears_tenant;
mod trigger_reaches_other_tenant;
mod truncate_past_policies;
mod unclassified_table;
mod unique_without_tenant;
mod update_moves_children;
mod view_past_policies;

register! {
    activity_shows_other_sessions,
    context_outlives_transaction,
    cross_tenant_reference,
    definer_without_search_path,
    function_past_policies,
    index_without_tenant,
    key_not_validated,
    large_object_without_tenant,
    mispaired_key,
    notify_reaches_other_tenants,
    nullable_tenant,
    optional_reference_refused,
    partition_past_policies,
    policy_in_prepared_plan,
    policy_too_wide,
    published_without_tenant,
    query_cost,
    query_interference,
    reference_without_key,
    row_level_security_read,
    row_level_security_write,
    sequence_counts_other_rows,
    set_null_clears_tenant,
    trigger_reaches_other_tenant,
    truncate_past_policies,
    unclassified_table,
    unique_without_tenant,
    update_moves_children,
    view_past_policies,
}
