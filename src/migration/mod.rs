//! Migrations: the user's SQL files, in the order and the transactions of their convention, applied once and
//! remembered in the database.

mod apply;
mod convention;
mod definition;
mod failure;
mod files;
mod history;
mod locate;
mod read;
mod revert;
mod set;
mod tool;

pub use apply::{Applied, apply};
pub use locate::ObjectKind;
pub use revert::revert;
pub use set::{Down, Migration, MigrationSet};
pub use tool::Tool;
