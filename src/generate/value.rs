//! One value for a cell, in Postgres' text form, by type, hints and the column's name.

use std::fmt::Write as _;

use fake::Fake;
use fake::faker::address::raw::{BuildingNumber, CityName, StreetName};
use fake::faker::company::raw::CompanyName;
use fake::faker::job::raw::Title;
use fake::faker::lorem::raw::{Sentence, Word};
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{EN, FR_FR};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::clock;
use super::dice::Dice;
use super::hints::{Hints, Reading, is_like, shortest_like};
use crate::model::{Catalog, Type, TypeKind};

/// What is known of a column for generating its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    /// The column's name, in lower case.
    pub(super) name: String,
    /// The type, domains taken off.
    pub(super) type_oid: u32,
    /// The type's modifier.
    pub(super) modifier: i32,
    /// From CHECKs and domains.
    pub(super) hints: Hints,
    /// Takes part in a unique key or exclusion: values should differ from row to row.
    pub(super) distinct: bool,
}

impl Profile {
    /// A domain's CHECKs and NOT NULL are the column's.
    pub(super) fn look_through_domains(&mut self, catalog: &Catalog) {
        while let Some(Type {
            name,
            kind:
                TypeKind::Domain {
                    base,
                    modifier,
                    not_null,
                    checks,
                },
            ..
        }) = catalog.types.get(&self.type_oid)
        {
            let mut reading = Reading::default();
            reading
                .columns
                .insert("value".to_owned(), std::mem::take(&mut self.hints));
            for check in checks {
                super::hints::read(check, &mut reading);
            }
            self.hints = reading.columns.remove("value").unwrap_or_default();
            self.hints.not_null |= not_null;
            self.type_oid = *base;
            if *modifier != -1 {
                self.modifier = *modifier;
            }
            // A domain called `siren` says more than a column called `number`.
            if ["siren", "siret", "email", "phone"]
                .iter()
                .any(|word| name.contains(word))
            {
                self.name.push(' ');
                self.name.push_str(name);
            }
        }
    }
}

/// What makes a cell's value its own.
pub(super) struct Cell<'a> {
    /// The catalog, for types.
    pub(super) catalog: &'a Catalog,
    /// The seed's reference instant, in seconds since 1970.
    pub(super) instant: i64,
    /// A number that no other row of the table has, over all tenants.
    pub(super) ordinal: u64,
    /// A token to hide in wide texts, that says whose the cell is.
    pub(super) canary: Option<&'a str>,
    /// The row's number, shifted by column and tenant: values of small sets are taken in turn.
    pub(super) turn: u64,
    /// How often the server refused the row: numbers get smaller, for sums and limits that it may have hurt.
    pub(super) salt: u32,
}

/// A value for the cell, or why there can be none.
pub(super) fn value(profile: &Profile, cell: &Cell<'_>, dice: &mut Dice) -> Result<String, String> {
    if let Some(choices) = &profile.hints.choices {
        return in_turn(choices, cell)
            .cloned()
            .ok_or_else(|| "its CHECKs leave no value".to_owned());
    }
    of_type(profile, profile.type_oid, cell, dice)
}

