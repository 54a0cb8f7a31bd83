//! The user's queries: read from files, bound to rows, and judged by comparing worlds. Pure: the harness reads the
//! files, asks the server for the parameters' types and runs what is planned.

mod annotation;
mod bind;
mod binder;
mod branch;
mod compare;
mod covered;
mod deform;
mod expression;
mod file;
mod infer;
mod json;
mod key;
mod numbered;
mod offline;
mod parameter;
mod plain;
mod reader;
mod recorded;
mod result;
mod scan;
mod tied;
mod wish;

pub use annotation::annotate;
pub use bind::{Binding, FOREIGN, bindings, tenant_parameter};
pub use branch::{Branch, branches};
pub use compare::{Comparison, compare};
pub use covered::{Ran, covered};
pub use deform::{Deformed, deformed, reprinted};
pub use file::read;
pub use infer::{Inferred, Source, infer, json_paths};
pub use offline::{Offline, offline};
pub use recorded::{
    LONGEST_VALUE, Recorded, RecordedQuery, Recorder, Schema, Sent, recorded, same_text, sent,
};
pub use result::{is_empty, tables};
pub use tied::is_tied;
pub use wish::wishes;
