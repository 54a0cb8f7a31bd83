//! The register of checks. A new one is one file, one pair of fixtures and one line here.

use super::Check;

macro_rules! register {
    ($($module:ident,)*) => {
        /// All checks, in the order of their ids.
        pub static ALL: &[&dyn Check] = &[$(&$module::CHECK,)*];
    };
}

mod cross_tenant_reference;
mod index_without_tenant;
mod nullable_tenant;
mod query_interference;
mod row_level_security_read;
mod row_level_security_write;
mod unclassified_table;
mod unique_without_tenant;

register! {
    cross_tenant_reference,
    index_without_tenant,
    nullable_tenant,
    query_interference,
    row_level_security_read,
    row_level_security_write,
    unclassified_table,
    unique_without_tenant,
}
