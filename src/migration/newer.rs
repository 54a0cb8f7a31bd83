//! What a server refuses because only a newer one knows it.

/// The SQLSTATE, a part of the server's message and one of the statement (both in lower case), what it is, and the major version
/// that came with it. Tried on Postgres 15; versions by the release notes.
#[rustfmt::skip]
const KNOWN: [(&str, &str, &str, &str, u16); 31] = [
    ("42601", "near \"virtual\"", "generated", "virtual generated columns", 18),
    ("42601", "near \"without\"", "without overlaps", "keys over time", 18),
    ("42601", "near ", ", period ", "keys over time", 18),
    ("42601", "near \"enforced\"", "not enforced", "constraints that are NOT ENFORCED", 18),
    ("42883", "function uuidv7(", "", "uuidv7()", 18),
    ("42883", "function uuidv4(", "", "uuidv4()", 18),
    ("42883", "function casefold(", "", "casefold()", 18),
    ("42883", "function array_sort(", "", "array_sort()", 18),
    ("42883", "function array_reverse(", "", "array_reverse()", 18),
    ("42P01", "missing from-clause entry for table \"old\"", "returning", "RETURNING old", 18),
    ("42P01", "missing from-clause entry for table \"new\"", "returning", "RETURNING new", 18),
    ("42601", "near \"returning\"", "merge", "MERGE with RETURNING", 17),
    ("42601", "near \"by\"", "not matched by", "MERGE with NOT MATCHED BY SOURCE", 17),
    ("42601", "near \"columns\"", "json_table", "JSON_TABLE", 17),
    ("42601", "near \"expression\"", "set expression", "SET EXPRESSION", 17),
    ("42P17", "unrecognized collation provider: builtin", "", "the collation provider builtin", 17),
    ("42704", "role \"pg_maintain\"", "", "the role pg_maintain", 17),
    ("42704", "parameter \"transaction_timeout\"", "", "transaction_timeout", 17),
    ("42601", "near \"json\"", "is json", "IS JSON", 16),
    ("42601", "near \":\"", "json_object", "JSON_OBJECT with colons", 16),
    ("42883", "function json_arrayagg(", "", "JSON_ARRAYAGG", 16),
    ("42883", "function json_array(", "", "JSON_ARRAY", 16),
    ("42883", "function any_value(", "", "any_value()", 16),
    ("42883", "function random_normal(", "", "random_normal()", 16),
    ("42883", "function array_shuffle(", "", "array_shuffle()", 16),
    ("42883", "function array_sample(", "", "array_sample()", 16),
    ("42601", "trailing junk after numeric literal", "", "numbers as 0x1F and 1_000", 16),
    ("42601", "subquery in from must have an alias", "", "a sub-select without an alias", 16),
    ("42601", "near \"inherit\"", "grant", "GRANT with INHERIT", 16),
    ("42601", "near \"storage\"", "create table", "STORAGE in CREATE TABLE", 16),
    ("42703", "column \"system_user\"", "", "SYSTEM_USER", 16),
];

/// The way out, where the refusal looks as that of a server which is too old.
pub(super) fn newer(sqlstate: &str, message: &str, statement: &str) -> Option<String> {
    let (message, statement) = (message.to_lowercase(), statement.to_lowercase());
    let known = KNOWN.iter().find(|(state, said, has, ..)| {
        *state == sqlstate && message.contains(said) && statement.contains(has)
    });
    let (.., what, since) = known?;
    Some(format!(
        "Postgres knows {what} since version {since}: --postgres {since} chooses one that does"
    ))
}

#[cfg(test)]
mod tests {
    use super::newer;

    #[test]
    fn what_only_a_newer_server_knows_is_told_from_a_slip() {
        let virtual_column = "CREATE TABLE a (x int, y int GENERATED ALWAYS AS (x * 2) VIRTUAL)";
        let told = newer(
            "42601",
            "syntax error at or near \"VIRTUAL\"",
            virtual_column,
        );
        assert!(told.unwrap().contains("--postgres 18"));
        let told = newer(
            "42883",
            "function uuidv7() does not exist",
            "SELECT uuidv7()",
        );
        assert!(told.is_some());
        assert_eq!(
            newer("42601", "syntax error at or near \"SELEC\"", "SELEC 1"),
            None
        );
        assert_eq!(
            newer(
                "42601",
                "syntax error at or near \"RETURNING\"",
                "INSERT RETURNING"
            ),
            None
        );
    }
}
