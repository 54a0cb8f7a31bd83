//! The integration tests: one binary.

mod command_line;
mod folder;
mod migration;
mod migration_files;
mod scratch;
mod server;
