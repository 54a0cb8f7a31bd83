//! COPY's binary format, which is that of the types' receive functions: big-endian, each value behind its length
//! (<https://www.postgresql.org/docs/current/sql-copy.html>; the types' own forms are those of the server's
//! `src/backend/utils/adt`).

use super::{Datum, calendar};

/// Days from 1970 to 2000, where Postgres counts from.
const EPOCH: i64 = 10_957;

impl Datum {
    /// What a stream in the binary format begins with.
    pub const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

    /// What it ends with.
    pub const TRAILER: [u8; 2] = [0xff, 0xff];

    /// Appends the value behind its length. Returns whether it has such a form; else nothing is appended.
    pub fn encode(&self, into: &mut Vec<u8>) -> bool {
        match self {
            Self::Null => into.extend((-1_i32).to_be_bytes()),
            Self::Bool(value) => sized(&[u8::from(*value)], into),
            Self::Int2(value) => sized(&value.to_be_bytes(), into),
            Self::Int4(value) => sized(&value.to_be_bytes(), into),
            Self::Int8(value) => sized(&value.to_be_bytes(), into),
            Self::Oid(value) => sized(&value.to_be_bytes(), into),
            Self::Float4(value) => sized(&value.to_be_bytes(), into),
            Self::Float8(value) => sized(&value.to_be_bytes(), into),
            Self::Numeric { units, scale } => numeric(*units, *scale, into),
            Self::Uuid(bytes) => sized(bytes, into),
            Self::Date(days) => match i32::try_from(days - EPOCH) {
                Ok(days) => sized(&days.to_be_bytes(), into),
                Err(_) => return false,
            },
            Self::Timestamp(at) | Self::Timestamptz(at) => {
                sized(&(at - EPOCH * calendar::DAY).to_be_bytes(), into);
            }
            Self::Time(at) => sized(&at.to_be_bytes(), into),
            Self::Interval(length) => {
                length_of(16, into);
                into.extend(length.to_be_bytes());
                into.extend([0; 8]);
            }
            Self::Text(text) => sized(text.as_bytes(), into),
            Self::Jsonb(text) => {
                length_of(text.len() + 1, into);
                into.push(1);
                into.extend(text.as_bytes());
            }
            Self::Bytes(bytes) | Self::Mac(bytes) => sized(bytes, into),
            Self::Inet {
                address: [a, b, c, d],
                bits,
                network,
            } => sized(&[2, *bits, u8::from(*network), 4, *a, *b, *c, *d], into),
            Self::Array { element, items } => return array(*element, items, into),
            Self::Literal(_) => return false,
        }
        true
    }
}

fn length_of(count: usize, into: &mut Vec<u8>) {
    // A value of 2 GiB is beyond what Postgres takes.
    into.extend(i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

fn sized(bytes: &[u8], into: &mut Vec<u8>) {
    length_of(bytes.len(), into);
    into.extend_from_slice(bytes);
}

/// Digits of base 10,000, the weight of the first, the sign and the scale.
fn numeric(units: i128, scale: u8, into: &mut Vec<u8>) {
    let negative = units < 0;
    // The digits behind the point fill whole groups of four.
    let missing = (4 - scale % 4) % 4;
    let mut rest = units
        .unsigned_abs()
        .saturating_mul(10_u128.pow(u32::from(missing)));
    let behind = i16::from((scale + missing) / 4);
    let mut digits = [0_u16; 12];
    let mut count = 0;
    while rest > 0 && count < digits.len() {
        digits[count] = u16::try_from(rest % 10_000).unwrap_or(0);
        rest /= 10_000;
        count += 1;
    }
    let low = digits[..count]
        .iter()
        .take_while(|digit| **digit == 0)
        .count();
    let wide = i16::try_from(count).unwrap_or(0);
    length_of(8 + 2 * (count - low), into);
    into.extend((wide - i16::try_from(low).unwrap_or(0)).to_be_bytes());
    into.extend((wide - behind - 1).to_be_bytes());
    into.extend((if negative { 0x4000_u16 } else { 0 }).to_be_bytes());
    into.extend(u16::from(scale).to_be_bytes());
    for digit in digits[low..count].iter().rev() {
        into.extend(digit.to_be_bytes());
    }
}

/// Dimensions, whether there are NULLs, the elements' type, the bounds, the elements.
fn array(element: u32, items: &[Datum], into: &mut Vec<u8>) -> bool {
    let start = into.len();
    let mut sizes = Vec::new();
    let mut level = items;
    while !level.is_empty() {
        sizes.push(level.len());
        match &level[0] {
            Datum::Array { items, .. } => level = items,
            _ => break,
        }
    }
    length_of(0, into);
    length_of(sizes.len(), into);
    length_of(usize::from(has_null(items)), into);
    into.extend(element.to_be_bytes());
    for size in sizes {
        length_of(size, into);
        length_of(1, into);
    }
    if !elements(items, into) {
        into.truncate(start);
        return false;
    }
    let size = i32::try_from(into.len() - start - 4).unwrap_or(i32::MAX);
    into[start..start + 4].copy_from_slice(&size.to_be_bytes());
    true
}

fn elements(items: &[Datum], into: &mut Vec<u8>) -> bool {
    items.iter().all(|item| match item {
        Datum::Array { items, .. } => elements(items, into),
        item => item.encode(into),
    })
}

fn has_null(items: &[Datum]) -> bool {
    items.iter().any(|item| match item {
        Datum::Array { items, .. } => has_null(items),
        item => item.is_null(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(units: i128, scale: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(Datum::Numeric { units, scale }.encode(&mut bytes));
        bytes
    }

    #[test]
    fn numbers_are_groups_of_four_digits() {
        // 12345.67 is 1, 2345 and 6700, the first of which counts ten thousands.
        let bytes = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 9, 41, 26, 44];
        assert_eq!(encoded(1_234_567, 2), bytes);
        assert_eq!(encoded(0, 2), [0, 0, 0, 8, 0, 0, 255, 254, 0, 0, 0, 2]);
        let bytes = [0, 0, 0, 10, 0, 1, 0, 1, 64, 0, 0, 0, 0, 3];
        assert_eq!(encoded(-30_000, 0), bytes);
    }

    #[test]
    fn what_has_no_binary_form_leaves_nothing_behind() {
        let mut bytes = vec![7];
        let literal = Datum::Literal("(1,2)".to_owned());
        assert!(!literal.encode(&mut bytes));
        let array = Datum::Array {
            element: 600,
            items: vec![literal],
        };
        assert!(!array.encode(&mut bytes));
        assert_eq!(bytes, [7]);
    }
}