fn of_type(
    profile: &Profile,
    oid: u32,
    cell: &Cell<'_>,
    dice: &mut Dice,
) -> Result<String, String> {
    let oid = cell.catalog.base_type(oid);
    let Some(of) = cell.catalog.types.get(&oid) else {
        return Err("its type is not known".to_owned());
    };
    let part = |dice: &mut Dice, oid: u32, modifier: i32| {
        let mut inner = Profile {
            name: profile.name.clone(),
            type_oid: oid,
            modifier,
            hints: Hints {
                choices: profile.hints.elements.clone(),
                ..Hints::default()
            },
            ..Profile::default()
        };
        inner.look_through_domains(cell.catalog);
        value(&inner, cell, dice)
    };
    match &of.kind {
        TypeKind::Enum(labels) => in_turn(labels, cell)
            .cloned()
            .ok_or_else(|| format!("the enum {} has no labels", of.printed)),
        TypeKind::Array(element) => {
            let low = profile.hints.min_length.unwrap_or(0);
            let high = profile.hints.max_length.unwrap_or(low.max(2));
            let count = low + dice.below(high.saturating_sub(low) + 1);
            let items = (0..count)
                .map(|_| part(dice, *element, profile.modifier).map(|item| array_item(&item)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(format!("{{{}}}", items.join(",")))
        }
        TypeKind::Range(subtype) => range(cell, *subtype, profile, dice),
        TypeKind::Multirange(subtype) => {
            Ok(format!("{{{}}}", range(cell, *subtype, profile, dice)?))
        }
        TypeKind::Composite(attributes) => {
            let items = attributes
                .iter()
                .map(|(_, oid, modifier)| part(dice, *oid, *modifier).map(|item| array_item(&item)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(format!("({})", items.join(",")))
        }
        TypeKind::Base | TypeKind::Domain { .. } => base(profile, &of.name, cell, dice)
            .ok_or_else(|| format!("no values are known for the type {}", of.printed)),
    }
}

/// From row to row the next one, so that few rows show all: a state that no row is in is a branch that no query takes.
fn in_turn<'a, T>(of: &'a [T], cell: &Cell<'_>) -> Option<&'a T> {
    let turn = cell.turn.wrapping_add(u64::from(cell.salt)) % (of.len().max(1) as u64);
    of.get(usize::try_from(turn).unwrap_or(0))
}

/// A quoted element of an array or a field of a row.
fn array_item(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Integers, decimals and times; low before high and never empty.
fn range(
    cell: &Cell<'_>,
    subtype: u32,
    profile: &Profile,
    dice: &mut Dice,
) -> Result<String, String> {
    let base = cell.catalog.base_type(subtype);
    let kind = cell
        .catalog
        .types
        .get(&base)
        .map_or("", |of| of.name.as_str());
    // Rows that must not overlap get stretches of their own.
    let start = if profile.distinct {
        i64::try_from(cell.ordinal % 4_000).unwrap_or(0) * 40 - 20_000
    } else {
        let (low, high) = match (profile.hints.min, profile.hints.max) {
            (None, None) => (-300, 300),
            _ => limits(&profile.hints, 1, 1 << 40),
        };
        i64::try_from(dice.between(low, high)).unwrap_or(0)
    };
    let length = i64::try_from(dice.between(1, 30)).unwrap_or(1);
    let day = |days: i64| cell.instant + days * clock::DAY;
    let (low, high) = match kind {
        "int4" | "int8" | "numeric" => (start.to_string(), (start + length).to_string()),
        "date" => (clock::date(day(start)), clock::date(day(start + length))),
        "timestamp" => (
            clock::timestamp(day(start)),
            clock::timestamp(day(start + length)),
        ),
        "timestamptz" => (
            clock::instant(day(start)),
            clock::instant(day(start + length)),
        ),
        _ => {
            let one = Profile {
                type_oid: subtype,
                modifier: -1,
                ..Profile::default()
            };
            let mut ends = [
                of_type(&one, subtype, cell, dice)?,
                of_type(&one, subtype, cell, dice)?,
            ];
            let number = |text: &String| text.parse::<f64>().ok();
            ends.sort_by(|a, b| match (number(a), number(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.cmp(b),
            });
            let [low, high] = ends.map(|end| array_item(&end));
            return Ok(format!("[{low},{high}]"));
        }
    };
    Ok(format!("[{},{})", array_item(&low), array_item(&high)))
}

/// The base types of Postgres and the extensions that applications use most.
fn base(profile: &Profile, name: &str, cell: &Cell<'_>, dice: &mut Dice) -> Option<String> {
    Some(match name {
        // Two rows each, so that every other state of a set meets both.
        "bool" => (*in_turn(&["f", "f", "t", "t"], cell)?).to_owned(),
        "int2" | "int4" | "int8" | "oid" => integer(profile, name, cell, dice),
        "numeric" | "money" => decimal(profile, cell, dice),
        // Halves and quarters are exact in binary: sums do not depend on their order.
        "float4" | "float8" => quarter(profile, dice),
        "uuid" => uuid(dice.word(), dice.word()),
        "text" | "varchar" | "bpchar" | "citext" | "name" => text(profile, name, cell, dice),
        "date" => clock::date(moment(profile, cell, dice, clock::DAY)),
        "timestamp" => clock::timestamp(moment(profile, cell, dice, 1)),
        "timestamptz" => clock::instant(moment(profile, cell, dice, 1)),
        "time" | "timetz" => time_of_day(profile, dice),
        "interval" => interval(profile, dice),
        "json" | "jsonb" => json(profile, cell, dice),
        "bytea" => bytes(profile, dice),
        "inet" => format!("192.0.2.{}", 1 + dice.below(254)),
        "cidr" => format!("10.{}.{}.0/24", dice.below(256), dice.below(256)),
        "macaddr" => format!(
            "02:00:00:{:02x}:{:02x}:{:02x}",
            dice.below(256),
            dice.below(256),
            dice.below(256)
        ),
        "macaddr8" => format!(
            "02:00:00:ff:fe:{:02x}:{:02x}:{:02x}",
            dice.below(256),
            dice.below(256),
            dice.below(256)
        ),
        "bit" => (0..profile.modifier.max(1))
            .map(|_| if dice.one_in(2) { '1' } else { '0' })
            .collect(),
        "varbit" => "101"[..3.min(usize::try_from(profile.modifier).unwrap_or(3))].to_owned(),
        "char" => char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or(0)).to_string(),
        "lquery" | "ltxtquery" => "top".to_owned(),
        "jsonpath" => "$.k".to_owned(),
        "xid" | "xid8" | "cid" => (1 + dice.below(1_000)).to_string(),
        "tid" => format!("(0,{})", 1 + dice.below(100)),
        "pg_snapshot" | "txid_snapshot" => "10:20:".to_owned(),
        "regclass" => "pg_class".to_owned(),
        "regproc" | "regprocedure" => if name == "regproc" { "now" } else { "now()" }.to_owned(),
        "regtype" => "integer".to_owned(),
        "regrole" => "pg_monitor".to_owned(),
        "regnamespace" => "pg_catalog".to_owned(),
        "regconfig" | "regdictionary" => "simple".to_owned(),
        "regcollation" => "\"C\"".to_owned(),
        "seg" => format!("{} .. {}", dice.below(90), 90 + dice.below(9)),
        "geometry" | "geography" => format!("POINT({} {})", dice.below(90), dice.below(90)),
        "xml" => format!("<v>{}</v>", dice.below(1_000)),
        "tsvector" | "tsquery" => Word(FR_FR).fake_with_rng::<&str, _>(dice).to_owned(),
        "point" | "cube" => format!("({},{})", dice.below(90), dice.below(90)),
        "box" => format!("({},{}),(0,0)", 1 + dice.below(90), 1 + dice.below(90)),
        "circle" => format!("<({},{}),1>", dice.below(90), dice.below(90)),
        "line" => format!("{{1,-1,{}}}", dice.below(90)),
        "lseg" => format!("[(0,0),({},{})]", 1 + dice.below(90), 1 + dice.below(90)),
        "path" | "polygon" => format!("((0,0),(0,{0}),({0},0))", 1 + dice.below(90)),
        "pg_lsn" => format!("0/{:X}", dice.below(1 << 24)),
        "hstore" => format!("\"k\"=>\"{}\"", dice.below(1_000)),
        "ltree" => format!("top.n{}", dice.below(1_000)),
        "vector" | "halfvec" => format!(
            "[{}]",
            vec!["0.5"; usize::try_from(profile.modifier).unwrap_or(3).max(1)].join(",")
        ),
        _ => return None,
    })
}

fn integer(profile: &Profile, name: &str, cell: &Cell<'_>, dice: &mut Dice) -> String {
    let widest = match name {
        "int2" => i128::from(i16::MAX),
        "int4" => i128::from(i32::MAX),
        "oid" => i128::from(u32::MAX),
        _ => i128::from(i64::MAX),
    };
    let (low, high) = limits(&profile.hints, 1, widest);
    if profile.distinct && profile.hints.min.is_none() && profile.hints.max.is_none() {
        // Above what a sequence that begins at 1 will give out.
        let base = if widest > 100_000 { 1_000_000 } else { 1_000 };
        return (base + i128::from(cell.ordinal) % (widest - base)).to_string();
    }
    dice.between(low, smaller(low, high, cell.salt)).to_string()
}

/// The upper bound: the lower quarter of what is allowed, and less where the server has refused the row, for sums over
/// several rows are bounded more often than not.
fn smaller(low: i128, high: i128, salt: u32) -> i128 {
    low + (high - low) / i128::from(4 + 4 * salt)
}

/// The bounds in units of which `unit` make a whole, as CHECKs set them; else from 1 to 1,000.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounds come from a CHECK as f64 and are clamped"
)]
fn limits(hints: &Hints, unit: i128, widest: i128) -> (i128, i128) {
    let scaled = |bound: f64| bound * unit as f64;
    let low = hints.min.map(|min| {
        let low = scaled(min).ceil();
        low as i128 + i128::from(hints.above_min && low <= scaled(min))
    });
    let high = hints.max.map(|max| {
        let high = scaled(max).floor();
        high as i128 - i128::from(hints.below_max && high >= scaled(max))
    });
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low.saturating_add(999 * unit)),
        (None, Some(high)) if high >= unit => (unit, high),
        (None, Some(high)) => (high.saturating_sub(999 * unit), high),
        (None, None) => (unit, 1_000 * unit),
    };
    (low.clamp(-widest, widest), high.clamp(-widest, widest))
}

/// With the scale that the type allows.
fn decimal(profile: &Profile, cell: &Cell<'_>, dice: &mut Dice) -> String {
    let (precision, scale) = if profile.modifier >= 4 {
        let packed = profile.modifier - 4;
        // The scale is a signed number of eleven bits.
        let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
        let kept = scale.min(6);
        ((packed >> 16) - scale + kept, kept)
    } else {
        (18, 2)
    };
    let digits = |n: i32| 10_i128.pow(u32::try_from(n.clamp(0, 18)).unwrap_or(0));
    let unit = digits(scale.max(0));
    let (low, high) = limits(&profile.hints, unit, digits(precision) - 1);
    let units = if profile.distinct && profile.hints.max.is_none() {
        low + i128::from(cell.ordinal) % (high - low + 1).max(1)
    } else {
        dice.between(low, smaller(low, high, cell.salt))
    };
    if scale <= 0 {
        return units.to_string();
    }
    let sign = if units < 0 { "-" } else { "" };
    let wide = usize::try_from(scale).unwrap_or(0);
    let units = units.abs();
    format!("{sign}{}.{:0wide$}", units / unit, units % unit)
}

fn quarter(profile: &Profile, dice: &mut Dice) -> String {
    let (low, high) = limits(&profile.hints, 4, 1 << 40);
    let quarters = dice.between(low, high);
    let sign = if quarters < 0 { "-" } else { "" };
    let quarters = quarters.unsigned_abs();
    format!("{sign}{}.{:02}", quarters / 4, quarters % 4 * 25)
}

/// A version 4 uuid from 128 random bits.
pub(super) fn uuid(high: u64, low: u64) -> String {
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        .into_uuid()
        .to_string()
}

/// Of as many bytes as CHECKs ask for, else sixteen.
fn bytes(profile: &Profile, dice: &mut Dice) -> String {
    let least = profile.hints.min_length.unwrap_or(16);
    let count = profile.hints.max_length.map_or(least, |most| {
        if profile.hints.min_length.is_some() {
            least
        } else {
            most.min(16)
        }
    });
    let mut text = String::from("\\x");
    for _ in 0..count {
        let _ = write!(text, "{:02x}", dice.below(256));
    }
    text
}

fn time_of_day(profile: &Profile, dice: &mut Dice) -> String {
    let minutes = match (profile.hints.min, profile.hints.max) {
        (None, None) => dice.between(0, 1_439),
        _ => within(&profile.hints, 60, (0, 1_439), dice),
    };
    format!("{:02}:{:02}:00", minutes / 60 % 24, minutes % 60)
}

fn interval(profile: &Profile, dice: &mut Dice) -> String {
    match (profile.hints.min, profile.hints.max) {
        (None, None) => format!("{} minutes", 15 * (1 + dice.below(96))),
        _ => format!("{} seconds", within(&profile.hints, 1, (1, 86_400), dice)),
    }
}

/// Between bounds that CHECKs give in seconds, in units of so many seconds; what is open is as wide as `usual`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounds come from a CHECK as f64"
)]
fn within(hints: &Hints, unit: i64, usual: (i128, i128), dice: &mut Dice) -> i128 {
    let low = hints.min.map(|min| {
        let low = (min / unit as f64).ceil();
        low as i128 + i128::from(hints.above_min && low * unit as f64 <= min)
    });
    let high = hints.max.map(|max| {
        let high = (max / unit as f64).floor();
        high as i128 - i128::from(hints.below_max && high * unit as f64 >= max)
    });
    let span = usual.1 - usual.0;
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) if low <= usual.1 => (low.max(usual.0), usual.1),
        (Some(low), None) => (low, low.saturating_add(span)),
        (None, Some(high)) if high >= usual.0 => (usual.0, high.min(usual.1)),
        (None, Some(high)) => (high.saturating_sub(span), high),
        (None, None) => usual,
    };
    dice.between(low, high)
}

