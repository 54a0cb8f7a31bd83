//! The text form, as the types' input functions read it.

use std::fmt;

use super::{Datum, calendar};

impl fmt::Display for Datum {
    /// The text form; nothing for NULL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => f.write_str(if *value { "t" } else { "f" }),
            Self::Int2(value) => write!(f, "{value}"),
            Self::Int4(value) => write!(f, "{value}"),
            Self::Int8(value) => write!(f, "{value}"),
            Self::Oid(value) => write!(f, "{value}"),
            Self::Float4(value) => write!(f, "{value}"),
            Self::Float8(value) => write!(f, "{value}"),
            Self::Numeric { units, scale } => numeric(*units, *scale, f),
            Self::Uuid(bytes) => write!(f, "{}", uuid::Uuid::from_bytes(*bytes).hyphenated()),
            Self::Date(days) => calendar::date(*days, f),
            Self::Timestamp(at) => calendar::timestamp(*at, f),
            Self::Timestamptz(at) => {
                calendar::timestamp(*at, f)?;
                f.write_str("+00")
            }
            Self::Time(at) => calendar::time(*at, f),
            Self::Interval(length) => {
                f.write_str(if *length < 0 { "-" } else { "" })?;
                calendar::time(length.abs(), f)
            }
            Self::Text(text) | Self::Jsonb(text) | Self::Literal(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                f.write_str("\\x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Inet {
                address,
                bits,
                network,
            } => {
                separated(address, ".", f, |part, f| write!(f, "{part}"))?;
                if *network || *bits < 32 {
                    write!(f, "/{bits}")?;
                }
                Ok(())
            }
            Self::Mac(bytes) => separated(bytes, ":", f, |byte, f| write!(f, "{byte:02x}")),
            Self::Array { items, .. } => {
                f.write_str("{")?;
                separated(items, ",", f, element)?;
                f.write_str("}")
            }
        }
    }
}

fn separated<T>(
    items: &[T],
    joint: &str,
    f: &mut fmt::Formatter<'_>,
    one: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            f.write_str(joint)?;
        }
        one(item, f)?;
    }
    Ok(())
}

fn element(item: &Datum, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match item {
        Datum::Null => f.write_str("NULL"),
        Datum::Array { .. } => write!(f, "{item}"),
        item => quoted(&item.to_string(), f),
    }
}

/// In double quotes, as an element of an array or a field of a row.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn numeric(units: i128, scale: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if scale == 0 {
        return write!(f, "{units}");
    }
    let (unit, wide) = (10_i128.pow(u32::from(scale.min(30))), usize::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    let units = units.abs();
    write!(f, "{sign}{}.{:0wide$}", units / unit, units % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_postgres_reads_them() {
        let uuid = Datum::Uuid([0x11; 16]);
        let pairs = [
            (Datum::Bool(true), "t"),
            (Datum::Float8(12.25), "12.25"),
            (
                Datum::Numeric {
                    units: -5,
                    scale: 2,
                },
                "-0.05",
            ),
            (uuid, "11111111-1111-1111-1111-111111111111"),
            (Datum::Date(-1), "1969-12-31"),
            (Datum::Date(11_016), "2000-02-29"),
            (
                Datum::Timestamp(1_795_363_445_000_000),
                "2026-11-22 16:04:05",
            ),
            (Datum::Timestamptz(500_000), "1970-01-01 00:00:00.500000+00"),
            (Datum::Interval(-90_000_000_000), "-25:00:00"),
            (Datum::Bytes(vec![0, 255]), "\\x00ff"),
            (Datum::Mac(vec![2, 0, 171]), "02:00:ab"),
        ];
        for (datum, text) in pairs {
            assert_eq!(datum.to_string(), text);
        }
        let inner = |text: &str| Datum::Array {
            element: 25,
            items: vec![Datum::Text(text.to_owned()), Datum::Null],
        };
        let outer = Datum::Array {
            element: 25,
            items: vec![inner("a\"b"), inner("c\\")],
        };
        assert_eq!(outer.to_string(), r#"{{"a\"b",NULL},{"c\\",NULL}}"#);
    }
}
