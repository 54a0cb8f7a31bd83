//! Schemas as they grow over years, of any number of tables and in five styles: keys by `id` alone, references that nothing
//! holds, a few tables of which nobody says whose they are. The same number gives the same text.

mod enums;
mod legacy;
mod modules;
mod prisma;
mod rails;

/// A large schema: the files of its project, and the column that says whose a row is.
pub(crate) struct Old {
    pub(crate) style: &'static str,
    pub(crate) tenant_column: &'static str,
    /// Paths and contents.
    pub(crate) files: Vec<(String, String)>,
}

/// One of each style, of so many tables.
pub(crate) fn schemas(tables: usize) -> [Old; 5] {
    [
        rails::schema(tables),
        prisma::schema(tables),
        enums::schema(tables),
        legacy::schema(tables),
        modules::schema(tables),
    ]
}

/// What businesses keep records of.
const NOUNS: [&str; 56] = [
    "project",
    "invoice",
    "order",
    "product",
    "contract",
    "ticket",
    "campaign",
    "vehicle",
    "booking",
    "course",
    "document",
    "expense",
    "shipment",
    "warehouse",
    "supplier",
    "lead",
    "quote",
    "payment",
    "refund",
    "subscription",
    "employee",
    "department",
    "shift",
    "payslip",
    "vacancy",
    "applicant",
    "interview",
    "asset",
    "device",
    "inspection",
    "incident",
    "policy",
    "claim",
    "budget",
    "goal",
    "survey",
    "question",
    "answer",
    "webinar",
    "article",
    "channel",
    "message",
    "report",
    "dashboard",
    "widget",
    "workflow",
    "task",
    "milestone",
    "sprint",
    "release",
    "recipe",
    "menu",
    "reservation",
    "room",
    "building",
    "meter",
];

/// The noun by this number: once all are used, with a word before it.
fn noun(number: usize) -> String {
    const BEFORE: [&str; 4] = ["", "archived_", "partner_", "field_"];
    let before = BEFORE[number / NOUNS.len() % BEFORE.len()];
    format!("{before}{}", NOUNS[number % NOUNS.len()])
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// `partnerOrder` of `partner_order`.
fn camel(name: &str) -> String {
    let mut upper = false;
    let mut text = String::new();
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            text.extend(
                if upper {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
                .to_lowercase()
                .map(|l| if upper { l.to_ascii_uppercase() } else { l }),
            );
            upper = false;
        }
    }
    text
}

fn pascal(name: &str) -> String {
    let name = camel(name);
    name[..1].to_uppercase() + &name[1..]
}

/// A number below this one that a name decides.
fn pick(name: &str, below: usize) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from((hash >> 20) % (below.max(1) as u64)).unwrap_or_default()
}

/// The number of a noun before this one, where there is one.
fn earlier(name: &str, number: usize) -> Option<usize> {
    (number > 0).then(|| pick(name, number))
}