/// Created before updated before what is due; in whole units of so many seconds.
fn moment(profile: &Profile, cell: &Cell<'_>, dice: &mut Dice, unit: i64) -> i64 {
    if profile.hints.min.is_some() || profile.hints.max.is_some() {
        let around = i128::from(cell.instant / unit);
        let year = i128::from(360 * clock::DAY / unit);
        let chosen = within(&profile.hints, unit, (around - year, around + year), dice);
        // What Postgres keeps times in ends long after these.
        let bound = i128::from(32_000_000_000 / unit);
        return i64::try_from(chosen.clamp(-bound, bound)).unwrap_or(0) * unit;
    }
    let has = |words: &[&str]| words.iter().any(|word| profile.name.contains(word));
    let (low, high) = if has(&["creat", "insert", "start", "begin", "valid_from", "since"]) {
        (-360, -181)
    } else if has(&["updat", "modif", "chang"]) {
        (-180, -1)
    } else if has(&[
        "due", "expir", "schedul", "end", "until", "valid_to", "next",
    ]) {
        (1, 180)
    } else {
        (-180, 180)
    };
    let day = i64::try_from(dice.between(low, high)).unwrap_or(0);
    let second = if profile.distinct {
        i64::try_from(cell.ordinal % 86_400).unwrap_or(0)
    } else {
        i64::try_from(dice.below(86_400)).unwrap_or(0)
    };
    cell.instant + day * clock::DAY + second
}

