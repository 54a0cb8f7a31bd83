//! The data of the house: plain types that every room may know and that know no room.

mod name;

pub use name::{RelationName, literal, printed, quoted, quoted_list, split_dotted};
