//! A value before it is text or bytes: made once, written in Postgres' text form or as COPY's binary format wants it.

mod binary;
mod calendar;
mod read;
mod text;

pub use read::Kind;

/// A value of a type of Postgres.
///
/// ```
/// use watertight::model::Datum;
///
/// let price = Datum::Numeric { units: -1_250, scale: 2 };
/// assert_eq!(price.to_string(), "-12.50");
/// let mut bytes = Vec::new();
/// assert!(Datum::Int4(1).encode(&mut bytes));
/// assert_eq!(bytes, [0, 0, 0, 4, 0, 0, 0, 1]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Datum {
    /// NULL.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `smallint`.
    Int2(i16),
    /// `integer`.
    Int4(i32),
    /// `bigint`.
    Int8(i64),
    /// `oid`, and what is kept as one.
    Oid(u32),
    /// `real`.
    Float4(f32),
    /// `double precision`.
    Float8(f64),
    /// `numeric`: `units` of which ten to the power of `scale` make one.
    Numeric {
        /// The digits, without the point.
        units: i128,
        /// Digits behind the point, of 0 to 30.
        scale: u8,
    },
    /// `uuid`.
    Uuid([u8; 16]),
    /// `date`, in days since 1970.
    Date(i64),
    /// `timestamp`, in microseconds since 1970.
    Timestamp(i64),
    /// `timestamptz`, in microseconds since 1970, in UTC.
    Timestamptz(i64),
    /// `time`, in microseconds since midnight.
    Time(i64),
    /// `interval`, in microseconds.
    Interval(i64),
    /// Whatever is sent as its text: texts, `json`, the label of an enum.
    Text(String),
    /// `jsonb`, as text.
    Jsonb(String),
    /// `bytea`.
    Bytes(Vec<u8>),
    /// `inet` or `cidr`, of IPv4.
    Inet {
        /// The address.
        address: [u8; 4],
        /// How many bits are the network's.
        bits: u8,
        /// It is a network, and not a host.
        network: bool,
    },
    /// `macaddr` (six bytes) or `macaddr8` (eight).
    Mac(Vec<u8>),
    /// An array, from 1, of one dimension; or of several, where the items are arrays of equal shape.
    Array {
        /// The OID of the innermost elements' type.
        element: u32,
        /// The elements.
        items: Vec<Datum>,
    },
    /// A value in the text form of its type, for types that are written in no other way here.
    Literal(String),
}

impl Datum {
    /// The text form; `None` for NULL.
    #[must_use]
    pub fn into_cell(self) -> super::Cell {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Jsonb(text) | Self::Literal(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// It is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}
