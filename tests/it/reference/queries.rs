//! Queries that lost a tenant predicate.
