//! The data of the house: plain types that every room may know and that know no room.

mod name;
mod script;
mod token;

pub use name::{RelationName, literal, printed, quoted, quoted_list, split_dotted};
pub use script::{ScriptError, Statement, split};
pub use token::{Token, TokenKind, Tokens, Unterminated};
