//! Types that few schemas have, in their text form.

use fake::Fake as _;
use fake::faker::lorem::raw::Word;
use fake::locales::FR_FR;

use super::Profile;
use crate::generate::dice::Dice;
use crate::model::Datum;

/// A way to make the values of such a type.
pub(super) struct Rare {
    make: fn(&Rare, &mut Dice) -> String,
    modifier: i32,
}

impl Rare {
    /// `None` for a type of which no values are known.
    pub(super) fn new(profile: &Profile, type_name: &str) -> Option<Self> {
        Some(Self {
            make: of(type_name)?,
            modifier: profile.modifier,
        })
    }

    pub(super) fn make(&self, dice: &mut Dice) -> Datum {
        Datum::Literal((self.make)(self, dice))
    }

    fn dimensions(&self) -> usize {
        usize::try_from(self.modifier).unwrap_or(3).max(1)
    }
}

fn of(type_name: &str) -> Option<fn(&Rare, &mut Dice) -> String> {
    geometric(type_name)
        .or_else(|| textual(type_name))
        .or_else(|| internal(type_name))
        .or_else(|| of_extension(type_name))
}

fn geometric(type_name: &str) -> Option<fn(&Rare, &mut Dice) -> String> {
    Some(match type_name {
        "point" => |_, dice| format!("({},{})", dice.below(90), dice.below(90)),
        "box" => |_, dice| format!("({},{}),(0,0)", 1 + dice.below(90), 1 + dice.below(90)),
        "circle" => |_, dice| format!("<({},{}),1>", dice.below(90), dice.below(90)),
        "line" => |_, dice| format!("{{1,-1,{}}}", dice.below(90)),
        "lseg" => |_, dice| format!("[(0,0),({},{})]", 1 + dice.below(90), 1 + dice.below(90)),
        "path" | "polygon" => |_, dice| format!("((0,0),(0,{0}),({0},0))", 1 + dice.below(90)),
        _ => return None,
    })
}

fn textual(type_name: &str) -> Option<fn(&Rare, &mut Dice) -> String> {
    Some(match type_name {
        "bit" => |this, dice| {
            (0..this.modifier.max(1))
                .map(|_| if dice.one_in(2) { '1' } else { '0' })
                .collect()
        },
        "varbit" => |this, _| {
            let longest = usize::try_from(this.modifier).unwrap_or(3);
            "101"[..3.min(longest)].to_owned()
        },
        "char" => {
            |_, dice| char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or(0)).to_string()
        }
        "tsvector" | "tsquery" => |_, dice| Word(FR_FR).fake_with_rng::<&str, _>(dice).to_owned(),
        "xml" => |_, dice| format!("<v>{}</v>", dice.below(1_000)),
        "jsonpath" => |_, dice| format!("$.k{}", dice.below(100)),
        _ => return None,
    })
}

/// Types that the server keeps its own things in; objects are of those that every server has.
fn internal(type_name: &str) -> Option<fn(&Rare, &mut Dice) -> String> {
    Some(match type_name {
        "xid" | "xid8" | "cid" => |_, dice| (1 + dice.below(1_000)).to_string(),
        "tid" => |_, dice| format!("(0,{})", 1 + dice.below(100)),
        "pg_lsn" => |_, dice| format!("0/{:X}", dice.below(1 << 24)),
        "pg_snapshot" | "txid_snapshot" => |_, dice| {
            let low = 1 + dice.below(1_000);
            format!("{low}:{}:", low + dice.below(10))
        },
        "int2vector" | "oidvector" => |_, dice| format!("{} {}", dice.below(100), dice.below(100)),
        "aclitem" => |_, _| "=r/pg_monitor".to_owned(),
        "regclass" => |_, _| "pg_class".to_owned(),
        "regproc" => |_, _| "now".to_owned(),
        "regprocedure" => |_, _| "now()".to_owned(),
        "regoper" => |_, _| "pg_catalog.||/".to_owned(),
        "regoperator" => |_, _| "+(integer,integer)".to_owned(),
        "regtype" => |_, _| "integer".to_owned(),
        "regrole" => |_, _| "pg_monitor".to_owned(),
        "regnamespace" => |_, _| "pg_catalog".to_owned(),
        "regconfig" | "regdictionary" => |_, _| "simple".to_owned(),
        "regcollation" => |_, _| "\"C\"".to_owned(),
        // Of Postgres 19.
        "regdatabase" => |_, _| "template1".to_owned(),
        _ => return None,
    })
}

fn of_extension(type_name: &str) -> Option<fn(&Rare, &mut Dice) -> String> {
    Some(match type_name {
        "hstore" => |_, dice| format!("\"k\"=>\"{}\"", dice.below(1_000)),
        "ltree" => |_, dice| format!("top.n{}", dice.below(1_000)),
        "lquery" | "ltxtquery" => |_, _| "top".to_owned(),
        "cube" => |_, dice| format!("({},{})", dice.below(90), dice.below(90)),
        "seg" => |_, dice| format!("{} .. {}", dice.below(90), 90 + dice.below(9)),
        "lo" => |_, dice| (1 + dice.below(1_000)).to_string(),
        "query_int" => |_, dice| format!("1|{}", 2 + dice.below(90)),
        "geometry" | "geography" => {
            |_, dice| format!("POINT({} {})", dice.below(90), dice.below(90))
        }
        "vector" | "halfvec" => |this, dice| {
            let numbers: Vec<String> = (0..this.dimensions())
                .map(|_| format!("0.{}", 25 * (1 + dice.below(3))))
                .collect();
            format!("[{}]", numbers.join(","))
        },
        "sparsevec" => {
            |this, dice| format!("{{1:0.{}}}/{}", 25 * (1 + dice.below(3)), this.dimensions())
        }
        "isbn" | "isbn13" => |_, _| "978-2-07-036002-4".to_owned(),
        "issn" | "issn13" => |_, _| "0317-8471".to_owned(),
        "ismn" | "ismn13" => |_, _| "979-0-060-11561-5".to_owned(),
        "ean13" => |_, _| "4006381333931".to_owned(),
        "upc" => |_, _| "012345678905".to_owned(),
        _ => return None,
    })
}
