//! The integration tests: one binary.

mod folder;
mod migration;
mod migration_files;
mod scratch;
mod server;
