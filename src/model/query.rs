//! A query of the user's application, as data.

/// What a query returns, as sqlc's headers have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `:one`
    One,
    /// `:many`, also where nothing is said.
    Many,
    /// `:exec`
    Nothing,
}

/// How a query knows its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryTenant {
    /// Nothing was said: inferred from what its parameters are compared with.
    Inferred,
    /// `-- tenant: $1` or `-- tenant: :name`: this parameter, by its position from 1.
    Parameter(usize),
    /// `-- tenant: context`: the query runs under `[access]` alone.
    Context,
    /// `-- tenant: system REASON`: it crosses tenants by design.
    System(String),
}

/// One query.
#[derive(Clone, Debug)]
pub struct Query {
    /// `relative/path.sql:name`.
    pub object: String,
    /// The file and the line of its first statement.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The text with parameters as `$1`, `$2`, … without gaps.
    pub sql: String,
    /// The parameters' names, where they have any.
    pub parameters: Vec<Option<String>>,
    /// The parameters' types as the server infers them; asked for before planning.
    pub types: Vec<String>,
    /// Why the server would not prepare it.
    pub problem: Option<String>,
    /// What it returns.
    pub returns: Returns,
    /// How it knows its tenant.
    pub tenant: QueryTenant,
}
