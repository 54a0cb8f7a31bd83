//! Proves, by attack and not by reading, that no organisation in a shared Postgres database can reach another
//! organisation's rows.

pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod database;
mod error;
pub mod generate;
pub mod harness;
pub mod introspect;
pub mod load;
pub mod migration;
pub mod model;
pub mod query;
pub mod report;
pub mod run;
pub mod server;
pub mod tenancy;

pub use error::{Error, MigrationError, Result};
pub use harness::Harness;
