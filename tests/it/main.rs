//! The integration tests: one binary.

mod checks;
mod command_line;
mod fixture;
mod fixtures;
mod folder;
mod mended;
mod migration;
mod migration_files;
mod psql;
mod recording;
mod reference;
mod regressions;
mod schemas;
mod scratch;
mod search_path;
mod seed;
mod server;
mod sources;
mod tenant_roles;
mod tidy;
mod tried;
mod types;
mod unchecked;
