//! From the text form: what CHECKs, settings and rows of the user's give as text.

use super::{Datum, calendar};

/// The base types that are known better than by their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is called as the variant of `Datum` that it makes"
)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Uuid,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Interval,
    Text,
    Jsonb,
    Bytes,
    Inet,
    Cidr,
    Mac,
}

impl Kind {
    /// The kind of the type that Postgres calls so (`int4`, not `integer`); `None` where its text form is all that is
    /// known.
    #[must_use]
    pub fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "bool" => Self::Bool,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "oid" => Self::Oid,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "numeric" => Self::Numeric,
            "uuid" => Self::Uuid,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::Timestamptz,
            "time" => Self::Time,
            "interval" => Self::Interval,
            "text" | "varchar" | "bpchar" | "name" | "citext" | "json" | "char" => Self::Text,
            "jsonb" => Self::Jsonb,
            "bytea" => Self::Bytes,
            "inet" => Self::Inet,
            "cidr" => Self::Cidr,
            "macaddr" | "macaddr8" => Self::Mac,
            _ => return None,
        })
    }

    /// A whole number as one of this kind, where it is one that fits; anything else as it is.
    #[must_use]
    pub fn cast(self, datum: Datum) -> Datum {
        let number = match &datum {
            Datum::Int2(value) => i64::from(*value),
            Datum::Int4(value) => i64::from(*value),
            Datum::Int8(value) => *value,
            _ => return datum,
        };
        let cast = match self {
            Self::Int2 => i16::try_from(number).ok().map(Datum::Int2),
            Self::Int4 => i32::try_from(number).ok().map(Datum::Int4),
            Self::Int8 => Some(Datum::Int8(number)),
            Self::Numeric => Some(Datum::Numeric {
                units: number.into(),
                scale: 0,
            }),
            _ => None,
        };
        cast.unwrap_or(datum)
    }

    /// A value of this kind from its text form; `None` where it is written in a way that only the server reads.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Datum> {
        Some(match self {
            Self::Bool => match text {
                "t" | "true" => Datum::Bool(true),
                "f" | "false" => Datum::Bool(false),
                _ => return None,
            },
            Self::Int2 => Datum::Int2(text.parse().ok()?),
            Self::Int4 => Datum::Int4(text.parse().ok()?),
            Self::Int8 => Datum::Int8(text.parse().ok()?),
            Self::Oid => Datum::Oid(text.parse().ok()?),
            Self::Float4 => Datum::Float4(text.parse().ok()?),
            Self::Float8 => Datum::Float8(text.parse().ok()?),
            Self::Numeric => numeric(text)?,
            Self::Uuid => Datum::Uuid(uuid::Uuid::try_parse(text).ok()?.into_bytes()),
            Self::Date => Datum::Date(date(text)?),
            Self::Timestamp => Datum::Timestamp(timestamp(text)?),
            Self::Timestamptz => Datum::Timestamptz(timestamp(text.strip_suffix("+00")?)?),
            Self::Time => Datum::Time(time(text)?),
            Self::Text => Datum::Text(text.to_owned()),
            Self::Jsonb => Datum::Jsonb(text.to_owned()),
            Self::Bytes => Datum::Bytes(bytes(text.strip_prefix("\\x")?)?),
            Self::Interval | Self::Inet | Self::Cidr | Self::Mac => return None,
        })
    }
}

fn numeric(text: &str) -> Option<Datum> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(behind.len()).ok().filter(|n| *n <= 20)?;
    let units = format!("{whole}{behind}").parse().ok()?;
    Some(Datum::Numeric { units, scale })
}

fn date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse().ok());
    calendar::days(parts.next()??, parts.next()??, parts.next()??)
}

fn time(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, fraction) = {
        let last = parts.next()?;
        last.split_once('.').unwrap_or((last, "0"))
    };
    if fraction.len() > 6 {
        return None;
    }
    let second = hours * 3_600 + minutes * 60 + seconds.parse::<i64>().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(second * calendar::SECOND + fraction)
}

fn timestamp(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once(' ')?;
    Some(date(day)? * calendar::DAY + time(clock)?)
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let pairs = [
            (Kind::Bool, "t"),
            (Kind::Int2, "-7"),
            (Kind::Numeric, "-0.05"),
            (Kind::Numeric, "12"),
            (Kind::Uuid, "11111111-1111-1111-1111-111111111111"),
            (Kind::Date, "2000-02-29"),
            (Kind::Timestamp, "1969-12-31 23:59:59.250000"),
            (Kind::Timestamptz, "2026-11-22 16:04:05+00"),
            (Kind::Time, "23:59:59"),
            (Kind::Text, "it's"),
            (Kind::Bytes, "\\x00ff"),
        ];
        for (kind, text) in pairs {
            let datum = kind.read(text).expect(text);
            assert_eq!(datum.to_string(), text);
        }
        assert_eq!(Kind::Int2.read("70000"), None);
        assert_eq!(Kind::Date.read("tomorrow"), None);
        assert_eq!(Kind::Time.read("1:2"), None);
        assert_eq!(Kind::of("hstore"), None);
    }
}
