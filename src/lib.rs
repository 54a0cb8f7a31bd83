//! Proves, by attack and not by reading, that no organisation in a shared Postgres database can reach another
//! organisation's rows.

mod error;
pub mod model;
pub mod server;

pub use error::{Error, MigrationError, Result};