fn json(profile: &Profile, cell: &Cell<'_>, dice: &mut Dice) -> String {
    let word = Word(FR_FR).fake_with_rng::<&str, _>(dice);
    let word = cell.canary.unwrap_or(word);
    match profile.hints.json.as_deref() {
        Some("array") => format!("[\"{word}\"]"),
        Some("string") => format!("\"{word}\""),
        Some("number") => dice.below(100).to_string(),
        Some("boolean") => "true".to_owned(),
        _ => format!("{{\"k\": \"{word}\", \"n\": {}}}", dice.below(100)),
    }
}

/// Texts as people write them where the column's name says what they are; with a canary where there is room.
fn text(profile: &Profile, type_name: &str, cell: &Cell<'_>, dice: &mut Dice) -> String {
    let declared = (profile.modifier >= 4 && matches!(type_name, "varchar" | "bpchar"))
        .then(|| usize::try_from(profile.modifier - 4).unwrap_or(usize::MAX));
    let longest = match (declared, profile.hints.max_length) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a
            .or(b)
            .unwrap_or(if type_name == "name" { 63 } else { 10_000 }),
    };
    let shortest = profile.hints.min_length.unwrap_or(1);
    if let Some(identifier) = french_identifier(profile, dice) {
        return identifier;
    }
    if let Some(pattern) = profile.hints.patterns.first()
        && let Some(made) = matching(pattern, shortest, longest, dice)
    {
        return made;
    }
    let mut made = named(profile, cell, dice);
    for pattern in &profile.hints.likes {
        if !is_like(&made, pattern) {
            made = match pattern.strip_suffix('%') {
                Some(open) => format!("{}{}", shortest_like(open), made.replace(' ', "-")),
                None => shortest_like(pattern),
            };
        }
    }
    if profile.hints.lower {
        made = made.to_lowercase();
    }
    if profile.hints.upper {
        made = made.to_uppercase();
    }
    while made.chars().count() < shortest {
        made.push('x');
    }
    if made.chars().count() > longest {
        made = short(profile, cell, longest, dice);
    }
    made
}

