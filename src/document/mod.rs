//! Documents of a schema, made from its catalog: pure, a catalog in, text out.

mod diagram;
mod record;

pub use diagram::diagram;
pub use record::record;
