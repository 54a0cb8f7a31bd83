//! Proves, by attack and not by reading, that no organisation in a shared Postgres database can reach another
//! organisation's rows.
//!
//! A run starts a disposable server, applies the migrations, seeds several organisations, and then tries what must
//! not work: foreign keys that point at another organisation's row, reads and writes past row-level security,
//! queries whose result changes with somebody else's rows. Each attack comes with its control, the same statement
//! inside one organisation, which must work: a refusal proves nothing otherwise.
//!
//! As a test of one's own, over the settings of `watertight.toml`:
//!
//! ```no_run
//! use watertight::Harness;
//! use watertight::config::{self, CommandLine};
//! use watertight::model::RunVerdict;
//! use watertight::report;
//!
//! # #[tokio::main]
//! # async fn main() -> watertight::Result<()> {
//! let settings = config::load(CommandLine::default())?;
//! let report = Harness::new(settings).run(&|_| ()).await?;
//! let text = report::render(&report, "text", false).unwrap_or_default();
//! assert_eq!(report.verdict(), RunVerdict::Held, "{text}");
//! # Ok(())
//! # }
//! ```
//!
//! What is wrong with a schema or a query is a [`Finding`](model::Finding) in the [`Report`](model::Report). That
//! the harness could not do its work is an [`Error`]. One never turns into the other.
//!
//! # Features
//! Neither is on by default.
//! - `cli`: the command line (`watertight::cli::main`, all that another workspace's xtask needs) and the `watertight`
//!   binary.
//! - `reports`: reports as HTML, `JUnit`, Markdown, SARIF and TAP; `cli` turns it on.
//! - `docker`: servers in containers. Without it a server comes from Postgres binaries of the machine, or is named by
//!   a URL.

pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod database;
pub mod document;
mod error;
pub mod fixtures;
pub mod generate;
pub mod harness;
pub mod introspect;
pub mod load;
pub mod migration;
pub mod model;
pub mod mutate;
pub mod operations;
pub mod query;
pub mod report;
pub mod run;
pub mod server;
pub mod tenancy;
pub mod validation;

pub use error::{Error, Interference, MigrationError, Result};
pub use harness::Harness;
/// The driver that pools and transactions of [`fixtures`] are of.
pub use sqlx;
