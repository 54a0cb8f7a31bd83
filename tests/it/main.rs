//! The integration tests: one binary.

mod checks;
mod command_line;
mod fixture;
mod fixtures;
mod folder;
mod hostile;
mod mended;
mod migrate_check;
mod migration;
mod migration_files;
mod projects;
mod psql;
mod recording;
mod reference;
mod regressions;
mod schemas;
mod scratch;
mod seed;
mod server;
mod sources;
mod tidy;
mod tool;
mod tried;
mod types;
