//! The register of checks. A new one is one file, one pair of fixtures and one line here.

use super::Check;

macro_rules! register {
    ($($module:ident,)*) => {
        /// All checks, in the order of their ids.
        pub static ALL: &[&dyn Check] = &[$(&$module::CHECK,)*];
    };
}

mod cross_tenant_reference;
mod definer_without_search_path;
mod function_past_policies;
mod index_without_tenant;
mod nullable_tenant;
mod partition_past_policies;
mod policy_in_prepared_plan;
mod query_interference;
mod row_level_security_read;
mod row_level_security_write;
mod truncate_past_policies;
mod unclassified_table;
mod unique_without_tenant;
mod view_past_policies;

register! {
    cross_tenant_reference,
    definer_without_search_path,
    function_past_policies,
    index_without_tenant,
    nullable_tenant,
    partition_past_policies,
    policy_in_prepared_plan,
    query_interference,
    row_level_security_read,
    row_level_security_write,
    truncate_past_policies,
    unclassified_table,
    unique_without_tenant,
    view_past_policies,
}
