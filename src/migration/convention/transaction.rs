//! How the statements of a file share a transaction.

use crate::model::Statement;

/// How the statements of a file share a transaction. Those that open and end transactions themselves always do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Transaction {
    /// One transaction around the file.
    Always,
    /// Each statement by itself.
    Never,
    /// One message holds the whole file: the server runs several statements in one transaction, and one by itself.
    OneMessage,
    /// One transaction, unless a statement refuses to run in any.
    AsStatementsAllow,
}

impl Transaction {
    /// Whether one transaction goes around these statements.
    pub(in super::super) fn wraps(self, script: &[Statement]) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::OneMessage => script.len() > 1,
            Self::AsStatementsAllow => !script.iter().any(refuses_transaction),
        }
    }
}

/// Whether a statement is refused inside a transaction (by the documentation of Postgres 18).
pub(in super::super) fn refuses_transaction(statement: &Statement) -> bool {
    const HEADS: [&[&str]; 10] = [
        &["VACUUM"],
        &["CLUSTER"],
        &["DISCARD", "ALL"],
        &["ALTER", "SYSTEM"],
        &["CREATE", "DATABASE"],
        &["DROP", "DATABASE"],
        &["CREATE", "TABLESPACE"],
        &["DROP", "TABLESPACE"],
        &["CREATE", "SUBSCRIPTION"],
        &["DROP", "SUBSCRIPTION"],
    ];
    const CONCURRENT: [&[&str]; 5] = [
        &["CREATE", "INDEX"],
        &["CREATE", "UNIQUE"],
        &["DROP", "INDEX"],
        &["REINDEX"],
        &["ALTER", "TABLE"],
    ];
    let begins = |heads: &[&[&str]]| heads.iter().any(|head| statement.begins_with(head));
    begins(&HEADS)
        || (begins(&CONCURRENT) && statement.tokens().any(|token| token.is("concurrently")))
        || (statement.begins_with(&["REINDEX"])
            && statement
                .tokens()
                .any(|token| token.is("database") || token.is("system") || token.is("schema")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_refuse_transactions_are_known() {
        let refuses = |text: &str| refuses_transaction(&crate::model::split(text).unwrap()[0]);
        for text in [
            "create unique index concurrently i on t (a)",
            "VACUUM t",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        ] {
            assert!(refuses(text), "{text}");
        }
        for text in [
            "CREATE INDEX i ON t (a)",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "CREATE TABLE vacuum (a int)",
            "REINDEX TABLE t",
        ] {
            assert!(!refuses(text), "{text}");
        }
    }
}