/// A text that fits in few characters and still differs from row to row where it must.
fn short(profile: &Profile, cell: &Cell<'_>, longest: usize, dice: &mut Dice) -> String {
    if let Some(canary) = cell.canary.filter(|canary| canary.len() <= longest) {
        return canary.to_owned();
    }
    let mut number = if profile.distinct {
        cell.ordinal
    } else {
        dice.word()
    };
    (0..longest.min(12))
        .map(|_| {
            let letter = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
            number /= 26;
            letter
        })
        .collect()
}

/// What the column's name suggests.
fn named(profile: &Profile, cell: &Cell<'_>, dice: &mut Dice) -> String {
    let name = profile.name.as_str();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    // What must differ from row to row carries the row's number, what must be traced the canary.
    let tail = match cell.canary {
        Some(canary) => canary.to_owned(),
        None if profile.distinct => cell.ordinal.to_string(),
        None => String::new(),
    };
    let with = |text: String, joint: &str| {
        if tail.is_empty() {
            text
        } else {
            format!("{text}{joint}{tail}")
        }
    };
    let first = |dice: &mut Dice| FirstName(FR_FR).fake_with_rng::<&str, _>(dice).to_owned();
    let last = |dice: &mut Dice| LastName(FR_FR).fake_with_rng::<&str, _>(dice).to_owned();
    let slug = |text: String| {
        text.to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect::<String>()
    };
    if has(&["email", "e_mail", "courriel"]) {
        let person = format!("{}.{}", slug(first(dice)), slug(last(dice)));
        format!("{}@example.fr", with(person, "."))
    } else if has(&["url", "website", "link", "href", "uri"]) {
        format!("https://example.fr/{}", with(slug(last(dice)), "-"))
    } else if has(&["domain", "host"]) {
        format!("{}.example.fr", with(slug(last(dice)), "-"))
    } else if has(&[
        "slug", "handle", "username", "login", "key", "code", "ref", "external",
    ]) {
        with(slug(last(dice)), "-")
    } else if has(&["first_name", "firstname", "given", "prenom"]) {
        with(first(dice), " ")
    } else if has(&["last_name", "lastname", "surname", "family"]) {
        with(last(dice), " ")
    } else if has(&["full_name", "display_name", "person", "contact"]) {
        with(format!("{} {}", first(dice), last(dice)), " ")
    } else if has(&[
        "compan",
        "organisation",
        "organization",
        "account",
        "tenant",
    ]) {
        let made = CompanyName(FR_FR).fake_with_rng::<String, _>(dice);
        // The library's French companies are called "Inc" and "Ltd".
        let stem = made
            .split([' ', ','])
            .next()
            .unwrap_or("Société")
            .to_owned();
        let form = ["SARL", "SAS", "SA", "et Fils"][dice.below(4)];
        with(format!("{stem} {form}"), " ")
    } else if has(&["timezone", "time_zone"]) || name == "tz" {
        with("Europe/Paris".to_owned(), " ")
    } else if has(&["currency"]) {
        with("EUR".to_owned(), "-")
    } else if has(&["phone", "mobile", "tel"]) {
        format!(
            "+336{:08}",
            if profile.distinct {
                cell.ordinal % 100_000_000
            } else {
                dice.word() % 100_000_000
            }
        )
    } else if has(&["street", "address", "adresse"]) {
        let number = BuildingNumber(FR_FR).fake_with_rng::<String, _>(dice);
        let street = StreetName(FR_FR).fake_with_rng::<String, _>(dice);
        with(format!("{number} rue {street}"), " ")
    } else if has(&["city", "town", "ville"]) {
        with(CityName(FR_FR).fake_with_rng::<String, _>(dice), " ")
    } else if has(&["postal", "postcode", "zip"]) {
        format!("{:05}", 1_000 + dice.below(94_000))
    } else if name == "title" || has(&["job", "role", "function"]) {
        with(Title(EN).fake_with_rng::<String, _>(dice), " ")
    } else if has(&[
        "body", "note", "descr", "content", "message", "comment", "reason", "subject",
    ]) {
        with(Sentence(FR_FR, 3..8).fake_with_rng::<String, _>(dice), " ")
    } else {
        let word = Word(FR_FR).fake_with_rng::<&str, _>(dice).to_owned();
        with(word, " ")
    }
}

