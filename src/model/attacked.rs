//! What was attacked, as whom and how: the cells of a report's matrix.

use std::fmt;
use std::str::FromStr;

/// Whom an attack acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The application in the context of an organisation, from 1.
    Organisation(usize),
    /// The application without a context.
    Unset,
    /// The application in a context that is empty.
    Empty,
    /// The application in a context that is no organisation's.
    Malformed,
    /// The owner, with row-level security out of the way.
    Owner,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Organisation(number) => return write!(f, "organisation {number}"),
            Self::Unset => "no organisation",
            Self::Empty => "empty context",
            Self::Malformed => "malformed context",
            Self::Owner => "owner",
        })
    }
}

impl FromStr for Actor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let others = [Self::Unset, Self::Empty, Self::Malformed, Self::Owner];
        if let Some(actor) = others.into_iter().find(|actor| actor.to_string() == text) {
            return Ok(actor);
        }
        let number = text.strip_prefix("organisation ");
        let number = number.and_then(|number| number.parse().ok());
        number
            .map(Self::Organisation)
            .ok_or_else(|| format!("nobody acts as `{text}`"))
    }
}

/// What was attacked, as whom and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attacked {
    /// The table; a view, function or partition that was attacked by itself.
    pub object: String,
    /// As whom.
    pub actor: Actor,
    /// The SQL command, as `INSERT`.
    pub operation: String,
}

/// What a check looks for, in the words of its page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// The defect, in a few words.
    pub title: String,
    /// Why rows cross by it.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_read_as_it_is_written() {
        for actor in [
            Actor::Organisation(2),
            Actor::Unset,
            Actor::Empty,
            Actor::Malformed,
            Actor::Owner,
        ] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert!("organisation x".parse::<Actor>().is_err());
    }
}
