//! The operations room: backups of a database that serves, and the way back.
//!
//! A backup is a folder: a dump by `pg_dump` in its custom format, the roles and settings that no dump holds, a manifest of
//! what was there, and the SHA-256 of each. It is written aside and gets its name when it is complete.

mod activity;
mod backup;
mod folder;
mod manifest;
mod program;
mod restore;
mod roles;
mod settled;

pub use activity::{Activity, Session, activity};
pub use backup::{Order, Taken, back_up};
pub use folder::Backup;
pub use manifest::{Counted, Kind, Manifest, Rows};
pub use restore::{Restored, Swap, restore, schema_command, verify};