/// SIREN and SIRET with their check digit (Luhn), the way the French register gives them out.
fn french_identifier(profile: &Profile, dice: &mut Dice) -> Option<String> {
    let digits = match profile.name.as_str() {
        name if name.contains("siret") => 14,
        name if name.contains("siren") => 9,
        _ => return None,
    };
    let mut number: Vec<u32> = (1..digits)
        .map(|_| u32::try_from(dice.below(10)).unwrap_or(0))
        .collect();
    number[0] = number[0].max(1);
    // From the right, every second digit is doubled, beginning beside the check digit.
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let weighed = if i % 2 == 0 { digit * 2 } else { *digit };
            weighed / 10 + weighed % 10
        })
        .sum();
    number.push((10 - sum % 10) % 10);
    Some(number.iter().map(ToString::to_string).collect())
}

/// A text that matches a regular expression of Postgres', as far as the two dialects agree; the server judges.
fn matching(pattern: &str, shortest: usize, longest: usize, dice: &mut Dice) -> Option<String> {
    let open = pattern.trim_start_matches('^');
    let closed = open.strip_suffix('$').unwrap_or(open);
    // Without bounds `\w+` may give thirty letters of any script: plain ones read better and fit more columns.
    let plain = closed
        .replace("[^@[:space:]]", "[a-z0-9]")
        .replace("[^@\\s]", "[a-z0-9]")
        .replace("[^\\s@]", "[a-z0-9]")
        .replace("\\S", "[a-z0-9]")
        .replace("\\w", "[a-z0-9]")
        .replace("\\d", "[0-9]")
        .replace("[[:alnum:]]", "[a-z0-9]")
        .replace("[[:digit:]]", "[0-9]")
        .replace("[[:alpha:]]", "[a-z]");
    let strategy = proptest::string::string_regex(&plain).ok()?;
    let seed: Vec<u8> = [dice.word(), dice.word(), dice.word(), dice.word()]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for _ in 0..20 {
        let made = strategy.new_tree(&mut runner).ok()?.current();
        let length = made.chars().count();
        if (shortest..=longest).contains(&length) && !made.contains('\0') {
            return Some(made);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_identifiers_pass_luhn() {
        let profile = Profile {
            name: "siret".to_owned(),
            ..Profile::default()
        };
        for seed in 0..50 {
            let siret = french_identifier(&profile, &mut Dice::new(seed)).unwrap();
            let sum: u32 = siret
                .bytes()
                .rev()
                .enumerate()
                .map(|(i, digit)| {
                    let weighed = u32::from(digit - b'0') * if i % 2 == 1 { 2 } else { 1 };
                    weighed / 10 + weighed % 10
                })
                .sum();
            assert_eq!((siret.len(), sum % 10), (14, 0), "{siret}");
        }
    }

    #[test]
    fn patterns_are_matched() {
        let made = matching("^[A-Z]{2}[0-9]{3}$", 1, 80, &mut Dice::new(7)).unwrap();
        assert_eq!(made.len(), 5);
        assert!(made.chars().take(2).all(|c| c.is_ascii_uppercase()));
    }
}
