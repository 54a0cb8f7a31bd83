//! The follow-up of a query that leaked: one binding again, and what is known of it from before.

use std::fmt;

use super::Scene;
use super::attempts::Groups;
use super::evidence::{Evidence, Sign, evidence};
use crate::model::{Case, Query, QueryTenant};
use crate::query::{FOREIGN, infer, tenant_parameter};

/// The subject of such a case begins so.
const BEGINS: &str = "again ";

/// So often is tried again what may be chance: its result varied.
const OFTEN: usize = 3;

/// So often where the query draws lots, and its result did not vary, as by chance it may: of two rows a LIMIT 1 takes the same
/// one every fourth time.
const OFTEN_DRAWN: usize = 8;

/// What draws lots, or asks the clock on the wall.
#[rustfmt::skip]
const LOTS: [&str; 14] = [
    "random", "random_normal", "random_between", "gen_random_uuid", "gen_random_bytes", "uuid_generate_v1", "uuid_generate_v4",
    "uuidv4", "uuidv7", "gen_salt", "tablesample", "clock_timestamp", "timeofday", "pg_backend_pid",
];

/// What the subject of a follow-up says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again<'a> {
    /// The binding, which is run as the owner and as the application.
    pub(super) binding: usize,
    /// Values of the organisation's own show something, too.
    pub(super) own: bool,
    /// How often it was tried again with this one.
    pub(super) times: usize,
    /// Where what was seen can't have been chance: the attempt that showed it, and what that was.
    pub(super) seen: Option<(usize, &'a str)>,
}

impl<'a> Again<'a> {
    /// The follow-up to evidence.
    pub(super) fn of(scene: Scene<'_>, groups: &Groups<'_, '_>, found: &'a Evidence) -> Self {
        let mut numbered = groups.iter().enumerate();
        let own = numbered.any(|(number, (attempts, seen))| {
            let foreign = attempts.first().is_some_and(|one| is_foreign(&one.label));
            !foreign && evidence(scene, number, attempts, seen).is_some()
        });
        Self {
            binding: found.binding,
            own,
            times: 1,
            seen: found.sign.is_certain().then_some((found.at, &found.text)),
        }
    }

    /// Whether evidence is to be seen once more: by chance it is not there every time.
    pub(super) fn once_more(self, found: &Evidence, draws: bool) -> Option<Self> {
        let times = self.times + 1;
        let often = match (found.sign, found.varies, draws) {
            (Sign::Difference, _, true) => OFTEN_DRAWN,
            (_, true, _) => OFTEN,
            _ => return None,
        };
        (times <= often).then_some(Self { times, ..self })
    }

    /// Reads a subject; `None` for that of another case.
    pub(super) fn read(subject: &'a str) -> Option<Self> {
        let mut words = subject.strip_prefix(BEGINS)?.splitn(5, ' ');
        let binding = words.next()?.parse().ok()?;
        let own = words.next()? == "own";
        let times = words.next()?.parse().ok()?;
        let at = words.next().and_then(|at| at.parse().ok());
        Some(Self {
            binding,
            own,
            times,
            seen: at.zip(words.next()),
        })
    }
}

impl fmt::Display for Again<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "own" } else { "foreign" };
        write!(f, "{BEGINS}{} {whose} {}", self.binding, self.times)?;
        self.seen
            .map_or(Ok(()), |(at, text)| write!(f, " {at} {text}"))
    }
}

/// Whether a query draws lots, itself or in a function that it calls.
pub(super) fn draws_lots(scene: Scene<'_>, query: &Query) -> bool {
    let all = || scene.catalog.definers.iter().chain(&scene.catalog.invokers);
    let is_lot = |name: &String| LOTS.contains(&name.as_str());
    let draws = |text: &str| words(text).any(|name| is_lot(&name));
    words(&query.sql).any(|name| {
        is_lot(&name) || all().any(|function| function.name == name && draws(&function.definition))
    })
}

/// The words of a text, those in strings, too: a function's body is one.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn is_foreign(label: &str) -> bool {
    FOREIGN.iter().any(|words| label.starts_with(words))
}

/// Whether a leak is one that an application's guard can stop: the query names no organisation, and shows somebody
/// else's rows only to who asks for them by their keys.
#[must_use]
pub fn is_guardable(scene: Scene<'_>, case: &Case) -> bool {
    let query = scene.query(&case.object);
    let (Some(query), Some(again)) = (query, Again::read(&case.subject)) else {
        return false;
    };
    let inferred = infer(scene.catalog, query);
    !again.own
        && query.tenant == QueryTenant::Inferred
        && tenant_parameter(query, &inferred, scene.tenancy).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for again in [
            Again {
                binding: 3,
                own: true,
                times: 1,
                seen: None,
            },
            Again {
                binding: 12,
                own: false,
                times: 3,
                seen: Some((4, "it returned a.b of c")),
            },
        ] {
            assert_eq!(Again::read(&again.to_string()), Some(again));
        }
        assert_eq!(Again::read("smaller 3 false 00000/00000"), None);
    }
}
