//! A query of the user's application, as data.

use std::collections::BTreeMap;

/// What a query returns, as sqlc's headers have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returns {
    /// `:one`
    One,
    /// `:many`, also where nothing is said.
    #[default]
    Many,
    /// `:exec`
    Nothing,
}

/// How a query knows its tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QueryTenant {
    /// Nothing was said: inferred from what its parameters are compared with.
    #[default]
    Inferred,
    /// `-- tenant: $1` or `-- tenant: :name`: this parameter, by its position from 1.
    Parameter(usize),
    /// `-- tenant: context`: the query runs under `[access]` alone.
    Context,
    /// `-- tenant: system REASON`: it crosses tenants by design.
    System(String),
}

/// How a statement begins that says where names without a schema are looked for.
pub const LOOKING: &str = "SELECT set_config('search_path', ";

/// One query.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `relative/path.sql:name`, `.sqlx/<hash>`; of a file that can't be read, its path.
    pub object: String,
    /// Its text as it was found, where the object's name says nothing of it: reports show it then.
    pub shown: Option<String>,
    /// The file, where it has one.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The text with parameters as `$1`, `$2`, … without gaps.
    pub sql: String,
    /// The parameters' names, where they have any.
    pub parameters: Vec<Option<String>>,
    /// Values of each parameter that a recorded program gave, for those that nothing else is known of.
    pub samples: Vec<Vec<String>>,
    /// By the number of a parameter that is compared with an expression over a table's columns: whose the rows are, as text,
    /// and what it comes to in each; asked for before planning.
    pub computed: BTreeMap<usize, Vec<(Option<String>, String)>>,
    /// The parameters' types as the server infers them; asked for before planning.
    pub types: Vec<String>,
    /// Why it can't be tested, as a sentence: its file can't be read, it is no query, the server would not prepare it.
    pub problem: Option<String>,
    /// What it returns.
    pub returns: Returns,
    /// How it knows its tenant.
    pub tenant: QueryTenant,
    /// Where names without a schema are looked for, as the setting `search_path` has it; else where the server does.
    pub search_path: Option<String>,
}

impl Query {
    /// The statement that sets its `search_path` until the transaction ends, where it has one.
    #[must_use]
    pub fn looking(&self) -> Option<String> {
        let path = self.search_path.as_ref()?;
        Some(format!("{LOOKING}{}, true)", super::literal(path)))
    }

    /// The schemas of its `search_path`, in order.
    #[must_use]
    pub fn schemas(&self) -> Vec<String> {
        let path = self.search_path.as_deref().unwrap_or_default();
        let tokens = super::Tokens::new(path).filter_map(Result::ok);
        tokens.filter_map(|token| token.name()).collect()
    }
}
