//! The types of columns, and what they are made of.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sqlx::PgConnection;

use super::rows;
use crate::error::Result;
use crate::model::{RelationName, Table, Type, TypeKind};

/// Reads the types of all columns, and those that they rest on, level by level: arrays, domains, ranges, composites.
pub(super) async fn read(
    connection: &mut PgConnection,
    tables: &BTreeMap<RelationName, Table>,
) -> Result<BTreeMap<u32, Type>> {
    let mut types = BTreeMap::new();
    let mut wanted: BTreeSet<u32> = tables
        .values()
        .flat_map(|table| table.columns.iter().map(|column| column.type_oid))
        .collect();
    while !wanted.is_empty() {
        let list = wanted
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        for raw in rows::<RawType>(connection, "types", &types_sql(&list)).await? {
            types.insert(raw.oid, raw.into_type());
        }
        wanted = types
            .values()
            .flat_map(parts)
            .filter(|oid| !types.contains_key(oid))
            .collect();
    }
    Ok(types)
}

/// The types that a type rests on.
fn parts(of: &Type) -> Vec<u32> {
    match &of.kind {
        TypeKind::Base | TypeKind::Enum(_) => Vec::new(),
        TypeKind::Domain { base: part, .. }
        | TypeKind::Array(part)
        | TypeKind::Range(part)
        | TypeKind::Multirange(part) => vec![*part],
        TypeKind::Composite(attributes) => attributes.iter().map(|(_, oid, _)| *oid).collect(),
    }
}

#[derive(Deserialize)]
struct RawType {
    oid: u32,
    name: String,
    schema: String,
    printed: String,
    kind: String,
    array: bool,
    element: u32,
    base: u32,
    modifier: i32,
    not_null: bool,
    labels: Vec<String>,
    checks: Vec<String>,
    subtype: u32,
    attributes: Vec<(String, u32, i32)>,
}

impl RawType {
    fn into_type(self) -> Type {
        let kind = match self.kind.as_str() {
            "e" => TypeKind::Enum(self.labels),
            "d" => TypeKind::Domain {
                base: self.base,
                modifier: self.modifier,
                not_null: self.not_null,
                checks: self.checks,
            },
            "r" => TypeKind::Range(self.subtype),
            "m" => TypeKind::Multirange(self.subtype),
            "c" => TypeKind::Composite(self.attributes),
            _ if self.array => TypeKind::Array(self.element),
            _ => TypeKind::Base,
        };
        Type {
            name: self.name,
            schema: self.schema,
            samples: Vec::new(),
            printed: self.printed,
            kind,
        }
    }
}

fn types_sql(list: &str) -> String {
    format!(
        "SELECT t.oid::int8 AS oid, t.typname AS name, t.typnamespace::regnamespace::text AS schema, format_type(t.oid, NULL) AS printed, t.typtype AS kind,
            EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) AS array,
            t.typelem::int8 AS element, t.typbasetype::int8 AS base, t.typtypmod AS modifier, t.typnotnull AS not_null,
            coalesce((SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]') AS labels,
            coalesce((SELECT json_agg(pg_get_expr(k.conbin, 0) ORDER BY k.conname) FROM pg_constraint k
              WHERE k.contypid = t.oid AND k.contype = 'c'), '[]') AS checks,
            coalesce((SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid OR r.rngmultitypid = t.oid), 0)::int8 AS subtype,
            coalesce((SELECT json_agg(json_build_array(a.attname, a.atttypid::int8, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a
              WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS attributes
         FROM pg_type t WHERE t.oid IN ({list})"
    )
}
