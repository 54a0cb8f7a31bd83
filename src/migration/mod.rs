//! Migrations: the user's SQL files, in the order and the transactions of their convention, applied once and
//! remembered in the database.

mod apply;
mod choose;
mod convention;
mod definition;
mod dump;
mod failure;
mod folder;
mod foreign;
mod hint;
mod history;
mod locate;
mod newer;
mod read;
mod revert;
mod set;
mod stub;
mod tool;

pub use apply::{Applied, apply, prepare};
pub use folder::decides;
pub use foreign::in_project;
pub(crate) use locate::Definitions;
pub use locate::ObjectKind;
pub use revert::revert;
pub use set::{Down, Migration, MigrationSet, Reading};
pub use tool::Tool;
